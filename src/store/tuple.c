/*
 * tuple.c
 *		Inserting, locking, changing and deleting one row, past the executor,
 *		as the apply worker of logical replication does.
 *
 * The executor's own index functions keep every index of the table, also those
 * that somebody added.  An insertion is speculative: it enters the primary key
 * without waiting for a rival, and takes itself back when there is one.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "store/tuple.h"

static void begin_write(IdemTable *table, const Datum *values, const bool *isnull);
static HeapTuple form_row(TupleDesc desc, int ncolumns, const Datum *values,
						  const bool *isnull);
static bool may_break_constraint(TupleDesc desc, int ncolumns, const bool *isnull);
static void open_executor(IdemTable *table);
static void open_indexes(IdemTable *table);
static List *find_arbiters(const IdemTable *table);
static bool is_copy(Relation index, Relation pkey);
static bool has_column_of(Relation index, Relation pkey, int column);
static bool is_written(IdemTable *table, TM_Result result);
static TransactionId find_locker(IdemTable *table);
static TransactionId open_member(MultiXactId multi, bool is_lock_only);
static bool is_open_elsewhere(TransactionId xid);

bool
idem_store_tuple_insert(IdemTable *table, const Datum *values, const bool *isnull)
{
	TransactionId xid = GetCurrentTransactionId();
	bool		is_conflict = false;
	uint32		token;

	begin_write(table, values, isnull);
	open_indexes(table);
	token = SpeculativeInsertionLockAcquire(xid);
	table_tuple_insert_speculative(table->rel, table->new_row,
								   GetCurrentCommandId(true), 0, NULL, token);
	idem_compat_insert_index_tuples(table->result_rel, table->new_row,
									table->estate, &is_conflict,
									find_arbiters(table));
	table_tuple_complete_speculative(table->rel, table->new_row, token,
									 !is_conflict);
	SpeculativeInsertionLockRelease(xid);
	CommandCounterIncrement();
	table->is_written |= !is_conflict;
	return !is_conflict;
}

/* the row as it is to be stored, after the checks that the executor makes */
static void
begin_write(IdemTable *table, const Datum *values, const bool *isnull)
{
	TupleDesc	desc = RelationGetDescr(table->rel);
	int			ncolumns = table->info->ncolumns;

	if (table->new_row == NULL)
		table->new_row = MakeSingleTupleTableSlot(desc, &TTSOpsHeapTuple);
	ExecStoreHeapTuple(form_row(desc, ncolumns, values, isnull),
					   table->new_row, true);
	if (may_break_constraint(desc, ncolumns, isnull))
	{
		open_executor(table);
		ExecConstraints(table->result_rel, table->new_row, table->estate);
	}
}

/* columns that were added and dropped again stay as dead ones at the end */
static HeapTuple
form_row(TupleDesc desc, int ncolumns, const Datum *values, const bool *isnull)
{
	Datum	   *all_values = palloc(desc->natts * sizeof(Datum));
	bool	   *all_isnull = palloc(desc->natts * sizeof(bool));

	memset(all_isnull, true, desc->natts * sizeof(bool));
	memcpy(all_values, values, ncolumns * sizeof(Datum));
	memcpy(all_isnull, isnull, ncolumns * sizeof(bool));
	return heap_form_tuple(desc, all_values, all_isnull);
}

/* cheaper than to let the executor find out that none is broken */
static bool
may_break_constraint(TupleDesc desc, int ncolumns, const bool *isnull)
{
	int			i;

	if (desc->constr != NULL && desc->constr->num_check > 0)
		return true;
	for (i = 0; i < ncolumns; i++)
	{
		if (isnull[i] && TupleDescAttr(desc, i)->attnotnull)
			return true;
	}
	return false;
}

/* The executor's state is made once for an open table. */
static void
open_executor(IdemTable *table)
{
	if (table->estate != NULL)
		return;
	table->estate = CreateExecutorState();
	table->result_rel = makeNode(ResultRelInfo);
	InitResultRelInfo(table->result_rel, table->rel, 0, NULL, 0);
}

/*
 * A HOT update does not need them.  To open them after the row was written is
 * safe: an index can come to need entries, or cease to, only after waiting for
 * the lock that we hold on the table.
 */
static void
open_indexes(IdemTable *table)
{
	open_executor(table);
	if (table->result_rel->ri_IndexRelationDescs == NULL)
		ExecOpenIndices(table->result_rel, false);
}

/*
 * The primary key's index and, while REINDEX CONCURRENTLY replaces it, its
 * copies: a unique index that is no arbiter would wait for a rival.
 */
