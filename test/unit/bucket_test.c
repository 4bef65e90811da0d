/*
 * bucket_test.c
 *		The token bucket against GCRA in fractions that are never rounded.
 *
 * The model keeps the theoretical arrival time in microseconds times the quota.
 */
#include "unit.h"

typedef struct Model
{
	int128		full_at;		/* times the quota */
	int64		last;			/* when it was last written */
} Model;

static Property decides_alike = {"it decides as exact GCRA does"};
static Property figures_alike = {"its figures are those of exact GCRA"};
static Property retry_is_enough = {"after retry_after the request is allowed"};
static Property retry_is_needed = {"a microsecond before, it is not"};
static Property reset_is_right = {"at reset_at the bucket is full, and not before"};
static Property writes_little = {"a denied request writes nothing unless the clock was set back"};

static void examples(void);
static void example_of_change(void);
static void one_round(int64 round);
static void compare(const Model *model, const IdemRateLimit *limit, int64 now,
					int64 cost, const IdemRateVerdict *verdict);
static void judge_waits(const Resource *resource, const IdemRateLimit *limit,
						int64 now, int64 cost, const IdemRateVerdict *verdict);
static int128 times(int64 a, int64 b);
static int128 divide_up(int128 a, int128 b);

int
main(void)
{
	int64		i;

	examples();
	example_of_change();
	for (i = 0; i < rounds(400); i++)
		one_round(4000000 + i);
	report(&decides_alike);
	report(&figures_alike);
	report(&retry_is_enough);
	report(&retry_is_needed);
	report(&reset_is_right);
	report(&writes_little);
	report(&survives_encoding);
	diag("%lld steps", (long long) steps_done);
	return done_testing();
}

/* Three tokens a second do not divide it: a token takes 333,333 1/3 µs. */
static void
examples(void)
{
	IdemRateLimit limit = limit_of(IDEM_TOKEN_BUCKET, 3, SECOND);
	Resource	resource;
	IdemRateVerdict verdict;

	forget(&resource);
	verdict = ask(&resource, &limit, SOME_NOON, 1);
	expect(verdict.is_allowed && verdict.remaining == 3, "a new bucket is full");
	expect_int(verdict.reset_at, SOME_NOON, "and has nothing to wait for");
	ask(&resource, &limit, SOME_NOON, 1);
	verdict = ask(&resource, &limit, SOME_NOON, 1);
	expect(verdict.is_allowed, "the whole burst passes at one instant");
	verdict = ask(&resource, &limit, SOME_NOON, 1);
	expect(!verdict.is_allowed && verdict.reason == IDEM_RATE_QUOTA, "one more does not");
	expect_int(verdict.remaining, 0, "since nothing remains");
	expect_int(verdict.retry_after, 333334, "until the next token, rounded up");
	expect_int(verdict.reset_at, SOME_NOON + SECOND, "and a period until it is full");
	expect_int(peek(&resource, &limit, SOME_NOON + 333333, 1, false).remaining, 0,
			   "a token begun is none");
	expect_int(peek(&resource, &limit, SOME_NOON + 333334, 1, false).remaining, 1,
			   "a token made is one");
	verdict = peek(&resource, &limit, SOME_NOON, 4, false);
	expect(verdict.reason == IDEM_RATE_COST_EXCEEDS_QUOTA &&
		   verdict.retry_after == IDEM_RATE_NEVER, "a cost above the burst never passes");
	expect_int(idem_ratemath_expires_at(&resource.state), SOME_NOON + SECOND,
			   "a full bucket says nothing");

	force(&resource, &limit, SOME_NOON, 3, false);
	verdict = peek(&resource, &limit, SOME_NOON, 1, false);
	expect_int(verdict.retry_after, 1333334, "a debt is waited for");
	expect_int(verdict.remaining, 0, "with a debt, nothing remains");

	limit.burst = 10;
	forget(&resource);
	verdict = ask(&resource, &limit, SOME_NOON, 10);
	expect(verdict.is_allowed && verdict.remaining == 10 && verdict.quota == 3,
		   "the burst may be more than the quota");
	expect_int(peek(&resource, &limit, SOME_NOON, 10, false).retry_after, 3333334,
			   "and comes back at the quota's pace");

	limit.quota = 0;
	verdict = peek(&resource, &limit, SOME_NOON, 1, false);
	expect(verdict.reason == IDEM_RATE_QUOTA_ZERO && verdict.retry_after == SECOND,
		   "a quota of 0 lets nothing in");
}

