/*
 * chain.c
 *		The pages of one bucket, whose first page is locked.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "slots/chain.h"
#include "slots/meta.h"

static void give_back_all(Relation rel, const Buffer *pages, int npages);
static Buffer take_free_page(Relation rel, Buffer first);
static void begin_page(IdemSlotsEdit *edit, Buffer first, Buffer buffer);
static bool try_to_empty(Relation rel, Buffer first, Buffer last, Buffer buffer);
static Size live_bytes(Page page);
static void move_rows(Relation rel, Buffer first, Buffer target, Buffer buffer);
static void unlink_page(Relation rel, Buffer first, Buffer before, Buffer buffer);
static void free_page(IdemSlotsEdit *edit, Buffer buffer, Buffer meta);

void
idem_slots_chain_lock(Buffer first, Buffer buffer)
{
	if (buffer != first)
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
}

void
idem_slots_chain_unlock(Buffer first, Buffer buffer)
{
	if (buffer != first)
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
}

Buffer
idem_slots_chain_next(Relation rel, Buffer first, Buffer buffer)
{
	BlockNumber next = idem_slots_page_next(BufferGetPage(buffer));

	if (buffer != first)
		ReleaseBuffer(buffer);
	return next == InvalidBlockNumber ? InvalidBuffer : ReadBuffer(rel, next);
}

int
idem_slots_chain_length(Relation rel, Buffer first)
{
	Buffer		buffer;
	int			length = 0;

	for (buffer = first; BufferIsValid(buffer);
		 buffer = idem_slots_chain_next(rel, first, buffer))
		length++;
	return length;
}

/* Who has had to wait looks first at what others have made meanwhile. */
Buffer
idem_slots_chain_grow(Relation rel, Buffer first)
{
	Buffer		pages[IDEM_SLOTS_MAX_EXTENSION];
	Buffer		buffer;
	IdemSlotsEdit edit;
	int			npages = 0;
	int			tries;

	for (tries = 0; npages == 0; tries++)
	{
		buffer = take_free_page(rel, first);
		if (BufferIsValid(buffer))
			return buffer;
		npages = idem_slots_meta_extend(rel, pages, 1, tries > 0);
	}
	idem_slots_edit_begin(&edit, rel);
	begin_page(&edit, first, pages[0]);
	idem_slots_edit_end(&edit);
	give_back_all(rel, pages + 1, npages - 1);
	return pages[0];
}

void
idem_slots_chain_stock(Relation rel, int npages)
{
	Buffer		pages[IDEM_SLOTS_MAX_EXTENSION];

	npages = idem_slots_meta_extend(rel, pages, Min(npages, IDEM_SLOTS_MAX_EXTENSION),
									true);
	give_back_all(rel, pages, npages);
}

static void
give_back_all(Relation rel, const Buffer *pages, int npages)
{
	int			i;

	for (i = npages - 1; i >= 0; i--)
	{
		idem_slots_chain_give_back(rel, pages[i]);
		UnlockReleaseBuffer(pages[i]);
	}
}

/* A page of the free list is reached through block 0 alone. */
static Buffer
take_free_page(Relation rel, Buffer first)
{
	Buffer		meta = idem_slots_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE);
	BlockNumber block = idem_slots_meta_of(BufferGetPage(meta))->free;
	Buffer		buffer = InvalidBuffer;

	if (block != InvalidBlockNumber)
	{
		IdemSlotsEdit edit;
		IdemSlotsMeta *content;
		BlockNumber next;

		buffer = ReadBuffer(rel, block);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		next = idem_slots_page_next(BufferGetPage(buffer));
		idem_slots_edit_begin(&edit, rel);
		begin_page(&edit, first, buffer);
		content = idem_slots_meta_of(idem_slots_edit_page(&edit, meta));
		content->free = next;
		content->nfree--;
		idem_slots_edit_end(&edit);
	}
	UnlockReleaseBuffer(meta);
	return buffer;
}

static void
begin_page(IdemSlotsEdit *edit, Buffer first, Buffer buffer)
{
	IdemSlotsLink *link = idem_slots_page_link(idem_slots_edit_page(edit, first));

	idem_slots_page_init(idem_slots_edit_new_page(edit, buffer), IDEM_SLOTS_OVERFLOW,
						 link->bucket, 0, link->next);
	link->next = BufferGetBlockNumber(buffer);
}

bool
idem_slots_chain_is_stray(Relation rel, Buffer first, const IdemSlotRow *row)
{
	const IdemSlotsLink *link = idem_slots_page_link(BufferGetPage(first));

	return link->has_strays &&
		!idem_slots_map_belongs(idem_slots_meta_hash(rel, row->key),
								link->bucket, link->level);
}

