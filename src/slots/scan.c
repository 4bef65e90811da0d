/*
 * scan.c
 *		Reading a table of slots by SQL.
 *
 * The heap's own scans read rows of a page that they have pinned and not
 * locked, which rows that move on their page do not allow.  So whatever reads
 * takes copies under the lock of the page: sequential and sample scans do so
 * here, a look at one ctid too, and ANALYZE keeps the lock.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/relscan.h"
#include "access/tsmapi.h"
#include "nodes/execnodes.h"
#include "pgstat.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "slots/list.h"
#include "slots/meta.h"
#include "slots/scan.h"

/* scans of the kinds that are read here */
#define OUR_KINDS		(SO_TYPE_SEQSCAN | SO_TYPE_SAMPLESCAN)

typedef struct SlotsScan
{
	TableScanDescData base;
	IdemSlotsList list;
	bool		is_begun;

	/* of a sample scan */
	BlockNumber nblocks;
	BlockNumber block;
	PGAlignedBlock page;
} SlotsScan;

static TableScanDesc begin(Relation rel, Snapshot snapshot, int nkeys, ScanKey key,
						   ParallelTableScanDesc parallel, uint32 flags);
static void end(TableScanDesc scan);
static void rescan(TableScanDesc scan, ScanKey key, bool set_params,
				   bool allow_strat, bool allow_sync, bool allow_pagemode);
static bool get_next(TableScanDesc scan, ScanDirection direction, TupleTableSlot *slot);
static bool begin_list(SlotsScan *scan);
static void store(HeapTuple tuple, Relation rel, TupleTableSlot *slot);
static bool fetch_by_tid(Relation rel, ItemPointer tid, Snapshot snapshot,
						 TupleTableSlot *slot);
static void store_from_page(Relation rel, Page page, BlockNumber block,
							OffsetNumber offset, TupleTableSlot *slot);
static bool next_sample_block(TableScanDesc scan, SampleScanState *state);
static bool next_sample_row(TableScanDesc scan, SampleScanState *state,
							TupleTableSlot *slot);
static idem_compat_analyze_callback(next_to_analyze);
static void remember_map(Relation rel);
static bool is_of_bucket(Relation rel, Page page, OffsetNumber offset);

void
idem_slots_scan_set_callbacks(TableAmRoutine *routine)
{
	routine->scan_begin = begin;
	routine->scan_end = end;
	routine->scan_rescan = rescan;
	routine->scan_getnextslot = get_next;
	routine->scan_set_tidrange = NULL;
	routine->scan_getnextslot_tidrange = NULL;
	routine->tuple_fetch_row_version = fetch_by_tid;
	routine->scan_analyze_next_tuple = next_to_analyze;
	routine->scan_sample_next_block = next_sample_block;
	routine->scan_sample_next_tuple = next_sample_row;
}

static TableScanDesc
begin(Relation rel, Snapshot snapshot, int nkeys, ScanKey key,
	  ParallelTableScanDesc parallel, uint32 flags)
{
	SlotsScan  *scan;

	if (flags & SO_TYPE_ANALYZE)
		remember_map(rel);
	if ((flags & OUR_KINDS) == 0)
		return GetHeapamTableAmRoutine()->scan_begin(rel, snapshot, nkeys, key,
													 parallel, flags);
	Assert(nkeys == 0);
	RelationIncrementReferenceCount(rel);
	scan = palloc0(sizeof(SlotsScan));
	scan->base.rs_rd = rel;
	scan->base.rs_snapshot = snapshot;
	scan->base.rs_flags = flags;
	scan->base.rs_parallel = parallel;
	scan->list.context = CurrentMemoryContext;
	scan->nblocks = RelationGetNumberOfBlocks(rel);
	scan->block = InvalidBlockNumber;
	pgstat_count_heap_scan(rel);
	return &scan->base;
}

static void
end(TableScanDesc desc)
{
	SlotsScan  *scan = (SlotsScan *) desc;

	if ((desc->rs_flags & OUR_KINDS) == 0)
	{
		GetHeapamTableAmRoutine()->scan_end(desc);
		return;
	}
	if (scan->is_begun)
		idem_slots_list_end(&scan->list);
	RelationDecrementReferenceCount(desc->rs_rd);
	if (desc->rs_flags & SO_TEMP_SNAPSHOT)
		UnregisterSnapshot(desc->rs_snapshot);
	pfree(scan);
}

static void
rescan(TableScanDesc desc, ScanKey key, bool set_params, bool allow_strat,
	   bool allow_sync, bool allow_pagemode)
{
	SlotsScan  *scan = (SlotsScan *) desc;

	if ((desc->rs_flags & OUR_KINDS) == 0)
	{
		GetHeapamTableAmRoutine()->scan_rescan(desc, key, set_params, allow_strat,
											   allow_sync, allow_pagemode);
		return;
	}
	if (scan->is_begun)
		idem_slots_list_end(&scan->list);
	scan->is_begun = false;
	scan->block = InvalidBlockNumber;
	pgstat_count_heap_scan(desc->rs_rd);
}

static bool
get_next(TableScanDesc desc, ScanDirection direction, TupleTableSlot *slot)
{
	SlotsScan  *scan = (SlotsScan *) desc;
	HeapTuple	tuple = NULL;
	IdemSlotRow row;

	if (ScanDirectionIsBackward(direction))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot scan table \"%s\" backward",
						RelationGetRelationName(desc->rs_rd))));
	if (scan->is_begun || begin_list(scan))
		tuple = idem_slots_list_next(&scan->list, &row);
	if (tuple == NULL)
	{
		ExecClearTuple(slot);
		return false;
	}
	pgstat_count_heap_getnext(desc->rs_rd);
	store(tuple, desc->rs_rd, slot);
	return true;
}

