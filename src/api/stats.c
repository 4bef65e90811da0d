/*
 * stats.c
 *		The SQL functions behind the views stats and in_flight.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/result.h"
#include "engine/care/inflight.h"
#include "engine/care/stats.h"
#include "pg/clock.h"

/* the columns of stats_counts() */
enum
{
	COUNTS_FAMILY,
	COUNTS_CALLS,
	COUNTS_LAST_EXPIRY,
	COUNTS_REMOVED,
	COUNTS_RESET_AT,
	COUNTS_AS_OF,
	COUNTS_COLUMNS
};

/* the columns of in_flight_claims() and in_flight_by_key() */
enum
{
	CLAIM_FAMILY,
	CLAIM_SCOPE,
	CLAIM_KEY,
	CLAIM_STATE,
	CLAIM_STARTED_AT,
	CLAIM_AGE_SECONDS,
	CLAIM_LEASE_EXPIRES_AT,
	CLAIM_FENCE,
	CLAIM_ATTEMPT,
	CLAIM_OWNER_PID,
	CLAIM_COLUMNS
};

PG_FUNCTION_INFO_V1(idemstore_stats_counts);
PG_FUNCTION_INFO_V1(idemstore_stats_reset);
PG_FUNCTION_INFO_V1(idemstore_stats_longest_chain);
PG_FUNCTION_INFO_V1(idemstore_in_flight_claims_0_3);
PG_FUNCTION_INFO_V1(idemstore_in_flight_by_key);

static void put_family(ReturnSetInfo *result, IdemStatsFamily family,
					   const IdemStats *stats);
static Datum calls_as_jsonb(IdemStatsFamily family, const IdemStats *stats);
static void put_instant(Datum *values, bool *isnull, int column, TimestampTz instant);
static void put_claim(const IdemInFlight *claim, void *arg);

Datum
idemstore_stats_counts(PG_FUNCTION_ARGS)
{
	IdemStats	stats;
	int			family;

	InitMaterializedSRF(fcinfo, 0);
	idem_care_stats_read(&stats);
	for (family = 0; family < IDEM_STATS_FAMILIES; family++)
		put_family((ReturnSetInfo *) fcinfo->resultinfo, family, &stats);
	return (Datum) 0;
}

static void
put_family(ReturnSetInfo *result, IdemStatsFamily family, const IdemStats *stats)
{
	Datum		values[COUNTS_COLUMNS];
	bool		isnull[COUNTS_COLUMNS] = {false};

	values[COUNTS_FAMILY] = CStringGetTextDatum(idem_count_family_name(family));
	values[COUNTS_CALLS] = calls_as_jsonb(family, stats);
	isnull[COUNTS_CALLS] = !stats->is_readable;
	put_instant(values, isnull, COUNTS_LAST_EXPIRY, stats->last_expiry[family]);
	values[COUNTS_REMOVED] = Int64GetDatum(stats->counts[IDEM_COUNT_REMOVED + family]);
	isnull[COUNTS_REMOVED] = !stats->is_readable;
	put_instant(values, isnull, COUNTS_RESET_AT, stats->reset_at);
	values[COUNTS_AS_OF] = TimestampTzGetDatum(idem_clock_now());
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}

static Datum
calls_as_jsonb(IdemStatsFamily family, const IdemStats *stats)
{
	StringInfoData json;
	const char *separator = "{";
	int			counter;

	initStringInfo(&json);
	for (counter = 0; counter < IDEM_COUNTERS; counter++)
	{
		const char *name = idem_count_outcome_name(family, counter);

		if (name == NULL)
			continue;
		appendStringInfo(&json, "%s\"%s\": " INT64_FORMAT, separator, name,
						 stats->counts[counter]);
		separator = ", ";
	}
	appendStringInfoChar(&json, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(json.data));
}

static void
put_instant(Datum *values, bool *isnull, int column, TimestampTz instant)
{
	values[column] = TimestampTzGetDatum(instant);
	isnull[column] = instant == 0;
}

Datum
idemstore_stats_reset(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("stats_reset()");
	PG_RETURN_BOOL(idem_care_stats_reset());
}

Datum
idemstore_stats_longest_chain(PG_FUNCTION_ARGS)
{
	int			npages = idem_care_stats_longest_chain();

	if (npages == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(npages);
}

Datum
idemstore_in_flight_claims_0_3(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	idem_care_inflight_list(put_claim, fcinfo->resultinfo);
	return (Datum) 0;
}

Datum
idemstore_in_flight_by_key(PG_FUNCTION_ARGS)
{
	text	   *key = idem_args_key(fcinfo, 0);
	text	   *scope = idem_args_scope(fcinfo, 1);

	InitMaterializedSRF(fcinfo, 0);
	idem_care_inflight_find(key, scope, put_claim, fcinfo->resultinfo);
	return (Datum) 0;
}

static void
put_claim(const IdemInFlight *claim, void *arg)
{
	static const char *const states[] = {
		[IDEM_IN_FLIGHT_OPEN] = "open",
		[IDEM_IN_FLIGHT_CLAIMED] = "claimed",
		[IDEM_IN_FLIGHT_ABANDONED] = "abandoned",
	};
	ReturnSetInfo *result = arg;
	const IdemRecord *record = &claim->record;
	Datum		values[CLAIM_COLUMNS];
	bool		isnull[CLAIM_COLUMNS] = {false};

	values[CLAIM_FAMILY] = CStringGetTextDatum(idem_count_family_name(claim->family));
	values[CLAIM_SCOPE] = record->scope == NULL ? CStringGetTextDatum("") :
		PointerGetDatum(record->scope);
	idem_result_put(values, isnull, CLAIM_KEY, record->key);
	values[CLAIM_STATE] = CStringGetTextDatum(states[claim->state]);
	values[CLAIM_STARTED_AT] = TimestampTzGetDatum(record->created_at);
	values[CLAIM_AGE_SECONDS] =
		Float8GetDatum((float8) (claim->now - record->created_at) / USECS_PER_SEC);
	values[CLAIM_LEASE_EXPIRES_AT] = TimestampTzGetDatum(record->lease_expires_at);
	isnull[CLAIM_LEASE_EXPIRES_AT] = record->lease_expires_at == IDEM_NO_INSTANT;
	values[CLAIM_FENCE] = Int64GetDatum(record->fence);
	isnull[CLAIM_FENCE] = record->fence == 0;
	values[CLAIM_ATTEMPT] = Int32GetDatum(record->attempt);
	isnull[CLAIM_ATTEMPT] = record->attempt == 0;
	values[CLAIM_OWNER_PID] = Int32GetDatum(claim->owner_pid);
	isnull[CLAIM_OWNER_PID] = claim->owner_pid == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}
