/*
 * bucket.c
 *		The token bucket: a burst at once, then the quota over each period.
 *
 * This is GCRA without its division: what is missing is counted in tokens
 * times the period, of which a microsecond refills just the quota.  So no
 * quota and no period is ever rounded.  The largest product is a span of any
 * instants times any quota: 2^126.
 */
#include "postgres.h"

#include "ratemath/bounds.h"
#include "ratemath/bucket.h"

/* No wait is told longer than 36,000 years: it must remain an instant. */
#define MAX_WAIT (INT64CONST(1) << 60)

static void refill(IdemTokenBucket *bucket, int64 now);
static bool change_limit(IdemTokenBucket *bucket, const IdemRateLimit *limit);
static int64 refill_of(const IdemRateLimit *limit);
static int64 wait_for(int128 missing, int64 refill);
static int128 divide_up(int128 a, int64 b);

void
idem_ratemath_bucket_init(IdemTokenBucket *bucket, const IdemRateLimit *limit, int64 now,
						  int64 taken)
{
	bucket->last = now;
	bucket->refill = refill_of(limit);
	bucket->period = limit->period;
	bucket->missing = (int128) taken * limit->period;
}

/* A change of the limit goes on from the tokens that are missing now. */
bool
idem_ratemath_bucket_settle(IdemTokenBucket *bucket, const IdemRateLimit *limit, int64 now)
{
	bool		is_set_back = now < bucket->last && bucket->missing > 0;

	refill(bucket, now);
	return change_limit(bucket, limit) || is_set_back;
}

/* If the clock was set back, go back with it. */
static void
refill(IdemTokenBucket *bucket, int64 now)
{
	if (now > bucket->last)
	{
		int128		refilled = ((int128) now - bucket->last) * bucket->refill;

		bucket->missing -= Min(refilled, bucket->missing);
	}
	bucket->last = now;
}

static bool
change_limit(IdemTokenBucket *bucket, const IdemRateLimit *limit)
{
	int64		refill = refill_of(limit);

	if (bucket->refill == refill && bucket->period == limit->period)
		return false;
	if (bucket->period != limit->period)
	{
		int128		tokens = bucket->missing / bucket->period;
		int64		rest = (int64) (bucket->missing % bucket->period);

		bucket->missing = tokens * limit->period +
			divide_up((int128) rest * limit->period, bucket->period);
	}
	bucket->refill = refill;
	bucket->period = limit->period;
	return bucket->missing > 0;
}

/* A quota of 0 lets nothing in, but what was forced in must end some day. */
static int64
refill_of(const IdemRateLimit *limit)
{
	return Max(limit->quota, 1);
}

void
idem_ratemath_bucket_decide(const IdemTokenBucket *bucket, const IdemRateLimit *limit,
							int64 cost, IdemRateVerdict *verdict)
{
	int128		left = (int128) limit->burst * limit->period - bucket->missing;
	int128		needed = (int128) cost * limit->period;

	verdict->is_allowed = needed <= left;
	verdict->reason = verdict->is_allowed ? IDEM_RATE_OK : IDEM_RATE_QUOTA;
	verdict->remaining = left > 0 ? (int64) (left / limit->period) : 0;
	verdict->reset_at = idem_ratemath_bucket_full_at(bucket);
	verdict->retry_after = verdict->is_allowed ? 0 :
		wait_for(needed - left, bucket->refill);
}

void
idem_ratemath_bucket_record(IdemTokenBucket *bucket, int64 cost)
{
	int128		missing = bucket->missing + (int128) cost * bucket->period;
	int128		most = (int128) PG_INT64_MAX * bucket->period;

	bucket->missing = Min(missing, most);
}

/*
 * What has been refilled since it was taken may have been in the stead of what
 * others took: it cannot be given a second time.
 */
bool
idem_ratemath_bucket_refund(IdemTokenBucket *bucket, const IdemRateRefund *refund)
{
	int128		refilled = ((int128) refund->now - refund->taken_at) * bucket->refill;
	int128		given = (int128) refund->cost * bucket->period - refilled;

	given = Min(given, bucket->missing);
	if (given <= 0 || refund->taken_at <= refund->now - bucket->period)
		return false;
	bucket->missing -= given;
	return true;
}

int64
idem_ratemath_bucket_taken(const IdemTokenBucket *bucket, int64 now)
{
	IdemTokenBucket current = *bucket;

	refill(&current, now);
	return (int64) divide_up(current.missing, current.period);
}

int64
idem_ratemath_bucket_full_at(const IdemTokenBucket *bucket)
{
	return add_bounded(bucket->last, wait_for(bucket->missing, bucket->refill));
}

static int64
wait_for(int128 missing, int64 refill)
{
	int128		wait = divide_up(missing, refill);

	return (int64) Min(wait, MAX_WAIT);
}

static int128
divide_up(int128 a, int64 b)
{
	return (a + b - 1) / b;
}
