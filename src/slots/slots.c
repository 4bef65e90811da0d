/*
 * slots.c
 *		Finding, making, changing and removing rows that are changed in place.
 *
 * The protocol of the whole folder, which every part of it keeps:
 *
 * Names lie in hash buckets.  A bucket is a chain of pages, whose first one
 * is found through the map in block 0; its content lock covers all that the
 * bucket holds.  The table grows by one bucket at a time, which takes a part
 * of the names of one other (split.c).
 *
 * Locks are taken in this order, and no other:
 *
 *		the right to split: a heavyweight lock on block 0, not waited for,
 *			and by nobody who has a content lock
 *		first pages, by the numbers of their buckets
 *		other pages of a chain, in its order
 *		either the lock for extending the file, or block 0
 *
 * Content locks have no deadlock detector.  Who extends the file locks no page
 * that anybody else could reach.
 *
 * A call takes the map as its session remembers it, and locks the first page.
 * Where the level of that page says that the hash is not of this bucket, the
 * map is old: let go of all, read block 0, and again.  The number of buckets
 * only grows, so this ends.  Then it looks, decides and writes.  Room is found
 * before anything is written: first where rows are gone or expired, then from
 * the free pages, then at the end of the file.  Only after all is let go of,
 * who added or moved a row and found no room for it on the first page splits
 * a bucket; if nobody else split any, one hot name in a long bucket would make
 * the table grow without end.
 *
 * A standby replays a change of several pages under the locks of all, the
 * first page of the chain foremost, so that readers there need no more than
 * readers here do.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "utils/rel.h"

#include "slots/chain.h"
#include "slots/meta.h"
#include "slots/room.h"
#include "slots/slots.h"
#include "slots/split.h"

static inline void lock_slot(IdemSlots *slots, IdemSlot *slot);
static void begin_slot(const IdemSlots *slots, const text *key, IdemSlot *slot);
static bool lock_bucket(const IdemSlots *slots, IdemSlot *slot);
static bool belongs(const IdemSlot *slot);
static void read_newer_map(Relation rel);
static bool lock_in_order(const IdemSlots *slots, IdemSlot **in_order, int n);
static int	compare_buckets(const void *a, const void *b);
static void find_row(IdemSlots *slots, IdemSlot *slot);
static void keep_place(IdemSlot *slot, Buffer buffer, OffsetNumber offset);
static void overwrite(IdemSlots *slots, IdemSlot *slot, TimestampTz expires_at,
					  const char *state, Size size);
static bool has_place(const IdemSlots *slots, IdemSlot *slot, Size size);
static void drop_place(IdemSlot *slot);
static void make_durable(const IdemSlots *slots);

void
idem_slots_open(IdemSlots *slots, Relation rel, LOCKMODE lockmode)
{
	memset(slots, 0, sizeof(IdemSlots));
	slots->rel = rel;
	slots->lockmode = lockmode;
	if (idem_slots_meta_map(rel) == NULL && lockmode > AccessShareLock)
	{
		idem_slots_meta_set_up(rel, IDEM_SLOTS_FIRST_BUCKETS);
		(void) idem_slots_meta_read_map(rel);
	}
}

void
idem_slots_grow(IdemSlots *slots)
{
	if (slots->crowded > 0)
		idem_slots_split(slots->rel, slots->crowded);
	slots->crowded = 0;
}

void
idem_slots_close(IdemSlots *slots)
{
	idem_slots_grow(slots);
	relation_close(slots->rel, slots->lockmode);
}

void
idem_slots_lock(IdemSlots *slots, const text *key, IdemSlot *slot)
{
	begin_slot(slots, key, slot);
	lock_slot(slots, slot);
}

static inline void
lock_slot(IdemSlots *slots, IdemSlot *slot)
{
	slots->locked = slot;
	slots->nlocked = 1;
	if (idem_slots_meta_map(slots->rel) == NULL)
		return;
	while (!lock_bucket(slots, slot))
		read_newer_map(slots->rel);
	find_row(slots, slot);
}

void
idem_slots_lock_hashed(IdemSlots *slots, const text *key, uint64 hash, IdemSlot *slot)
{
	memset(slot, 0, sizeof(IdemSlot));
	slot->key = key;
	slot->hash = hash;
	lock_slot(slots, slot);
}

static void
begin_slot(const IdemSlots *slots, const text *key, IdemSlot *slot)
{
	memset(slot, 0, sizeof(IdemSlot));
	slot->key = key;
	if (idem_slots_meta_map(slots->rel) != NULL)
		slot->hash = idem_slots_meta_hash(slots->rel, key);
}

uint64
idem_slots_hash(const IdemSlots *slots, const text *key)
{
	return idem_slots_meta_map(slots->rel) == NULL ? 0 :
		idem_slots_meta_hash(slots->rel, key);
}

uint32
idem_slots_bucket(const IdemSlots *slots, uint64 hash)
{
	const IdemSlotsMap *map = idem_slots_meta_map(slots->rel);

	return map == NULL ? 0 : idem_slots_map_bucket(hash, map->nbuckets);
}

/* False, with no lock, when the map is old. */
static bool
lock_bucket(const IdemSlots *slots, IdemSlot *slot)
{
	const IdemSlotsMap *map = idem_slots_meta_map(slots->rel);

	slot->bucket_number = idem_slots_map_bucket(slot->hash, map->nbuckets);
	slot->bucket = ReadBuffer(slots->rel,
							  idem_slots_map_block(map, slot->bucket_number));
	LockBuffer(slot->bucket, slots->lockmode > AccessShareLock ?
			   BUFFER_LOCK_EXCLUSIVE : BUFFER_LOCK_SHARE);
	if (belongs(slot))
		return true;
	UnlockReleaseBuffer(slot->bucket);
	return false;
}

