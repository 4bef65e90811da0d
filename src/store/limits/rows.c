/*
 * rows.c
 *		The configuration of rate limits.
 *
 * Nobody may have to read all of it: of exact names there can be any number.
 * Patterns are found through an index of their own, names through the primary
 * key.  Scans run over all versions and ask for each whether the snapshot sees
 * it, since a scan under the snapshot itself would leave SIREAD locks.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "store/limits/rows.h"

/* the rows of patterns, and no others; without it all rows are read for them */
#define PATTERN_INDEX	"rate_limits_pattern_idx"

enum
{
	LIMIT_RESOURCE,
	LIMIT_POLICY,
	LIMIT_ALGORITHM,
	LIMIT_QUOTA,
	LIMIT_PERIOD,
	LIMIT_BURST,
	LIMIT_MONITORING_WINDOW,
	LIMIT_HIGH_THRESHOLD,
	LIMIT_MODERATE_THRESHOLD,
	LIMIT_RECALCULATION_INTERVAL,
	LIMIT_SUSTAINED_INACTIVITY,
	LIMIT_PAUSES_BACKGROUND,
	LIMIT_MAX_USER_SCALING,
	LIMIT_MIN_USER_RESERVED,
	LIMIT_ENFORCED,
	LIMIT_TIME_ZONE,
	LIMIT_COLUMNS
};

static const IdemColumn limit_columns[LIMIT_COLUMNS] = {
	[LIMIT_RESOURCE] = {"resource", TEXTOID},
	[LIMIT_POLICY] = {"policy", TEXTOID},
	[LIMIT_ALGORITHM] = {"algorithm", TEXTOID},
	[LIMIT_QUOTA] = {"quota", INT8OID},
	[LIMIT_PERIOD] = {"period", INTERVALOID},
	[LIMIT_BURST] = {"burst", INT8OID},
	[LIMIT_MONITORING_WINDOW] = {"monitoring_window", INTERVALOID},
	[LIMIT_HIGH_THRESHOLD] = {"high_activity_threshold", INT4OID},
	[LIMIT_MODERATE_THRESHOLD] = {"moderate_activity_threshold", INT4OID},
	[LIMIT_RECALCULATION_INTERVAL] = {"recalculation_interval", INTERVALOID},
	[LIMIT_SUSTAINED_INACTIVITY] = {"sustained_inactivity_threshold", INTERVALOID},
	[LIMIT_PAUSES_BACKGROUND] = {"background_pause_on_increasing_trend", BOOLOID},
	[LIMIT_MAX_USER_SCALING] = {"max_user_scaling", FLOAT8OID},
	[LIMIT_MIN_USER_RESERVED] = {"min_user_reserved", INT4OID},
	[LIMIT_ENFORCED] = {"enforced", BOOLOID},
	[LIMIT_TIME_ZONE] = {"time_zone", TEXTOID},
};

IdemTableInfo idem_store_limits_rows_table = {
	.kind = IDEM_TABLE_SETTINGS,
	.name = "rate_limits",
	.nkeys = 2,
	.ncolumns = LIMIT_COLUMNS,
	.columns = limit_columns,
};

/* a look at rows as of a snapshot */
typedef struct Look
{
	Relation	rel;
	TupleTableSlot *slot;
	Snapshot	snapshot;
	Snapshot	former;			/* that is to see the same, or NULL */
	IdemLimitVisitor visit;
	void	   *arg;
} Look;

static void begin_look(Look *look, IdemLimitVisitor visit, void *arg);
static void end_look(Look *look);
static Oid	find_pattern_index(Relation rel);
static void visit_index(Look *look, Oid index);
static void visit_table(Look *look);
static void visit_pattern(const IdemLimitRow *row, void *arg);
static char *serialize(Snapshot snapshot);
static bool visit_row(Look *look);
static AttrNumber resource_column(Relation index);
static bool has_nulls(const TupleTableSlot *slot, int first, int last);

bool
idem_store_limits_rows_is_pattern(const text *resource)
{
	int			size = VARSIZE_ANY_EXHDR(resource);

	return size > 0 && VARDATA_ANY(resource)[size - 1] == '*';
}

