/*
 * fixed.c
 *		The fixed window: a count that begins anew with every period, on the clock
 *		or in the calendar.
 *
 * On the clock windows are counted from 1970, so that those of a minute, an
 * hour and a day begin with one in UTC, and those of a week on a Thursday.
 */
#include "postgres.h"

#include "ratemath/bounds.h"
#include "ratemath/fixed.h"

/* from 1970 to 2000, where instants have their origin */
#define EPOCH_OFFSET INT64CONST(946684800000000)

static int64 end_of(const IdemFixedWindow *fixed);

int64
idem_ratemath_fixed_start(int64 period, int64 now)
{
	return now - floor_mod(floor_mod(now, period) + EPOCH_OFFSET % period, period);
}

void
idem_ratemath_fixed_init(IdemFixedWindow *fixed, int64 start, int64 period, int64 count)
{
	fixed->start = start;
	fixed->period = period;
	fixed->count = count;
}

/*
 * The count stays until the window ends in which it was made; so the current
 * window takes it over when the clock was set back or the period changed.
 */
bool
idem_ratemath_fixed_settle(IdemFixedWindow *fixed, int64 start, int64 period, int64 now)
{
	int64		count = idem_ratemath_fixed_count(fixed, now);
	bool		is_same = start == fixed->start && period == fixed->period;

	idem_ratemath_fixed_init(fixed, start, period, count);
	return !is_same && count > 0;
}

void
idem_ratemath_fixed_decide(const IdemFixedWindow *fixed, int64 quota,
						   const IdemRateRequest *request, IdemRateVerdict *verdict)
{
	int64		left = quota - fixed->count;

	verdict->is_allowed = request->cost <= left;
	verdict->reason = verdict->is_allowed ? IDEM_RATE_OK : IDEM_RATE_QUOTA;
	verdict->remaining = Max(left, 0);
	verdict->reset_at = fixed->count > 0 ? end_of(fixed) : request->now;
	verdict->retry_after = verdict->is_allowed ? 0 : end_of(fixed) - request->now;
}

void
idem_ratemath_fixed_record(IdemFixedWindow *fixed, int64 cost)
{
	fixed->count = add_bounded(fixed->count, cost);
}

bool
idem_ratemath_fixed_refund(IdemFixedWindow *fixed, const IdemRateRefund *refund)
{
	int64		given = Min(refund->cost, fixed->count);

	if (refund->taken_at < fixed->start)
		return false;
	fixed->count -= given;
	return given > 0;
}

int64
idem_ratemath_fixed_count(const IdemFixedWindow *fixed, int64 now)
{
	return now < end_of(fixed) ? fixed->count : 0;
}

int64
idem_ratemath_fixed_empty_at(const IdemFixedWindow *fixed)
{
	return fixed->count > 0 ? end_of(fixed) : PG_INT64_MIN;
}

static int64
end_of(const IdemFixedWindow *fixed)
{
	return add_bounded(fixed->start, fixed->period);
}
