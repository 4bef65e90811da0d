/*
 * care.c
 *		What fills, sweeps and rewrites tables of slots as a whole.
 *
 * The number of buckets changes only when the table is rewritten, under the
 * strongest lock on the relation; every other access has it constant.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/bufpage.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "pg/compat.h"
#include "slots/care.h"
#include "slots/slots.h"

/* how full pages are after a rewrite, in hundredths */
#define FILL_PERCENT	60

/* pages of one bucket that no even spread of rows makes */
#define LONG_CHAIN		16

/* tries at the strongest lock, and the milliseconds between them */
#define LOCK_TRIES		20
#define LOCK_PAUSE_MS	1

/* what a sweep has seen */
typedef struct Sweep
{
	IdemSlots	slots;
	TimestampTz now;
	int64		max_rows;
	int64		removed;
	int64		live_bytes;
	int			longest_chain;	/* in pages */
	bool		is_whole;		/* has it come to the end? */
} Sweep;

static int	longest_chain;

static uint32 nbuckets_of_former(Relation rel);
static void copy_rows(IdemSlots *target, Page page, TimestampTz now,
					  double *copied, double *left_behind);
static int64 live_bytes(Relation rel, TimestampTz now);
static int64 live_bytes_on_page(Page page, int natts, TimestampTz now, bool *has_expired);
static uint32 buckets_for(int64 bytes);
static void look_at_table(Sweep *sweep, Relation rel);
static void sweep_table(Sweep *sweep);
static void sweep_bucket(Sweep *sweep, BlockNumber bucket);
static bool look_at_bucket(Sweep *sweep, BlockNumber bucket);
static int64 remove_expired(Sweep *sweep, Buffer buffer);
static bool needs_rewrite(const Sweep *sweep);
static void rewrite_if_free(Sweep *sweep, Oid relid);

/* What another table of slots holds has no key twice. */
void
idem_slots_care_insert(Relation rel, const text *key, TimestampTz expires_at,
					   const bytea *state)
{
	Size		size = state == NULL ? 0 : VARSIZE_ANY_EXHDR(state);
	const char *bytes = state == NULL ? NULL : VARDATA_ANY(state);
	uint32		former_nbuckets = nbuckets_of_former(rel);
	IdemSlots	slots = {0};
	IdemSlot	slot;

	if (VARSIZE_ANY_EXHDR(key) + size > IDEM_SLOTS_MAX_STATE_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row is too large for table \"%s\"", RelationGetRelationName(rel))));
	if (idem_slots_page_nbuckets(rel) == 0)
		idem_slots_page_set_up(rel, Max(former_nbuckets, IDEM_SLOTS_MIN_BUCKETS));
	slots.rel = rel;
	slots.lockmode = RowExclusiveLock;
	slots.nbuckets = idem_slots_page_nbuckets(rel);
	if (former_nbuckets > 0)
	{
		idem_slots_append(&slots, key, expires_at, bytes, size);
		return;
	}
	idem_slots_lock(&slots, key, &slot);
	if (BufferIsValid(slot.page))
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("duplicate key in table \"%s\"", RelationGetRelationName(rel))));
	idem_slots_write(&slots, &slot, expires_at, bytes, size);
	idem_slots_unlock(&slot);
}

/* of the table of slots that ALTER TABLE is copying, or 0 */
static uint32
nbuckets_of_former(Relation rel)
{
	uint32		nbuckets = 0;

	if (OidIsValid(rel->rd_rel->relrewrite))
	{
		Relation	former = relation_open(rel->rd_rel->relrewrite, NoLock);

		if (former->rd_tableam == rel->rd_tableam)
			nbuckets = idem_slots_page_nbuckets(former);
		relation_close(former, NoLock);
	}
	return nbuckets;
}

void
idem_slots_care_rehash(Relation old, Relation new, TimestampTz now,
					   double *copied, double *left_behind)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(old);
	IdemSlots	target = {.rel = new, .lockmode = RowExclusiveLock};
	PGAlignedBlock page;
	BlockNumber block;

	*copied = *left_behind = 0;
	if (idem_slots_page_nbuckets(old) == 0)
		return;
	idem_slots_page_set_up(new, buckets_for(live_bytes(old, now)));
	target.nbuckets = idem_slots_page_nbuckets(new);
	for (block = 1; block < nblocks; block++)
	{
		Buffer		buffer = ReadBuffer(old, block);

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		memcpy(page.data, BufferGetPage(buffer), BLCKSZ);
		UnlockReleaseBuffer(buffer);
		copy_rows(&target, page.data, now, copied, left_behind);
	}
}