void
idem_slots_chain_tidy(Relation rel, Buffer first)
{
	Buffer		before = first;
	BlockNumber next;

	while ((next = idem_slots_page_next(BufferGetPage(before))) != InvalidBlockNumber)
	{
		Buffer		buffer = ReadBuffer(rel, next);

		if (try_to_empty(rel, first, before, buffer))
		{
			unlink_page(rel, first, before, buffer);
			ReleaseBuffer(buffer);
			continue;
		}
		if (before != first)
			ReleaseBuffer(before);
		before = buffer;
	}
	if (before != first)
		ReleaseBuffer(before);
}

/* Move all rows to one page before this one, up to the last of those. */
static bool
try_to_empty(Relation rel, Buffer first, Buffer last, Buffer buffer)
{
	Size		size = live_bytes(BufferGetPage(buffer));
	BlockNumber last_block = BufferGetBlockNumber(last);
	Buffer		target;

	if (size == 0)
		return true;
	for (target = first; BufferIsValid(target);
		 target = idem_slots_chain_next(rel, first, target))
	{
		bool		is_last = BufferGetBlockNumber(target) == last_block;
		bool		has_room = PageGetExactFreeSpace(BufferGetPage(target)) >= size;

		if (has_room)
			move_rows(rel, first, target, buffer);
		if ((has_room || is_last) && target != first)
			ReleaseBuffer(target);
		if (has_room || is_last)
			return has_room;
	}
	return false;
}

/* what the rows take elsewhere, with their line pointers */
static Size
live_bytes(Page page)
{
	OffsetNumber offset;
	Size		size = 0;

	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (!idem_slots_page_is_gone(page, offset))
			size += MAXALIGN(ItemIdGetLength(PageGetItemId(page, offset))) +
				sizeof(ItemIdData);
	}
	return size;
}

static void
move_rows(Relation rel, Buffer first, Buffer target, Buffer buffer)
{
	IdemSlotsEdit edit;
	OffsetNumber offset;
	IdemSlotsLink link;
	PGAlignedBlock copy;
	Page		page;

	idem_slots_chain_lock(first, target);
	idem_slots_chain_lock(first, buffer);
	memcpy(copy.data, BufferGetPage(buffer), BLCKSZ);
	link = *idem_slots_page_link(copy.data);
	idem_slots_edit_begin(&edit, rel);
	(void) idem_slots_edit_page(&edit, first);
	page = idem_slots_edit_page(&edit, target);
	for (offset = 1; offset <= PageGetMaxOffsetNumber(copy.data); offset++)
	{
		ItemId		item = PageGetItemId(copy.data, offset);
		HeapTupleData tuple;

		if (idem_slots_page_is_gone(copy.data, offset))
			continue;
		tuple.t_data = (HeapTupleHeader) PageGetItem(copy.data, item);
		tuple.t_len = ItemIdGetLength(item);
		(void) idem_slots_page_add(page, BufferGetBlockNumber(target), &tuple);
	}
	idem_slots_page_init(idem_slots_edit_new_page(&edit, buffer), IDEM_SLOTS_OVERFLOW,
						 link.bucket, 0, link.next);
	idem_slots_edit_end(&edit);
	idem_slots_chain_unlock(first, buffer);
	idem_slots_chain_unlock(first, target);
}

static void
unlink_page(Relation rel, Buffer first, Buffer before, Buffer buffer)
{
	IdemSlotsEdit edit;
	Buffer		meta;

	idem_slots_chain_lock(first, before);
	idem_slots_chain_lock(first, buffer);
	meta = idem_slots_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE);
	idem_slots_edit_begin(&edit, rel);
	(void) idem_slots_edit_page(&edit, first);
	idem_slots_page_link(idem_slots_edit_page(&edit, before))->next =
		idem_slots_page_next(BufferGetPage(buffer));
	free_page(&edit, buffer, meta);
	idem_slots_edit_end(&edit);
	UnlockReleaseBuffer(meta);
	idem_slots_chain_unlock(first, buffer);
	idem_slots_chain_unlock(first, before);
}

void
idem_slots_chain_give_back(Relation rel, Buffer buffer)
{
	Buffer		meta = idem_slots_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE);
	IdemSlotsEdit edit;

	idem_slots_edit_begin(&edit, rel);
	free_page(&edit, buffer, meta);
	idem_slots_edit_end(&edit);
	UnlockReleaseBuffer(meta);
}

static void
free_page(IdemSlotsEdit *edit, Buffer buffer, Buffer meta)
{
	Page		page = idem_slots_edit_new_page(edit, buffer);
	IdemSlotsMeta *content = idem_slots_meta_of(idem_slots_edit_page(edit, meta));

	idem_slots_page_init(page, IDEM_SLOTS_FREE, 0, 0, content->free);
	content->free = BufferGetBlockNumber(buffer);
	content->nfree++;
}
