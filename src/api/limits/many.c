/*
 * many.c
 *		The SQL functions that take from several resources at once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/limits/args.h"
#include "api/limits/verdict.h"
#include "api/result.h"
#include "engine/limits/many.h"
#include "engine/limits/take.h"
#include "pg/name.h"

/* acquire_all locks as many pages at once */
#define MAX_ALL		64

#define MAX_MANY	10000

PG_FUNCTION_INFO_V1(idemstore_acquire_all_0_3);
PG_FUNCTION_INFO_V1(idemstore_acquire_many);
PG_FUNCTION_INFO_V1(idemstore_consume_many);

/* resources and costs, as elements */
typedef struct Requests
{
	int			count;
	Datum	   *names;
	Datum	   *costs;			/* NULL for 1 each */
} Requests;

static void decode_requests(PG_FUNCTION_ARGS, Requests *requests);
static ArrayType *plain_array(PG_FUNCTION_ARGS, int arg, const char *name);
static void require_no_nulls(const ArrayType *array, const char *name);
static void require_as_many(int n, const Requests *requests, const char *name);
static void add_call(IdemRateCall *calls, int *ncalls, const text *resource, int64 cost);
static void raise_too_many(int most);
static IdemRateCall *decode_many(PG_FUNCTION_ARGS, IdemRateLimit *given, int *ncalls);
static void decode_priorities(PG_FUNCTION_ARGS, const Requests *requests, IdemRateCall *calls);
static void put_taken(const IdemRateCall *call, const IdemRateTaken *taken, Datum *values,
					  bool *isnull);

/* resources, costs */
Datum
idemstore_acquire_all_0_3(PG_FUNCTION_ARGS)
{
	IdemRateCall calls[MAX_ALL];
	Requests	requests;
	int			ncalls = 0;
	int			i;

	idem_args_require_writable("acquire_all()");
	decode_requests(fcinfo, &requests);
	for (i = 0; i < requests.count; i++)
		add_call(calls, &ncalls, DatumGetTextPP(requests.names[i]),
				 requests.costs == NULL ? 1 : DatumGetInt64(requests.costs[i]));
	PG_RETURN_BOOL(ncalls == 0 || idem_limits_take_acquire_all(calls, ncalls));
}

static void
decode_requests(PG_FUNCTION_ARGS, Requests *requests)
{
	ArrayType  *resources;
	ArrayType  *costs = plain_array(fcinfo, 1, "costs");
	int			ncosts;

	idem_args_require_not_null(fcinfo, 0, "resources");
	resources = plain_array(fcinfo, 0, "resources");
	require_no_nulls(resources, "resources");
	deconstruct_array(resources, TEXTOID, -1, false, TYPALIGN_INT, &requests->names, NULL,
					  &requests->count);
	requests->costs = NULL;
	if (costs == NULL)
		return;
	require_no_nulls(costs, "costs");
	deconstruct_array(costs, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &requests->costs, NULL, &ncosts);
	require_as_many(ncosts, requests, "costs");
}

/* NULL for an SQL NULL */
static ArrayType *
plain_array(PG_FUNCTION_ARGS, int arg, const char *name)
{
	ArrayType  *array = PG_ARGISNULL(arg) ? NULL : PG_GETARG_ARRAYTYPE_P(arg);

	if (array != NULL && ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have one dimension", name)));
	return array;
}

static void
require_no_nulls(const ArrayType *array, const char *name)
{
	if (array_contains_nulls((ArrayType *) array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not contain nulls", name)));
}

static void
require_as_many(int n, const Requests *requests, const char *name)
{
	if (n != requests->count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must have as many elements as resources", name),
				 errdetail("They have %d and %d.", n, requests->count)));
}

/* a name that comes again adds its cost, which stays within bounds */
static void
add_call(IdemRateCall *calls, int *ncalls, const text *resource, int64 cost)
{
	int			i;

	idem_args_check_long_name(resource, "resource");
	idem_args_check_natural(cost, "cost");
	for (i = 0; i < *ncalls; i++)
	{
		if (idem_name_equal(calls[i].resource, resource))
		{
			calls[i].cost = cost > PG_INT64_MAX - calls[i].cost ?
				PG_INT64_MAX : calls[i].cost + cost;
			return;
		}
	}
	if (*ncalls == MAX_ALL)
		raise_too_many(MAX_ALL);
	memset(&calls[i], 0, sizeof(IdemRateCall));
	calls[i].resource = resource;
	calls[i].cost = cost;
	*ncalls += 1;
}

static void
raise_too_many(int most)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("too many resources"),
			 errdetail("At most %d are allowed.", most)));
}