/* Is this still the bucket of the name? */
static bool
belongs(const IdemSlot *slot)
{
	const IdemSlotsLink *link = idem_slots_page_link(BufferGetPage(slot->bucket));

	return idem_slots_map_belongs(slot->hash, slot->bucket_number, link->level);
}

static void
read_newer_map(Relation rel)
{
	uint32		nbuckets = idem_slots_meta_map(rel)->nbuckets;

	if (idem_slots_meta_read_map(rel)->nbuckets <= nbuckets)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("table \"%s\" is damaged", RelationGetRelationName(rel)),
				 errhint("TRUNCATE the table; what it remembers is lost then.")));
}

void
idem_slots_unlock(IdemSlot *slot)
{
	drop_place(slot);
	if (BufferIsValid(slot->bucket) && !slot->shares_lock)
		UnlockReleaseBuffer(slot->bucket);
}

void
idem_slots_lock_all(IdemSlots *slots, const text *const *keys, IdemSlot *locked,
					int nkeys)
{
	IdemSlot  **in_order = palloc(nkeys * sizeof(IdemSlot *));
	int			i;

	for (i = 0; i < nkeys; i++)
	{
		begin_slot(slots, keys[i], &locked[i]);
		in_order[i] = &locked[i];
	}
	while (!lock_in_order(slots, in_order, nkeys))
		read_newer_map(slots->rel);
	for (i = 0; i < nkeys; i++)
		find_row(slots, &locked[i]);
	slots->locked = locked;
	slots->nlocked = nkeys;
	pfree(in_order);
}

