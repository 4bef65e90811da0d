/*
 * duration.c
 *		Durations as arguments, within bounds that catch other units.
 *
 * An interval is whatever the driver made of a number, most often seconds.
 * Nanoseconds of a language with durations of its own come out a billion times
 * too long, or negative where make_interval() has wrapped: both must be out of
 * bounds, since a lease or a wait so long would look like a server that hangs.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "api/args.h"
#include "api/duration.h"
#include "pg/clock.h"
#include "pg/guc.h"

static Interval or_seconds(const Interval *given, int seconds);
static void require_between(const Interval *value, const char *name,
							int64 max_us, const char *bound);

const Interval *
idem_duration_optional_ttl(PG_FUNCTION_ARGS, int arg)
{
	if (PG_ARGISNULL(arg))
		return NULL;
	idem_args_check_duration(PG_GETARG_INTERVAL_P(arg), "ttl");
	return PG_GETARG_INTERVAL_P(arg);
}

Interval
idem_duration_ttl(PG_FUNCTION_ARGS, int arg)
{
	idem_args_require_not_null(fcinfo, arg, "ttl");
	return *idem_duration_optional_ttl(fcinfo, arg);
}

Interval
idem_duration_ttl_or(PG_FUNCTION_ARGS, int arg, int seconds)
{
	return or_seconds(idem_duration_optional_ttl(fcinfo, arg), seconds);
}

static Interval
or_seconds(const Interval *given, int seconds)
{
	Interval	setting = {.time = seconds * USECS_PER_SEC};

	return given != NULL ? *given : setting;
}

Interval
idem_duration_lease_or(PG_FUNCTION_ARGS, int arg, const char *name, int seconds)
{
	const Interval *value = PG_ARGISNULL(arg) ? NULL : PG_GETARG_INTERVAL_P(arg);

	if (value != NULL)
		require_between(value, name, IDEM_MAX_LEASE_S * USECS_PER_SEC, "31 days");
	return or_seconds(value, seconds);
}

int64
idem_duration_wait_us(PG_FUNCTION_ARGS, int arg, const char *name, int64 default_us)
{
	if (PG_ARGISNULL(arg))
		return default_us;
	require_between(PG_GETARG_INTERVAL_P(arg), name, USECS_PER_DAY, "1 day");
	return idem_clock_length_us(PG_GETARG_INTERVAL_P(arg));
}

Interval
idem_duration_span(PG_FUNCTION_ARGS, int arg, const char *name)
{
	idem_args_require_not_null(fcinfo, arg, name);
	require_between(PG_GETARG_INTERVAL_P(arg), name, PG_INT64_MAX, "ten years");
	return *PG_GETARG_INTERVAL_P(arg);
}

int64
idem_duration_span_us(PG_FUNCTION_ARGS, int arg, const char *name, int64 default_us)
{
	Interval	value;

	if (PG_ARGISNULL(arg))
		return default_us;
	value = idem_duration_span(fcinfo, arg, name);
	return idem_clock_length_us(&value);
}

static void
require_between(const Interval *value, const char *name, int64 max_us, const char *bound)
{
	if (!idem_clock_is_bounded(value) || idem_clock_length_us(value) > max_us)
		idem_args_raise_duration(value, psprintf("%s must be at most %s", name, bound));
	if (idem_clock_length_us(value) < 0)
		idem_args_raise_duration(value, psprintf("%s must not be negative", name));
}
