/*
 * verdict.c
 *		The columns of idemstore.rate_limit_verdict.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/limits/verdict.h"
#include "api/result.h"

const Oid	idem_limits_verdict_types[IDEM_VERDICT_COLUMNS] = {
	BOOLOID, INT8OID, INT8OID, TIMESTAMPTZOID, FLOAT8OID, INT4OID, TEXTOID, TEXTOID,
	TIMESTAMPTZOID
};

static int32 seconds_of(int64 us);
static const char *name_of(IdemRateReason reason);

void
idem_limits_verdict_put(const IdemRateAnswer *answer, Datum *values, bool *isnull)
{
	const IdemRateVerdict *verdict = &answer->verdict;
	bool		is_never = verdict->retry_after == IDEM_RATE_NEVER;

	memset(isnull, false, IDEM_VERDICT_COLUMNS * sizeof(bool));
	values[0] = BoolGetDatum(verdict->is_allowed);
	values[1] = Int64GetDatum(verdict->quota);
	values[2] = Int64GetDatum(verdict->remaining);
	values[3] = TimestampTzGetDatum(verdict->reset_at);
	values[4] = Float8GetDatum(verdict->retry_after / 1000.0);
	values[5] = Int32GetDatum(seconds_of(verdict->retry_after));
	isnull[4] = isnull[5] = is_never;
	idem_result_put(values, isnull, 6, answer->policy == NULL ?
					NULL : cstring_to_text(answer->policy));
	values[7] = CStringGetTextDatum(name_of(verdict->reason));
	values[8] = TimestampTzGetDatum(answer->decided_at);
}

/* rounded up, for a header */
static int32
seconds_of(int64 us)
{
	int64		seconds = us / USECS_PER_SEC + (us % USECS_PER_SEC > 0);

	return (int32) Min(seconds, PG_INT32_MAX);
}

static const char *
name_of(IdemRateReason reason)
{
	static const char *const names[IDEM_RATE_REASONS] = {
		[IDEM_RATE_OK] = "ok",
		[IDEM_RATE_QUOTA] = "quota",
		[IDEM_RATE_QUOTA_ZERO] = "quota_zero",
		[IDEM_RATE_COST_EXCEEDS_QUOTA] = "cost_exceeds_quota",
		[IDEM_RATE_PAUSED] = "paused",
		[IDEM_RATE_COOLDOWN] = "cooldown",
		[IDEM_RATE_SHADOW] = "shadow",
	};

	return names[reason];
}
