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

#include "access/xact.h"
#include "executor/executor.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "store/blocker.h"
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
static IdemLockResult lock_base(IdemTable *table, LockTupleMode mode,
								TransactionId *locker);
static TM_Result hold(IdemTable *table, LockWaitPolicy policy);
static bool has_waited_for_blocker(TupleTableSlot *slot, LockTupleMode mode);
static TM_Result update(IdemTable *table, bool wait, IdemIndexUpdate *index_update);
static TM_Result delete(IdemTable *table, ItemPointer tid, bool wait);
static bool is_deleted(IdemTable *table, TM_Result result);
static bool lock_version(IdemTable *table, ItemPointer tid);
static bool is_written(IdemTable *table, TM_Result result);

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
	HeapTuple	result;

	memset(all_isnull, true, desc->natts * sizeof(bool));
	memcpy(all_values, values, ncolumns * sizeof(Datum));
	memcpy(all_isnull, isnull, ncolumns * sizeof(bool));
	result = heap_form_tuple(desc, all_values, all_isnull);
	pfree(all_values);
	pfree(all_isnull);
	return result;
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
	return lock_base(table, LockTupleExclusive, locker);
}

IdemLockResult
idem_store_tuple_lock_weakly(IdemTable *table, TransactionId *locker)
{
	return lock_base(table, LockTupleNoKeyExclusive, locker);
}

static IdemLockResult
lock_base(IdemTable *table, LockTupleMode mode, TransactionId *locker)
{
	ItemPointerData tid = table->base.slot->tts_tid;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_lock(table->rel, &tid, GetActiveSnapshot(),
							  table->base.slot, GetCurrentCommandId(false),
							  mode, LockWaitSkip, 0, &failure);
	if (result == TM_WouldBlock)
	{
		*locker = idem_store_blocker_find(table->base.slot, mode);
		return TransactionIdIsValid(*locker) ? IDEM_LOCK_BUSY : IDEM_LOCK_ROW_MOVED;
	}
	table->is_base_locked = is_written(table, result);
	return table->is_base_locked ? IDEM_LOCKED : IDEM_LOCK_ROW_MOVED;
}

bool
idem_store_tuple_hold(IdemTable *table)
{
	TM_Result	result = hold(table, LockWaitSkip);

	if (result == TM_WouldBlock)
	{
		if (has_waited_for_blocker(table->base.slot, LockTupleKeyShare))
			return false;
		result = hold(table, LockWaitBlock);
	}
	return is_written(table, result);
}

static TM_Result
hold(IdemTable *table, LockWaitPolicy policy)
{
	ItemPointerData tid = table->base.slot->tts_tid;
	TM_FailureData failure;

	return table_tuple_lock(table->rel, &tid, GetActiveSnapshot(),
							table->base.slot, GetCurrentCommandId(false),
							LockTupleKeyShare, policy,
							TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS, &failure);
}

/* the row is as it was looked at no more, then, or may not be */
static bool
has_waited_for_blocker(TupleTableSlot *slot, LockTupleMode mode)
{
	TransactionId blocker = idem_store_blocker_find(slot, mode);

	if (!TransactionIdIsValid(blocker))
		return false;
	idem_store_blocker_wait(blocker);
	return true;
}

bool
idem_store_tuple_update(IdemTable *table, const Datum *values, const bool *isnull)
{
	IdemIndexUpdate index_update;
	TM_Result	result;

	begin_write(table, values, isnull);
	result = update(table, table->is_base_locked, &index_update);
	if (result == TM_BeingModified)
	{
		if (has_waited_for_blocker(table->base.slot, LockTupleNoKeyExclusive))
			return false;
		result = update(table, true, &index_update);
	}
	if (!is_written(table, result))
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

static TM_Result
update(IdemTable *table, bool wait, IdemIndexUpdate *index_update)
{
	TM_FailureData failure;
	LockTupleMode lockmode;

	return idem_compat_table_tuple_update(table->rel, &table->base.slot->tts_tid,
										  table->new_row, GetCurrentCommandId(true),
										  wait, &failure, &lockmode, index_update);
}

bool
idem_store_tuple_delete(IdemTable *table)
{
	ItemPointerData tid = table->base.slot->tts_tid;

	if (!table->is_base_locked)
		return idem_store_tuple_delete_version(table, &tid);
	return is_deleted(table, delete(table, &tid, true));
}

bool
idem_store_tuple_delete_version(IdemTable *table, ItemPointer tid)
{
	TM_Result	result = delete(table, tid, false);

	if (result == TM_BeingModified)
	{
		ItemPointerData last = *tid;

		if (!lock_version(table, &last) || !ItemPointerEquals(&last, tid))
			return false;
		result = delete(table, tid, true);
	}
	return is_deleted(table, result);
}

static bool
is_deleted(IdemTable *table, TM_Result result)
{
	if (!is_written(table, result))
		return false;
	CommandCounterIncrement();
	return true;
}

bool
idem_store_tuple_try_delete(IdemTable *table, ItemPointer tid)
{
	TM_Result	result = delete(table, tid, false);

	return result != TM_BeingModified && is_written(table, result);
}

static TM_Result
delete(IdemTable *table, ItemPointer tid, bool wait)
{
	TM_FailureData failure;

	return idem_compat_table_tuple_delete(table->rel, tid, GetCurrentCommandId(true),
										  wait, &failure);
}

bool
idem_store_tuple_follow(IdemTable *table, ItemPointer tid)
{
	return lock_version(table, tid);
}

/* on to the newest version, waiting for one level of a transaction at a time */
static bool
lock_version(IdemTable *table, ItemPointer tid)
{
	TupleTableSlot *slot = idem_store_table_scan_slot(table);
	LockWaitPolicy policy = LockWaitSkip;

	for (;;)
	{
		TM_FailureData failure;
		TM_Result	result;

		CHECK_FOR_INTERRUPTS();
		result = table_tuple_lock(table->rel, tid, GetActiveSnapshot(), slot,
								  GetCurrentCommandId(false), LockTupleExclusive,
								  policy, 0, &failure);
		if (result == TM_WouldBlock)
			policy = has_waited_for_blocker(slot, LockTupleExclusive) ?
				LockWaitSkip : LockWaitBlock;
		else if (result == TM_Updated)
			*tid = failure.ctid;
		else
			return is_written(table, result);
	}
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
