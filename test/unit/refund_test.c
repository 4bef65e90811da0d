/*
 * refund_test.c
 *		What is given back, by example, and in random storms against an exact log
 *		of who really used what when.
 *
 * Everybody takes an estimate, and later settles the difference to what he
 * used, if at all.
 */
#include "exact.h"
#include "unit.h"

#define MAX_GRANTS	2000

/* What somebody took, and what he used of it at that instant. */
typedef struct Grant
{
	int64		at;
	int64		cost;
	int64		used;
	bool		is_user;
	bool		is_settled;
} Grant;

static Property never_over_quota = {"no window ever holds more than the quota of what was used"};
static Property never_over_burst = {"no span ever holds more than the burst and what the span refills"};
static Property gives_what_is_there = {"room grows by what is given back, and by no more"};
static Property nothing_from_outside = {"what has left the window gives nothing back"};
static Property much_is_let_in = {"nearly as much is let in as an exact log lets in that gives back likewise"};

static Resource resource;
static Grant grants[MAX_GRANTS];
static int	ngrants;

static void example_of_log(void);
static void example_of_others(void);
static void example_of_bucket(void);
static void example_of_windows(void);
static void example_of_adaptive(void);
static void one_round(int64 round, IdemRateAlgorithm algorithm);
static void settle_some(const IdemRateLimit *limit, int64 now);
static void check_windows(const IdemRateLimit *limit);
static void check_spans(const IdemRateLimit *limit);
static void compared_round(int64 round);
static void refund_exactly(ExactLog *log, int64 now, int64 window, int64 taken_at, int64 cost);

int
main(void)
{
	int64		i;

	example_of_log();
	example_of_others();
	example_of_bucket();
	example_of_windows();
	example_of_adaptive();
	for (i = 0; i < rounds(300); i++)
	{
		one_round(8000000 + i, IDEM_SLIDING_WINDOW);
		one_round(8100000 + i, IDEM_TOKEN_BUCKET);
		one_round(8200000 + i, IDEM_FIXED_WINDOW);
		one_round(8300000 + i, IDEM_ADAPTIVE);
	}
	for (i = 0; i < rounds(100); i++)
		compared_round(8400000 + i);
	report(&never_over_quota);
	report(&never_over_burst);
	report(&gives_what_is_there);
	report(&nothing_from_outside);
	report(&much_is_let_in);
	report(&survives_encoding);
	diag("%lld steps", (long long) steps_done);
	return done_testing();
}

static void
example_of_log(void)
{
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, 10, MINUTE);

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 8);
	expect(give_back(&resource, &limit, SOME_NOON + 10 * SECOND, SOME_NOON, 5, false),
		   "what was taken and not used can be given back");
	expect_int(peek(&resource, &limit, SOME_NOON + 10 * SECOND, 0, false).remaining, 7, "and taken again");
	expect(!give_back(&resource, &limit, SOME_NOON + MINUTE, SOME_NOON, 3, false),
		   "but not once it has left the window");
	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 3);
	expect(give_back(&resource, &limit, SOME_NOON, SOME_NOON, PG_INT64_MAX, false),
		   "more than there is gives what there is");
	expect(!give_back(&resource, &limit, SOME_NOON, SOME_NOON, 1, false), "and then nothing");
	expect_int(idem_ratemath_expires_at(&resource.state), PG_INT64_MIN, "and nothing is remembered");
}

/* The newest first would let 140 of 100 in. */
static void
example_of_others(void)
{
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, 100, MINUTE);

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 50);
	ask(&resource, &limit, SOME_NOON + 30 * SECOND, 50);
	give_back(&resource, &limit, SOME_NOON + 31 * SECOND, SOME_NOON, 40, false);
	expect_int(peek(&resource, &limit, SOME_NOON + 31 * SECOND, 0, false).remaining, 40,
			   "what is given back can be taken");
	expect_int(peek(&resource, &limit, SOME_NOON + MINUTE, 0, false).remaining, 50,
			   "what others used stays until it leaves");
}

