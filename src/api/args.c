/*
 * args.c
 *		Decoding and checking the arguments of SQL-callable functions.
 *
 * Direct access to the tables makes these checks the only ones: a value that
 * passes here is stored as it is.  No message carries a body.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "pg/clock.h"
#include "store/idempotency.h"

static void require_size(const text *value, const char *name, int max_size);

void
idem_args_require_writable(const char *function)
{
	PreventCommandDuringRecovery(function);
	PreventCommandIfReadOnly(function);
	PreventCommandIfParallelMode(function);
}

text *
idem_args_key(PG_FUNCTION_ARGS, int arg)
{
	return idem_args_long_name(fcinfo, arg, "key");
}

text *
idem_args_long_name(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	idem_args_check_long_name(PG_GETARG_TEXT_PP(arg), name);
	return PG_GETARG_TEXT_PP(arg);
}

void
idem_args_check_long_name(const text *value, const char *name)
{
	require_size(value, name, IDEM_MAX_KEY_SIZE);
	if (VARSIZE_ANY_EXHDR(value) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be empty", name)));
}

static void
require_size(const text *value, const char *name, int max_size)
{
	if (VARSIZE_ANY_EXHDR(value) > max_size)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s is too long", name),
				 errdetail("It has %d bytes; at most %d are allowed.",
						   (int) VARSIZE_ANY_EXHDR(value), max_size),
				 errhint("Pass a shorter one, such as a hash of it: encode(sha256(...), 'hex').")));
}

text *
idem_args_scope(PG_FUNCTION_ARGS, int arg)
{
	return idem_args_name(fcinfo, arg, "scope", IDEM_MAX_SCOPE_SIZE);
}

IdemTarget
idem_args_target(PG_FUNCTION_ARGS, int fence_arg, int scope_arg)
{
	IdemTarget	target;

	target.family = &idem_store_idempotency;
	target.key = idem_args_key(fcinfo, 0);
	target.scope = idem_args_scope(fcinfo, scope_arg);
	target.has_fence = !PG_ARGISNULL(fence_arg);
	target.fence = target.has_fence ? PG_GETARG_INT64(fence_arg) : 0;
	return target;
}

text *
idem_args_name(PG_FUNCTION_ARGS, int arg, const char *name, int max_size)
{
	idem_args_require_not_null(fcinfo, arg, name);
	return idem_args_optional_name(fcinfo, arg, name, max_size);
}

void
idem_args_require_not_null(PG_FUNCTION_ARGS, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

text *
idem_args_optional_name(PG_FUNCTION_ARGS, int arg, const char *name, int max_size)
{
	text	   *value;

	if (PG_ARGISNULL(arg))
		return NULL;
	value = PG_GETARG_TEXT_PP(arg);
	require_size(value, name, max_size);
	return value;
}

struct varlena *
idem_args_optional_body(PG_FUNCTION_ARGS, int arg, const char *name)
{
	if (PG_ARGISNULL(arg))
		return NULL;
	idem_claims_change_require_size(toast_raw_datum_size(PG_GETARG_DATUM(arg)) - VARHDRSZ,
									name);
	return PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(arg));
}

bool
idem_args_bool(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	return PG_GETARG_BOOL(arg);
}

int32
idem_args_positive_int(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	if (PG_GETARG_INT32(arg) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be greater than zero", name),
				 errdetail("It is %d.", PG_GETARG_INT32(arg))));
	return PG_GETARG_INT32(arg);
}

/* from zero on */
int32
idem_args_natural_int(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	idem_args_check_natural(PG_GETARG_INT32(arg), name);
	return PG_GETARG_INT32(arg);
}

int64
idem_args_natural_bigint(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	idem_args_check_natural(PG_GETARG_INT64(arg), name);
	return PG_GETARG_INT64(arg);
}

void
idem_args_check_natural(int64 value, const char *name)
{
	if (value < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative", name),
				 errdetail("It is %lld.", (long long) value)));
}

int64
idem_args_bigint(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	return PG_GETARG_INT64(arg);
}

float8
idem_args_float(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	return PG_GETARG_FLOAT8(arg);
}

TimestampTz
idem_args_instant(PG_FUNCTION_ARGS, int arg, const char *name)
{
	TimestampTz value;

	idem_args_require_not_null(fcinfo, arg, name);
	value = PG_GETARG_TIMESTAMPTZ(arg);
	if (!idem_clock_is_near(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be at most ten years ahead", name),
				 errhint("to_timestamp() takes seconds: convert milliseconds and nanoseconds.")));
	return value;
}

Interval
idem_args_fixed_period(PG_FUNCTION_ARGS, int arg, const char *name)
{
	const Interval *value;

	idem_args_require_not_null(fcinfo, arg, name);
	value = PG_GETARG_INTERVAL_P(arg);
	idem_args_check_duration(value, name);
	if (value->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not have months or years", name),
				 errdetail("They differ in length."),
				 errhint("Give it in days or hours; a day counts as 24 hours.")));
	if (value->time + value->day * USECS_PER_DAY <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be greater than zero", name)));
	return *value;
}

void
idem_args_check_duration(const Interval *value, const char *name)
{
	if (!idem_clock_is_bounded(value))
		idem_args_raise_duration(value, psprintf("%s must be at most ten years", name));
}

void
idem_args_raise_duration(const Interval *value, const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s", message),
			 errdetail("It is %s.",
					   DatumGetCString(DirectFunctionCall1(interval_out,
														   IntervalPGetDatum(value)))),
			 errhint("A bare number is seconds: convert milliseconds and nanoseconds, and pass make_interval(secs => ...).")));
}
