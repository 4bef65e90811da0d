/*
 * ratelimits.c
 *		The tables of rate limits: their configuration, their state, and the
 *		cooldowns.
 *
 * The configuration is read as of now and without SIREAD locks, which a scan
 * under a snapshot would leave: a limit must not fail a SERIALIZABLE caller.
 * Only a parallel query, which may take no snapshot, reads it as of its own.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "slots/sweep.h"
#include "store/ratelimits.h"
#include "store/versions.h"

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
};

static IdemTableInfo limits_table = {
	.kind = IDEM_TABLE_SETTINGS,
	.name = "rate_limits",
	.nkeys = 2,
	.ncolumns = LIMIT_COLUMNS,
	.columns = limit_columns,
};

static const IdemColumn state_columns[] = {
	{"resource", TEXTOID},
	{"expires_at", TIMESTAMPTZOID},
	{"state", BYTEAOID},
};

IdemTableInfo idem_store_ratelimits_state = {
	.kind = IDEM_TABLE_SLOTS,
	.name = "rate_limit_state",
	.nkeys = 1,
	.ncolumns = lengthof(state_columns),
	.columns = state_columns,
};

static const IdemColumn cooldown_columns[] = {
	{"origin", TEXTOID},
	{"until", TIMESTAMPTZOID},
};

IdemTableInfo idem_store_ratelimits_cooldowns = {
	.kind = IDEM_TABLE_SLOTS,
	.name = "cooldowns",
	.nkeys = 1,
	.ncolumns = lengthof(cooldown_columns),
	.columns = cooldown_columns,
};

void
idem_store_ratelimits_open(IdemSlots *slots, IdemTableInfo *info, bool for_writing)
{
	LOCKMODE	lockmode = for_writing ? RowExclusiveLock : AccessShareLock;

	idem_slots_open(slots, idem_store_table_open_relation(info, lockmode), lockmode);
}

int64
idem_store_ratelimits_expire(IdemTableInfo *info, TimestampTz now, int64 max_rows,
							 double *part)
{
	Relation	rel = idem_store_table_open_relation(info, RowExclusiveLock);
	IdemSlotsSwept swept;

	idem_slots_sweep(rel, now, max_rows, &swept);
	relation_close(rel, RowExclusiveLock);
	*part = swept.nbuckets == 0 ? 1.0 : (double) swept.visited / swept.nbuckets;
	return swept.removed;
}

int
idem_store_ratelimits_longest_chain(IdemTableInfo *info)
{
	Relation	rel = idem_store_table_open_relation(info, AccessShareLock);
	int			npages = idem_slots_sweep_longest_chain(rel);

	relation_close(rel, AccessShareLock);
	return npages;
}

const char *const idem_store_ratelimits_set_sql =
"INSERT INTO idemstore.rate_limits VALUES"
" ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
" ON CONFLICT (resource, policy) DO UPDATE SET algorithm = excluded.algorithm,"
" quota = excluded.quota, period = excluded.period, burst = excluded.burst,"
" monitoring_window = excluded.monitoring_window,"
" high_activity_threshold = excluded.high_activity_threshold,"
" moderate_activity_threshold = excluded.moderate_activity_threshold,"
" recalculation_interval = excluded.recalculation_interval,"
" sustained_inactivity_threshold = excluded.sustained_inactivity_threshold,"
" background_pause_on_increasing_trend = excluded.background_pause_on_increasing_trend,"
" max_user_scaling = excluded.max_user_scaling,"
" min_user_reserved = excluded.min_user_reserved";

const char *const idem_store_ratelimits_drop_sql =
"DELETE FROM idemstore.rate_limits"
" WHERE resource OPERATOR(pg_catalog.=) $1"
" AND ($2 IS NULL OR policy OPERATOR(pg_catalog.=) $2)";

/* the policies that a look at one resource has met */
typedef struct Policies
{
	List	   *names;
	int			most;
} Policies;

static IdemVisit see_policy(TupleTableSlot *slot, void *arg);
static bool describe(TupleTableSlot *slot, IdemLimitRow *row);
static bool has_nulls(const TupleTableSlot *slot, int first, int last);

void
idem_store_ratelimits_visit(IdemLimitVisitor visit, void *arg)
{
	Relation	rel = idem_store_table_open_relation(&limits_table, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	Snapshot	latest = RegisterSnapshot(IsInParallelMode() ? GetActiveSnapshot() :
										  GetLatestSnapshot());
	TableScanDesc scan = idem_compat_table_beginscan(rel, SnapshotAny);
	IdemLimitRow row;

	/*
	 * Undone by an invalidation, also by one that comes while we read.  What
	 * the leader of a parallel query reads may be out of date already; a
	 * worker ends with its query.
	 */
	limits_table.is_loaded = OidIsValid(limits_table.oid) &&
		(!IsInParallelMode() || IsParallelWorker());
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!table_tuple_satisfies_snapshot(rel, slot, latest))
			continue;
		if (describe(slot, &row))
			visit(&row, arg);
	}
	table_endscan(scan);
	UnregisterSnapshot(latest);
	ExecDropSingleTupleTableSlot(slot);
	relation_close(rel, AccessShareLock);
}

/* A look through a snapshot would make SERIALIZABLE callers fail. */
bool
idem_store_ratelimits_has_more(const text *resource, int most)
{
	Datum		key = PointerGetDatum(resource);
	Policies	seen = {.most = most};
	IdemTable	table;
	bool		result;

	idem_store_table_open(&table, &limits_table, AccessShareLock);
	result = idem_store_versions_match_any(&table, RelationGetRelid(table.pkey), 1, &key,
										   see_policy, &seen);
	idem_store_table_close(&table);
	return result;
}

/* a row may come more than once */
static IdemVisit
see_policy(TupleTableSlot *slot, void *arg)
{
	Policies   *seen = arg;
	bool		isnull;
	char	   *name = TextDatumGetCString(slot_getattr(slot, LIMIT_POLICY + 1, &isnull));
	ListCell   *cell;

	foreach(cell, seen->names)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return IDEM_VISIT_NEXT;
	}
	seen->names = lappend(seen->names, name);
	return list_length(seen->names) > seen->most ? IDEM_VISIT_STOP : IDEM_VISIT_NEXT;
}

bool
idem_store_ratelimits_is_current(void)
{
	return limits_table.is_loaded;
}

/* false for a row that the constraints, if they were there, would not allow */
static bool
describe(TupleTableSlot *slot, IdemLimitRow *row)
{
	const Datum *values;

	slot_getallattrs(slot);
	if (has_nulls(slot, LIMIT_RESOURCE, LIMIT_PERIOD))
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
