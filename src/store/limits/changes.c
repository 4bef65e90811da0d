/*
 * changes.c
 *		What has to be known of the configuration of rate limits by whoever
 *		changes it.
 *
 * Looks are dirty ones: what another transaction has not committed counts, and
 * no snapshot makes a SERIALIZABLE caller fail.
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "pg/name.h"
#include "store/limits/changes.h"
#include "store/versions.h"

/* the columns of the key */
#define RESOURCE_COLUMN	1
#define POLICY_COLUMN	2

const char *const idem_store_limits_changes_set_sql =
"INSERT INTO idemstore.rate_limits VALUES"
" ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"
" ON CONFLICT (resource, policy) DO UPDATE SET algorithm = excluded.algorithm,"
" quota = excluded.quota, period = excluded.period, burst = excluded.burst,"
" monitoring_window = excluded.monitoring_window,"
" high_activity_threshold = excluded.high_activity_threshold,"
" moderate_activity_threshold = excluded.moderate_activity_threshold,"
" recalculation_interval = excluded.recalculation_interval,"
" sustained_inactivity_threshold = excluded.sustained_inactivity_threshold,"
" background_pause_on_increasing_trend = excluded.background_pause_on_increasing_trend,"
" max_user_scaling = excluded.max_user_scaling,"
" min_user_reserved = excluded.min_user_reserved,"
" enforced = excluded.enforced, time_zone = excluded.time_zone";

const char *const idem_store_limits_changes_drop_sql =
"DELETE FROM idemstore.rate_limits"
" WHERE resource OPERATOR(pg_catalog.=) $1"
" AND ($2 IS NULL OR policy OPERATOR(pg_catalog.=) $2)";

/* the names that a look has met, in one of the columns */
typedef struct Names
{
	int			column;
	List	   *names;
	int			most;
} Names;

static TransactionId open_xid_of(const IdemTable *table);
static bool is_same(const IdemLimitRow *a, const IdemLimitRow *b);
static bool is_same_zone(const text *a, const text *b);
static bool is_same_span(const Interval *a, const Interval *b);
static bool has_more(IdemTable *table, Oid index, int nkeys, const Datum *keys,
					 Names *seen);
static IdemVisit see_name(TupleTableSlot *slot, void *arg);

IdemLimitStanding
idem_store_limits_changes_compare(const IdemLimitRow *row, TransactionId *open_xid)
{
	IdemKey		key = {{PointerGetDatum(row->resource), PointerGetDatum(row->policy)}};
	IdemLimitStanding result = IDEM_LIMIT_ABSENT;
	IdemLimitRow found;
	IdemTable	table;

	idem_store_table_open(&table, &idem_store_limits_rows_table, AccessShareLock);
	if (idem_store_versions_find(&table, &key))
		result = idem_store_limits_rows_describe(table.base.slot, &found) && is_same(&found, row) ?
			IDEM_LIMIT_STANDS : IDEM_LIMIT_DIFFERS;
	*open_xid = open_xid_of(&table);
	idem_store_table_close(&table);
	return result;
}

static TransactionId
open_xid_of(const IdemTable *table)
{
	return TransactionIdIsValid(table->base.open_xid) ? table->base.open_xid :
		table->pending.open_xid;
}

static bool
is_same(const IdemLimitRow *a, const IdemLimitRow *b)
{
	if (!idem_name_equal(a->algorithm, b->algorithm) || a->quota != b->quota ||
		!is_same_span(&a->period, &b->period) || a->burst != b->burst ||
		a->is_enforced != b->is_enforced ||
		!is_same_zone(a->time_zone, b->time_zone) ||
		a->is_adaptive != b->is_adaptive)
		return false;
	return !a->is_adaptive ||
		(is_same_span(&a->monitoring_window, &b->monitoring_window) &&
		 a->high_threshold == b->high_threshold &&
		 a->moderate_threshold == b->moderate_threshold &&
		 is_same_span(&a->recalculation_interval, &b->recalculation_interval) &&
		 is_same_span(&a->sustained_inactivity, &b->sustained_inactivity) &&
		 a->pauses_background == b->pauses_background &&
		 a->max_user_scaling == b->max_user_scaling &&
		 a->min_user_reserved == b->min_user_reserved);
}

