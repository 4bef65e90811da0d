/*
 * sweep.c
 *		Going through the rows up to a bound, a batch after the other.
 *
 * A dirty scan waits for nobody and leaves no SIREAD locks; a row that moves
 * meanwhile may be missed, and is found by the next sweep.  The index is in the
 * order of the column and, among equals, of where the rows lie.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "store/cache/sweep.h"
#include "store/index.h"
#include "store/survey.h"

static void sweep_all(IdemSweepBatch *batch, Relation index);
static void sweep_index(IdemSweepBatch *batch, Relation index);
static IndexScanDesc begin(const IdemSweepBatch *batch, Relation index, Snapshot snapshot);
static int64 bucket_in(const IdemSweepBatch *batch, IndexScanDesc scan);
static bool is_behind(IdemSweep *sweep, int64 bucket, ItemPointer row);
static bool visit_any(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);

void
idem_store_cache_sweep_rows(IdemSweepBatch *batch)
{
	Relation	index = idem_store_index_open_ordered(batch->table->rel, batch->sweep->column);

	CommandCounterIncrement();
	if (index != NULL)
	{
		sweep_all(batch, index);
		index_close(index, AccessShareLock);
	}
	else
		idem_store_survey_from(batch->table, 0, visit_any, batch);
}

/* from where the last batch stopped to the end, and then what is before that */
static void
sweep_all(IdemSweepBatch *batch, Relation index)
{
	bool		goes_on = batch->sweep->is_begun;

	sweep_index(batch, index);
	if (goes_on && batch->nremoved < batch->max_rows)
	{
		batch->sweep->is_begun = false;
		sweep_index(batch, index);
	}
	if (batch->nremoved < batch->max_rows)
		batch->sweep->is_begun = false;
}

static void
sweep_index(IdemSweepBatch *batch, Relation index)
{
	IdemSweep  *sweep = batch->sweep;
	TupleTableSlot *slot = idem_store_table_scan_slot(batch->table);
	SnapshotData dirty;
	IndexScanDesc scan;
	ItemPointer row;

	InitDirtySnapshot(dirty);
	scan = begin(batch, index, &dirty);
	while (batch->nremoved < batch->max_rows &&
		   (row = index_getnext_tid(scan, ForwardScanDirection)) != NULL)
	{
		int64		bucket = bucket_in(batch, scan);

		CHECK_FOR_INTERRUPTS();
		if (is_behind(sweep, bucket, row))
			continue;
		sweep->is_begun = true;
		sweep->bucket = bucket;
		sweep->row = *row;
		if (index_fetch_heap(scan, slot) && dirty.speculativeToken == 0 &&
			!TransactionIdIsValid(dirty.xmin) && !TransactionIdIsValid(dirty.xmax) &&
			batch->visit(batch->table, slot, batch->arg))
			batch->nremoved++;
	}
	index_endscan(scan);
	ExecClearTuple(slot);
}

static IndexScanDesc
begin(const IdemSweepBatch *batch, Relation index, Snapshot snapshot)
{
	const IdemSweep *sweep = batch->sweep;
	bool		is_small = sweep->type == INT4OID;
	int64		from = sweep->is_begun ? sweep->bucket : PG_INT32_MIN;
	ScanKeyData keys[2];
	IndexScanDesc scan;

	ScanKeyInit(&keys[0], 1, BTGreaterEqualStrategyNumber, is_small ? F_INT4GE : F_INT8GE,
				is_small ? Int32GetDatum((int32) from) : Int64GetDatum(from));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, is_small ? F_INT4LE : F_INT8LE,
				is_small ? Int32GetDatum((int32) batch->bound) : Int64GetDatum(batch->bound));
	scan = idem_compat_index_beginscan(batch->table->rel, index, snapshot, lengthof(keys));
	/* the column's value, without going to the row */
	scan->xs_want_itup = true;
	index_rescan(scan, keys, lengthof(keys), NULL, 0);
	return scan;
}

static int64
bucket_in(const IdemSweepBatch *batch, IndexScanDesc scan)
{
	bool		isnull;
	Datum		value = index_getattr(scan->xs_itup, 1, scan->xs_itupdesc, &isnull);

	return batch->sweep->type == INT4OID ? DatumGetInt32(value) : DatumGetInt64(value);
}

static bool
is_behind(IdemSweep *sweep, int64 bucket, ItemPointer row)
{
	return sweep->is_begun && bucket == sweep->bucket &&
		ItemPointerCompare(row, &sweep->row) <= 0;
}

/* without an index, the whole table is gone through */
static bool
visit_any(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	IdemSweepBatch *batch = arg;
	bool		is_small = batch->sweep->type == INT4OID;
	bool		isnull;
	Datum		value = slot_getattr(slot, batch->sweep->column + 1, &isnull);

	if (!isnull && !is_open &&
		(is_small ? DatumGetInt32(value) : DatumGetInt64(value)) <= batch->bound &&
		batch->visit(table, slot, batch->arg))
		batch->nremoved++;
	return batch->nremoved < batch->max_rows;
}
