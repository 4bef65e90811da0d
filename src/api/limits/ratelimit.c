/*
 * ratelimit.c
 *		The SQL functions that ask for, take and count requests.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/result.h"
#include "engine/limits/take.h"
#include "pg/errors.h"

/* acquire_all locks as many pages at once */
#define MAX_RESOURCES	64

#define VERDICT_COLUMNS	7
#define SPLIT_COLUMNS	5

static const Oid verdict_types[VERDICT_COLUMNS] = {
	BOOLOID, INT8OID, INT8OID, TIMESTAMPTZOID, INTERVALOID, TEXTOID, TEXTOID
};

PG_FUNCTION_INFO_V1(idemstore_acquire);
PG_FUNCTION_INFO_V1(idemstore_consume);
PG_FUNCTION_INFO_V1(idemstore_acquire_all);
PG_FUNCTION_INFO_V1(idemstore_can_proceed);
PG_FUNCTION_INFO_V1(idemstore_record_request);
PG_FUNCTION_INFO_V1(idemstore_get_wait_time);
PG_FUNCTION_INFO_V1(idemstore_rate_limit_status);
PG_FUNCTION_INFO_V1(idemstore_rate_limit_reset);
PG_FUNCTION_INFO_V1(idemstore_adaptive_rate_limit_status);

static void decode_call(PG_FUNCTION_ARGS, IdemRateCall *call, IdemRateLimit *given);
static bool is_user_priority(PG_FUNCTION_ARGS, int arg);
static void decode_given(PG_FUNCTION_ARGS, int arg, IdemRateCall *call,
						 IdemRateLimit *given);
static int	decode_calls(ArrayType *resources, ArrayType *costs, IdemRateCall *calls);
static void require_plain_array(const ArrayType *array, const char *name);
static void add_call(IdemRateCall *calls, int *ncalls, const text *resource, int64 cost);
static bool is_same_name(const text *a, const text *b);
static void put_answer(const IdemRateAnswer *answer, Datum *values, bool *isnull);
static const char *reason_name(IdemRateReason reason);
static const char *split_reason_name(IdemSplitReason reason);
static Interval *interval_of(int64 us);

/* acquire and consume: resource, cost, priority, quota, per, origin */
Datum
idemstore_acquire(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;

	idem_args_require_writable("acquire()");
	decode_call(fcinfo, &call, &given);
	if (!PG_ARGISNULL(5))
		call.origin = idem_args_long_name(fcinfo, 5, "origin");
	PG_RETURN_BOOL(idem_limits_take_acquire(&call));
}

Datum
idemstore_consume(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;
	IdemRateAnswer answer;
	Datum		values[VERDICT_COLUMNS];
	bool		isnull[VERDICT_COLUMNS];

	idem_args_require_writable("consume()");
	decode_call(fcinfo, &call, &given);
	if (!PG_ARGISNULL(5))
		call.origin = idem_args_long_name(fcinfo, 5, "origin");
	idem_limits_take_consume(&call, &answer);
	put_answer(&answer, values, isnull);
	PG_RETURN_DATUM(idem_result_composite(idem_result_type(fcinfo->flinfo),
										  VERDICT_COLUMNS, verdict_types, values,
										  isnull));
}

/* resource, cost, priority, quota, per */
static void
decode_call(PG_FUNCTION_ARGS, IdemRateCall *call, IdemRateLimit *given)
{
	call->resource = idem_args_long_name(fcinfo, 0, "resource");
	call->cost = idem_args_natural_int(fcinfo, 1, "cost");
	call->is_user = is_user_priority(fcinfo, 2);
	call->origin = NULL;
	decode_given(fcinfo, 3, call, given);
}

static bool
is_user_priority(PG_FUNCTION_ARGS, int arg)
{
	char	   *priority;

	if (PG_ARGISNULL(arg))
		return false;
	priority = text_to_cstring(PG_GETARG_TEXT_PP(arg));
	if (strcmp(priority, "user") == 0)
		return true;
	if (strcmp(priority, "background") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown priority \"%s\"", priority),
				 errhint("The priorities are \"user\" and \"background\", the default.")));
	return false;
}

/* quota and per, both or neither */
static void
decode_given(PG_FUNCTION_ARGS, int arg, IdemRateCall *call, IdemRateLimit *given)
{
	Interval	per;

	call->given = NULL;
	if (PG_ARGISNULL(arg) && PG_ARGISNULL(arg + 1))
		return;
	if (PG_ARGISNULL(arg) || PG_ARGISNULL(arg + 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("quota and per must be given together"),
				 errhint("Give both, or neither for the limit that set_rate_limit() has set.")));
	given->algorithm = IDEM_SLIDING_WINDOW;
	given->quota = idem_args_natural_bigint(fcinfo, arg, "quota");
	per = idem_args_fixed_period(fcinfo, arg + 1, "per");
	given->period = idem_limits_policy_span_us(&per);
	given->burst = given->quota;
	call->given = given;
}

Datum
idemstore_acquire_all(PG_FUNCTION_ARGS)
{
	IdemRateCall calls[MAX_RESOURCES];
	ArrayType  *costs = NULL;
	int			ncalls;

	idem_args_require_writable("acquire_all()");
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("resources must not be null")));
	if (!PG_ARGISNULL(1))
		costs = PG_GETARG_ARRAYTYPE_P(1);
	ncalls = decode_calls(PG_GETARG_ARRAYTYPE_P(0), costs, calls);
	PG_RETURN_BOOL(ncalls == 0 || idem_limits_take_acquire_all(calls, ncalls));
}