char *
idem_store_limits_rows_visit_patterns(IdemLimitVisitor visit, void *arg)
{
	Look		look;
	Oid			index;
	char	   *snapshot;

	begin_look(&look, visit, arg);

	/*
	 * Undone by an invalidation, also by one that comes while we read.  What
	 * the leader of a parallel query reads may be out of date already; a
	 * worker ends with its query.
	 */
	idem_store_limits_rows_table.is_loaded = OidIsValid(idem_store_limits_rows_table.oid) &&
		(!IsInParallelMode() || IsParallelWorker());
	snapshot = IsInParallelMode() ? NULL : serialize(look.snapshot);
	index = idem_store_limits_rows_pattern_index(look.rel);
	if (OidIsValid(index))
		visit_index(&look, index);
	else
		visit_table(&look);
	end_look(&look);
	return snapshot;
}

static void
begin_look(Look *look, IdemLimitVisitor visit, void *arg)
{
	look->rel = idem_store_table_open_relation(&idem_store_limits_rows_table, AccessShareLock);
	look->slot = table_slot_create(look->rel, NULL);
	look->snapshot = RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() :
									  GetLatestSnapshot());
	look->former = NULL;
	look->visit = visit;
	look->arg = arg;
}

static void
end_look(Look *look)
{
	UnregisterSnapshot(look->snapshot);
	ExecDropSingleTupleTableSlot(look->slot);
	relation_close(look->rel, AccessShareLock);
}

Oid
idem_store_limits_rows_pattern_index(Relation rel)
{
	Oid			index = idem_store_limits_rows_table.other_index;

	if (!OidIsValid(index))
	{
		index = find_pattern_index(rel);
		/* not when an invalidation came in the middle of the search */
		if (OidIsValid(idem_store_limits_rows_table.oid))
			idem_store_limits_rows_table.other_index = index;
	}
	return index;
}

/* InvalidOid when there is none, or none that is complete */
static Oid
find_pattern_index(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;
	Oid			result = InvalidOid;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (strcmp(RelationGetRelationName(index), PATTERN_INDEX) == 0 &&
			index->rd_index->indisvalid)
			result = lfirst_oid(cell);
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return result;
}

static void
visit_index(Look *look, Oid index_oid)
{
	Relation	index = index_open(index_oid, AccessShareLock);
	IndexScanDesc scan = idem_compat_index_beginscan(look->rel, index, SnapshotAny, 0);

	index_rescan(scan, NULL, 0, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, look->slot))
		visit_row(look);
	index_endscan(scan);
	index_close(index, AccessShareLock);
}

static void
visit_table(Look *look)
{
	Look		patterns = *look;
	TableScanDesc scan = idem_compat_table_beginscan(look->rel, SnapshotAny);

	patterns.visit = visit_pattern;
	patterns.arg = look;
	while (table_scan_getnextslot(scan, ForwardScanDirection, look->slot))
		visit_row(&patterns);
	table_endscan(scan);
}

static void
visit_pattern(const IdemLimitRow *row, void *arg)
{
	Look	   *look = arg;

	if (idem_store_limits_rows_is_pattern(row->resource))
		look->visit(row, look->arg);
}

static char *
serialize(Snapshot snapshot)
{
	char	   *result = palloc(EstimateSnapshotSpace(snapshot));

	SerializeSnapshot(snapshot, result);
	return result;
}

/* false when the former snapshot sees the version and this one not, or not so */
static bool
visit_row(Look *look)
{
	bool		is_visible;
	IdemLimitRow row;

	CHECK_FOR_INTERRUPTS();
	is_visible = table_tuple_satisfies_snapshot(look->rel, look->slot, look->snapshot);
	if (look->former != NULL &&
		table_tuple_satisfies_snapshot(look->rel, look->slot, look->former) != is_visible)
		return false;
	if (is_visible && idem_store_limits_rows_describe(look->slot, &row))
		look->visit(&row, look->arg);
	return true;
}

bool
idem_store_limits_rows_is_current(void)
{
	return idem_store_limits_rows_table.is_loaded;
}

bool
idem_store_limits_rows_visit_name(const text *resource, const char *snapshot,
								  IdemLimitVisitor visit, void *arg)
{
	bool		is_same = true;
	Look		look;
	Relation	index;
	IndexScanDesc scan;
	ScanKeyData key;

	begin_look(&look, visit, arg);
	if (snapshot != NULL)
		look.former = RestoreSnapshot((char *) snapshot);
	index = index_open(idem_compat_primary_key_index(look.rel), AccessShareLock);
	scan = idem_compat_index_beginscan(look.rel, index, SnapshotAny, 1);
	ScanKeyInit(&key, resource_column(index), BTEqualStrategyNumber, F_TEXTEQ,
				PointerGetDatum(resource));
	key.sk_collation = C_COLLATION_OID;
	index_rescan(scan, &key, 1, NULL, 0);
	while (is_same && index_getnext_slot(scan, ForwardScanDirection, look.slot))
		is_same = visit_row(&look);
	index_endscan(scan);
	index_close(index, AccessShareLock);
	if (look.former != NULL)
		pfree(look.former);
	end_look(&look);
	return is_same;
}

