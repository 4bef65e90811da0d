/*
 * search.c
 *		Finding the entries of the cache with a tag or a prefix, to remove them.
 *
 * The rules that hold here:
 * - The snapshot is taken first, then the index is read, and then every version
 *	 is asked whether the snapshot sees it or a dirty one does.  The one shows
 *	 each committed row once, even when it moves; the other those of open
 *	 transactions.
 * - A scan under a snapshot of MVCC would leave SIREAD locks, and SERIALIZABLE
 *	 callers would fail with 40001 for nothing.
 * - An insertion that has not settled is left out: who makes it looks for marks
 *	 afterwards.
 * - No pin is held while the caller waits for somebody.
 */
#include "postgres.h"

#include "access/genam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/tidbitmap.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "pg/compat.h"
#include "pg/name.h"
#include "store/cache/search.h"
#include "store/index.h"
#include "store/survey.h"

/* of && for arrays in an index of GIN */
#define OVERLAPS	1

/* GIN takes time with the square of how many are sought at once */
#define TAGS_AT_ONCE	64

enum
{
	FOUND_KEY,
	FOUND_ROW,
	FOUND_INSERTER,
	FOUND_COLUMNS
};

struct IdemEntrySearch
{
	IdemTable  *table;
	ArrayType  *tags;			/* NULL: by prefix */
	text	   *prefix;
	Snapshot	latest;
	SnapshotData dirty;
	MemoryContext per_row;
	Tuplesortstate *sort;
	TupleTableSlot *found;
};

static IdemEntrySearch *begin(IdemTable *table);
static void end_scan(IdemEntrySearch *search);
static void scan_bitmap(IdemEntrySearch *search, Relation index);
static TIDBitmap *make_bitmap(const IdemEntrySearch *search, Relation index);
static void add_to_bitmap(TIDBitmap *bitmap, IndexScanDesc scan, Datum *tags, int n);
static void look_at_row(IdemEntrySearch *search, IndexFetchTableData *fetch,
						BlockNumber block, OffsetNumber offset);
static bool look_at(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);
static void scan_range(IdemEntrySearch *search);
static void consider(IdemEntrySearch *search, TupleTableSlot *slot);
static bool is_seen(IdemEntrySearch *search, TupleTableSlot *slot, TransactionId *inserter);
static bool is_sought(const IdemEntrySearch *search, const IdemEntry *entry);
static void put(IdemEntrySearch *search, const IdemEntry *entry, TransactionId inserter);

IdemEntrySearch *
idem_store_cache_search_tags(IdemTable *table, ArrayType *tags)
{
	IdemEntrySearch *search = begin(table);
	Relation	index = idem_store_index_open_inverted(table->rel, IDEM_CACHE_TAGS_COLUMN,
													   OID_ARRAY_OVERLAP_OP);

	search->tags = tags;
	if (index != NULL)
	{
		scan_bitmap(search, index);
		index_close(index, AccessShareLock);
	}
	else
		idem_store_survey_versions(table, look_at, search);
	end_scan(search);
	return search;
}

IdemEntrySearch *
idem_store_cache_search_prefix(IdemTable *table, text *prefix)
{
	IdemEntrySearch *search = begin(table);

	search->prefix = prefix;
	scan_range(search);
	end_scan(search);
	return search;
}

static IdemEntrySearch *
begin(IdemTable *table)
{
	IdemEntrySearch *search = palloc0(sizeof(IdemEntrySearch));
	TupleDesc	desc = CreateTemplateTupleDesc(FOUND_COLUMNS);
	AttrNumber	column = FOUND_KEY + 1;
	Oid			less = TextLessOperator;
	Oid			collation = C_COLLATION_OID;
	bool		nulls_first = false;

	CommandCounterIncrement();
	search->table = table;
	search->latest = RegisterSnapshot(GetLatestSnapshot());
	InitDirtySnapshot(search->dirty);
	search->per_row = AllocSetContextCreate(CurrentMemoryContext, "idemstore row",
											ALLOCSET_DEFAULT_SIZES);
	TupleDescInitEntry(desc, FOUND_KEY + 1, "key", TEXTOID, -1, 0);
	TupleDescInitEntryCollation(desc, FOUND_KEY + 1, C_COLLATION_OID);
	TupleDescInitEntry(desc, FOUND_ROW + 1, "row", TIDOID, -1, 0);
	TupleDescInitEntry(desc, FOUND_INSERTER + 1, "inserter", XIDOID, -1, 0);
	idem_compat_finish_descriptor(desc);
	search->sort = tuplesort_begin_heap(desc, 1, &column, &less, &collation,
										&nulls_first, work_mem, NULL, TUPLESORT_NONE);
	search->found = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	return search;
}

