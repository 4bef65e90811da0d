/*
 * slots.c
 *		Finding, making, changing and removing rows that are changed in place.
 *
 * Who holds the content lock of a bucket's first page owns the whole chain:
 * overflow pages change only under it, so they may be read under it with a
 * pin alone.  They are locked as well while they change, against scans and
 * the checkpointer.  Buckets are locked in the order of their numbers, and
 * inside a bucket the first page before the others.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/rel.h"

#include "slots/slots.h"

static uint32 bucket_of(const IdemSlots *slots, const text *key);
static Buffer lock_bucket(const IdemSlots *slots, uint32 number);
static int	compare_buckets(const void *a, const void *b);
static void find_row(const IdemSlots *slots, IdemSlot *slot);
static OffsetNumber find_on_page(Page page, int natts, const text *key);
static void overwrite(IdemSlots *slots, const IdemSlot *slot,
					  TimestampTz expires_at, const char *state, Size size);
static void add(IdemSlots *slots, IdemSlot *slot, HeapTuple tuple);
static Buffer find_room(IdemSlots *slots, const IdemSlot *slot, Size size);
static void lock_page(const IdemSlot *slot, Buffer buffer);
static void unlock_page(const IdemSlot *slot, Buffer buffer);
static void make_durable(const IdemSlots *slots);

void
idem_slots_open(IdemSlots *slots, Relation rel, LOCKMODE lockmode, uint32 nbuckets)
{
	slots->rel = rel;
	slots->lockmode = lockmode;
	slots->may_lose_changes = false;
	slots->nbuckets = idem_slots_page_nbuckets(rel);
	if (slots->nbuckets == 0 && lockmode >= RowExclusiveLock)
	{
		idem_slots_page_set_up(rel, nbuckets);
		slots->nbuckets = idem_slots_page_nbuckets(rel);
	}
}

void
idem_slots_close(IdemSlots *slots)
{
	relation_close(slots->rel, slots->lockmode);
}

void
idem_slots_lock(IdemSlots *slots, const text *key, IdemSlot *slot)
{
	slot->key = key;
	slot->page = InvalidBuffer;
	slot->bucket = InvalidBuffer;
	slot->shares_lock = false;
	if (slots->nbuckets == 0)
		return;
	slot->bucket_number = bucket_of(slots, key);
	slot->bucket = lock_bucket(slots, slot->bucket_number);
	find_row(slots, slot);
}

/* the hash of core's that partitions are made by, which never changes */
static uint32
bucket_of(const IdemSlots *slots, const text *key)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) VARDATA_ANY(key),
										   VARSIZE_ANY_EXHDR(key), 0);

	return (uint32) (hash % slots->nbuckets);
}

static Buffer
lock_bucket(const IdemSlots *slots, uint32 number)
{
	Buffer		buffer = ReadBuffer(slots->rel, 1 + number);

	LockBuffer(buffer, slots->lockmode >= RowExclusiveLock ?
			   BUFFER_LOCK_EXCLUSIVE : BUFFER_LOCK_SHARE);
	return buffer;
}

void
idem_slots_unlock(IdemSlot *slot)
{
	if (BufferIsValid(slot->page) && slot->page != slot->bucket)
		ReleaseBuffer(slot->page);
	if (BufferIsValid(slot->bucket) && !slot->shares_lock)
		UnlockReleaseBuffer(slot->bucket);
}

void
idem_slots_lock_all(IdemSlots *slots, const text *const *keys,
					IdemSlot *locked, int nkeys)
{
	IdemSlot  **in_order = palloc(nkeys * sizeof(IdemSlot *));
	int			i;

	for (i = 0; i < nkeys; i++)
	{
		memset(&locked[i], 0, sizeof(IdemSlot));
		locked[i].key = keys[i];
		locked[i].bucket_number = bucket_of(slots, keys[i]);
		in_order[i] = &locked[i];
	}
	qsort(in_order, nkeys, sizeof(IdemSlot *), compare_buckets);
	for (i = 0; i < nkeys; i++)
	{
		IdemSlot   *slot = in_order[i];

		slot->shares_lock = i > 0 &&
			slot->bucket_number == in_order[i - 1]->bucket_number;
		slot->bucket = slot->shares_lock ? in_order[i - 1]->bucket :
			lock_bucket(slots, slot->bucket_number);
		find_row(slots, slot);
	}
	pfree(in_order);
}

static int
compare_buckets(const void *a, const void *b)
{
	uint32		left = (*(IdemSlot *const *) a)->bucket_number;
	uint32		right = (*(IdemSlot *const *) b)->bucket_number;

	return left < right ? -1 : left > right;
}

void
idem_slots_unlock_all(IdemSlot *locked, int nkeys)
{
	int			i;

	for (i = 0; i < nkeys; i++)
		idem_slots_unlock(&locked[i]);
}

static void
find_row(const IdemSlots *slots, IdemSlot *slot)
{
	int			natts = RelationGetNumberOfAttributes(slots->rel);
	Buffer		buffer = slot->bucket;

	for (;;)
	{
		Page		page = BufferGetPage(buffer);
		BlockNumber next;

		slot->offset = find_on_page(page, natts, slot->key);
		if (slot->offset != InvalidOffsetNumber)
		{
			slot->page = buffer;
			return;
		}
		/* not before it is needed: it lies at the other end of the page */
		next = idem_slots_page_next(page);
		if (buffer != slot->bucket)
			ReleaseBuffer(buffer);
		if (next == InvalidBlockNumber)
			return;
		buffer = ReadBuffer(slots->rel, next);
	}
}

