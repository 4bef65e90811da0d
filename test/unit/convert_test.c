/*
 * convert_test.c
 *		From one algorithm to another: what was used stays used.
 */
#include "unit.h"

static const IdemRateAlgorithm algorithms[] = {
	IDEM_SLIDING_WINDOW, IDEM_TOKEN_BUCKET, IDEM_FIXED_WINDOW, IDEM_ADAPTIVE
};
static const char *const names[] = {"sliding", "bucket", "fixed", "adaptive"};

static Property keeps_usage = {"a change of the algorithm leaves as much as there was"};
static Property is_written = {"and is written if anything was used, even if the request is denied"};
static Property nobody_waits_longer = {"nobody waits longer than a period and a unit"};
static Property retry_is_enough = {"after retry_after the request is allowed"};
static Property survives_any_change = {"with the period changing too, more than the quota never remains"};

static void every_pair(void);
static void details(void);
static void one_round(int64 round, bool is_period_changing);
static IdemRateLimit limit_as(int i, int64 quota, int64 period);

int
main(void)
{
	int64		i;

	every_pair();
	details();
	for (i = 0; i < rounds(150); i++)
		one_round(8000000 + i, false);
	for (i = 0; i < rounds(150); i++)
		one_round(9000000 + i, true);
	report(&keeps_usage);
	report(&is_written);
	report(&nobody_waits_longer);
	report(&retry_is_enough);
	report(&survives_any_change);
	report(&survives_encoding);
	diag("%lld steps", (long long) steps_done);
	return done_testing();
}

static void
every_pair(void)
{
	int			from;
	int			to;

	for (from = 0; from < lengthof(algorithms); from++)
	{
		for (to = 0; to < lengthof(algorithms); to++)
		{
			IdemRateLimit old = limit_as(from, 10, HOUR);
			IdemRateLimit new = limit_as(to, 10, HOUR);
			Resource	resource;

			forget(&resource);
			force(&resource, &old, SOME_NOON, 3, false);
			force(&resource, &old, SOME_NOON, 4, true);
			expect(peek(&resource, &new, SOME_NOON, 0, false).remaining == 3,
				   "what was used by %s is used by %s", names[from], names[to]);
		}
	}
}

static void
details(void)
{
	IdemRateLimit sliding = limit_as(0, 10, HOUR);
	IdemRateLimit bucket = limit_as(1, 10, HOUR);
	IdemRateLimit adaptive = limit_as(3, 10, HOUR);
	const IdemAdaptiveState *state;
	Resource	resource;

	forget(&resource);
	force(&resource, &sliding, SOME_NOON, 2, false);
	force(&resource, &sliding, SOME_NOON + 40 * MINUTE, 3, false);
	ask_as(&resource, &adaptive, SOME_NOON + 50 * MINUTE, 0, true);
	state = &resource.state.as.adaptive;
	expect(state->background.length == 2 && state->user.length == 0 &&
		   state->last == SOME_NOON + 40 * MINUTE && !state->has_user,
		   "a sliding log becomes that of the background");
	expect(state->reason == IDEM_SPLIT_NO_USER_ACTIVITY_YET, "without a user yet");
	force(&resource, &adaptive, SOME_NOON + 51 * MINUTE, 1, true);
	ask(&resource, &sliding, SOME_NOON + 52 * MINUTE, 0);
	expect(resource.state.as.log.length == 3 && resource.state.as.log.count[2] == 1,
		   "and back, the logs of both priorities become one");
	expect_int(peek(&resource, &sliding, SOME_NOON + 60 * MINUTE, 0, false).remaining, 6,
			   "which keeps the instants");
	ask(&resource, &bucket, SOME_NOON + 60 * MINUTE, 0);
	expect_int(peek(&resource, &sliding, SOME_NOON + 63 * MINUTE, 0, false).remaining, 6,
			   "a token half refilled is still used");
	expect_int(peek(&resource, &sliding, SOME_NOON + 66 * MINUTE, 0, false).remaining, 7,
			   "a token refilled is not");

	forget(&resource);
	ask(&resource, &sliding, SOME_NOON, 5);
	ask(&resource, &adaptive, SOME_NOON + HOUR, 0);
	expect(resource.state.as.adaptive.reason == IDEM_SPLIT_INITIAL,
		   "what has left the window leaves nothing");
	forget(&resource);
	expect(!ask(&resource, &sliding, SOME_NOON, 11).is_allowed && !resource.is_kept,
		   "a resource never used is not written if denied");
}

static void
one_round(int64 round, bool is_period_changing)
{
	IdemRateLimit limit;
	int64		quota;
	int64		period;
	Resource	resource;
	int64		now;
	int64		i;

	start_round(round);
	quota = magnitude_between(1, 500);
	period = magnitude_between(1000, TEN_YEARS);
	limit = limit_as((int) below(4), quota, period);
	now = between(-1000, 1000) * 100 * DAY;
	forget(&resource);

	for (i = 0; i < 1000; i++)
	{
		int64		cost = one_in(4) ? between(1, quota) : 1;
		IdemRateVerdict verdict;

		next_step();
		now += one_in(50) ? below(period) : below(2 * period / quota + 2);
		if (one_in(20))
		{
			int64		remaining = peek(&resource, &limit, now, 0, false).remaining;

			if (is_period_changing && one_in(2))
				period = magnitude_between(1000, TEN_YEARS);
			limit = limit_as((int) below(4), quota, period);
			if (is_period_changing)
				HOLDS(&survives_any_change,
					  peek(&resource, &limit, now, 0, false).remaining <= quota);
			else
			{
				HOLDS(&keeps_usage, peek(&resource, &limit, now, 0, false).remaining == remaining);
				if (remaining < quota && resource.state.algorithm != limit.algorithm)
				{
					ask(&resource, &limit, now, quota);
					HOLDS(&is_written, resource.is_kept);
				}
			}
		}
		verdict = ask_as(&resource, &limit, now, cost, one_in(2));
		HOLDS(&survives_any_change, verdict.remaining >= 0 && verdict.remaining <= quota);
		if (verdict.is_allowed || limit.algorithm == IDEM_ADAPTIVE)
			continue;
		HOLDS(&nobody_waits_longer, verdict.retry_after <= period + period / (INT64CONST(1) << 30));
		HOLDS(&retry_is_enough,
			  peek(&resource, &limit, now + verdict.retry_after, cost, false).is_allowed);
	}
}

static IdemRateLimit
limit_as(int i, int64 quota, int64 period)
{
	return limit_of(algorithms[i], quota, period);
}
