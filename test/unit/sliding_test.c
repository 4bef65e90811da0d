/*
 * sliding_test.c
 *		The sliding window against a log that remembers every request.
 *
 * Every round is another limit and another way of arriving. Two exact logs run
 * along: one of what our log admitted, to judge each single answer, and a rival
 * that decides for itself, to compare what comes through.
 */
#include "exact.h"

typedef struct Arrivals
{
	int64		gap;			/* between requests, on average */
	int			kind;			/* steady, random, bursts, or when told to */
	int64		burst_left;
	int64		max_cost;
} Arrivals;

static Property never_over_quota = {"no window ever holds more than the quota"};
static Property exact_to_the_request = {"up to a quota of 64, it decides as an exact log does"};
static Property exact_figures = {"up to a quota of 64, its figures are those of an exact log"};
static Property not_late = {"a request is released less than a 63rd of the window and a unit late"};
static Property retry_is_enough = {"after retry_after the request is allowed"};
static Property retry_is_needed = {"a microsecond before, it is not"};
static Property retry_bounded = {"retry_after is more than 0, and no more than a window and a unit"};
static Property reset_is_right = {"at reset_at the whole quota is back, and not before"};
static Property remaining_is_right = {"remaining passes and one more does not"};
static Property keeps_up = {"at least 98 % of an exact log's throughput"};

static ExactLog admitted;
static ExactLog rival;
static double greatest_lateness = 0;
static double least_share = 2;

static void examples(void);
static void example_of_merging(void);
static void nothing_costs_nothing(void);
static void one_round(int64 round, bool is_long);
static void judge(const Resource *before, const IdemRateLimit *limit, int64 now,
				  int64 cost, const IdemRateVerdict *verdict);
static void judge_denial(const Resource *before, const IdemRateLimit *limit,
						 int64 now, int64 cost, const IdemRateVerdict *verdict);
static bool compare_with_rival(const IdemRateLimit *limit, int64 now, int64 cost,
							   const IdemRateVerdict *verdict);
static int64 next_gap(Arrivals *arrivals, int64 window, const IdemRateVerdict *last);
static int64 next_cost(const Arrivals *arrivals, int64 quota);

int
main(void)
{
	int64		i;

	examples();
	example_of_merging();
	nothing_costs_nothing();
	for (i = 0; i < rounds(400); i++)
		one_round(i, false);
	for (i = 0; i < rounds(12); i++)
		one_round(1000000 + i, true);
	report(&never_over_quota);
	report(&exact_to_the_request);
	report(&exact_figures);
	report(&not_late);
	report(&retry_is_enough);
	report(&retry_is_needed);
	report(&retry_bounded);
	report(&reset_is_right);
	report(&remaining_is_right);
	report(&keeps_up);
	report(&survives_encoding);
	diag("%lld steps; at most %.3f cells late; at least %.2f %% of the exact log's throughput",
		 (long long) steps_done, greatest_lateness, least_share * 100);
	return done_testing();
}

static void
examples(void)
{
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, 3, MINUTE);
	Resource	resource;
	IdemRateVerdict verdict;

	forget(&resource);
	verdict = ask(&resource, &limit, SOME_NOON, 1);
	expect(verdict.is_allowed && verdict.reason == IDEM_RATE_OK, "the first request is allowed");
	expect(verdict.remaining == 3 && verdict.reset_at == SOME_NOON && verdict.retry_after == 0,
		   "and finds the whole quota");
	ask(&resource, &limit, SOME_NOON + SECOND, 2);
	verdict = ask(&resource, &limit, SOME_NOON + 2 * SECOND, 2);
	expect(!verdict.is_allowed && verdict.reason == IDEM_RATE_QUOTA && !resource.is_kept,
		   "more than the quota is denied, and writes nothing");
	expect_int(verdict.retry_after, MINUTE - SECOND, "two must leave for two");
	expect_int(peek(&resource, &limit, SOME_NOON + 2 * SECOND, 1, false).retry_after,
			   MINUTE - 2 * SECOND, "and one for one");
	expect_int(verdict.reset_at, SOME_NOON + SECOND + MINUTE, "the newest leaves last");
	expect_int(peek(&resource, &limit, SOME_NOON + MINUTE - 1, 0, false).remaining, 0,
			   "a request counts for a window");
	expect_int(peek(&resource, &limit, SOME_NOON + MINUTE, 0, false).remaining, 1,
			   "at whose end it frees its place");
	expect_int(idem_ratemath_expires_at(&resource.state), SOME_NOON + SECOND + MINUTE,
			   "an empty window says nothing");
	verdict = peek(&resource, &limit, SOME_NOON, 4, false);
	expect(verdict.reason == IDEM_RATE_COST_EXCEEDS_QUOTA &&
		   verdict.retry_after == IDEM_RATE_NEVER, "a cost above the quota never passes");
	limit.quota = 2;
	expect(!peek(&resource, &limit, SOME_NOON + 2 * SECOND, 0, false).is_allowed,
		   "with more used than a smaller quota, not even nothing passes");
	limit.quota = 0;
	verdict = peek(&resource, &limit, SOME_NOON, 0, false);
	expect(verdict.reason == IDEM_RATE_QUOTA_ZERO && verdict.retry_after == MINUTE,
		   "a quota of 0 lets nothing in");
}