/* the columns of the primary key's index may stand in any order */
static AttrNumber
resource_column(Relation index)
{
	return index->rd_index->indkey.values[0] == LIMIT_RESOURCE + 1 ? 1 : 2;
}

bool
idem_store_limits_rows_walk(const text *from, ScanDirection direction,
							IdemNameVisitor visit, void *arg)
{
	bool		is_upwards = ScanDirectionIsForward(direction);
	Relation	rel = idem_store_table_open_relation(&idem_store_limits_rows_table, AccessShareLock);
	Relation	index = index_open(idem_compat_primary_key_index(rel), AccessShareLock);
	bool		is_ordered = resource_column(index) == 1;
	bool		goes_on = is_ordered;
	IndexScanDesc scan = idem_compat_index_beginscan(rel, index, SnapshotAny, 1);
	ScanKeyData key;

	ScanKeyInit(&key, 1, is_upwards ? BTGreaterEqualStrategyNumber : BTLessStrategyNumber,
				is_upwards ? F_TEXT_GE : F_TEXT_LT, PointerGetDatum(from));
	key.sk_collation = C_COLLATION_OID;
	scan->xs_want_itup = true;
	index_rescan(scan, &key, 1, NULL, 0);
	while (goes_on && index_getnext_tid(scan, direction) != NULL)
	{
		bool		isnull;
		text	   *name = DatumGetTextPP(index_getattr(scan->xs_itup, 1,
														scan->xs_itupdesc, &isnull));

		CHECK_FOR_INTERRUPTS();
		goes_on = visit(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), arg);
	}
	index_endscan(scan);
	index_close(index, AccessShareLock);
	relation_close(rel, AccessShareLock);
	return is_ordered;
}

bool
idem_store_limits_rows_describe(TupleTableSlot *slot, IdemLimitRow *row)
{
	const Datum *values;

	slot_getallattrs(slot);
	if (has_nulls(slot, LIMIT_RESOURCE, LIMIT_PERIOD) ||
		has_nulls(slot, LIMIT_ENFORCED, LIMIT_ENFORCED))
		return false;
	values = slot->tts_values;
	memset(row, 0, sizeof(IdemLimitRow));
	row->resource = DatumGetTextPP(values[LIMIT_RESOURCE]);
	row->policy = DatumGetTextPP(values[LIMIT_POLICY]);
	row->algorithm = DatumGetTextPP(values[LIMIT_ALGORITHM]);
	row->quota = DatumGetInt64(values[LIMIT_QUOTA]);
	row->period = *DatumGetIntervalP(values[LIMIT_PERIOD]);
	if (!slot->tts_isnull[LIMIT_BURST])
		row->burst = DatumGetInt64(values[LIMIT_BURST]);
	row->is_enforced = DatumGetBool(values[LIMIT_ENFORCED]);
	if (!slot->tts_isnull[LIMIT_TIME_ZONE])
		row->time_zone = DatumGetTextPP(values[LIMIT_TIME_ZONE]);
	if (has_nulls(slot, LIMIT_MONITORING_WINDOW, LIMIT_MIN_USER_RESERVED))
		return true;

	row->is_adaptive = true;
	row->monitoring_window = *DatumGetIntervalP(values[LIMIT_MONITORING_WINDOW]);
	row->high_threshold = DatumGetInt32(values[LIMIT_HIGH_THRESHOLD]);
	row->moderate_threshold = DatumGetInt32(values[LIMIT_MODERATE_THRESHOLD]);
	row->recalculation_interval = *DatumGetIntervalP(values[LIMIT_RECALCULATION_INTERVAL]);
	row->sustained_inactivity = *DatumGetIntervalP(values[LIMIT_SUSTAINED_INACTIVITY]);
	row->pauses_background = DatumGetBool(values[LIMIT_PAUSES_BACKGROUND]);
	row->max_user_scaling = DatumGetFloat8(values[LIMIT_MAX_USER_SCALING]);
	row->min_user_reserved = DatumGetInt32(values[LIMIT_MIN_USER_RESERVED]);
	return true;
}

static bool
has_nulls(const TupleTableSlot *slot, int first, int last)
{
	int			i;

	for (i = first; i <= last; i++)
	{
		if (slot->tts_isnull[i])
			return true;
	}
	return false;
}
