/*
 * clock.c
 *		The only file that reads a clock.
 *
 * Instants that are stored (lease, ttl, fence) follow idem_clock_now, which
 * tests can hold still.  Timeouts of waits follow real time.
 */
#include "postgres.h"

#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/guc.h"

#define UNIX_EPOCH_OFFSET_US \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* in 148107 */
#define LAST_UNIX_US	(PG_INT64_MAX / 2)

#define MAX_SPAN_MONTHS	(10 * MONTHS_PER_YEAR)
#define MAX_SPAN_US		(IDEM_MAX_SPAN_DAYS * USECS_PER_DAY)

static TimestampTz last_reading;

static int64 fixed_us(const Interval *span);
static bool is_clearly_bounded(const Interval *span);
static bool is_within(int64 value, int64 bound);
static TimestampTz add_months(TimestampTz instant, int32 months);

TimestampTz
idem_clock_now(void)
{
	return idem_guc_test_clock ? *idem_guc_test_clock : idem_clock_real();
}

TimestampTz
idem_clock_real(void)
{
	last_reading = GetCurrentTimestamp();
	return last_reading;
}

TimestampTz
idem_clock_recent(void)
{
	return Max(last_reading, GetCurrentStatementStartTimestamp());
}

int64
idem_clock_unix_us(TimestampTz now)
{
	return Min(now, LAST_UNIX_US - UNIX_EPOCH_OFFSET_US) + UNIX_EPOCH_OFFSET_US;
}

TimestampTz
idem_clock_add(TimestampTz instant, const Interval *span)
{
	if (span->month != 0)
		instant = add_months(instant, span->month);
	instant += fixed_us(span);
	if (!IS_VALID_TIMESTAMP(instant))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return instant;
}

/* all but its months */
static int64
fixed_us(const Interval *span)
{
	return span->day * USECS_PER_DAY + span->time;
}

int64
idem_clock_length_us(const Interval *span)
{
	TimestampTz now;

	if (span->month == 0)
		return fixed_us(span);
	now = idem_clock_now();
	return idem_clock_add(now, span) - now;
}

/*
 * Each field is bounded first: huge ones of opposite signs could cancel out
 * here and not in the calendar.
 */
bool
idem_clock_is_bounded(const Interval *span)
{
	TimestampTz now;
	TimestampTz then;

	if (idem_compat_interval_is_infinite(span) ||
		!is_within(span->month, MAX_SPAN_MONTHS) ||
		!is_within(span->day, IDEM_MAX_SPAN_DAYS) ||
		!is_within(span->time, MAX_SPAN_US))
		return false;
	if (is_clearly_bounded(span))
		return true;
	now = idem_clock_now();
	then = idem_clock_add(now, span);
	return then <= add_months(now, MAX_SPAN_MONTHS) &&
		then >= add_months(now, -MAX_SPAN_MONTHS);
}

/* four years of days and four of hours need no calendar, which is slow */
static bool
is_clearly_bounded(const Interval *span)
{
	return span->month == 0 &&
		is_within(span->day, 4 * 365) &&
		is_within(span->time, 4 * 365 * USECS_PER_DAY);
}

static bool
is_within(int64 value, int64 bound)
{
	return value >= -bound && value <= bound;
}

bool
idem_clock_is_near(TimestampTz instant)
{
	return instant <= add_months(idem_clock_now(), MAX_SPAN_MONTHS);
}

/* read without a time zone, an instant is a time in UTC */
static TimestampTz
add_months(TimestampTz instant, int32 months)
{
	Interval	span = {.month = months};

	return DatumGetTimestamp(DirectFunctionCall2(timestamp_pl_interval,
												 TimestampGetDatum(instant),
												 IntervalPGetDatum(&span)));
}

int64
idem_clock_monotonic_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}