/*
 * 63 seconds have cells of a second. Of 65 runs, two pairs share a cell: one
 * with a single request to move, one with 100.
 */
static void
example_of_merging(void)
{
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, 1000, 63 * SECOND);
	const IdemRunLog *log;
	Resource	resource;
	int			i;

	forget(&resource);
	for (i = 0; i < 63; i++)
	{
		ask(&resource, &limit, SOME_NOON + i * SECOND, i == 20 ? 100 : 1);
		if (i == 10 || i == 20)
			ask(&resource, &limit, SOME_NOON + i * SECOND + SECOND / 2, 1);
	}
	log = &resource.state.as.log;
	expect_int(log->length, 64, "65 requests are 64 runs");
	expect(log->at[10] == SOME_NOON + 10 * SECOND + SECOND / 2 && log->count[10] == 2,
		   "the cheaper pair is merged, at its later instant");
	expect(log->count[20] == 100 && log->count[21] == 1, "the other one is not");
	expect_int(peek(&resource, &limit, SOME_NOON + 73 * SECOND, 0, false).remaining,
			   1000 - 162 - 2 + 10, "what was merged leaves together");
}

static void
nothing_costs_nothing(void)
{
	IdemRateAlgorithm algorithm;

	for (algorithm = IDEM_SLIDING_WINDOW; algorithm <= IDEM_ADAPTIVE; algorithm++)
	{
		IdemRateLimit limit = limit_of(algorithm, 5, HOUR);
		Resource	resource;
		IdemRateVerdict verdict;

		forget(&resource);
		ask_as(&resource, &limit, SOME_NOON, 0, true);
		force(&resource, &limit, SOME_NOON, 0, true);
		verdict = peek(&resource, &limit, SOME_NOON + 1, 0, true);
		expect(verdict.remaining == 5 && verdict.reset_at == SOME_NOON + 1 &&
			   idem_ratemath_expires_at(&resource.state) <= SOME_NOON + 30 * SECOND,
			   "algorithm %d: a cost of 0 leaves no trace", algorithm);
	}
}

/*
 * A long round is many windows of more demand than quota, in small costs: what
 * comes through is compared. In fewer windows the share depends on where they
 * end, since one that is late is behind in the middle of a burst.
 */
static void
one_round(int64 round, bool is_long)
{
	IdemRateLimit limit;
	Arrivals	arrivals = {0};
	Resource	resource;
	IdemRateVerdict verdict = {0};
	int64		now;
	int64		end;
	int64		came_through = 0;
	int64		came_through_rival = 0;
	int64		i;

	start_round(round);
	limit = limit_of(IDEM_SLIDING_WINDOW,
					 one_in(2) && !is_long ? between(1, 64) :
					 magnitude_between(65, is_long ? 1000 : 4000),
					 magnitude_between(1000, TEN_YEARS));
	arrivals.kind = (int) below(is_long ? 3 : 4);
	arrivals.max_cost = one_in(2) ? 1 : magnitude_between(1, limit.quota);
	if (is_long)
		arrivals.max_cost = 1 + below(limit.quota / 64);
	arrivals.gap = (int64) ((double) limit.period / limit.quota *
							(1 + arrivals.max_cost) / 2 *
							between(is_long ? 20 : 5, is_long ? 90 : 200) / 100);
	arrivals.gap = Max(arrivals.gap, 1);
	now = between(-2000, 2000) * 100 * DAY + below(DAY);
	end = now + 120 * limit.period;
	forget(&resource);
	exact_clear(&admitted);
	exact_clear(&rival);

	for (i = 0; is_long ? now < end : i < 2000; i++)
	{
		Resource	before;
		int64		cost = next_cost(&arrivals, is_long ? PG_INT64_MAX : limit.quota);

		next_step();
		now += next_gap(&arrivals, limit.period, &verdict);
		memcpy(&before, &resource, offsetof(Resource, state));
		verdict = ask(&resource, &limit, now, cost);
		if (!is_long)
			judge(&before, &limit, now, cost, &verdict);
		if (verdict.is_allowed)
		{
			exact_add(&admitted, now, cost);
			came_through += cost;
			HOLDS(&never_over_quota,
				  exact_count(&admitted, now - limit.period) <= limit.quota);
		}
		if (compare_with_rival(&limit, now, cost, &verdict))
			came_through_rival += cost;
		exact_drop(&admitted, now - 2 * limit.period);
		exact_drop(&rival, now - 2 * limit.period);
	}
	if (is_long)
	{
		double		share = (double) came_through / came_through_rival;

		HOLDS(&keeps_up, share >= 0.98);
		least_share = Min(least_share, share);
	}
}