static void
end_scan(IdemEntrySearch *search)
{
	UnregisterSnapshot(search->latest);
	tuplesort_performsort(search->sort);
}

static void
scan_bitmap(IdemEntrySearch *search, Relation index)
{
	TIDBitmap  *bitmap = make_bitmap(search, index);
	IdemBitmapScan *scan = idem_compat_bitmap_begin(bitmap);
	IndexFetchTableData *fetch = idem_compat_index_fetch_begin(search->table->rel);
	OffsetNumber rows[MaxHeapTuplesPerPage];
	BlockNumber block;
	int			nrows;
	int			i;

	while (idem_compat_bitmap_next(scan, &block, rows, &nrows))
	{
		CHECK_FOR_INTERRUPTS();
		for (i = 0; i < nrows; i++)
			look_at_row(search, fetch, block, rows[i]);
	}
	ExecClearTuple(idem_store_table_scan_slot(search->table));
	table_index_fetch_end(fetch);
	idem_compat_bitmap_end(scan);
	tbm_free(bitmap);
}

static TIDBitmap *
make_bitmap(const IdemEntrySearch *search, Relation index)
{
	TIDBitmap  *bitmap = tbm_create(work_mem * (Size) 1024, NULL);
	IndexScanDesc scan = idem_compat_index_beginscan_bitmap(index, SnapshotAny, 1);
	Datum	   *tags;
	int			n;
	int			i;

	deconstruct_array(search->tags, TEXTOID, -1, false, TYPALIGN_INT, &tags, NULL, &n);
	for (i = 0; i < n; i += TAGS_AT_ONCE)
	{
		CHECK_FOR_INTERRUPTS();
		add_to_bitmap(bitmap, scan, &tags[i], Min(n - i, TAGS_AT_ONCE));
	}
	index_endscan(scan);
	return bitmap;
}

static void
add_to_bitmap(TIDBitmap *bitmap, IndexScanDesc scan, Datum *tags, int n)
{
	ArrayType  *some = construct_array(tags, n, TEXTOID, -1, false, TYPALIGN_INT);
	ScanKeyData key;

	ScanKeyInit(&key, 1, OVERLAPS, F_ARRAYOVERLAP, PointerGetDatum(some));
	key.sk_collation = scan->indexRelation->rd_indcollation[0];
	index_rescan(scan, &key, 1, NULL, 0);
	(void) index_getbitmap(scan, bitmap);
	pfree(some);
}

/* all versions that are found from there */
static void
look_at_row(IdemEntrySearch *search, IndexFetchTableData *fetch, BlockNumber block,
			OffsetNumber offset)
{
	TupleTableSlot *slot = idem_store_table_scan_slot(search->table);
	bool		has_more = false;
	ItemPointerData row;

	ItemPointerSet(&row, block, offset);
	while (table_index_fetch_tuple(fetch, &row, SnapshotAny, slot, &has_more, NULL))
	{
		consider(search, slot);
		if (!has_more)
			break;
	}
}

/* without an index */
static bool
look_at(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	consider(arg, slot);
	return true;
}