static void
example_of_bucket(void)
{
	IdemRateLimit limit = limit_of(IDEM_TOKEN_BUCKET, 60, MINUTE);

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 30);
	expect(give_back(&resource, &limit, SOME_NOON + 10 * SECOND, SOME_NOON, 30, false), "a bucket fills up");
	expect_int(peek(&resource, &limit, SOME_NOON + 10 * SECOND, 0, false).remaining, 60, "to its burst");
	ask(&resource, &limit, SOME_NOON + 10 * SECOND, 60);
	ask(&resource, &limit, SOME_NOON + 60 * SECOND, 50);
	expect(!give_back(&resource, &limit, SOME_NOON + 65 * SECOND, SOME_NOON + 10 * SECOND, 55, false),
		   "but what was refilled since is not given again");
	expect(give_back(&resource, &limit, SOME_NOON + 65 * SECOND, SOME_NOON + 10 * SECOND, 60, false),
		   "only what was not");
	expect_int(peek(&resource, &limit, SOME_NOON + 65 * SECOND, 0, false).remaining, 10, "and no more");
}

static void
example_of_windows(void)
{
	IdemRateLimit limit = limit_of(IDEM_FIXED_WINDOW, 10, HOUR);
	IdemRateLimit calendar = limit_of(IDEM_CALENDAR_WINDOW, 10, 30 * DAY);

	forget(&resource);
	ask(&resource, &limit, SOME_NOON + MINUTE, 8);
	expect(give_back(&resource, &limit, SOME_NOON + 59 * MINUTE, SOME_NOON + MINUTE, 9, false), "a count falls");
	expect_int(peek(&resource, &limit, SOME_NOON + 59 * MINUTE, 0, false).remaining, 10, "to nothing at the least");
	ask(&resource, &limit, SOME_NOON + 61 * MINUTE, 8);
	expect(!give_back(&resource, &limit, SOME_NOON + 62 * MINUTE, SOME_NOON + HOUR - 1, 5, false),
		   "what was taken in another window is not of this one");

	forget(&resource);
	calendar.start = SOME_NOON - 3 * DAY;
	ask(&resource, &calendar, SOME_NOON, 8);
	expect_int(peek(&resource, &calendar, SOME_NOON, 0, false).reset_at, calendar.start + 30 * DAY,
			   "a window of the calendar ends when told");
	expect(give_back(&resource, &calendar, SOME_NOON + DAY, SOME_NOON, 5, false), "and gives back until then");
	calendar.start += 30 * DAY;
	calendar.period = 31 * DAY;
	expect_int(peek(&resource, &calendar, calendar.start, 0, false).remaining, 10, "the next one is empty");
	expect_int(peek(&resource, &limit, SOME_NOON + DAY, 0, false).remaining, 7,
			   "from the calendar to the clock, what is counted stays");
}

static void
example_of_adaptive(void)
{
	IdemRateLimit limit = limit_of(IDEM_ADAPTIVE, 200, HOUR);

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 140);
	ask_as(&resource, &limit, SOME_NOON, 60, true);
	expect(!ask(&resource, &limit, SOME_NOON + SECOND, 1).is_allowed, "both pools are used up");
	expect(give_back(&resource, &limit, SOME_NOON + SECOND, SOME_NOON, 10, true), "users give back");
	expect(!ask(&resource, &limit, SOME_NOON + SECOND, 1).is_allowed, "to users");
	expect(ask_as(&resource, &limit, SOME_NOON + SECOND, 10, true).is_allowed, "who get it");
}

static void
one_round(int64 round, IdemRateAlgorithm algorithm)
{
	IdemRateLimit limit;
	int64		now;
	int64		gap;
	int64		i;

	start_round(round);
	limit = limit_of(algorithm, magnitude_between(1, 3000), magnitude_between(100, DAY));
	limit.burst = algorithm == IDEM_TOKEN_BUCKET ? magnitude_between(1, 3000) : limit.quota;
	gap = Max(limit.period / limit.quota, 1) * between(20, 400) / 100;
	now = between(-1000, 1000) * 100 * DAY;
	forget(&resource);
	ngrants = 0;
	for (i = 0; i < 1500; i++)
	{
		Grant	   *grant = &grants[ngrants];

		next_step();
		now += one_in(100) ? below(2 * limit.period) : below(2 * gap + 1);
		grant->at = now;
		grant->cost = one_in(4) ? between(1, Max(limit.burst / 3, 1)) : between(1, 3);
		grant->used = one_in(3) ? grant->cost : below(grant->cost + 1);
		grant->is_user = algorithm == IDEM_ADAPTIVE && one_in(2);
		grant->is_settled = false;
		if (ask_as(&resource, &limit, now, grant->cost, grant->is_user).is_allowed)
			ngrants++;
		settle_some(&limit, now);
	}
	if (algorithm == IDEM_TOKEN_BUCKET)
		check_spans(&limit);
	else
		check_windows(&limit);
}