/* both NULL, or the same */
static bool
is_same_zone(const text *a, const text *b)
{
	return a == NULL || b == NULL ? a == b : idem_name_equal(a, b);
}

/* to the letter: a day is another row than 24 hours */
static bool
is_same_span(const Interval *a, const Interval *b)
{
	return a->month == b->month && a->day == b->day && a->time == b->time;
}

TransactionId
idem_store_limits_changes_find(const text *resource, const text *policy)
{
	Datum		keys[] = {PointerGetDatum(resource)};
	Names		policies = {.column = POLICY_COLUMN, .most = INT_MAX};
	TransactionId xid = InvalidTransactionId;
	IdemTable	table;
	ListCell   *cell;

	idem_store_table_open(&table, &idem_store_limits_rows_table, AccessShareLock);
	if (policy != NULL)
		policies.names = list_make1((void *) policy);
	else
		(void) has_more(&table, RelationGetRelid(table.pkey), lengthof(keys), keys,
						&policies);
	foreach(cell, policies.names)
	{
		IdemKey		key = {{keys[0], PointerGetDatum(lfirst(cell))}};

		idem_store_versions_probe(&table, &key);
		xid = open_xid_of(&table);
		if (TransactionIdIsValid(xid))
			break;
	}
	idem_store_table_close(&table);
	return xid;
}

bool
idem_store_limits_changes_has_more(const text *resource, int most)
{
	Datum		keys[] = {PointerGetDatum(resource)};
	Names		seen = {.column = POLICY_COLUMN, .most = most};
	IdemTable	table;
	bool		result;

	idem_store_table_open(&table, &idem_store_limits_rows_table, AccessShareLock);
	result = has_more(&table, RelationGetRelid(table.pkey), lengthof(keys), keys, &seen);
	idem_store_table_close(&table);
	return result;
}

bool
idem_store_limits_changes_has_more_patterns(int most)
{
	Names		seen = {.column = RESOURCE_COLUMN, .most = most};
	IdemTable	table;
	Oid			index;
	bool		result;

	idem_store_table_open(&table, &idem_store_limits_rows_table, AccessShareLock);
	index = idem_store_limits_rows_pattern_index(table.rel);
	result = has_more(&table, OidIsValid(index) ? index : RelationGetRelid(table.pkey),
					  0, NULL, &seen);
	idem_store_table_close(&table);
	return result;
}

/* A look through a snapshot would make SERIALIZABLE callers fail. */
static bool
has_more(IdemTable *table, Oid index, int nkeys, const Datum *keys, Names *seen)
{
	IdemSearch	search = {.index = index, .nkeys = nkeys, .keys = keys};

	return idem_store_versions_match_any(table, &search, see_name, seen);
}

/* a row may come more than once */
static IdemVisit
see_name(TupleTableSlot *slot, void *arg)
{
	Names	   *seen = arg;
	bool		isnull;
	text	   *name = DatumGetTextPP(slot_getattr(slot, seen->column, &isnull));
	ListCell   *cell;

	if (seen->column == RESOURCE_COLUMN && !idem_store_limits_rows_is_pattern(name))
		return IDEM_VISIT_NEXT;
	foreach(cell, seen->names)
	{
		if (idem_name_equal(lfirst(cell), name))
			return IDEM_VISIT_NEXT;
	}
	seen->names = lappend(seen->names, DatumGetTextPCopy(PointerGetDatum(name)));
	return list_length(seen->names) > seen->most ? IDEM_VISIT_STOP : IDEM_VISIT_NEXT;
}
