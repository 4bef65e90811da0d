/*
 * list.c
 *		Reading a whole table of slots: each name once.
 *
 * A bucket's level, read with its rows, says how much of the names it had at
 * the beginning it still has: the rest is in the buckets made from it since,
 * which are read next in the same way, each for its part.  A split between
 * the two readings shows in neither twice and is missed by neither.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/rel.h"

#include "slots/list.h"
#include "slots/meta.h"

static bool read_more(IdemSlotsList *list);
static void read_bucket(IdemSlotsList *list, uint32 bucket, int level);
static void descend(IdemSlotsList *list, int level);
static void read_former_page(IdemSlotsList *list, BlockNumber block);
static Buffer read_page(const IdemSlotsList *list, BlockNumber block);
static void copy_page(IdemSlotsList *list, Buffer buffer);
static bool is_stray(const IdemSlotsList *list, const IdemSlotRow *row);

void
idem_slots_list_begin(IdemSlotsList *list, Relation rel)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);

	memset(list, 0, sizeof(IdemSlotsList));
	list->rel = rel;
	list->context = CurrentMemoryContext;
	list->is_former = idem_slots_meta_is_former(rel);
	if (list->is_former)
		list->nbuckets = nblocks;
	else if (idem_slots_meta_map(rel) != NULL)
		list->nbuckets = idem_slots_meta_read_map(rel)->nbuckets;
	/* what a scan of a large table reads is not to fill the cache */
	if (nblocks > NBuffers / 4)
		list->strategy = GetAccessStrategy(BAS_BULKREAD);
	list->offset = FirstOffsetNumber;
}

void
idem_slots_list_end(IdemSlotsList *list)
{
	if (list->strategy != NULL)
		FreeAccessStrategy(list->strategy);
	if (list->pages != NULL)
	{
		pfree(list->pages);
		pfree(list->blocks);
	}
}

HeapTuple
idem_slots_list_next(IdemSlotsList *list, IdemSlotRow *row)
{
	int			natts = RelationGetNumberOfAttributes(list->rel);

	for (;;)
	{
		Page		page;
		ItemId		item;

		if (list->page == list->npages)
		{
			if (!read_more(list))
				return NULL;
			continue;
		}
		page = list->pages[list->page].data;
		if (list->offset > PageGetMaxOffsetNumber(page))
		{
			list->page++;
			list->offset = FirstOffsetNumber;
			continue;
		}
		item = PageGetItemId(page, list->offset);
		ItemPointerSet(&list->tuple.t_self, list->blocks[list->page], list->offset);
		if (!idem_slots_page_row(page, list->offset++, natts, row) || is_stray(list, row))
			continue;
		list->tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		list->tuple.t_len = ItemIdGetLength(item);
		list->tuple.t_tableOid = RelationGetRelid(list->rel);
		return &list->tuple;
	}
}

static bool
is_stray(const IdemSlotsList *list, const IdemSlotRow *row)
{
	return list->has_strays &&
		!idem_slots_map_belongs(idem_slots_meta_hash(list->rel, row->key),
								list->bucket, list->level);
}

static bool
read_more(IdemSlotsList *list)
{
	CHECK_FOR_INTERRUPTS();
	list->page = list->npages = 0;
	list->offset = FirstOffsetNumber;
	if (list->ndescent > 0)
	{
		list->ndescent--;
		read_bucket(list, list->descent[list->ndescent].bucket,
					list->descent[list->ndescent].level);
	}
	else if (list->next == list->nbuckets)
		return false;
	else if (list->is_former)
		read_former_page(list, list->next++);
	else
	{
		uint32		bucket = list->next++;

		read_bucket(list, bucket, idem_slots_map_level(bucket, list->nbuckets));
	}
	return true;
}

/* The level is what it had when the list was begun, or when it was made. */
static void
read_bucket(IdemSlotsList *list, uint32 bucket, int level)
{
	const IdemSlotsMap *map = idem_slots_meta_map(list->rel);
	const IdemSlotsLink *link;
	BlockNumber next;
	Buffer		first;

	if (bucket >= map->nbuckets)
		map = idem_slots_meta_read_map(list->rel);
	first = read_page(list, idem_slots_map_block(map, bucket));
	link = idem_slots_page_link(BufferGetPage(first));
	list->bucket = bucket;
	list->level = link->level;
	list->has_strays = link->has_strays;
	copy_page(list, first);
	for (next = link->next; next != InvalidBlockNumber;)
	{
		Buffer		buffer = read_page(list, next);

		copy_page(list, buffer);
		next = idem_slots_page_next(BufferGetPage(buffer));
		UnlockReleaseBuffer(buffer);
	}
	UnlockReleaseBuffer(first);
	descend(list, level);
}

static void
descend(IdemSlotsList *list, int level)
{
	for (; level < list->level; level++)
	{
		Assert(list->ndescent < IDEM_SLOTS_MAX_DESCENT);
		list->descent[list->ndescent].bucket = list->bucket + ((uint32) 1 << level);
		list->descent[list->ndescent].level = level + 1;
		list->ndescent++;
	}
}

/* Block 0 has no row, and every other page only what is like ours. */
static void
read_former_page(IdemSlotsList *list, BlockNumber block)
{
	Buffer		buffer = read_page(list, block);

	copy_page(list, buffer);
	UnlockReleaseBuffer(buffer);
}

static Buffer
read_page(const IdemSlotsList *list, BlockNumber block)
{
	Buffer		buffer = ReadBufferExtended(list->rel, MAIN_FORKNUM, block,
											RBM_NORMAL, list->strategy);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	return buffer;
}

static void
copy_page(IdemSlotsList *list, Buffer buffer)
{
	if (list->npages == list->max_pages)
	{
		MemoryContext caller = MemoryContextSwitchTo(list->context);
		int			n = list->max_pages + 4;

		list->pages = list->pages == NULL ? palloc(n * sizeof(PGAlignedBlock)) :
			repalloc(list->pages, n * sizeof(PGAlignedBlock));
		list->blocks = list->blocks == NULL ? palloc(n * sizeof(BlockNumber)) :
			repalloc(list->blocks, n * sizeof(BlockNumber));
		list->max_pages = n;
		MemoryContextSwitchTo(caller);
	}
	memcpy(list->pages[list->npages].data, BufferGetPage(buffer), BLCKSZ);
	list->blocks[list->npages++] = BufferGetBlockNumber(buffer);
}
