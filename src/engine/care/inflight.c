/*
 * inflight.c
 *		Who is at work: claims, jobs and leases, uncommitted ones included.
 *
 * A survey of the table finds the keys, if none is asked for, and a probe of each
 * says how it stands, to this as to any other caller.  Of the versions that the
 * survey meets, the newest one that the probe found has the key reported, so that
 * it comes once.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "engine/care/inflight.h"
#include "engine/claims/standing.h"
#include "pg/clock.h"
#include "store/cache/cache.h"
#include "store/idempotency.h"
#include "store/jobs.h"
#include "store/survey.h"
#include "store/versions.h"

static const struct
{
	IdemStatsFamily family;
	IdemFamily *records;
}			sources[] =

{
	{IDEM_STATS_IDEMPOTENCY, &idem_store_idempotency},
	{IDEM_STATS_DEDUPE, &idem_store_jobs},
	{IDEM_STATS_CACHE, &idem_store_cache_leases},
};

/* to whom what is found goes */
typedef struct Search
{
	IdemStatsFamily family;
	IdemInFlightReport report;
	void	   *arg;
} Search;

static bool look(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);
static bool is_newest(const IdemTable *table, TupleTableSlot *slot);
static bool describe(const IdemTable *table, IdemInFlight *claim);
static bool is_claimed_anew(const IdemTable *table, IdemInFlight *claim);

void
idem_care_inflight_list(IdemInFlightReport report, void *arg)
{
	Search		search = {.report = report, .arg = arg};
	int			i;

	for (i = 0; i < lengthof(sources); i++)
	{
		IdemFamily *records = sources[i].records;
		IdemTable	table;

		if (!idem_store_table_is_readable(&records->table))
			continue;
		search.family = sources[i].family;
		idem_store_records_open(&table, records, AccessShareLock);
		idem_store_survey_from(&table, 0, look, &search);
		idem_store_table_close(&table);
	}
}

void
idem_care_inflight_find(const text *key, const text *scope, IdemInFlightReport report,
						void *arg)
{
	int			i;

	for (i = 0; i < lengthof(sources); i++)
	{
		IdemFamily *records = sources[i].records;
		IdemInFlight claim = {.family = sources[i].family};
		IdemKey		name = idem_store_records_key(key, scope);
		bool		has_scopes = records->table.nkeys > 1;
		IdemTable	table;

		if (!idem_store_table_is_readable(&records->table) ||
			(!has_scopes && VARSIZE_ANY_EXHDR(scope) > 0))
			continue;
		idem_store_records_open(&table, records, AccessShareLock);
		idem_store_versions_find(&table, &name);
		if (describe(&table, &claim))
			report(&claim, arg);
		idem_store_table_close(&table);
	}
}

static bool
look(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	const Search *search = arg;
	IdemInFlight claim = {.family = search->family};
	IdemRecord	record;
	IdemKey		key;

	idem_store_records_read(table, slot, &record);
	if (!is_open && record.status != IDEM_PROCESSING)
		return true;
	key = idem_store_records_key(record.key, record.scope);
	idem_store_versions_probe(table, &key);
	if (is_newest(table, slot) && describe(table, &claim))
		search->report(&claim, search->arg);
	return true;
}

static bool
is_newest(const IdemTable *table, TupleTableSlot *slot)
{
	TupleTableSlot *newest = NULL;

	if (idem_store_versions_has_pending(table))
		newest = table->pending.slot;
	else if (idem_store_versions_has_base(table))
		newest = table->base.slot;
	return newest != NULL && ItemPointerEquals(&newest->tts_tid, &slot->tts_tid);
}

/* Is it in flight? */
static bool
describe(const IdemTable *table, IdemInFlight *claim)
{
	IdemStanding standing;

	claim->now = idem_clock_now();
	if (is_claimed_anew(table, claim))
		return true;
	idem_claims_standing_describe(table, claim->now, &standing);
	claim->record = standing.record;
	switch (standing.kind)
	{
		case IDEM_OPEN:
			claim->state = IDEM_IN_FLIGHT_OPEN;
			claim->owner_pid = idem_store_survey_owner(standing.blocker);
			return standing.is_live;
		case IDEM_HELD:
			claim->state = standing.is_own ? IDEM_IN_FLIGHT_OPEN : IDEM_IN_FLIGHT_CLAIMED;
			claim->owner_pid = standing.is_own ? MyProcPid : 0;
			return true;
		case IDEM_LAPSED:
			claim->state = IDEM_IN_FLIGHT_ABANDONED;
			return true;
		case IDEM_ABSENT:
		case IDEM_EXPIRED:
		case IDEM_GIVEN_UP:
		case IDEM_FINAL:
			return false;
	}
	return false;				/* keep the compiler quiet */
}

/*
 * A claim that is about to replace another, lapsed or final, is the one.  A job
 * that is opened anew is so even when it ends in the same transaction.
 */
static bool
is_claimed_anew(const IdemTable *table, IdemInFlight *claim)
{
	if (!idem_store_versions_has_pending(table))
		return false;
	idem_store_records_read(table, table->pending.slot, &claim->record);
	claim->state = IDEM_IN_FLIGHT_OPEN;
	claim->owner_pid = idem_store_survey_owner(table->pending.open_xid);
	return (claim->record.status == IDEM_PROCESSING || claim->family == IDEM_STATS_DEDUPE) &&
		idem_store_records_is_live(&claim->record, claim->now);
}