static void
copy_rows(IdemSlots *target, Page page, TimestampTz now, double *copied, double *left_behind)
{
	int			natts = RelationGetNumberOfAttributes(target->rel);
	OffsetNumber offset;
	IdemSlotRow row;

	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (!idem_slots_page_row(page, offset, natts, &row))
			continue;
		if (*row.expires_at <= now)
		{
			*left_behind += 1;
			continue;
		}
		idem_slots_append(target, row.key, *row.expires_at,
						  idem_slots_page_row_bytes(&row),
						  idem_slots_page_row_room(&row));
		*copied += 1;
	}
}

static int64
live_bytes(Relation rel, TimestampTz now)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
	int			natts = RelationGetNumberOfAttributes(rel);
	int64		bytes = 0;
	BlockNumber block;
	bool		has_expired;

	for (block = 1; block < nblocks; block++)
	{
		Buffer		buffer = ReadBuffer(rel, block);

		CHECK_FOR_INTERRUPTS();
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		bytes += live_bytes_on_page(BufferGetPage(buffer), natts, now, &has_expired);
		UnlockReleaseBuffer(buffer);
	}
	return bytes;
}

static int64
live_bytes_on_page(Page page, int natts, TimestampTz now, bool *has_expired)
{
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	OffsetNumber offset;
	int64		bytes = 0;
	IdemSlotRow row;

	*has_expired = false;
	for (offset = 1; offset <= last; offset++)
	{
		if (!idem_slots_page_row(page, offset, natts, &row))
			continue;
		if (*row.expires_at <= now)
			*has_expired = true;
		else
			bytes += MAXALIGN(ItemIdGetLength(PageGetItemId(page, offset))) +
				sizeof(ItemIdData);
	}
	return bytes;
}

static uint32
buckets_for(int64 bytes)
{
	int64		per_bucket = (BLCKSZ - SizeOfPageHeaderData) * FILL_PERCENT / 100;

	return (uint32) Min(Max(bytes / per_bucket + 1, IDEM_SLOTS_MIN_BUCKETS),
						MaxBlockNumber / 2);
}

int64
idem_slots_care_expire(Relation rel, TimestampTz now, int64 max_rows)
{
	Oid			relid = RelationGetRelid(rel);
	Sweep		sweep = {0};
	bool		is_to_be_rewritten;

	sweep.now = now;
	sweep.max_rows = max_rows;
	look_at_table(&sweep, rel);
	sweep_table(&sweep);
	longest_chain = sweep.is_whole ? sweep.longest_chain : 0;
	is_to_be_rewritten = needs_rewrite(&sweep);
	relation_close(rel, RowExclusiveLock);
	if (is_to_be_rewritten && !IsTransactionBlock())
		rewrite_if_free(&sweep, relid);
	return sweep.removed;
}

int
idem_slots_care_longest_chain(void)
{
	return longest_chain;
}

static void
look_at_table(Sweep *sweep, Relation rel)
{
	sweep->slots.rel = rel;
	sweep->slots.lockmode = RowExclusiveLock;
	sweep->slots.nbuckets = idem_slots_page_nbuckets(rel);
}

static void
sweep_table(Sweep *sweep)
{
	BlockNumber bucket;

	for (bucket = 1; bucket <= sweep->slots.nbuckets; bucket++)
	{
		CHECK_FOR_INTERRUPTS();
		if (sweep->removed >= sweep->max_rows)
			return;
		if (look_at_bucket(sweep, bucket))
			sweep_bucket(sweep, bucket);
	}
	sweep->is_whole = true;
}

