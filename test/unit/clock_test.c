/*
 * clock_test.c
 *		The sliding window while the clock steps and the limit changes.
 *
 * An exact log of what was admitted goes back with the clock as the log does,
 * and forgets what leaves the window whenever the log is written.
 */
#include "exact.h"

static Property never_over_quota = {"no window ever holds more than the quota, as the log remembers it"};
static Property steps_are_kept = {"a step back is written even if the request is denied"};
static Property nothing_else_is_kept = {"a denied request writes nothing otherwise"};
static Property stays_together = {"a step back moves all runs by one span, to now"};
static Property nobody_waits_longer = {"nobody waits longer than a window and a unit"};
static Property retry_is_enough = {"after retry_after the request is allowed"};
static Property retry_is_needed = {"a microsecond before, it is not"};
static Property change_forgets_nothing = {"a change of the limit forgets nothing in the new window"};

static ExactLog admitted;

static void one_round(int64 round, bool is_limit_changing);
static void change_limit(IdemRateLimit *limit);
static int64 move_of_clock(int64 window);
static void follow(const Resource *before, const Resource *after,
				   const IdemRateLimit *limit, int64 now, bool is_allowed);
static int64 ahead_of(const IdemRunLog *log, int64 window, int64 now);
static void check_move(const IdemRunLog *old, const IdemRunLog *new, int64 ahead);
static int64 round_up(int64 instant, int64 unit);

int
main(void)
{
	int64		i;

	for (i = 0; i < rounds(200); i++)
		one_round(2000000 + i, false);
	for (i = 0; i < rounds(200); i++)
		one_round(3000000 + i, true);
	report(&never_over_quota);
	report(&steps_are_kept);
	report(&nothing_else_is_kept);
	report(&stays_together);
	report(&nobody_waits_longer);
	report(&retry_is_enough);
	report(&retry_is_needed);
	report(&change_forgets_nothing);
	report(&survives_encoding);
	diag("%lld steps", (long long) steps_done);
	return done_testing();
}

static void
one_round(int64 round, bool is_limit_changing)
{
	IdemRateLimit limit;
	Resource	resource;
	int64		now;
	int64		gap;
	int64		i;

	start_round(round);
	limit = limit_of(IDEM_SLIDING_WINDOW, magnitude_between(1, 1000),
					 magnitude_between(1000, TEN_YEARS));
	gap = (int64) ((double) limit.period / limit.quota * between(10, 150) / 100);
	now = between(-2000, 2000) * 100 * DAY;
	forget(&resource);
	exact_clear(&admitted);

	for (i = 0; i < 2000; i++)
	{
		Resource	before;
		IdemRateVerdict verdict;
		int64		cost = one_in(4) ? between(1, Max(limit.quota / 8, 1)) : 1;

		next_step();
		now += one_in(50) ? move_of_clock(limit.period) : below(2 * gap + 1);
		if (is_limit_changing && one_in(100))
			change_limit(&limit);
		cost = Min(cost, limit.quota);
		memcpy(&before, &resource, offsetof(Resource, state));
		verdict = ask(&resource, &limit, now, cost);
		follow(&before, &resource, &limit, now, verdict.is_allowed);
		if (verdict.is_allowed)
		{
			exact_add(&admitted, now, cost);
			HOLDS(&never_over_quota,
				  exact_count(&admitted, now - limit.period) <= limit.quota);
			continue;
		}
		HOLDS(&nobody_waits_longer,
			  verdict.retry_after < limit.period + unit_of(limit.period));
		HOLDS(&retry_is_enough,
			  peek(&resource, &limit, now + verdict.retry_after, cost, false).is_allowed);
		HOLDS(&retry_is_needed,
			  !peek(&resource, &limit, now + verdict.retry_after - 1, cost, false).is_allowed);
	}
}

static void
change_limit(IdemRateLimit *limit)
{
	if (one_in(2))
		limit->quota = magnitude_between(1, 1000);
	else if (one_in(2))
		limit->period = magnitude_between(1000, TEN_YEARS);
	else
		limit->period = between(limit->period / 4 + 1000, Min(limit->period * 4, TEN_YEARS));
}

static int64
move_of_clock(int64 window)
{
	int64		span = one_in(2) ? magnitude_between(1, window) :
	magnitude_between(1, one_in(5) ? TEN_YEARS : 4 * window);

	return one_in(3) ? span : -span;
}

/* The exact log does what the log should have done. */
static void
follow(const Resource *before, const Resource *after, const IdemRateLimit *limit,
	   int64 now, bool is_allowed)
{
	static IdemRateState old;
	IdemRunLog *log = &old.as.log;
	const IdemRunLog *new = &after->state.as.log;
	int64		ahead;
	int64		latest = round_up(now, unit_of(limit->period));

	idem_ratemath_decode(&old, before->bytes);
	if (old.algorithm == IDEM_RATE_NOTHING)
		return;
	ahead = ahead_of(log, limit->period, now);
	if (ahead > 0)
	{
		HOLDS(&steps_are_kept, after->is_kept);
		exact_move_back(&admitted, ahead, now);
		if (limit->period == log->window && new->length == log->length)
			check_move(log, new, ahead);
	}
	else if (!is_allowed && (log->length == 0 || log->at[log->length - 1] <= now))
		HOLDS(&nothing_else_is_kept, !after->is_kept);
	HOLDS(&stays_together, new->length == 0 || new->at[new->length - 1] <= latest);
	if (after->is_kept)
		exact_drop(&admitted, now - limit->period);
	if (limit->period != log->window)
	{
		int64		sum = 0;
		int			i;

		for (i = 0; i < new->length; i++)
			sum += new->count[i];
		HOLDS(&change_forgets_nothing,
			  sum >= exact_count(&admitted, now - limit->period));
	}
}

/* If the newest run is in the future, but for its rounding: how far? */
static int64
ahead_of(const IdemRunLog *log, int64 window, int64 now)
{
	int64		newest = log->length == 0 ? PG_INT64_MIN : log->at[log->length - 1];
	int64		ahead = newest - round_up(now, unit_of(window));

	return newest <= round_up(now, unit_of(log->window)) ? 0 : Max(ahead, 0);
}

static void
check_move(const IdemRunLog *old, const IdemRunLog *new, int64 ahead)
{
	int			i;

	for (i = 0; i < old->length; i++)
		HOLDS(&stays_together, new->at[i] == old->at[i] - ahead);
}

static int64
round_up(int64 instant, int64 unit)
{
	int64		rest = instant % unit;

	return instant - rest + (rest > 0 ? unit : 0);
}
