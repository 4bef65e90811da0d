/*
 * huge_test.c
 *		The ends of every range: quotas, costs, periods, instants, bytes.
 */
#include "unit.h"

#define HUGE			PG_INT64_MAX
#define LARGEST_COST	INT64CONST(2147483647)

/* the first and the last microsecond of a timestamptz */
#define FIRST_INSTANT	INT64CONST(-211813488000000000)
#define LAST_INSTANT	INT64CONST(9223371331199999999)

static Property survives_garbage = {"bytes that anybody made up do no harm"};

static void huge_quota(void);
static void largest_costs(void);
static void ends_of_time(int64 now, const char *name);
static void huge_bucket(void);
static void huge_fixed(void);
static void huge_adaptive(void);
static void sizes(void);
static void units(void);
static void garbage(int64 round);

int
main(void)
{
	int64		i;

	huge_quota();
	largest_costs();
	ends_of_time(FIRST_INSTANT + TEN_YEARS, "the first instants");
	ends_of_time(-1, "the last microsecond of 1999");
	ends_of_time(LAST_INSTANT, "the last instant");
	huge_bucket();
	huge_fixed();
	huge_adaptive();
	sizes();
	units();
	for (i = 0; i < rounds(20000); i++)
		garbage(10000000 + i);
	report(&survives_garbage);
	report(&survives_encoding);
	return done_testing();
}

static void
huge_quota(void)
{
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, HUGE, TEN_YEARS);
	Resource	resource;
	IdemRateVerdict verdict;

	forget(&resource);
	expect(ask(&resource, &limit, SOME_NOON, HUGE - 1).is_allowed, "sliding: a huge cost passes");
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 1, "and leaves one");
	force(&resource, &limit, SOME_NOON, HUGE, false);
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 0, "no sum overflows");

	limit.period = HOUR;
	forget(&resource);
	force(&resource, &limit, SOME_NOON, HUGE, false);
	force(&resource, &limit, SOME_NOON + SECOND, HUGE, false);
	force(&resource, &limit, SOME_NOON + 2 * SECOND, 5, false);
	verdict = peek(&resource, &limit, SOME_NOON + 3 * SECOND, 1, false);
	expect_int(verdict.retry_after, HOUR - 2 * SECOND, "a sum beyond the range is waited for in full");
	verdict = peek(&resource, &limit, SOME_NOON + HOUR, 1, false);
	expect(!verdict.is_allowed, "since one of two huge runs still fills it");
	expect_int(peek(&resource, &limit, SOME_NOON + HOUR + SECOND, 0, false).remaining, HUGE - 5,
			   "and when both have left it is free");
}

static void
largest_costs(void)
{
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, 64 * LARGEST_COST, HOUR);
	Resource	resource;
	int			i;

	forget(&resource);
	for (i = 0; i < 64; i++)
		ask(&resource, &limit, SOME_NOON + i * SECOND, LARGEST_COST);
	expect_int(resource.state.as.log.length, 64, "64 requests of the largest cost are 64 runs");
	expect_int(peek(&resource, &limit, SOME_NOON + 2 * MINUTE, 0, false).remaining, 0,
			   "which fill the quota");
	expect_int(peek(&resource, &limit, SOME_NOON + 2 * MINUTE, 2 * LARGEST_COST + 1, false).retry_after,
			   HOUR - 2 * MINUTE + 2 * SECOND, "three must leave for more than two");
	forget(&resource);
	for (i = 0; i < 3; i++)
		ask(&resource, &limit, SOME_NOON, LARGEST_COST);
	expect_int(resource.state.as.log.count[0], 3 * LARGEST_COST, "a run may exceed 32 bits");
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 61 * LARGEST_COST,
			   "and is not cut");
}

static void
ends_of_time(int64 now, const char *name)
{
	IdemRateAlgorithm algorithm;

	for (algorithm = IDEM_SLIDING_WINDOW; algorithm <= IDEM_ADAPTIVE; algorithm++)
	{
		IdemRateLimit limit = limit_of(algorithm, 4, TEN_YEARS);
		bool		is_passed = true;
		Resource	resource;
		IdemRateVerdict verdict;

		limit.adaptive.min_user_reserved = 4;
		forget(&resource);
		is_passed &= ask_as(&resource, &limit, now - 2, 1, true).is_allowed;
		is_passed &= ask_as(&resource, &limit, now - 1, 3, true).is_allowed;
		verdict = ask_as(&resource, &limit, now, 1, true);
		is_passed &= !verdict.is_allowed && verdict.reset_at > now;
		is_passed &= verdict.retry_after > 0 && verdict.retry_after <= TEN_YEARS + MINUTE;
		is_passed &= verdict.remaining == 0;
		is_passed &= idem_ratemath_expires_at(&resource.state) > now;
		expect(is_passed, "algorithm %d for ten years at %s", algorithm, name);
	}
}