/* Is anything to be removed? */
static bool
look_at_bucket(Sweep *sweep, BlockNumber bucket)
{
	int			natts = RelationGetNumberOfAttributes(sweep->slots.rel);
	Buffer		first = ReadBuffer(sweep->slots.rel, bucket);
	Buffer		buffer = first;
	bool		has_expired = false;
	int			npages = 1;

	LockBuffer(first, BUFFER_LOCK_SHARE);
	for (;;)
	{
		BlockNumber next = idem_slots_page_next(BufferGetPage(buffer));
		bool		has_expired_here;

		sweep->live_bytes += live_bytes_on_page(BufferGetPage(buffer), natts,
												sweep->now, &has_expired_here);
		has_expired |= has_expired_here;
		if (buffer != first)
			ReleaseBuffer(buffer);
		if (next == InvalidBlockNumber)
			break;
		buffer = ReadBuffer(sweep->slots.rel, next);
		npages++;
	}
	UnlockReleaseBuffer(first);
	sweep->longest_chain = Max(sweep->longest_chain, npages);
	return has_expired;
}

static void
sweep_bucket(Sweep *sweep, BlockNumber bucket)
{
	Buffer		first = ReadBuffer(sweep->slots.rel, bucket);
	Buffer		buffer = first;

	LockBuffer(first, BUFFER_LOCK_EXCLUSIVE);
	for (;;)
	{
		BlockNumber next = idem_slots_page_next(BufferGetPage(buffer));

		if (buffer != first)
			LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		sweep->removed += remove_expired(sweep, buffer);
		idem_slots_page_compact(sweep->slots.rel, buffer);
		if (buffer != first)
			UnlockReleaseBuffer(buffer);
		if (next == InvalidBlockNumber)
			break;
		buffer = ReadBuffer(sweep->slots.rel, next);
	}
	UnlockReleaseBuffer(first);
}

static int64
remove_expired(Sweep *sweep, Buffer buffer)
{
	int			natts = RelationGetNumberOfAttributes(sweep->slots.rel);
	IdemSlotsEdit edit;
	IdemSlotRow row;
	OffsetNumber offset;
	int64		removed = 0;
	bool		has_expired;
	Page		page;

	(void) live_bytes_on_page(BufferGetPage(buffer), natts, sweep->now, &has_expired);
	if (!has_expired)
		return 0;
	idem_slots_page_edit_begin(&edit, sweep->slots.rel);
	page = idem_slots_page_edit_page(&edit, buffer);
	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (sweep->removed + removed < sweep->max_rows &&
			idem_slots_page_row(page, offset, natts, &row) &&
			*row.expires_at <= sweep->now)
		{
			idem_slots_page_remove(page, offset);
			removed++;
		}
	}
	idem_slots_page_edit_end(&edit);
	return removed;
}

/*
 * Chains of two pages are still short; one of many is of rows that are gone,
 * where they cannot be compacted.  Space is given back when the table is four
 * times as large as it need be.
 */
static bool
needs_rewrite(const Sweep *sweep)
{
	int64		nblocks = RelationGetNumberOfBlocks(sweep->slots.rel);

	if (!sweep->is_whole || sweep->slots.nbuckets == 0)
		return false;
	return nblocks > 2 * ((int64) sweep->slots.nbuckets + 1) ||
		sweep->longest_chain > LONG_CHAIN ||
		nblocks > 4 * ((int64) buckets_for(sweep->live_bytes) + 1);
}

/*
 * Every call on the table holds its lock for microseconds only, so there are
 * moments when nobody does; nobody is kept waiting for longer.  The lock then
 * stays to the end of the transaction, so this is not done in a transaction
 * block.
 */
static void
rewrite_if_free(Sweep *sweep, Oid relid)
{
	bool		is_to_be_rewritten = false;
	Relation	rel;
	int			tries;

	for (tries = 0; !ConditionalLockRelationOid(relid, AccessExclusiveLock); tries++)
	{
		if (tries == LOCK_TRIES)
			return;
		CHECK_FOR_INTERRUPTS();
		pg_usleep(LOCK_PAUSE_MS * 1000L);
	}
	rel = try_relation_open(relid, NoLock);
	if (rel != NULL)
	{
		/*
		 * Somebody else may have done it meanwhile.  An index that could not
		 * be built, and would not be rebuilt, stays until it is dropped.
		 */
		look_at_table(sweep, rel);
		is_to_be_rewritten = needs_rewrite(sweep) && rel->rd_refcnt == 1 &&
			!AfterTriggerPendingOnRel(relid) && RelationGetIndexList(rel) == NIL;
		relation_close(rel, NoLock);
	}
	if (is_to_be_rewritten)
		idem_compat_rewrite_table(relid);
	else
		UnlockRelationOid(relid, AccessExclusiveLock);
}
