/*
 * removal.c
 *		Removing many rows, which an index finds, at any isolation level.
 *
 * No scan here runs under a snapshot of MVCC: that would leave SIREAD locks, and
 * SERIALIZABLE callers would fail with 40001 for nothing.  Who removes all asks
 * of every version whether a snapshot sees it, which shows each row once even
 * when it moves; that snapshot also keeps the versions where they were seen.
 */
#include "postgres.h"

#include "access/genam.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "store/index.h"
#include "store/removal.h"

/* a walk over a range, by its index or else over the table */
typedef struct Walk
{
	IdemTable  *table;
	Relation	index;			/* NULL when there is none */
	IndexScanDesc index_scan;
	TableScanDesc table_scan;
} Walk;

/* versions of rows that a snapshot sees, which keeps them where they lie */
typedef struct Found
{
	Snapshot	snapshot;
	ItemPointerData *tids;
	int64		n;
	int64		room;
} Found;

static void begin_walk(Walk *walk, IdemTable *table, const IdemRange *range,
					   Snapshot snapshot);
static void begin_index_scan(Walk *walk, const IdemRange *range, Snapshot snapshot);
static bool next_row(Walk *walk);
static IdemRangeVisit judge(const Walk *walk, IdemRangeVisitor visit, void *arg);
static void end_walk(Walk *walk);
static void find_all(IdemTable *table, const IdemRange *range,
					 IdemRangeVisitor visit, void *arg, Found *found);
static void remember(Found *found, ItemPointer tid);
static bool remove_row(IdemTable *table, ItemPointer tid);

int64
idem_store_removal_some(IdemTable *table, const IdemRange *range,
						IdemRangeVisitor visit, void *arg, int64 max_rows)
{
	SnapshotData dirty;
	IdemRangeVisit choice = IDEM_RANGE_SKIP;
	int64		n = 0;
	Walk		walk;

	InitDirtySnapshot(dirty);
	begin_walk(&walk, table, range, &dirty);
	while (n < max_rows && choice != IDEM_RANGE_END && next_row(&walk))
	{
		CHECK_FOR_INTERRUPTS();
		if (TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax))
			continue;
		choice = judge(&walk, visit, arg);
		if (choice == IDEM_RANGE_TAKE &&
			idem_store_tuple_try_delete(table, &table->scan->tts_tid))
			n++;
	}
	end_walk(&walk);
	CommandCounterIncrement();
	return n;
}

static void
begin_walk(Walk *walk, IdemTable *table, const IdemRange *range, Snapshot snapshot)
{
	memset(walk, 0, sizeof(Walk));
	walk->table = table;
	walk->index = idem_store_index_open_ordered(table->rel, range->column);
	if (walk->index != NULL)
		begin_index_scan(walk, range, snapshot);
	else
		walk->table_scan = idem_compat_table_beginscan(table->rel, snapshot);
}

static void
begin_index_scan(Walk *walk, const IdemRange *range, Snapshot snapshot)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, range->strategy, range->compare, range->bound);
	key.sk_collation = walk->index->rd_indcollation[0];
	walk->index_scan = idem_compat_index_beginscan(walk->table->rel, walk->index,
												   snapshot, 1);
	index_rescan(walk->index_scan, &key, 1, NULL, 0);
}

static bool
next_row(Walk *walk)
{
	TupleTableSlot *slot = idem_store_table_scan_slot(walk->table);

	if (walk->index != NULL)
		return index_getnext_slot(walk->index_scan, ForwardScanDirection, slot);
	return table_scan_getnextslot(walk->table_scan, ForwardScanDirection, slot);
}

/* a table has no order that could end */
static IdemRangeVisit
judge(const Walk *walk, IdemRangeVisitor visit, void *arg)
{
	IdemRangeVisit choice = visit(walk->table->scan, arg);

	return choice == IDEM_RANGE_END && walk->index == NULL ? IDEM_RANGE_SKIP : choice;
}

static void
end_walk(Walk *walk)
{
	ExecClearTuple(walk->table->scan);
	if (walk->index != NULL)
	{
		index_endscan(walk->index_scan);
		index_close(walk->index, AccessShareLock);
	}
	else
		table_endscan(walk->table_scan);
}

void
idem_store_removal_all(IdemTable *table, const IdemRange *range,
					   IdemRangeVisitor visit, IdemRangeRemoved removed, void *arg)
{
	Found		found = {.snapshot = RegisterSnapshot(GetLatestSnapshot())};
	int64		i;

	find_all(table, range, visit, arg, &found);
	for (i = 0; i < found.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (remove_row(table, &found.tids[i]))
			removed(table->scan, arg);
	}
	ExecClearTuple(idem_store_table_scan_slot(table));
	if (found.tids != NULL)
		pfree(found.tids);
	UnregisterSnapshot(found.snapshot);
}

/* No pin of the index is held while somebody is waited for, so find them first. */
static void
find_all(IdemTable *table, const IdemRange *range, IdemRangeVisitor visit,
		 void *arg, Found *found)
{
	IdemRangeVisit choice = IDEM_RANGE_SKIP;
	Walk		walk;

	begin_walk(&walk, table, range, SnapshotAny);
	while (choice != IDEM_RANGE_END && next_row(&walk))
	{
		CHECK_FOR_INTERRUPTS();
		if (!table_tuple_satisfies_snapshot(table->rel, table->scan, found->snapshot))
			continue;
		choice = judge(&walk, visit, arg);
		if (choice == IDEM_RANGE_TAKE)
			remember(found, &table->scan->tts_tid);
	}
	end_walk(&walk);
}

static void
remember(Found *found, ItemPointer tid)
{
	if (found->n == found->room)
	{
		found->room = Max(64, 2 * found->room);
		found->tids = found->tids == NULL ?
			palloc(found->room * sizeof(ItemPointerData)) :
			repalloc_huge(found->tids, found->room * sizeof(ItemPointerData));
	}
	found->tids[found->n++] = *tid;
}

/* Leaves the row in the scan's slot. */
static bool
remove_row(IdemTable *table, ItemPointer tid)
{
	if (!table_tuple_fetch_row_version(table->rel, tid, SnapshotAny,
									   idem_store_table_scan_slot(table)))
		return false;
	while (!idem_store_tuple_delete_version(table, tid))
	{
		if (!idem_store_tuple_follow(table, tid))
			return false;
	}
	return true;
}