static bool
lock_in_order(const IdemSlots *slots, IdemSlot **in_order, int n)
{
	uint32		nbuckets = idem_slots_meta_map(slots->rel)->nbuckets;
	int			i;

	for (i = 0; i < n; i++)
		in_order[i]->bucket_number = idem_slots_map_bucket(in_order[i]->hash, nbuckets);
	qsort(in_order, n, sizeof(IdemSlot *), compare_buckets);
	for (i = 0; i < n; i++)
	{
		IdemSlot   *slot = in_order[i];
		IdemSlot   *before = i > 0 ? in_order[i - 1] : NULL;

		slot->shares_lock = before != NULL && slot->bucket_number == before->bucket_number;
		if (slot->shares_lock)
			slot->bucket = before->bucket;
		if (!(slot->shares_lock ? belongs(slot) : lock_bucket(slots, slot)))
			break;
	}
	if (i == n)
		return true;
	while (--i >= 0)
		idem_slots_unlock(in_order[i]);
	return false;
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
find_row(IdemSlots *slots, IdemSlot *slot)
{
	int			natts = RelationGetNumberOfAttributes(slots->rel);
	bool		is_reader = slots->lockmode == AccessShareLock;
	Buffer		buffer = slot->bucket;

	while (BufferIsValid(buffer))
	{
		bool		is_locked = is_reader && buffer != slot->bucket;
		OffsetNumber gone;
		OffsetNumber offset;

		/* what replay writes over in place, it has locked alone */
		if (is_locked)
			LockBuffer(buffer, BUFFER_LOCK_SHARE);
		slot->npages++;
		offset = idem_slots_page_find(BufferGetPage(buffer), natts, slot->key, &slot->row,
									  &gone);
		if (offset != InvalidOffsetNumber)
		{
			drop_place(slot);
			slot->page = buffer;
			slot->offset = offset;
			slot->page_is_locked = is_locked;
			slot->is_gone = false;
			return;
		}
		if (gone != InvalidOffsetNumber && !is_reader && !BufferIsValid(slot->page))
			keep_place(slot, buffer, gone);
		if (is_locked)
			LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		buffer = idem_slots_chain_next(slots->rel, slot->bucket, buffer);
	}
}

/* of a row that is gone, and may come back there */
static void
keep_place(IdemSlot *slot, Buffer buffer, OffsetNumber offset)
{
	if (buffer != slot->bucket)
		IncrBufferRefCount(buffer);
	slot->page = buffer;
	slot->offset = offset;
	slot->is_gone = true;
}

static void
drop_place(IdemSlot *slot)
{
	if (BufferIsValid(slot->page) && slot->page != slot->bucket)
	{
		if (slot->page_is_locked)
			LockBuffer(slot->page, BUFFER_LOCK_UNLOCK);
		ReleaseBuffer(slot->page);
	}
	slot->page = InvalidBuffer;
}

bool
idem_slots_is_there(const IdemSlot *slot)
{
	return BufferIsValid(slot->page) && !slot->is_gone;
}

const IdemSlotRow *
idem_slots_row(const IdemSlot *slot)
{
	return idem_slots_is_there(slot) ? &slot->row : NULL;
}

void
idem_slots_reserve(IdemSlots *slots, IdemSlot *slot, Size size)
{
	TupleDesc	desc = RelationGetDescr(slots->rel);
	TimestampTz expires_at = 0;
	IdemSlotRow row;
	HeapTuple	tuple;
	char	   *state;

	make_durable(slots);
	if (has_place(slots, slot, size))
		return;
	state = palloc0(size);
	if (idem_slots_is_there(slot) &&
		idem_slots_page_row(BufferGetPage(slot->page), slot->offset,
							RelationGetNumberOfAttributes(slots->rel), &row))
	{
		expires_at = *row.expires_at;
		if (row.state != NULL)
			memcpy(state, idem_slots_page_row_bytes(&row), idem_slots_page_row_room(&row));
	}
	tuple = idem_slots_page_row_form(desc, slot->key, expires_at, state, size);
	idem_slots_room_put(slots, slot, tuple, !idem_slots_is_there(slot));
	heap_freetuple(tuple);
	pfree(state);
}

/* Is there a row, or the place of one, that is large enough?  Looks anew. */
static bool
has_place(const IdemSlots *slots, IdemSlot *slot, Size size)
{
	return BufferIsValid(slot->page) &&
		idem_slots_page_place(BufferGetPage(slot->page), slot->offset,
							  RelationGetNumberOfAttributes(slots->rel), &slot->row) &&
		idem_slots_page_row_room(&slot->row) >= size;
}

void
idem_slots_write(IdemSlots *slots, IdemSlot *slot, TimestampTz expires_at,
				 const char *state, Size size)
{
	HeapTuple	tuple;

	make_durable(slots);
	if (has_place(slots, slot, size))
	{
		overwrite(slots, slot, expires_at, state, size);
		return;
	}
	tuple = idem_slots_page_row_form(RelationGetDescr(slots->rel), slot->key,
									 expires_at, state, size);
	idem_slots_room_put(slots, slot, tuple, false);
	heap_freetuple(tuple);
}

/* What has_place has found; of a logged table it is changed in a copy of its page. */
static void
overwrite(IdemSlots *slots, IdemSlot *slot, TimestampTz expires_at,
		  const char *state, Size size)
{
	IdemSlotRow row = slot->row;
	IdemSlotsEdit edit;
	Page		page;

	idem_slots_chain_lock(slot->bucket, slot->page);
	idem_slots_edit_begin(&edit, slots->rel);
	page = idem_slots_edit_page(&edit, slot->page);
	if (page != BufferGetPage(slot->page))
		(void) idem_slots_page_place(page, slot->offset,
									 RelationGetNumberOfAttributes(slots->rel), &row);
	*row.expires_at = expires_at;
	if (row.state != NULL)
	{
		memcpy(VARDATA(row.state), state, size);
		memset(VARDATA(row.state) + size, 0, idem_slots_page_row_room(&row) - size);
	}
	if (slot->is_gone)
		idem_slots_page_set_gone(page, slot->offset, false);
	slot->is_gone = false;
	idem_slots_edit_end(&edit);
	idem_slots_chain_unlock(slot->bucket, slot->page);
}

void
idem_slots_remove(IdemSlots *slots, IdemSlot *slot)
{
	IdemSlotsEdit edit;

	if (!idem_slots_is_there(slot))
		return;
	make_durable(slots);
	idem_slots_chain_lock(slot->bucket, slot->page);
	idem_slots_edit_begin(&edit, slots->rel);
	idem_slots_page_set_gone(idem_slots_edit_page(&edit, slot->page), slot->offset, true);
	slot->is_gone = true;
	idem_slots_edit_end(&edit);
	idem_slots_chain_unlock(slot->bucket, slot->page);
}

/* What is logged reaches the disc with a commit that has a transaction id. */
static void
make_durable(const IdemSlots *slots)
{
	if (RelationNeedsWAL(slots->rel) && !slots->may_lose_changes)
		(void) GetTopTransactionId();
}
