/*
 * tuple.c
 *		Finding, inserting, locking, changing and deleting one row by its key,
 *		past the executor, as the apply worker of logical replication does.
 *
 * The rules that hold here:
 * - A dirty scan sees every version that is committed or still open.  What it
 *	 reports is settled only when no transaction it names has ended by the end
 *	 of the scan; else it starts over.
 * - Absence by a dirty scan is never trusted: a non-HOT update that commits
 *	 between the index read and the heap fetch hides the row from it.
 * - A version with a speculative token may yet be taken back by an inserter
 *	 that stays open.  It is waited for (microseconds) and never reported.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/multixact.h"
#include "access/transam.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "store/tuple.h"

static bool probe_once(IdemTable *table, const IdemKey *key);
static bool visit_once(IdemTable *table, Relation index, int nkeys,
					   const Datum *keys, Snapshot snapshot,
					   IdemTupleVisitor visit, void *arg);
static IndexScanDesc begin_key_scan(IdemTable *table, const IdemKey *key,
									Snapshot snapshot);
static IndexScanDesc begin_scan(IdemTable *table, Relation index, int nkeys,
								const Datum *keys, Snapshot snapshot);
static void clear_versions(IdemTable *table);
static void keep(IdemTable *table, IdemVersion *version, TransactionId open_xid);
static bool is_superseded(TupleTableSlot *slot);
static bool has_ended(TransactionId xid);
static HeapTuple heap_tuple_of(TupleTableSlot *slot);
static void begin_write(IdemTable *table, const Datum *values, const bool *isnull);
static TransactionId find_locker(IdemTable *table);
static TransactionId open_member(MultiXactId multi, bool is_lock_only);
static bool is_open_elsewhere(TransactionId xid);
static bool is_settled(TM_Result result);

void
idem_store_tuple_probe(IdemTable *table, const IdemKey *key)
{
	do
	{
		CHECK_FOR_INTERRUPTS();
		clear_versions(table);
	} while (!probe_once(table, key));
}

/* false when what was seen did not hold to the end */
static bool
probe_once(IdemTable *table, const IdemKey *key)
{
	SnapshotData dirty;
	IndexScanDesc scan;
	TransactionId inserter = InvalidTransactionId;
	uint32		token = 0;
	bool		has_two_bases = false;

	InitDirtySnapshot(dirty);
	scan = begin_key_scan(table, key, &dirty);
	while (token == 0 && !has_two_bases &&
		   index_getnext_slot(scan, ForwardScanDirection, table->scan))
	{
		if (dirty.speculativeToken != 0)
		{
			token = dirty.speculativeToken;
			inserter = dirty.xmin;
		}
		else if (!TransactionIdIsValid(dirty.xmin))
		{
			has_two_bases = idem_store_tuple_has_base(table);
			keep(table, &table->base, dirty.xmax);
		}
		else if (!idem_store_tuple_has_pending(table) ||
				 !is_superseded(table->scan))
			keep(table, &table->pending, dirty.xmin);
	}
	index_endscan(scan);

	if (token != 0)
	{
		clear_versions(table);
		SpeculativeInsertionWait(inserter, token);
		return false;
	}
	return !has_two_bases &&
		!has_ended(table->base.open_xid) &&
		!has_ended(table->pending.open_xid);
}

bool
idem_store_tuple_find(IdemTable *table, const IdemKey *key)
{
	for (;;)
	{
		Snapshot	latest;
		bool		is_hidden;

		idem_store_tuple_probe(table, key);
		if (idem_store_tuple_has_base(table))
			return true;

		latest = RegisterSnapshot(GetLatestSnapshot());
		is_hidden = idem_store_tuple_fetch(table, key, latest);
		UnregisterSnapshot(latest);
		if (!is_hidden)
			return false;
	}
}

bool
idem_store_tuple_fetch(IdemTable *table, const IdemKey *key, Snapshot snapshot)
{
	IndexScanDesc scan = begin_key_scan(table, key, snapshot);
	bool		found;

	found = index_getnext_slot(scan, ForwardScanDirection, table->scan);
	if (found)
		keep(table, &table->base, InvalidTransactionId);
	index_endscan(scan);
	return found;
}

void
idem_store_tuple_visit(IdemTable *table, Oid index, int nkeys, const Datum *keys,
					   Snapshot snapshot, IdemTupleVisitor visit, void *arg)
{
	Relation	rel = index_open(index, AccessShareLock);

	do
		CHECK_FOR_INTERRUPTS();
	while (!visit_once(table, rel, nkeys, keys, snapshot, visit, arg));
	index_close(rel, AccessShareLock);
}