/* What is taken stays taken, in tokens. */
static void
example_of_change(void)
{
	IdemRateLimit limit = limit_of(IDEM_TOKEN_BUCKET, 100, HOUR);
	Resource	resource;

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 60);
	limit.period = SECOND;
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 40,
			   "another period takes no token");
	expect(!ask(&resource, &limit, SOME_NOON, 41).is_allowed && resource.is_kept,
		   "a change of the limit is written even if the request is denied");
	expect_int(peek(&resource, &limit, SOME_NOON, 41, false).retry_after, 10000,
			   "and from then on tokens come at the new pace");
	limit.quota = 200;
	limit.burst = 200;
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 140,
			   "another quota takes no token");
}

static void
one_round(int64 round)
{
	IdemRateLimit limit;
	Resource	resource;
	Model		model;
	int64		now;
	int64		i;

	start_round(round);
	limit = limit_of(IDEM_TOKEN_BUCKET, magnitude_between(1, one_in(4) ? PG_INT64_MAX / 2 : 10000),
					 magnitude_between(1, TEN_YEARS));
	if (one_in(2))
		limit.burst = magnitude_between(1, Min(limit.quota, PG_INT64_MAX / 8) * 4);
	now = between(-1000, 1000) * 100 * DAY + below(DAY);
	forget(&resource);
	model.last = now;
	model.full_at = times(now, limit.quota);

	for (i = 0; i < 1000; i++)
	{
		int64		cost = one_in(4) ? magnitude_between(1, limit.burst) : between(0, Min(limit.burst, 9));
		int64		gap = (int64) (Min((double) limit.period / limit.quota * Max(cost, 1), 1e15));
		bool		is_set_back = one_in(40);
		bool		is_forced = one_in(40);
		IdemRateVerdict verdict;

		next_step();
		now += is_set_back ? -magnitude_between(1, 4 * limit.period) : below(2 * gap + 2);
		is_set_back = now < model.last;
		if (is_set_back)
			model.full_at -= times(model.last - now, limit.quota);
		verdict = is_forced ? peek(&resource, &limit, now, cost, false) :
			ask(&resource, &limit, now, cost);
		compare(&model, &limit, now, cost, &verdict);
		if (is_forced)
			force(&resource, &limit, now, cost, false);
		else if (!verdict.is_allowed && !is_set_back)
			HOLDS(&writes_little, !resource.is_kept);
		if (is_forced || resource.is_kept)
			model.last = now;
		else if (is_set_back)
			model.full_at += times(model.last - now, limit.quota);
		if (cost > 0 && (is_forced || verdict.is_allowed))
			model.full_at = Max(model.full_at, times(now, limit.quota)) +
				times(cost, limit.period);
		else if (!verdict.is_allowed)
			judge_waits(&resource, &limit, now, cost, &verdict);
	}
}

static void
compare(const Model *model, const IdemRateLimit *limit, int64 now, int64 cost,
		const IdemRateVerdict *verdict)
{
	int128		instant = times(now, limit->quota);
	int128		from = Max(model->full_at, instant);
	int128		beyond = from + times(cost, limit->period) - instant -
	times(limit->burst, limit->period);
	int128		left = instant + times(limit->burst, limit->period) - from;

	HOLDS(&decides_alike, verdict->is_allowed == (beyond <= 0));
	HOLDS(&figures_alike, verdict->remaining == Max(left / limit->period, 0));
	HOLDS(&figures_alike, verdict->reset_at ==
		  now + Min(divide_up(from - instant, limit->quota), INT64CONST(1) << 60));
	if (cost <= limit->burst)
		HOLDS(&figures_alike, verdict->retry_after ==
			  Min(divide_up(Max(beyond, 0), limit->quota), INT64CONST(1) << 60));
}

static void
judge_waits(const Resource *resource, const IdemRateLimit *limit, int64 now,
			int64 cost, const IdemRateVerdict *verdict)
{
	if (verdict->retry_after > 100 * TEN_YEARS)
		return;
	HOLDS(&retry_is_enough,
		  peek(resource, limit, now + verdict->retry_after, cost, false).is_allowed);
	HOLDS(&retry_is_needed,
		  !peek(resource, limit, now + verdict->retry_after - 1, cost, false).is_allowed);
	if (verdict->reset_at - now > 100 * TEN_YEARS)
		return;
	HOLDS(&reset_is_right,
		  peek(resource, limit, verdict->reset_at, limit->burst, false).is_allowed);
	HOLDS(&reset_is_right,
		  !peek(resource, limit, verdict->reset_at - 1, limit->burst, false).is_allowed);
}

static int128
times(int64 a, int64 b)
{
	return (int128) a * b;
}

static int128
divide_up(int128 a, int128 b)
{
	return (a + b - 1) / b;
}