static void
judge(const Resource *before, const IdemRateLimit *limit, int64 now, int64 cost,
	  const IdemRateVerdict *verdict)
{
	IdemRateVerdict whole;

	if (!verdict->is_allowed && cost <= limit->quota)
		judge_denial(before, limit, now, cost, verdict);
	HOLDS(&remaining_is_right,
		  peek(before, limit, now, verdict->remaining, false).is_allowed);
	HOLDS(&remaining_is_right,
		  !peek(before, limit, now, verdict->remaining + 1, false).is_allowed);
	whole = peek(before, limit, verdict->reset_at, limit->quota, false);
	HOLDS(&reset_is_right, whole.is_allowed);
	HOLDS(&reset_is_right, verdict->reset_at == now ||
		  !peek(before, limit, verdict->reset_at - 1, limit->quota, false).is_allowed);
	HOLDS(&reset_is_right, (verdict->reset_at == now) == (verdict->remaining == limit->quota));
}

static void
judge_denial(const Resource *before, const IdemRateLimit *limit, int64 now,
			 int64 cost, const IdemRateVerdict *verdict)
{
	int64		unit = unit_of(limit->period);
	double		cell = limit->period / 63.0;
	int64		last = exact_last_to_leave(&admitted, limit->quota - cost);
	int64		lateness = now - (last + limit->period);

	HOLDS(&not_late, last != PG_INT64_MIN && lateness < cell + (unit > 1 ? unit : 0));
	greatest_lateness = Max(greatest_lateness, lateness / (cell + (unit > 1 ? unit : 0)));
	HOLDS(&retry_bounded, verdict->retry_after > 0);
	HOLDS(&retry_bounded, verdict->retry_after <= limit->period + unit - 1);
	HOLDS(&retry_is_enough,
		  peek(before, limit, now + verdict->retry_after, cost, false).is_allowed);
	HOLDS(&retry_is_needed,
		  !peek(before, limit, now + verdict->retry_after - 1, cost, false).is_allowed);
}

/*
 * What would the rival have said? A small quota is compared in our unit, since
 * then nothing else may make a difference.
 */
static bool
compare_with_rival(const IdemRateLimit *limit, int64 now, int64 cost,
				   const IdemRateVerdict *verdict)
{
	int64		unit = limit->quota <= 64 ? unit_of(limit->period) : 1;
	int64		at = now + (unit - now % unit) % unit;
	int64		used = exact_count(&rival, now - limit->period);
	bool		is_allowed = used + cost <= limit->quota;

	if (limit->quota <= 64)
	{
		int64		last = exact_last_to_leave(&rival, limit->quota - cost);

		HOLDS(&exact_to_the_request, is_allowed == verdict->is_allowed);
		HOLDS(&exact_figures, verdict->remaining == limit->quota - used);
		HOLDS(&exact_figures, verdict->reset_at ==
			  (used == 0 ? now : rival.at[rival.end - 1] + limit->period));
		HOLDS(&exact_figures, verdict->retry_after ==
			  (is_allowed ? 0 : cost > limit->quota ? IDEM_RATE_NEVER :
			   last + limit->period - now));
	}
	if (is_allowed && cost > 0)
		exact_add(&rival, at, cost);
	return is_allowed;
}

static int64
next_gap(Arrivals *arrivals, int64 window, const IdemRateVerdict *last)
{
	switch (arrivals->kind)
	{
		case 0:
			return arrivals->gap;
		case 1:
			return below(2 * arrivals->gap + 1);
		case 2:
			if (arrivals->burst_left-- > 0)
				return below(arrivals->gap / 16 + 2);
			arrivals->burst_left = 1 + below(200);
			return below(Min(arrivals->burst_left * 2 * arrivals->gap, 2 * window) + 1);
		default:
			if (last->retry_after == 0 || last->retry_after == IDEM_RATE_NEVER)
				return one_in(50) ? below(window) : below(arrivals->gap / 4 + 2);
			return last->retry_after - below(Min(last->retry_after, 2) + 1);
	}
}

static int64
next_cost(const Arrivals *arrivals, int64 quota)
{
	if (quota == PG_INT64_MAX)
		return between(1, arrivals->max_cost);
	if (one_in(50))
		return one_in(2) ? 0 : quota + 1;
	return between(1, arrivals->max_cost);
}