/* false when an insertion had to settle first */
static bool
visit_once(IdemTable *table, Relation index, int nkeys, const Datum *keys,
		   Snapshot snapshot, IdemTupleVisitor visit, void *arg)
{
	IndexScanDesc scan = begin_scan(table, index, nkeys, keys, snapshot);
	bool		is_dirty = snapshot->snapshot_type == SNAPSHOT_DIRTY;
	bool		goes_on = true;
	bool		is_speculative = false;

	while (goes_on && index_getnext_slot(scan, ForwardScanDirection, table->scan))
	{
		TransactionId open_xid = InvalidTransactionId;

		CHECK_FOR_INTERRUPTS();
		if (is_dirty)
			open_xid = TransactionIdIsValid(snapshot->xmin) ?
				snapshot->xmin : snapshot->xmax;
		is_speculative = is_dirty && snapshot->speculativeToken != 0;
		goes_on = !is_speculative && visit(table->scan, open_xid, arg);
	}
	index_endscan(scan);
	ExecClearTuple(table->scan);
	if (is_speculative)
		SpeculativeInsertionWait(snapshot->xmin, snapshot->speculativeToken);
	return !is_speculative;
}

/* the columns of the primary key's index may stand in any order */
static IndexScanDesc
begin_key_scan(IdemTable *table, const IdemKey *key, Snapshot snapshot)
{
	Datum		keys[IDEM_MAX_KEY_COLUMNS];
	int			nkeys = table->info->nkeys;
	int			i;

	for (i = 0; i < nkeys; i++)
		keys[i] = key->column[table->pkey->rd_index->indkey.values[i] - 1];
	return begin_scan(table, table->pkey, nkeys, keys, snapshot);
}

static IndexScanDesc
begin_scan(IdemTable *table, Relation index, int nkeys, const Datum *keys,
		   Snapshot snapshot)
{
	IndexScanDesc scan;
	ScanKeyData scan_keys[IDEM_MAX_KEY_COLUMNS];
	int			i;

	Assert(nkeys <= IDEM_MAX_KEY_COLUMNS);
	for (i = 0; i < nkeys; i++)
	{
		ScanKeyInit(&scan_keys[i], i + 1, BTEqualStrategyNumber, F_TEXTEQ, keys[i]);
		scan_keys[i].sk_collation = index->rd_indcollation[i];
	}
	scan = idem_compat_index_beginscan(table->rel, index, snapshot, nkeys);
	index_rescan(scan, scan_keys, nkeys, NULL, 0);
	return scan;
}

static void
clear_versions(IdemTable *table)
{
	ExecClearTuple(table->scan);
	ExecClearTuple(table->base.slot);
	ExecClearTuple(table->pending.slot);
	table->base.open_xid = InvalidTransactionId;
	table->pending.open_xid = InvalidTransactionId;
}

/* hand the row in the scan's slot over, without copying it */
static void
keep(IdemTable *table, IdemVersion *version, TransactionId open_xid)
{
	TupleTableSlot *slot = version->slot;

	version->slot = table->scan;
	version->open_xid = open_xid;
	table->scan = slot;
}

bool
idem_store_tuple_has_base(const IdemTable *table)
{
	return !TTS_EMPTY(table->base.slot);
}

bool
idem_store_tuple_has_pending(const IdemTable *table)
{
	return !TTS_EMPTY(table->pending.slot);
}

bool
idem_store_tuple_base_is_own(const IdemTable *table)
{
	HeapTuple	tuple = heap_tuple_of(table->base.slot);

	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
}