static int
decode_calls(ArrayType *resources, ArrayType *costs, IdemRateCall *calls)
{
	Datum	   *names;
	Datum	   *numbers = NULL;
	int			nresources;
	int			ncosts = 0;
	int			ncalls = 0;
	int			i;

	require_plain_array(resources, "resources");
	deconstruct_array(resources, TEXTOID, -1, false, TYPALIGN_INT, &names, NULL,
					  &nresources);
	if (costs != NULL)
	{
		require_plain_array(costs, "costs");
		deconstruct_array(costs, INT4OID, sizeof(int32), true, TYPALIGN_INT, &numbers,
						  NULL, &ncosts);
		if (ncosts != nresources)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("costs must have as many elements as resources"),
					 errdetail("They have %d and %d.", ncosts, nresources)));
	}
	for (i = 0; i < nresources; i++)
		add_call(calls, &ncalls, DatumGetTextPP(names[i]),
				 numbers == NULL ? 1 : DatumGetInt32(numbers[i]));
	return ncalls;
}

static void
require_plain_array(const ArrayType *array, const char *name)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have one dimension", name)));
	if (array_contains_nulls((ArrayType *) array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain nulls", name)));
}

/* a name that comes again adds its cost */
static void
add_call(IdemRateCall *calls, int *ncalls, const text *resource, int64 cost)
{
	int			i;

	idem_args_check_long_name(resource, "resource");
	idem_args_check_natural(cost, "cost");
	for (i = 0; i < *ncalls; i++)
	{
		if (is_same_name(calls[i].resource, resource))
		{
			calls[i].cost += cost;
			return;
		}
	}
	if (*ncalls == MAX_RESOURCES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many resources"),
				 errdetail("At most %d are allowed.", MAX_RESOURCES)));
	memset(&calls[i], 0, sizeof(IdemRateCall));
	calls[i].resource = resource;
	calls[i].cost = cost;
	*ncalls += 1;
}

static bool
is_same_name(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

Datum
idemstore_can_proceed(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;
	IdemRateAnswer answer;

	decode_call(fcinfo, &call, &given);
	idem_limits_take_ask(&call, &answer);
	PG_RETURN_BOOL(answer.verdict.is_allowed);
}

Datum
idemstore_record_request(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;

	idem_args_require_writable("record_request()");
	decode_call(fcinfo, &call, &given);
	idem_limits_take_record(&call);
	PG_RETURN_VOID();
}

Datum
idemstore_get_wait_time(PG_FUNCTION_ARGS)
{
	IdemRateCall call;
	IdemRateLimit given;
	IdemRateAnswer answer;

	decode_call(fcinfo, &call, &given);
	idem_limits_take_ask(&call, &answer);
	if (answer.verdict.retry_after == IDEM_RATE_NEVER)
		PG_RETURN_NULL();
	PG_RETURN_INTERVAL_P(interval_of(answer.verdict.retry_after));
}

Datum
idemstore_rate_limit_status(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	IdemRateCall call = {.cost = 1};
	IdemRateLimit given;
	IdemRateAnswer answers[IDEM_MAX_POLICIES];
	Datum		values[VERDICT_COLUMNS];
	bool		isnull[VERDICT_COLUMNS];
	int			nanswers;
	int			i;

	call.resource = idem_args_long_name(fcinfo, 0, "resource");
	decode_given(fcinfo, 1, &call, &given);
	InitMaterializedSRF(fcinfo, 0);
	idem_result_check(result->setDesc, VERDICT_COLUMNS, verdict_types);
	nanswers = idem_limits_take_status(&call, answers);
	for (i = 0; i < nanswers; i++)
	{
		put_answer(&answers[i], values, isnull);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

static void
put_answer(const IdemRateAnswer *answer, Datum *values, bool *isnull)
{
	const IdemRateVerdict *verdict = &answer->verdict;

	memset(isnull, false, VERDICT_COLUMNS * sizeof(bool));
	values[0] = BoolGetDatum(verdict->is_allowed);
	values[1] = Int64GetDatum(verdict->quota);
	values[2] = Int64GetDatum(verdict->remaining);
	values[3] = TimestampTzGetDatum(verdict->reset_at);
	idem_result_put(values, isnull, 4, verdict->retry_after == IDEM_RATE_NEVER ?
					NULL : interval_of(verdict->retry_after));
	idem_result_put(values, isnull, 5, answer->policy == NULL ?
					NULL : cstring_to_text(answer->policy));
	values[6] = CStringGetTextDatum(reason_name(verdict->reason));
}

static const char *
reason_name(IdemRateReason reason)
{
	static const char *const names[] = {
		[IDEM_RATE_OK] = "ok",
		[IDEM_RATE_QUOTA] = "quota",
		[IDEM_RATE_QUOTA_ZERO] = "quota_zero",
		[IDEM_RATE_COST_EXCEEDS_QUOTA] = "cost_exceeds_quota",
		[IDEM_RATE_PAUSED] = "paused",
		[IDEM_RATE_COOLDOWN] = "cooldown",
	};

	return names[reason];
}

static Interval *
interval_of(int64 us)
{
	Interval   *result = palloc0(sizeof(Interval));

	result->time = us;
	return result;
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
