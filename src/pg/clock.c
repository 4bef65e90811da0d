/*
 * clock.c
 *		The only file that reads a clock.
 *
 * Instants that are stored (lease, ttl, fence) follow idem_clock_now, which
 * tests can hold still.  Timeouts of waits follow real time.
 */
#include "postgres.h"

#include "common/int.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/guc.h"

#define UNIX_EPOCH_OFFSET_US \
	((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* ten years with their leap days */
#define MAX_SPAN_US		(INT64CONST(3653) * USECS_PER_DAY)

TimestampTz
idem_clock_now(void)
{
	return idem_guc_test_clock ? *idem_guc_test_clock : GetCurrentTimestamp();
}

int64
idem_clock_unix_us(TimestampTz now)
{
	return now + UNIX_EPOCH_OFFSET_US;
}

TimestampTz
idem_clock_add(TimestampTz instant, const Interval *span)
{
	return DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
												   TimestampTzGetDatum(instant),
												   PointerGetDatum(span)));
}

bool
idem_clock_is_bounded(const Interval *span)
{
	int64		days = (int64) span->month * DAYS_PER_MONTH + span->day;
	int64		total;

	if (idem_compat_interval_is_infinite(span))
		return false;
	if (pg_mul_s64_overflow(days, USECS_PER_DAY, &total) ||
		pg_add_s64_overflow(total, span->time, &total))
		return false;
	return total >= -MAX_SPAN_US && total <= MAX_SPAN_US;
}

int64
idem_clock_monotonic_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}
