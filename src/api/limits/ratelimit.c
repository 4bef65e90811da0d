/*
 * ratelimit.c
 *		The SQL functions that ask for, take, count and give back requests.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/limits/args.h"
#include "api/limits/verdict.h"
#include "api/result.h"
#include "engine/limits/take.h"
#include "pg/errors.h"

#define SPLIT_COLUMNS	5

PG_FUNCTION_INFO_V1(idemstore_acquire_0_3);
PG_FUNCTION_INFO_V1(idemstore_consume_0_3);
PG_FUNCTION_INFO_V1(idemstore_refund);
PG_FUNCTION_INFO_V1(idemstore_can_proceed_0_3);
PG_FUNCTION_INFO_V1(idemstore_record_request_0_3);
PG_FUNCTION_INFO_V1(idemstore_get_wait_time_0_3);
PG_FUNCTION_INFO_V1(idemstore_rate_limit_status_0_3);
PG_FUNCTION_INFO_V1(idemstore_rate_limit_reset);
PG_FUNCTION_INFO_V1(idemstore_adaptive_rate_limit_status);

static const char *split_reason_name(IdemSplitReason reason);

/* acquire and consume: resource, cost, priority, quota, per, origin */
Datum
idemstore_acquire_0_3(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;

	idem_args_require_writable("acquire()");
	idem_limits_args_call(fcinfo, &call, &given);
	if (!PG_ARGISNULL(5))
		call.origin = idem_args_long_name(fcinfo, 5, "origin");
	PG_RETURN_BOOL(idem_limits_take_acquire(&call));
}

Datum
idemstore_consume_0_3(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;
	IdemRateAnswer answer;
	Datum		values[IDEM_VERDICT_COLUMNS];
	bool		isnull[IDEM_VERDICT_COLUMNS];

	idem_args_require_writable("consume()");
	idem_limits_args_call(fcinfo, &call, &given);
	if (!PG_ARGISNULL(5))
		call.origin = idem_args_long_name(fcinfo, 5, "origin");
	idem_limits_take_consume(&call, &answer);
	idem_limits_verdict_put(&answer, values, isnull);
	PG_RETURN_DATUM(idem_result_composite(idem_result_type(fcinfo->flinfo),
										  IDEM_VERDICT_COLUMNS, idem_limits_verdict_types,
										  values, isnull));
}

/* resource, cost, taken_at, priority, quota, per */
Datum
idemstore_refund(PG_FUNCTION_ARGS)
{
	IdemRateCall call = {0};
	IdemRateLimit given;

	idem_args_require_writable("refund()");
	call.resource = idem_args_long_name(fcinfo, 0, "resource");
	call.cost = idem_args_natural_bigint(fcinfo, 1, "cost");
	idem_args_require_not_null(fcinfo, 2, "taken_at");
	call.is_user = idem_limits_args_is_user(PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3));
	idem_limits_args_given(fcinfo, 4, !PG_ARGISNULL(3), &call, &given);
	PG_RETURN_BOOL(idem_limits_take_refund(&call, PG_GETARG_TIMESTAMPTZ(2)));
}

Datum
idemstore_can_proceed_0_3(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;
	IdemRateAnswer answer;

	idem_limits_args_call(fcinfo, &call, &given);
	idem_limits_take_ask(&call, &answer);
	PG_RETURN_BOOL(answer.verdict.is_allowed);
}

Datum
idemstore_record_request_0_3(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;

	idem_args_require_writable("record_request()");
	idem_limits_args_call(fcinfo, &call, &given);
	idem_limits_take_record(&call);
	PG_RETURN_BOOL(true);
}

Datum
idemstore_get_wait_time_0_3(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;
	IdemRateAnswer answer;
	Interval   *wait;

	idem_limits_args_call(fcinfo, &call, &given);
	idem_limits_take_ask(&call, &answer);
	if (answer.verdict.retry_after == IDEM_RATE_NEVER)
		PG_RETURN_NULL();
	wait = palloc0(sizeof(Interval));
	wait->time = answer.verdict.retry_after;
	PG_RETURN_INTERVAL_P(wait);
}

Datum
idemstore_rate_limit_status_0_3(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	IdemRateCall call = {.cost = 1};
	IdemRateLimit given;
	IdemRateAnswer answers[IDEM_MAX_POLICIES];
	Datum		values[IDEM_VERDICT_COLUMNS];
	bool		isnull[IDEM_VERDICT_COLUMNS];
	int			nanswers;
	int			i;

	call.resource = idem_args_long_name(fcinfo, 0, "resource");
	idem_limits_args_given(fcinfo, 1, false, &call, &given);
	InitMaterializedSRF(fcinfo, 0);
	idem_result_check(result->setDesc, IDEM_VERDICT_COLUMNS, idem_limits_verdict_types);
	nanswers = idem_limits_take_status(&call, answers);
	for (i = 0; i < nanswers; i++)
	{
		idem_limits_verdict_put(&answers[i], values, isnull);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

Datum
idemstore_rate_limit_reset(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("rate_limit_reset()");
	PG_RETURN_BOOL(idem_limits_take_reset(idem_args_long_name(fcinfo, 0, "resource")));
}

Datum
idemstore_adaptive_rate_limit_status(PG_FUNCTION_ARGS)
{
	static const Oid types[SPLIT_COLUMNS] = {INT8OID, INT8OID, BOOLOID, INT8OID, TEXTOID};
	IdemRateCall call = {.cost = 0};
	IdemRateSplit split;
	Datum		values[SPLIT_COLUMNS];
	bool		isnull[SPLIT_COLUMNS] = {false};

	call.resource = idem_args_long_name(fcinfo, 0, "resource");
	if (!idem_limits_take_split(&call, &split))
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_NO_LIMIT),
				 errmsg("the rate limit of this resource is not adaptive"),
				 errdetail("The resource is \"%s\".", text_to_cstring(call.resource)),
				 errhint("Call set_adaptive_rate_limit().")));
	values[0] = Int64GetDatum(split.user_reserved);
	values[1] = Int64GetDatum(split.background_max);
	values[2] = BoolGetDatum(split.background_paused);
	values[3] = Int64GetDatum(split.recent_users);
	values[4] = CStringGetTextDatum(split_reason_name(split.reason));
	PG_RETURN_DATUM(idem_result_composite(idem_result_type(fcinfo->flinfo),
										  SPLIT_COLUMNS, types, values, isnull));
}

static const char *
split_reason_name(IdemSplitReason reason)
{
	static const char *const names[] = {
		[IDEM_SPLIT_INITIAL] = "initial",
		[IDEM_SPLIT_NO_USER_ACTIVITY_YET] = "no_user_activity_yet",
		[IDEM_SPLIT_SUSTAINED_INACTIVITY] = "sustained_inactivity",
		[IDEM_SPLIT_RECENT_INACTIVITY] = "recent_inactivity",
		[IDEM_SPLIT_LOW] = "low_user_activity",
		[IDEM_SPLIT_MODERATE] = "moderate_user_activity",
		[IDEM_SPLIT_HIGH] = "high_user_activity",
	};

	return names[reason];
}