static OffsetNumber
find_on_page(Page page, int natts, const text *key)
{
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	Size		size = VARSIZE_ANY_EXHDR(key);
	IdemSlotRow row;
	OffsetNumber offset;

	for (offset = 1; offset <= last; offset++)
	{
		if (idem_slots_page_row(page, offset, natts, &row) &&
			VARSIZE(row.key) - VARHDRSZ == size &&
			memcmp(VARDATA(row.key), VARDATA_ANY(key), size) == 0)
			return offset;
	}
	return InvalidOffsetNumber;
}

bool
idem_slots_get(const IdemSlots *slots, const IdemSlot *slot, IdemSlotRow *row)
{
	return BufferIsValid(slot->page) &&
		idem_slots_page_row(BufferGetPage(slot->page), slot->offset,
							RelationGetNumberOfAttributes(slots->rel), row);
}

void
idem_slots_write(IdemSlots *slots, IdemSlot *slot, TimestampTz expires_at,
				 const char *state, Size size)
{
	IdemSlotRow row;

	make_durable(slots);
	if (idem_slots_get(slots, slot, &row) &&
		idem_slots_page_row_room(&row) >= size)
		overwrite(slots, slot, expires_at, state, size);
	else
	{
		HeapTuple	tuple = idem_slots_page_row_form(RelationGetDescr(slots->rel),
													 slot->key, expires_at, state, size);

		add(slots, slot, tuple);
		heap_freetuple(tuple);
	}
}

static void
overwrite(IdemSlots *slots, const IdemSlot *slot, TimestampTz expires_at,
		  const char *state, Size size)
{
	IdemSlotsEdit edit;
	IdemSlotRow row;

	lock_page(slot, slot->page);
	idem_slots_page_edit_begin(&edit, slots->rel);
	(void) idem_slots_page_row(idem_slots_page_edit_page(&edit, slot->page),
							   slot->offset,
							   RelationGetNumberOfAttributes(slots->rel), &row);
	*row.expires_at = expires_at;
	if (row.state != NULL)
	{
		memcpy(VARDATA(row.state), state, size);
		memset(VARDATA(row.state) + size, 0, idem_slots_page_row_room(&row) - size);
	}
	idem_slots_page_edit_end(&edit);
	unlock_page(slot, slot->page);
}

/* Put the row on a page that has room, and take it off where it was. */
static void
add(IdemSlots *slots, IdemSlot *slot, HeapTuple tuple)
{
	Buffer		target = find_room(slots, slot, tuple->t_len);
	bool		is_moved = BufferIsValid(slot->page) && slot->page != target;
	IdemSlotsEdit edit;
	Page		page;

	if (is_moved)
		lock_page(slot, slot->page);
	idem_slots_page_edit_begin(&edit, slots->rel);
	page = idem_slots_page_edit_page(&edit, target);
	idem_slots_page_add(page, BufferGetBlockNumber(target), tuple);
	if (BufferIsValid(slot->page))
		idem_slots_page_remove(is_moved ? idem_slots_page_edit_page(&edit, slot->page) : page,
							   slot->offset);
	idem_slots_page_edit_end(&edit);
	if (is_moved)
		unlock_page(slot, slot->page);

	unlock_page(slot, target);
	if (target != slot->bucket)
		ReleaseBuffer(target);
}

/* A page of the chain, pinned and locked, where a row of this size fits. */
static Buffer
find_room(IdemSlots *slots, const IdemSlot *slot, Size size)
{
	Buffer		buffer = slot->bucket;

	for (;;)
	{
		BlockNumber next;

		lock_page(slot, buffer);
		/* even if there is room: each look for a row reads all that are gone */
		idem_slots_page_compact(slots->rel, buffer);
		if (idem_slots_page_has_room(BufferGetPage(buffer), size))
			return buffer;

		unlock_page(slot, buffer);
		next = idem_slots_page_next(BufferGetPage(buffer));
		if (buffer != slot->bucket)
			ReleaseBuffer(buffer);
		if (next == InvalidBlockNumber)
			return idem_slots_page_extend(slots->rel, slot->bucket);
		buffer = ReadBuffer(slots->rel, next);
	}
}

/* the first page is locked already */
static void
lock_page(const IdemSlot *slot, Buffer buffer)
{
	if (buffer != slot->bucket)
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
}

static void
unlock_page(const IdemSlot *slot, Buffer buffer)
{
	if (buffer != slot->bucket)
		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
}

void
idem_slots_remove(IdemSlots *slots, IdemSlot *slot)
{
	IdemSlotsEdit edit;

	if (!BufferIsValid(slot->page))
		return;
	make_durable(slots);
	lock_page(slot, slot->page);
	idem_slots_page_edit_begin(&edit, slots->rel);
	idem_slots_page_remove(idem_slots_page_edit_page(&edit, slot->page),
						   slot->offset);
	idem_slots_page_edit_end(&edit);
	unlock_page(slot, slot->page);
}

void
idem_slots_append(IdemSlots *slots, const text *key, TimestampTz expires_at,
				  const char *state, Size size)
{
	HeapTuple	tuple = idem_slots_page_row_form(RelationGetDescr(slots->rel), key,
												 expires_at, state, size);
	IdemSlot	slot = {.key = key};

	slot.bucket_number = bucket_of(slots, key);
	slot.bucket = lock_bucket(slots, slot.bucket_number);
	add(slots, &slot, tuple);
	idem_slots_unlock(&slot);
	heap_freetuple(tuple);
}

/* What is logged reaches the disc with a commit that has a transaction id. */
static void
make_durable(const IdemSlots *slots)
{
	if (RelationNeedsWAL(slots->rel) && !slots->may_lose_changes)
		(void) GetTopTransactionId();
}
