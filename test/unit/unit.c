/*
 * unit.c
 *		What the unit tests share.
 */
#include "unit.h"

#undef printf
#undef vprintf
#undef vsnprintf
#include <stdio.h>

Property	survives_encoding = {"every state comes back from its bytes as it was"};
int64		steps_done = 0;

static int	tests_run = 0;
static int	tests_failed = 0;
static uint64 random_state = 0;
static int64 current_round = 0;
static int64 current_step = 0;

static void keep(Resource *resource);
static void load(const Resource *resource, IdemRateState *state);
static bool is_same(const IdemRateState *a, const IdemRateState *b);
static bool is_same_log(const IdemRunLog *a, const IdemRunLog *b);
static bool is_same_adaptive(const IdemAdaptiveState *a, const IdemAdaptiveState *b);

/* ---- TAP ---- */

void
expect(bool is_passed, const char *name,...)
{
	va_list		args;

	tests_run++;
	tests_failed += !is_passed;
	printf("%sok %d - ", is_passed ? "" : "not ", tests_run);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void
expect_int(int64 got, int64 expected, const char *name)
{
	expect(got == expected, "%s", name);
	if (got != expected)
		diag("got %lld, expected %lld", (long long) got, (long long) expected);
}

void
diag(const char *format,...)
{
	va_list		args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

int
done_testing(void)
{
	printf("1..%d\n", tests_run);
	return tests_failed > 0;
}

void
violate(Property *property, const char *condition)
{
	property->failed++;
	if (property->failed == 1)
		diag("%s: round %lld, step %lld: %s", property->name,
			 (long long) current_round, (long long) current_step, condition);
}

void
report(Property *property)
{
	expect(property->checked > 0 && property->failed == 0, "%s", property->name);
	diag("%lld times, %lld failed", (long long) property->checked,
		 (long long) property->failed);
}

/* ---- random numbers ---- */

int64
rounds(int64 n)
{
	const char *factor = getenv("UNIT_ROUNDS");

	return factor ? n * atoll(factor) : n;
}

/* A round depends on its number alone, so that it can be repeated. */
void
start_round(int64 round)
{
	const char *seed = getenv("UNIT_SEED");

	current_round = round + (seed ? atoll(seed) : 0);
	current_step = 0;
	random_state = (uint64) current_round;
}

void
next_step(void)
{
	current_step++;
	steps_done++;
}

/* splitmix64 */
uint64
random_bits(void)
{
	uint64		bits = (random_state += UINT64CONST(0x9E3779B97F4A7C15));

	bits = (bits ^ (bits >> 30)) * UINT64CONST(0xBF58476D1CE4E5B9);
	bits = (bits ^ (bits >> 27)) * UINT64CONST(0x94D049BB133111EB);
	return bits ^ (bits >> 31);
}

int64
below(int64 n)
{
	return n <= 1 ? 0 : (int64) (random_bits() % (uint64) n);
}

bool
one_in(int n)
{
	return below(n) == 0;
}

int64
between(int64 low, int64 high)
{
	return low + below(high - low + 1);
}

/* A power of two, and then a number up to the next one. */
int64
magnitude_between(int64 low, int64 high)
{
	int64		result;
	int			least = 0;
	int			most = 0;

	while (low >> least > 1)
		least++;
	while (high >> most > 1)
		most++;
	do
	{
		int			bits = (int) between(least, most);

		result = (INT64CONST(1) << bits) + below(INT64CONST(1) << bits);
	} while (result < low || result > high);
	return result;
}

/* ---- a resource ---- */

void
forget(Resource *resource)
{
	resource->state.algorithm = IDEM_RATE_NOTHING;
	keep(resource);
}

IdemRateVerdict
ask(Resource *resource, const IdemRateLimit *limit, int64 now, int64 cost)
{
	return ask_as(resource, limit, now, cost, false);
}

IdemRateVerdict
ask_as(Resource *resource, const IdemRateLimit *limit, int64 now, int64 cost,
	   bool is_user)
{
	IdemRateRequest request = {now, cost, is_user};
	IdemRateVerdict verdict;

	load(resource, &resource->state);
	resource->is_kept = idem_ratemath_settle(&resource->state, limit, now);
	idem_ratemath_decide(&resource->state, limit, &request, &verdict);
	if (verdict.is_allowed && cost > 0)
	{
		idem_ratemath_record(&resource->state, limit, &request);
		resource->is_kept = true;
	}
	if (resource->is_kept)
		keep(resource);
	return verdict;
}

void
force(Resource *resource, const IdemRateLimit *limit, int64 now, int64 cost,
	  bool is_user)
{
	IdemRateRequest request = {now, cost, is_user};

	load(resource, &resource->state);
	idem_ratemath_settle(&resource->state, limit, now);
	idem_ratemath_force(&resource->state, limit, &request);
	resource->is_kept = true;
	keep(resource);
}

bool
give_back(Resource *resource, const IdemRateLimit *limit, int64 now, int64 taken_at,
		  int64 cost, bool is_user)
{
	IdemRateRefund refund = {now, taken_at, cost, is_user};
	bool		is_given;

	load(resource, &resource->state);
	resource->is_kept = idem_ratemath_settle(&resource->state, limit, now);
	is_given = idem_ratemath_refund(&resource->state, &refund);
	resource->is_kept |= is_given;
	if (resource->is_kept)
		keep(resource);
	return is_given;
}

IdemRateVerdict
peek(const Resource *resource, const IdemRateLimit *limit, int64 now, int64 cost,
	 bool is_user)
{
	IdemRateRequest request = {now, cost, is_user};
	IdemRateVerdict verdict;
	IdemRateState state;

	load(resource, &state);
	idem_ratemath_settle(&state, limit, now);
	idem_ratemath_decide(&state, limit, &request, &verdict);
	return verdict;
}

/*
 * The same bytes must come out whatever was in their place, none behind their
 * end may be touched, and the state must come back from them.
 */
static void
keep(Resource *resource)
{
	static char twice[IDEM_RATE_MAX_ENCODED_SIZE + 8];
	static IdemRateState copy;
	Size		size;

	memset(twice, 0x5A, sizeof(twice));
	size = idem_ratemath_encode(&resource->state, twice);
	HOLDS(&survives_encoding, size <= IDEM_RATE_MAX_ENCODED_SIZE);
	HOLDS(&survives_encoding, twice[size] == 0x5A);
	resource->size = idem_ratemath_encode(&resource->state, resource->bytes);
	HOLDS(&survives_encoding, resource->size == size);
	HOLDS(&survives_encoding, memcmp(resource->bytes, twice, size) == 0);
	HOLDS(&survives_encoding, idem_ratemath_is_sound(twice, size));
	HOLDS(&survives_encoding, !idem_ratemath_is_sound(twice, size - 1));
	idem_ratemath_decode(&copy, twice);
	HOLDS(&survives_encoding, is_same(&copy, &resource->state));
}

/* An odd address and a dirty struct must not matter. */
static void
load(const Resource *resource, IdemRateState *state)
{
	static char shifted[IDEM_RATE_MAX_ENCODED_SIZE + 1];

	memcpy(shifted + 1, resource->bytes, resource->size);
	memset(state, 0xA5, sizeof(IdemRateState));
	idem_ratemath_decode(state, shifted + 1);
}

static bool
is_same(const IdemRateState *a, const IdemRateState *b)
{
	if (a->algorithm != b->algorithm)
		return false;
	switch (a->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			return is_same_log(&a->as.log, &b->as.log);
		case IDEM_TOKEN_BUCKET:
			return a->as.bucket.last == b->as.bucket.last &&
				a->as.bucket.refill == b->as.bucket.refill &&
				a->as.bucket.period == b->as.bucket.period &&
				a->as.bucket.missing == b->as.bucket.missing;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			return a->as.fixed.start == b->as.fixed.start &&
				a->as.fixed.period == b->as.fixed.period &&
				a->as.fixed.count == b->as.fixed.count;
		case IDEM_ADAPTIVE:
			return is_same_adaptive(&a->as.adaptive, &b->as.adaptive);
		case IDEM_RATE_NOTHING:
			break;
	}
	return true;
}

static bool
is_same_log(const IdemRunLog *a, const IdemRunLog *b)
{
	return a->window == b->window && a->length == b->length &&
		memcmp(a->at, b->at, a->length * sizeof(int64)) == 0 &&
		memcmp(a->count, b->count, a->length * sizeof(int64)) == 0;
}

static bool
is_same_adaptive(const IdemAdaptiveState *a, const IdemAdaptiveState *b)
{
	return is_same_log(&a->user, &b->user) &&
		is_same_log(&a->background, &b->background) &&
		is_same_log(&a->activity, &b->activity) &&
		a->has_user == b->has_user && a->last_user == b->last_user &&
		a->last == b->last &&
		a->recalculate_at == b->recalculate_at &&
		a->user_reserved == b->user_reserved &&
		a->background_max == b->background_max &&
		a->background_paused == b->background_paused && a->reason == b->reason;
}

/* The defaults of an adaptive limit are those of the contract. */
IdemRateLimit
limit_of(IdemRateAlgorithm algorithm, int64 quota, int64 period)
{
	IdemRateLimit limit = {algorithm, quota, period, quota};

	limit.adaptive.monitoring_window = 15 * MINUTE;
	limit.adaptive.high_threshold = 10;
	limit.adaptive.moderate_threshold = 3;
	limit.adaptive.recalculation_interval = 30 * SECOND;
	limit.adaptive.sustained_inactivity = 30 * MINUTE;
	limit.adaptive.pauses_background = true;
	limit.adaptive.max_user_scaling = 2.0;
	limit.adaptive.min_user_reserved = 5;
	return limit;
}