static void
huge_bucket(void)
{
	IdemRateLimit limit = limit_of(IDEM_TOKEN_BUCKET, HUGE, TEN_YEARS);
	Resource	resource;
	IdemRateVerdict verdict;

	forget(&resource);
	expect(ask(&resource, &limit, SOME_NOON, HUGE - 1).is_allowed, "bucket: a huge cost passes");
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 1, "and leaves one");
	expect_int(peek(&resource, &limit, SOME_NOON, HUGE, false).reset_at, SOME_NOON + TEN_YEARS,
			   "it is full in a period");
	force(&resource, &limit, SOME_NOON, HUGE, false);
	verdict = peek(&resource, &limit, SOME_NOON, 1, false);
	expect(!verdict.is_allowed && verdict.remaining == 0, "no debt overflows");
	expect_int(verdict.retry_after, 1, "and is paid off at the quota's pace");

	limit = limit_of(IDEM_TOKEN_BUCKET, 1, TEN_YEARS);
	limit.burst = HUGE;
	forget(&resource);
	expect(ask(&resource, &limit, SOME_NOON, HUGE).is_allowed, "a huge burst passes");
	verdict = peek(&resource, &limit, SOME_NOON, HUGE, false);
	expect_int(verdict.retry_after, INT64CONST(1) << 60, "a wait is at most 36,000 years");
	expect_int(verdict.reset_at, SOME_NOON + (INT64CONST(1) << 60), "so that it ends at an instant");
	expect_int(peek(&resource, &limit, SOME_NOON + TEN_YEARS, 0, false).remaining, 1,
			   "a token comes in ten years");
	limit.period = 1;
	expect_int(peek(&resource, &limit, SOME_NOON + TEN_YEARS, 0, false).remaining, 1,
			   "a period of a microsecond changes nothing now");
	limit = limit_of(IDEM_TOKEN_BUCKET, HUGE, 1);
	expect(peek(&resource, &limit, LAST_INSTANT, HUGE, false).retry_after <= 1,
		   "and then all comes at once");
	limit = limit_of(IDEM_TOKEN_BUCKET, 0, HOUR);
	forget(&resource);
	force(&resource, &limit, SOME_NOON, 2, false);
	expect_int(idem_ratemath_expires_at(&resource.state), SOME_NOON + 2 * HOUR,
			   "what was forced into a quota of 0 ends some day");
}

static void
huge_fixed(void)
{
	IdemRateLimit limit = limit_of(IDEM_FIXED_WINDOW, HUGE, TEN_YEARS);
	Resource	resource;

	forget(&resource);
	expect(ask(&resource, &limit, SOME_NOON, HUGE - 1).is_allowed, "fixed: a huge cost passes");
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 1, "and leaves one");
	force(&resource, &limit, SOME_NOON, HUGE, false);
	expect_int(peek(&resource, &limit, SOME_NOON, 0, false).remaining, 0, "no count overflows");
}

static void
huge_adaptive(void)
{
	IdemRateLimit limit = limit_of(IDEM_ADAPTIVE, HUGE, TEN_YEARS);
	const IdemAdaptiveState *state;
	Resource	resource;
	int64		user = INT64CONST(2767011611056432742);
	int			i;

	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 0);
	state = &resource.state.as.adaptive;
	expect(state->user_reserved == user && state->background_max == HUGE - user,
		   "adaptive: three tenths of a huge quota are exact");
	force(&resource, &limit, SOME_NOON, HUGE, false);
	force(&resource, &limit, SOME_NOON, HUGE, true);
	expect_int(peek(&resource, &limit, SOME_NOON, 0, true).remaining, 0, "no sum overflows");
	limit.adaptive.max_user_scaling = 1e300;
	for (i = 0; i < 20; i++)
		force(&resource, &limit, SOME_NOON + i, HUGE, true);
	ask(&resource, &limit, SOME_NOON + MINUTE, 0);
	expect(state->user_reserved == INT64CONST(8301034833169298226),
		   "nine tenths of a huge quota bound any scaling");
	limit.quota = 100;
	limit.adaptive.max_user_scaling = -1e300;
	ask(&resource, &limit, SOME_NOON + 2 * MINUTE, 0);
	expect(state->user_reserved == 0 && state->background_max == 100, "and none is below 0");
}

