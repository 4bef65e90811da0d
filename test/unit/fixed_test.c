/*
 * fixed_test.c
 *		The fixed window against a count for each window since 1970.
 */
#include "unit.h"

#define FROM_1970_TO_2000	(INT64CONST(10957) * DAY)

static Property decides_alike = {"it decides as a count for each window does"};
static Property figures_alike = {"its figures are those of the window"};
static Property retry_is_enough = {"after retry_after the request is allowed"};
static Property retry_is_needed = {"a microsecond before, it is not"};
static Property steps_are_kept = {"a count that another window takes over is written"};
static Property writes_little = {"a denied request writes nothing otherwise"};

static void examples(void);
static void example_of_clock(void);
static void example_of_change(void);
static void one_round(int64 round);
static int64 start_of(int64 now, int64 period);

int
main(void)
{
	int64		i;

	examples();
	example_of_clock();
	example_of_change();
	for (i = 0; i < rounds(400); i++)
		one_round(5000000 + i);
	report(&decides_alike);
	report(&figures_alike);
	report(&retry_is_enough);
	report(&retry_is_needed);
	report(&steps_are_kept);
	report(&writes_little);
	report(&survives_encoding);
	diag("%lld steps", (long long) steps_done);
	return done_testing();
}

static void
examples(void)
{
	IdemRateLimit limit = limit_of(IDEM_FIXED_WINDOW, 3, HOUR);
	int64		now = SOME_NOON + 59 * MINUTE;
	Resource	resource;
	IdemRateVerdict verdict;

	forget(&resource);
	verdict = ask(&resource, &limit, now, 2);
	expect(verdict.is_allowed && verdict.remaining == 3 && verdict.reset_at == now,
		   "a new window is empty");
	verdict = ask(&resource, &limit, now, 2);
	expect(!verdict.is_allowed && verdict.reason == IDEM_RATE_QUOTA,
		   "more than the quota is denied");
	expect_int(verdict.remaining, 1, "what is left is told");
	expect_int(verdict.retry_after, MINUTE, "hours begin on the hour");
	expect_int(verdict.reset_at, SOME_NOON + HOUR, "and so it is reset");
	expect_int(idem_ratemath_expires_at(&resource.state), SOME_NOON + HOUR,
			   "and says nothing any more");
	expect(!peek(&resource, &limit, SOME_NOON + HOUR - 1, 2, false).is_allowed,
		   "the window lasts until its end");
	expect(peek(&resource, &limit, SOME_NOON + HOUR, 3, false).is_allowed,
		   "the next one is empty");
	force(&resource, &limit, now, 5, false);
	expect_int(peek(&resource, &limit, now, 0, false).remaining, 0,
			   "with more counted than the quota, nothing remains");
	expect(!peek(&resource, &limit, now, 0, false).is_allowed, "not even for a cost of 0");

	limit.period = DAY;
	forget(&resource);
	ask(&resource, &limit, -1, 1);
	expect_int(peek(&resource, &limit, -1, 3, false).retry_after, 1,
			   "days begin at midnight, before 2000 too");
	limit.period = 7 * DAY;
	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 3);
	expect_int(peek(&resource, &limit, SOME_NOON, 1, false).reset_at,
			   start_of(SOME_NOON, 7 * DAY) + 7 * DAY, "weeks begin as they did in 1970");
	expect_int((peek(&resource, &limit, SOME_NOON, 1, false).reset_at + FROM_1970_TO_2000) % (7 * DAY),
			   0, "on a Thursday");
	verdict = peek(&resource, &limit, SOME_NOON, 4, false);
	expect(verdict.reason == IDEM_RATE_COST_EXCEEDS_QUOTA &&
		   verdict.retry_after == IDEM_RATE_NEVER, "a cost above the quota never passes");
	limit.quota = 0;
	verdict = peek(&resource, &limit, SOME_NOON, 1, false);
	expect(verdict.reason == IDEM_RATE_QUOTA_ZERO && verdict.retry_after == 7 * DAY,
		   "a quota of 0 lets nothing in");
}

