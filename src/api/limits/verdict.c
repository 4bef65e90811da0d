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

static const char *name_of(IdemRateReason reason);

void
idem_limits_verdict_put(const IdemRateAnswer *answer, Datum *values, bool *isnull)
{
	const IdemRateVerdict *verdict = &answer->verdict;

	memset(isnull, false, IDEM_VERDICT_COLUMNS * sizeof(bool));
	values[0] = BoolGetDatum(verdict->is_allowed);
	values[1] = Int64GetDatum(verdict->quota);
	values[2] = Int64GetDatum(verdict->remaining);
	values[3] = TimestampTzGetDatum(verdict->reset_at);
	idem_result_put_retry(values, isnull, 4, verdict->retry_after);
	isnull[4] = isnull[5] = verdict->retry_after == IDEM_RATE_NEVER;
	idem_result_put(values, isnull, 6, answer->policy == NULL ?
					NULL : cstring_to_text(answer->policy));
	values[7] = CStringGetTextDatum(name_of(verdict->reason));
	values[8] = TimestampTzGetDatum(answer->decided_at);
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