static List *
find_arbiters(const IdemTable *table)
{
	List	   *result = NIL;
	int			i;

	for (i = 0; i < table->result_rel->ri_NumIndices; i++)
	{
		Relation	index = table->result_rel->ri_IndexRelationDescs[i];

		if (is_copy(index, table->pkey))
			result = lappend_oid(result, RelationGetRelid(index));
	}
	return result;
}

/*
 * The same columns, in any order, under the same equality: both have the same
 * rivals then.
 */
static bool
is_copy(Relation index, Relation pkey)
{
	int			i;

	if (!index->rd_index->indisunique || !index->rd_index->indimmediate ||
		index->rd_index->indnkeyatts != pkey->rd_index->indnkeyatts)
		return false;
	for (i = 0; i < pkey->rd_index->indnkeyatts; i++)
	{
		if (!has_column_of(index, pkey, i))
			return false;
	}
	return true;
}

static bool
has_column_of(Relation index, Relation pkey, int column)
{
	int			i;

	for (i = 0; i < index->rd_index->indnkeyatts; i++)
	{
		if (index->rd_index->indkey.values[i] == pkey->rd_index->indkey.values[column] &&
			index->rd_opfamily[i] == pkey->rd_opfamily[column] &&
			index->rd_indcollation[i] == pkey->rd_indcollation[column])
			return true;
	}
	return false;
}

IdemLockResult
idem_store_tuple_lock(IdemTable *table, TransactionId *locker)
{
	ItemPointerData tid = table->base.slot->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(table->rel, &tid, GetActiveSnapshot(),
							  table->base.slot, GetCurrentCommandId(false),
							  LockTupleExclusive, LockWaitSkip, 0, &failure);
	if (result == TM_WouldBlock)
	{
		*locker = find_locker(table);
		return TransactionIdIsValid(*locker) ? IDEM_LOCK_BUSY : IDEM_LOCK_ROW_MOVED;
	}
	return is_written(table, result) ? IDEM_LOCKED : IDEM_LOCK_ROW_MOVED;
}

/*
 * The transaction that holds a lock on the base, or is changing it.  A dirty
 * scan does not report lockers, so ask the row.
 */
static TransactionId
find_locker(IdemTable *table)
{
	Buffer		buffer = ((BufferHeapTupleTableSlot *) table->base.slot)->buffer;
	HeapTuple	tuple = ExecFetchSlotHeapTuple(table->base.slot, false, NULL);
	TransactionId xmax;
	uint16		infomask;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	xmax = HeapTupleHeaderGetRawXmax(tuple->t_data);
	infomask = tuple->t_data->t_infomask;
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

	return is_written(table,
					  table_tuple_lock(table->rel, &tid, GetActiveSnapshot(),
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
	if (!is_written(table,
					idem_compat_table_tuple_update(table->rel, &table->base.slot->tts_tid,
												   table->new_row, GetCurrentCommandId(true),
												   &failure, &lockmode, &index_update)))
		return false;
	if (idem_compat_index_update_is_needed(index_update))
	{
		open_indexes(table);
		idem_compat_update_index_tuples(table->result_rel, table->new_row,
										table->estate, index_update);
	}
	CommandCounterIncrement();
	return true;
}

bool
idem_store_tuple_delete(IdemTable *table)
{
	return idem_store_tuple_delete_version(table, &table->base.slot->tts_tid);
}

bool
idem_store_tuple_delete_version(IdemTable *table, ItemPointer tid)
{
	TM_FailureData failure;

	if (!is_written(table,
					idem_compat_table_tuple_delete(table->rel, tid,
												   GetCurrentCommandId(true), &failure)))
		return false;
	CommandCounterIncrement();
	return true;
}

bool
idem_store_tuple_follow(IdemTable *table, ItemPointer tid)
{
	TM_FailureData failure;

	return is_written(table,
					  table_tuple_lock(table->rel, tid, GetActiveSnapshot(),
									   idem_store_table_scan_slot(table), GetCurrentCommandId(false),
									   LockTupleExclusive, LockWaitBlock,
									   TUPLE_LOCK_FLAG_FIND_LAST_VERSION,
									   &failure));
}

/* or has somebody else been first? */
static bool
is_written(IdemTable *table, TM_Result result)
{
	switch (result)
	{
		case TM_Ok:
			table->is_written = true;
			return true;
		case TM_Updated:
		case TM_Deleted:
			return false;
		default:
			elog(ERROR, "unexpected table_tuple status: %u", result);
	}
	return false;				/* keep the compiler quiet */
}