/* acquire_many and consume_many: resources, costs, priorities, quota, per, origin */
Datum
idemstore_acquire_many(PG_FUNCTION_ARGS)
{
	IdemRateLimit given;
	IdemRateCall *calls;
	IdemRateTaken *taken;
	Datum	   *results;
	int			ncalls;
	int			i;

	idem_args_require_writable("acquire_many()");
	calls = decode_many(fcinfo, &given, &ncalls);
	if (ncalls == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(BOOLOID));
	taken = palloc(ncalls * sizeof(IdemRateTaken));
	idem_limits_many_take(calls, ncalls, false, taken);
	results = palloc(ncalls * sizeof(Datum));
	for (i = 0; i < ncalls; i++)
		results[i] = BoolGetDatum(taken[i].is_taken);
	PG_RETURN_ARRAYTYPE_P(construct_array(results, ncalls, BOOLOID, sizeof(bool), true,
										  TYPALIGN_CHAR));
}

static IdemRateCall *
decode_many(PG_FUNCTION_ARGS, IdemRateLimit *given, int *ncalls)
{
	IdemRateCall common = {.cost = 1};
	Requests	requests;
	IdemRateCall *calls;
	int			i;

	decode_requests(fcinfo, &requests);
	if (requests.count > MAX_MANY)
		raise_too_many(MAX_MANY);
	idem_limits_args_given(fcinfo, 3, !PG_ARGISNULL(2), &common, given);
	if (!PG_ARGISNULL(5))
		common.origin = idem_args_long_name(fcinfo, 5, "origin");
	calls = palloc(requests.count * sizeof(IdemRateCall));
	for (i = 0; i < requests.count; i++)
	{
		calls[i] = common;
		calls[i].resource = DatumGetTextPP(requests.names[i]);
		idem_args_check_long_name(calls[i].resource, "resource");
		if (requests.costs != NULL)
			calls[i].cost = DatumGetInt64(requests.costs[i]);
		idem_args_check_natural(calls[i].cost, "cost");
	}
	decode_priorities(fcinfo, &requests, calls);
	*ncalls = requests.count;
	return calls;
}

static void
decode_priorities(PG_FUNCTION_ARGS, const Requests *requests, IdemRateCall *calls)
{
	ArrayType  *array = plain_array(fcinfo, 2, "priorities");
	Datum	   *priorities;
	bool	   *isnull;
	int			n;
	int			i;

	if (array == NULL)
		return;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &priorities, &isnull, &n);
	require_as_many(n, requests, "priorities");
	for (i = 0; i < n; i++)
		calls[i].is_user = idem_limits_args_is_user(isnull[i] ? NULL :
													DatumGetTextPP(priorities[i]));
}

Datum
idemstore_consume_many(PG_FUNCTION_ARGS)
{
	static Oid	types[1 + IDEM_VERDICT_COLUMNS] = {TEXTOID};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	IdemRateLimit given;
	IdemRateCall *calls;
	IdemRateTaken *taken;
	Datum		values[1 + IDEM_VERDICT_COLUMNS];
	bool		isnull[1 + IDEM_VERDICT_COLUMNS];
	int			ncalls;
	int			i;

	idem_args_require_writable("consume_many()");
	calls = decode_many(fcinfo, &given, &ncalls);
	memcpy(&types[1], idem_limits_verdict_types, sizeof(idem_limits_verdict_types));
	InitMaterializedSRF(fcinfo, 0);
	idem_result_check(result->setDesc, lengthof(types), types);
	if (ncalls == 0)
		return (Datum) 0;
	taken = palloc(ncalls * sizeof(IdemRateTaken));
	idem_limits_many_take(calls, ncalls, true, taken);
	for (i = 0; i < ncalls; i++)
	{
		put_taken(&calls[i], &taken[i], values, isnull);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}

static void
put_taken(const IdemRateCall *call, const IdemRateTaken *taken, Datum *values, bool *isnull)
{
	values[0] = PointerGetDatum(call->resource);
	isnull[0] = false;
	idem_limits_verdict_put(&taken->answer, values + 1, isnull + 1);
}