/* Of several workers of one scan, the first to come reads it all. */
static bool
begin_list(SlotsScan *scan)
{
	ParallelBlockTableScanDesc parallel = (ParallelBlockTableScanDesc) scan->base.rs_parallel;
	MemoryContext caller;

	if (parallel != NULL && pg_atomic_fetch_add_u64(&parallel->phs_nallocated, 1) > 0)
		return false;
	caller = MemoryContextSwitchTo(scan->list.context);
	idem_slots_list_begin(&scan->list, scan->base.rs_rd);
	MemoryContextSwitchTo(caller);
	scan->is_begun = true;
	return true;
}

static void
store(HeapTuple tuple, Relation rel, TupleTableSlot *slot)
{
	ExecForceStoreHeapTuple(tuple, slot, false);
	slot->tts_tid = tuple->t_self;
	slot->tts_tableOid = RelationGetRelid(rel);
}

static bool
fetch_by_tid(Relation rel, ItemPointer tid, Snapshot snapshot, TupleTableSlot *slot)
{
	BlockNumber block = ItemPointerGetBlockNumber(tid);
	OffsetNumber offset = ItemPointerGetOffsetNumber(tid);
	Buffer		buffer = ReadBuffer(rel, block);
	Page		page = BufferGetPage(buffer);
	bool		is_found;

	remember_map(rel);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	is_found = offset >= FirstOffsetNumber && offset <= PageGetMaxOffsetNumber(page) &&
		is_of_bucket(rel, page, offset);
	if (is_found)
		store_from_page(rel, page, block, offset, slot);
	UnlockReleaseBuffer(buffer);
	return is_found;
}

static void
store_from_page(Relation rel, Page page, BlockNumber block, OffsetNumber offset,
				TupleTableSlot *slot)
{
	ItemId		item = PageGetItemId(page, offset);
	HeapTupleData tuple = {
		.t_len = ItemIdGetLength(item),
		.t_tableOid = RelationGetRelid(rel),
		.t_data = (HeapTupleHeader) PageGetItem(page, item)
	};

	ItemPointerSet(&tuple.t_self, block, offset);
	store(&tuple, rel, slot);
}

static bool
next_sample_block(TableScanDesc desc, SampleScanState *state)
{
	SlotsScan  *scan = (SlotsScan *) desc;
	TsmRoutine *method = state->tsmroutine;
	Buffer		buffer;

	if (method->NextSampleBlock != NULL)
		scan->block = method->NextSampleBlock(state, scan->nblocks);
	else if (++scan->block >= scan->nblocks)
		scan->block = InvalidBlockNumber;
	if (scan->block == InvalidBlockNumber)
		return false;

	remember_map(desc->rs_rd);
	buffer = ReadBuffer(desc->rs_rd, scan->block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(scan->page.data, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);
	return true;
}

static bool
next_sample_row(TableScanDesc desc, SampleScanState *state, TupleTableSlot *slot)
{
	SlotsScan  *scan = (SlotsScan *) desc;
	TsmRoutine *method = state->tsmroutine;
	OffsetNumber last = PageGetMaxOffsetNumber(scan->page.data);
	OffsetNumber offset;

	do
	{
		offset = method->NextSampleTuple(state, scan->block, last);
		if (offset == InvalidOffsetNumber)
		{
			ExecClearTuple(slot);
			return false;
		}
	} while (!is_of_bucket(desc->rs_rd, scan->page.data, offset));
	pgstat_count_heap_getnext(desc->rs_rd);
	store_from_page(desc->rs_rd, scan->page.data, scan->block, offset, slot);
	return true;
}

/* The heap's scan keeps the page locked from row to row. */
static
idem_compat_analyze_callback(next_to_analyze)
{
	const TableAmRoutine *heap = GetHeapamTableAmRoutine();

	while (idem_compat_analyze_next(heap))
	{
		Page		page = BufferGetPage(((BufferHeapTupleTableSlot *) slot)->buffer);

		if (is_of_bucket(desc->rs_rd, page, ItemPointerGetOffsetNumber(&slot->tts_tid)))
			return true;
		*live -= 1;
	}
	return false;
}

/* for is_of_bucket, which is asked when a page is locked */
static void
remember_map(Relation rel)
{
	if (!idem_slots_meta_is_former(rel))
		(void) idem_slots_meta_map(rel);
}

/* Is there a row that its name leads to?  A page that is not ours has others. */
static bool
is_of_bucket(Relation rel, Page page, OffsetNumber offset)
{
	const IdemSlotsMap *map = rel->rd_amcache;
	IdemSlotRow row;
	uint32		bucket;

	if (!idem_slots_page_row(page, offset, RelationGetNumberOfAttributes(rel), &row))
		return false;
	if (map == NULL)
		return true;
	/* a bucket that is newer than the map; block 0 is locked after all others */
	bucket = idem_slots_page_link(page)->bucket;
	if (bucket >= map->nbuckets)
		map = idem_slots_meta_read_map(rel);
	return idem_slots_map_bucket(idem_slots_meta_hash(rel, row.key), map->nbuckets) == bucket;
}