static void
scan_range(IdemEntrySearch *search)
{
	IdemTable  *table = search->table;
	TupleTableSlot *slot = idem_store_table_scan_slot(table);
	bool		goes_on = true;
	ScanKeyData key;
	IndexScanDesc scan;

	ScanKeyInit(&key, 1, BTGreaterEqualStrategyNumber, F_TEXT_GE, PointerGetDatum(search->prefix));
	key.sk_collation = table->pkey->rd_indcollation[0];
	scan = idem_compat_index_beginscan(table->rel, table->pkey, SnapshotAny, 1);
	index_rescan(scan, &key, 1, NULL, 0);
	while (goes_on && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		goes_on = idem_name_begins_with(DatumGetTextPP(slot_getattr(slot, 1, &isnull)), search->prefix);
		if (goes_on)
			consider(search, slot);
	}
	index_endscan(scan);
	ExecClearTuple(slot);
}

static void
consider(IdemEntrySearch *search, TupleTableSlot *slot)
{
	TransactionId inserter;
	IdemEntry	entry;
	MemoryContext caller;

	if (!is_seen(search, slot, &inserter))
		return;
	caller = MemoryContextSwitchTo(search->per_row);
	idem_store_cache_read(slot, &entry);
	if (is_sought(search, &entry))
		put(search, &entry, inserter);
	MemoryContextSwitchTo(caller);
	MemoryContextReset(search->per_row);
}

static bool
is_seen(IdemEntrySearch *search, TupleTableSlot *slot, TransactionId *inserter)
{
	Relation	rel = search->table->rel;

	*inserter = InvalidTransactionId;
	if (table_tuple_satisfies_snapshot(rel, slot, search->latest))
		return true;
	if (!table_tuple_satisfies_snapshot(rel, slot, &search->dirty) ||
		search->dirty.speculativeToken != 0)
		return false;
	*inserter = search->dirty.xmin;
	return true;
}

/* a bitmap may have forgotten which rows of a page it is about */
static bool
is_sought(const IdemEntrySearch *search, const IdemEntry *entry)
{
	return search->tags == NULL || idem_store_cache_search_has_any(entry, search->tags);
}

static void
put(IdemEntrySearch *search, const IdemEntry *entry, TransactionId inserter)
{
	TupleTableSlot *found = search->found;

	ExecClearTuple(found);
	memset(found->tts_isnull, 0, FOUND_COLUMNS * sizeof(bool));
	found->tts_values[FOUND_KEY] = PointerGetDatum(entry->key);
	found->tts_values[FOUND_ROW] = PointerGetDatum(&entry->row);
	found->tts_values[FOUND_INSERTER] = TransactionIdGetDatum(inserter);
	ExecStoreVirtualTuple(found);
	tuplesort_puttupleslot(search->sort, found);
}

bool
idem_store_cache_search_next(IdemEntrySearch *search, IdemFound *found)
{
	const Datum *values;

	if (!tuplesort_gettupleslot(search->sort, true, false, search->found, NULL))
		return false;
	slot_getallattrs(search->found);
	values = search->found->tts_values;
	found->key = DatumGetTextPP(values[FOUND_KEY]);
	found->row = *(ItemPointer) DatumGetPointer(values[FOUND_ROW]);
	found->inserter = DatumGetTransactionId(values[FOUND_INSERTER]);
	return true;
}

void
idem_store_cache_search_end(IdemEntrySearch *search)
{
	ExecDropSingleTupleTableSlot(search->found);
	tuplesort_end(search->sort);
	MemoryContextDelete(search->per_row);
	pfree(search);
}

bool
idem_store_cache_search_has_any(const IdemEntry *entry, ArrayType *tags)
{
	Datum	   *mine;
	Datum	   *theirs;
	int			nmine = 0;
	int			ntheirs;
	int			i = 0;
	int			j = 0;

	if (entry->tags != NULL)
		deconstruct_array(DatumGetArrayTypeP(PointerGetDatum(entry->tags)), TEXTOID, -1,
						  false, TYPALIGN_INT, &mine, NULL, &nmine);
	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &theirs, NULL, &ntheirs);
	while (i < nmine && j < ntheirs)
	{
		int			order = idem_name_compare(DatumGetTextPP(mine[i]),
											  DatumGetTextPP(theirs[j]));

		if (order == 0)
			return true;
		if (order < 0)
			i++;
		else
			j++;
	}
	return false;
}