static void
example_of_clock(void)
{
	IdemRateLimit limit = limit_of(IDEM_FIXED_WINDOW, 3, MINUTE);
	int64		earlier = SOME_NOON - 2 * HOUR + 20 * SECOND;
	Resource	resource;
	IdemRateVerdict verdict;

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 3);
	verdict = ask(&resource, &limit, earlier, 1);
	expect(!verdict.is_allowed && resource.is_kept,
		   "when the clock is set back, the current window takes the count over");
	expect_int(verdict.retry_after, 40 * SECOND, "and ends when it ends");
	expect(ask(&resource, &limit, earlier + 40 * SECOND, 3).is_allowed,
		   "nobody waits longer than a window");
}

static void
example_of_change(void)
{
	IdemRateLimit limit = limit_of(IDEM_FIXED_WINDOW, 3, HOUR);
	Resource	resource;

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 3);
	limit.period = MINUTE;
	expect(!ask(&resource, &limit, SOME_NOON + 30 * MINUTE, 1).is_allowed && resource.is_kept,
		   "another period keeps the count while its window lasts");
	expect(ask(&resource, &limit, SOME_NOON + 31 * MINUTE, 3).is_allowed,
		   "and then for the current window alone");
	limit.period = DAY;
	expect(ask(&resource, &limit, SOME_NOON + 32 * MINUTE, 3).is_allowed,
		   "a window that has ended leaves nothing to a longer one");
}

static void
one_round(int64 round)
{
	IdemRateLimit limit;
	Resource	resource;
	int64		now;
	int64		written_start;
	int64		written = 0;
	int64		i;

	start_round(round);
	limit = limit_of(IDEM_FIXED_WINDOW, magnitude_between(1, one_in(4) ? PG_INT64_MAX / 2 : 1000),
					 magnitude_between(1, TEN_YEARS));
	now = between(-1000, 1000) * 100 * DAY + below(DAY);
	written_start = start_of(now, limit.period);
	forget(&resource);

	for (i = 0; i < 1000; i++)
	{
		int64		cost = between(0, one_in(2) ? 1 : limit.quota / 4 + 1);
		int64		start;
		int64		used;
		IdemRateVerdict verdict;

		next_step();
		cost = Min(cost, limit.quota);
		now += one_in(40) ? -magnitude_between(1, 4 * limit.period) : below(limit.period / 4 + 2);
		start = start_of(now, limit.period);
		used = start > written_start ? 0 : written;

		verdict = ask(&resource, &limit, now, cost);
		HOLDS(&decides_alike, verdict.is_allowed == (cost <= limit.quota - used));
		HOLDS(&figures_alike, verdict.remaining == limit.quota - used);
		HOLDS(&figures_alike, verdict.reset_at == (used > 0 ? start + limit.period : now));
		if (start < written_start && used > 0)
			HOLDS(&steps_are_kept, resource.is_kept);
		else if (!verdict.is_allowed)
			HOLDS(&writes_little, !resource.is_kept);
		if (resource.is_kept)
		{
			written_start = start;
			written = used + (verdict.is_allowed ? cost : 0);
		}
		if (verdict.is_allowed)
			continue;
		HOLDS(&retry_is_enough,
			  peek(&resource, &limit, now + verdict.retry_after, cost, false).is_allowed);
		HOLDS(&retry_is_needed,
			  !peek(&resource, &limit, now + verdict.retry_after - 1, cost, false).is_allowed);
	}
}

static int64
start_of(int64 now, int64 period)
{
	int128		unix_time = (int128) now + FROM_1970_TO_2000;
	int128		window = unix_time / period - (unix_time % period < 0);

	return (int64) (window * period - FROM_1970_TO_2000);
}