/* Soon, late, or never. */
static void
settle_some(const IdemRateLimit *limit, int64 now)
{
	int			i;

	for (i = Max(ngrants - 100, 0); i < ngrants; i++)
	{
		Grant	   *grant = &grants[i];
		bool		is_given;
		int64		before;

		if (grant->is_settled || !one_in(10))
			continue;
		grant->is_settled = true;
		before = peek(&resource, limit, now, 0, grant->is_user).remaining;
		is_given = give_back(&resource, limit, now, grant->at, grant->cost - grant->used,
							 grant->is_user);
		HOLDS(&gives_what_is_there, peek(&resource, limit, now, 0, grant->is_user).remaining - before <=
			  (is_given ? grant->cost - grant->used : 0));
		if (limit->algorithm != IDEM_FIXED_WINDOW)
			HOLDS(&nothing_from_outside, !is_given || now < grant->at + limit->period);
	}
}

static void
check_windows(const IdemRateLimit *limit)
{
	int			first = 0;
	int64		sum = 0;
	int			i;

	for (i = 0; i < ngrants; i++)
	{
		sum += grants[i].used;
		if (limit->algorithm == IDEM_FIXED_WINDOW)
		{
			int64		start = grants[i].at - ((grants[i].at + 10957 * DAY) % limit->period + limit->period) % limit->period;

			while (grants[first].at < start)
				sum -= grants[first++].used;
		}
		while (grants[first].at <= grants[i].at - limit->period)
			sum -= grants[first++].used;
		HOLDS(&never_over_quota, sum <= limit->quota);
	}
}

/* of any length: the largest is found as the bucket itself does */
static void
check_spans(const IdemRateLimit *limit)
{
	int128		missing = 0;
	int			i;

	for (i = 0; i < ngrants; i++)
	{
		if (i > 0)
			missing -= Min(missing, ((int128) grants[i].at - grants[i - 1].at) * limit->quota);
		missing += (int128) grants[i].used * limit->period;
		HOLDS(&never_over_burst, missing <= (int128) limit->burst * limit->period);
	}
}

/* How much is let in, beside an exact log that is asked and settled the same. */
static void
compared_round(int64 round)
{
	static ExactLog exact;
	IdemRateLimit limit;
	int64		now = SOME_NOON;
	int64		let_in = 0;
	int64		exactly = 0;
	int64		i;

	start_round(round);
	limit = limit_of(IDEM_SLIDING_WINDOW, magnitude_between(100, 3000), magnitude_between(SECOND, DAY));
	forget(&resource);
	exact_clear(&exact);
	for (i = 0; i < 10000; i++)
	{
		int64		cost = between(1, 5);
		int64		unused = one_in(3) ? below(cost + 1) : 0;

		next_step();
		now += below(limit.period / limit.quota * 5);
		if (ask(&resource, &limit, now, cost).is_allowed)
		{
			let_in += cost - unused;
			give_back(&resource, &limit, now, now, unused, false);
		}
		exact_drop(&exact, now - limit.period);
		if (exact_count(&exact, now - limit.period) + cost <= limit.quota)
		{
			exact_add(&exact, now, cost);
			exactly += cost - unused;
			refund_exactly(&exact, now, limit.period, now, unused);
		}
	}
	HOLDS(&much_is_let_in, let_in * 100 >= exactly * 98);
}

static void
refund_exactly(ExactLog *log, int64 now, int64 window, int64 taken_at, int64 cost)
{
	int			i;

	if (taken_at <= now - window)
		return;
	for (i = log->first; i < log->end && cost > 0; i++)
	{
		int64		given = Min(log->cost[i], cost);

		log->cost[i] -= given;
		cost -= given;
	}
}