/* An algorithm, 18 bytes before the runs, and 8 or 12 for each in the room. */
static void
sizes(void)
{
	static const int rooms[][2] = {{1, 4}, {4, 4}, {5, 8}, {8, 8}, {9, 16}, {16, 16},
	{17, 32}, {32, 32}, {33, 64}, {64, 64}, {200, 64}};
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, HUGE, HOUR);
	Resource	resource;
	int			i;
	int			j;

	for (i = 0; i < lengthof(rooms); i++)
	{
		forget(&resource);
		for (j = 0; j < rooms[i][0]; j++)
			ask(&resource, &limit, SOME_NOON + j * SECOND, 1);
		expect(resource.size == 19 + 8 * rooms[i][1], "%d requests take room for %d runs",
			   rooms[i][0], rooms[i][1]);
	}
	force(&resource, &limit, SOME_NOON + 2 * HOUR, INT64CONST(1) << 32, false);
	expect_int(resource.size, 19 + 12 * 4, "a count beyond 32 bits widens all");

	limit = limit_of(IDEM_ADAPTIVE, HUGE, HOUR);
	forget(&resource);
	for (i = 0; i < 400; i++)
		force(&resource, &limit, SOME_NOON + i * SECOND, INT64CONST(1) << 32, i % 2 == 0);
	expect_int(resource.size, 1 + 51 + 2 * (18 + 12 * 64) + 18 + 8 * 64,
			   "an adaptive state takes three logs");
	expect(resource.size <= IDEM_RATE_MAX_ENCODED_SIZE, "which fit");
}

/* 2^32 - 1 µs are the longest window in microseconds. */
static void
units(void)
{
	IdemRateLimit limit = limit_of(IDEM_SLIDING_WINDOW, 1, INT64CONST(4294967295));
	Resource	resource;

	forget(&resource);
	ask(&resource, &limit, 1, 1);
	expect_int(peek(&resource, &limit, 2, 1, false).retry_after, limit.period - 1,
			   "up to 71 minutes a wait is exact");
	limit.period++;
	forget(&resource);
	ask(&resource, &limit, 1, 1);
	expect_int(peek(&resource, &limit, 2, 1, false).retry_after, limit.period,
			   "then in units of two microseconds, rounded up");
	limit.period = TEN_YEARS;
	forget(&resource);
	ask(&resource, &limit, 1, 1);
	expect_int(peek(&resource, &limit, 2, 1, false).retry_after, limit.period + 131072 - 2,
			   "and an eighth of a second for ten years");
}

/* Honest bytes with some changed, or none honest at all. */
static void
garbage(int64 round)
{
	IdemRateRequest request;
	IdemRateVerdict verdict;
	IdemRateLimit limit;
	Resource	resource;
	char	   *bytes;
	Size		size;
	int			i;

	start_round(round);
	limit = limit_of((IdemRateAlgorithm) between(IDEM_SLIDING_WINDOW, IDEM_ADAPTIVE),
					 magnitude_between(1, 100000), magnitude_between(1000, TEN_YEARS));
	forget(&resource);
	for (i = (int) below(100); i > 0; i--)
		force(&resource, &limit, SOME_NOON - i * SECOND, one_in(20) ? HUGE : 1, one_in(2));
	for (i = (int) below(one_in(2) ? 4 : 100); i > 0; i--)
		resource.bytes[below(one_in(2) ? 40 : resource.size)] = (char) random_bits();
	if (one_in(4))
		resource.size = below(resource.size);
	if (one_in(4))
		limit.algorithm = (IdemRateAlgorithm) between(IDEM_SLIDING_WINDOW, IDEM_ADAPTIVE);

	/* of its own, so that a sanitizer sees its end */
	size = resource.size;
	bytes = malloc(Max(size, 1));
	memcpy(bytes, resource.bytes, size);
	if (idem_ratemath_is_sound(bytes, size))
	{
		idem_ratemath_decode(&resource.state, bytes);
		request.now = SOME_NOON;
		request.cost = 1;
		request.is_user = one_in(2);
		idem_ratemath_settle(&resource.state, &limit, request.now);
		idem_ratemath_decide(&resource.state, &limit, &request, &verdict);
		idem_ratemath_record(&resource.state, &limit, &request);
		idem_ratemath_expires_at(&resource.state);
		HOLDS(&survives_garbage, idem_ratemath_encode(&resource.state, resource.bytes) <=
			  IDEM_RATE_MAX_ENCODED_SIZE);
	}
	free(bytes);
}