/* a dirty scan also returns what an open transaction made and changed again */
static bool
is_superseded(TupleTableSlot *slot)
{
	uint16		infomask = heap_tuple_of(slot)->t_data->t_infomask;

	return (infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(infomask);
}

static bool
has_ended(TransactionId xid)
{
	return TransactionIdIsValid(xid) && !TransactionIdIsInProgress(xid);
}

static HeapTuple
heap_tuple_of(TupleTableSlot *slot)
{
	return ExecFetchSlotHeapTuple(slot, false, NULL);
}

bool
idem_store_tuple_insert(IdemTable *table, const Datum *values, const bool *isnull)
{
	TransactionId xid = GetCurrentTransactionId();
	List	   *arbiter = list_make1_oid(RelationGetRelid(table->pkey));
	bool		is_conflict = false;
	uint32		token;

	begin_write(table, values, isnull);
	token = SpeculativeInsertionLockAcquire(xid);
	table_tuple_insert_speculative(table->rel, table->new_row,
								   GetCurrentCommandId(true), 0, NULL, token);
	idem_compat_insert_index_tuples(table->result_rel, table->new_row,
									table->estate, &is_conflict, arbiter);
	table_tuple_complete_speculative(table->rel, table->new_row, token,
									 !is_conflict);
	SpeculativeInsertionLockRelease(xid);
	CommandCounterIncrement();
	return !is_conflict;
}

/* The executor's state for the indexes, made once for an open table. */
static void
begin_write(IdemTable *table, const Datum *values, const bool *isnull)
{
	int			natts = table->info->ncolumns;

	if (table->estate == NULL)
	{
		table->estate = CreateExecutorState();
		table->result_rel = makeNode(ResultRelInfo);
		InitResultRelInfo(table->result_rel, table->rel, 0, NULL, 0);
		ExecOpenIndices(table->result_rel, false);
		table->new_row = MakeSingleTupleTableSlot(RelationGetDescr(table->rel),
												  &TTSOpsVirtual);
	}
	table->is_written = true;
	ExecClearTuple(table->new_row);
	memcpy(table->new_row->tts_values, values, natts * sizeof(Datum));
	memcpy(table->new_row->tts_isnull, isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(table->new_row);
	ExecConstraints(table->result_rel, table->new_row, table->estate);
}

IdemLockResult
idem_store_tuple_lock(IdemTable *table, TransactionId *holder)
{
	ItemPointerData tid = table->base.slot->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	table->is_written = true;
	result = table_tuple_lock(table->rel, &tid, GetActiveSnapshot(),
							  table->base.slot, GetCurrentCommandId(false),
							  LockTupleExclusive, LockWaitSkip, 0, &failure);
	if (result == TM_WouldBlock)
	{
		*holder = find_locker(table);
		return TransactionIdIsValid(*holder) ? IDEM_LOCK_HELD : IDEM_LOCK_ROW_MOVED;
	}
	return is_settled(result) ? IDEM_LOCKED : IDEM_LOCK_ROW_MOVED;
}

/*
 * The transaction that holds a lock on the base, or is changing it.  A dirty
 * scan does not report lockers, so ask the row.
 */
static TransactionId
find_locker(IdemTable *table)
{
	Buffer		buffer = ((BufferHeapTupleTableSlot *) table->base.slot)->buffer;
	HeapTupleHeader header = heap_tuple_of(table->base.slot)->t_data;
	TransactionId xmax;
	uint16		infomask;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	xmax = HeapTupleHeaderGetRawXmax(header);
	infomask = header->t_infomask;
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);

	if (infomask & HEAP_XMAX_INVALID)
		return InvalidTransactionId;
	if (infomask & HEAP_XMAX_IS_MULTI)
		return open_member(xmax, HEAP_XMAX_IS_LOCKED_ONLY(infomask));
	return is_open_elsewhere(xmax) ? xmax : InvalidTransactionId;
}

static TransactionId
open_member(MultiXactId multi, bool is_lock_only)
{
	MultiXactMember *members;
	int			n = GetMultiXactIdMembers(multi, &members, false, is_lock_only);
	int			i;

	for (i = 0; i < n; i++)
	{
		if (is_open_elsewhere(members[i].xid))
			return members[i].xid;
	}
	return InvalidTransactionId;
}

static bool
is_open_elsewhere(TransactionId xid)
{
	return TransactionIdIsInProgress(xid) && !TransactionIdIsCurrentTransactionId(xid);
}

bool
idem_store_tuple_hold(IdemTable *table)
{
	ItemPointerData tid = table->base.slot->tts_tid;
	TM_FailureData failure;

	table->is_written = true;
	return is_settled(table_tuple_lock(table->rel, &tid, GetActiveSnapshot(),
									   table->base.slot,
									   GetCurrentCommandId(false),
									   LockTupleKeyShare, LockWaitBlock,
									   TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS,
									   &failure));
}

bool
idem_store_tuple_update(IdemTable *table, const Datum *values, const bool *isnull)
{
	TM_FailureData failure;
	LockTupleMode lockmode;
	IdemIndexUpdate index_update;

	begin_write(table, values, isnull);
	if (!is_settled(table_tuple_update(table->rel, &table->base.slot->tts_tid,
									   table->new_row, GetCurrentCommandId(true),
									   GetActiveSnapshot(), InvalidSnapshot,
									   true, &failure, &lockmode, &index_update)))
		return false;
	if (idem_compat_index_update_is_needed(index_update))
		idem_compat_update_index_tuples(table->result_rel, table->new_row,
										table->estate, index_update);
	CommandCounterIncrement();
	return true;
}

bool
idem_store_tuple_delete(IdemTable *table)
{
	TM_FailureData failure;

	table->is_written = true;
	if (!is_settled(table_tuple_delete(table->rel, &table->base.slot->tts_tid,
									   GetCurrentCommandId(true),
									   GetActiveSnapshot(), InvalidSnapshot,
									   true, &failure, false)))
		return false;
	CommandCounterIncrement();
	return true;
}

/* did it work, or has somebody else been first? */
static bool
is_settled(TM_Result result)
{
	switch (result)
	{
		case TM_Ok:
			return true;
		case TM_Updated:
		case TM_Deleted:
			return false;
		default:
			elog(ERROR, "unexpected table_tuple status: %u", result);
	}
	return false;				/* keep the compiler quiet */
}
