/*
 * adaptive_test.c
 *		The adaptive limit by example: the defaults of the contract, a quota of
 *		200 an hour, with every figure worked out by hand.
 */
#include "unit.h"

static IdemRateLimit limit;
static Resource resource;

static void quiet_splits(void);
static void low_splits(void);
static void moderate_splits(void);
static void high_splits(void);
static void edges_of_thirds(void);
static void odd_settings(void);
static void pause(void);
static void recalculation(void);
static void pools(void);
static void impossible(void);
static void forgetting(void);
static void coming_back(void);
static void clock_set_back(void);
static void users_came(int oldest, int middle, int newest);
static void expect_split(int64 user, int64 background, IdemSplitReason reason,
						 const char *name);

int
main(void)
{
	limit = limit_of(IDEM_ADAPTIVE, 200, HOUR);
	quiet_splits();
	low_splits();
	moderate_splits();
	high_splits();
	edges_of_thirds();
	odd_settings();
	pause();
	recalculation();
	pools();
	impossible();
	forgetting();
	coming_back();
	clock_set_back();
	report(&survives_encoding);
	return done_testing();
}

static void
quiet_splits(void)
{
	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(60, 140, IDEM_SPLIT_INITIAL, "nothing ever: three tenths for users");

	forget(&resource);
	ask(&resource, &limit, SOME_NOON - MINUTE, 1);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(5, 195, IDEM_SPLIT_NO_USER_ACTIVITY_YET, "no user yet: the least reserve");

	forget(&resource);
	force(&resource, &limit, SOME_NOON, 1, false);
	expect_split(5, 195, IDEM_SPLIT_NO_USER_ACTIVITY_YET,
				 "a recorded request is counted before the first split is made");
	forget(&resource);
	force(&resource, &limit, SOME_NOON, 1, true);
	expect_split(60, 140, IDEM_SPLIT_LOW, "and so is one of a user");
	force(&resource, &limit, SOME_NOON, 9, true);
	expect_split(60, 140, IDEM_SPLIT_LOW, "the second one leaves the split as it is");
	forget(&resource);
	force(&resource, &limit, SOME_NOON, 0, true);
	expect_split(60, 140, IDEM_SPLIT_INITIAL, "nothing is not a request");

	forget(&resource);
	ask_as(&resource, &limit, SOME_NOON - 15 * MINUTE, 1, true);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(5, 195, IDEM_SPLIT_RECENT_INACTIVITY,
				 "the last user has just left the monitoring window: the least reserve");
	ask(&resource, &limit, SOME_NOON + 15 * MINUTE, 0);
	expect_split(5, 195, IDEM_SPLIT_RECENT_INACTIVITY, "30 minutes are not yet too long");
	ask(&resource, &limit, SOME_NOON + 15 * MINUTE + 30 * SECOND, 0);
	expect_split(0, 200, IDEM_SPLIT_SUSTAINED_INACTIVITY, "more than 30 minutes: all for background");
}

static void
low_splits(void)
{
	users_came(0, 0, 1);
	expect_split(60, 140, IDEM_SPLIT_LOW, "one user: three tenths");
	users_came(0, 2, 0);
	expect_split(60, 140, IDEM_SPLIT_LOW, "two users: three tenths");
	limit.adaptive.min_user_reserved = 80;
	users_came(0, 2, 0);
	expect_split(80, 120, IDEM_SPLIT_LOW, "but at least the reserve");
	limit.adaptive.min_user_reserved = 5;
}

/* 80, four tenths, times 1 + recent / 10, and at most 140, seven tenths */
static void
moderate_splits(void)
{
	users_came(1, 1, 1);
	expect_split(104, 96, IDEM_SPLIT_MODERATE, "3 users, stable: 80 x 1.3");
	users_came(0, 0, 3);
	expect_split(124, 76, IDEM_SPLIT_MODERATE, "3 users, increasing: 80 x 1.3 x 1.2 = 124.8");
	users_came(0, 3, 0);
	expect_split(83, 117, IDEM_SPLIT_MODERATE, "3 users, decreasing: 80 x 1.3 x 0.8 = 83.2");
	users_came(3, 0, 0);
	expect_split(104, 96, IDEM_SPLIT_MODERATE, "3 users, all in the oldest third: no trend");
	users_came(0, 2, 3);
	expect_split(120, 80, IDEM_SPLIT_MODERATE, "5 users, 3 against 2 is not yet increasing: 80 x 1.5");
	users_came(0, 1, 4);
	expect_split(140, 60, IDEM_SPLIT_MODERATE, "5 users, increasing: 144, but at most 140");
	users_came(1, 3, 1);
	expect_split(96, 104, IDEM_SPLIT_MODERATE, "5 users, decreasing: 80 x 1.5 x 0.8");
	users_came(3, 2, 1);
	expect_split(128, 72, IDEM_SPLIT_MODERATE, "6 users, 1 against 2 is not yet decreasing");
	users_came(3, 3, 3);
	expect_split(140, 60, IDEM_SPLIT_MODERATE, "9 users, stable: 152, but at most 140");
	users_came(3, 5, 1);
	expect_split(121, 79, IDEM_SPLIT_MODERATE, "9 users, decreasing: 80 x 1.9 x 0.8 = 121.6");
	expect(!resource.state.as.adaptive.background_paused, "moderate activity pauses nothing");
}

static void
high_splits(void)
{
	users_came(4, 3, 3);
	expect_split(180, 20, IDEM_SPLIT_HIGH, "10 users: 100 x 2, but at most nine tenths");
	expect(!resource.state.as.adaptive.background_paused, "stable: no pause");
	users_came(0, 4, 6);
	expect(!resource.state.as.adaptive.background_paused, "6 against 4: no pause");
	users_came(0, 3, 7);
	expect(resource.state.as.adaptive.background_paused, "7 against 3: a pause");
	users_came(0, 9, 1);
	expect(!resource.state.as.adaptive.background_paused, "decreasing: no pause");
	limit.adaptive.pauses_background = false;
	users_came(0, 3, 7);
	expect(!resource.state.as.adaptive.background_paused, "no pause where none is wanted");
	limit.adaptive.pauses_background = true;
	limit.adaptive.max_user_scaling = 1.5;
	users_came(4, 4, 4);
	expect_split(150, 50, IDEM_SPLIT_HIGH, "a smaller scaling: 100 x 1.5");
	users_came(1, 3, 4);
	expect_split(120, 80, IDEM_SPLIT_MODERATE, "it bounds moderate activity too: 80 x 1.5");
	limit.adaptive.max_user_scaling = 2.0;
}

/* An instant belongs to a third from its end on, as a request to the window. */
static void
edges_of_thirds(void)
{
	forget(&resource);
	force(&resource, &limit, SOME_NOON - 15 * MINUTE, 1, true);
	force(&resource, &limit, SOME_NOON - 15 * MINUTE + 1, 1, true);
	force(&resource, &limit, SOME_NOON - 10 * MINUTE, 1, true);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_int(idem_ratemath_recent_users(&resource.state, &limit, SOME_NOON), 2,
			   "a user exactly a monitoring window ago is not recent");
	force(&resource, &limit, SOME_NOON - 5 * MINUTE, 1, true);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_int(idem_ratemath_recent_users(&resource.state, &limit, SOME_NOON), 3,
			   "three users, one in each third but the newest");

	forget(&resource);
	force(&resource, &limit, SOME_NOON - 10 * MINUTE, 1, true);
	force(&resource, &limit, SOME_NOON - 5 * MINUTE, 3, true);
	force(&resource, &limit, SOME_NOON - 5 * MINUTE + 1, 1, true);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(104, 96, IDEM_SPLIT_MODERATE,
				 "5 minutes ago is the middle third, 10 the oldest, whatever the cost: 1 against 1");
}

static void
odd_settings(void)
{
	limit.quota = 7;
	users_came(0, 0, 1);
	expect_split(5, 2, IDEM_SPLIT_LOW, "7: three tenths are 2, but 5 are reserved");
	users_came(2, 1, 1);
	expect_split(2, 5, IDEM_SPLIT_MODERATE, "7: four tenths are 2, times 1.4 are 2.8");
	users_came(4, 3, 3);
	expect_split(6, 1, IDEM_SPLIT_HIGH, "7: at most 6.3");
	limit.quota = 3;
	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(3, 0, IDEM_SPLIT_INITIAL, "a reserve above the quota takes it all");
	limit.quota = 90;
	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(27, 63, IDEM_SPLIT_INITIAL, "90: three tenths are 27");
	limit.quota = 10;
	limit.adaptive.min_user_reserved = -5;
	forget(&resource);
	ask(&resource, &limit, SOME_NOON - MINUTE, 1);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(0, 10, IDEM_SPLIT_NO_USER_ACTIVITY_YET, "no pool is less than nothing");
	limit = limit_of(IDEM_ADAPTIVE, 200, HOUR);
}

static void
pause(void)
{
	IdemRateVerdict verdict;

	users_came(0, 0, 12);
	verdict = ask(&resource, &limit, SOME_NOON + SECOND, 1);
	expect(!verdict.is_allowed && verdict.reason == IDEM_RATE_PAUSED, "background is paused");
	expect_int(verdict.retry_after, 29 * SECOND, "until the next recalculation");
	expect_int(verdict.remaining, 188, "what remains is not told less");
	expect(!ask(&resource, &limit, SOME_NOON + SECOND, 0).is_allowed, "nothing costs nothing");
	expect(ask_as(&resource, &limit, SOME_NOON + SECOND, 1, true).is_allowed, "users pass");
	ask(&resource, &limit, SOME_NOON + 5 * MINUTE, 0);
	expect_split(180, 20, IDEM_SPLIT_HIGH, "five minutes later it is high activity still");
	expect(ask(&resource, &limit, SOME_NOON + 5 * MINUTE, 1).is_allowed,
		   "but not increasing, and background passes");
}

static void
recalculation(void)
{
	int			i;

	forget(&resource);
	expect(!ask(&resource, &limit, SOME_NOON, 141).is_allowed && resource.is_kept,
		   "the first split is written even if the request is denied");
	for (i = 0; i < 12; i++)
		ask_as(&resource, &limit, SOME_NOON + SECOND, 1, true);
	ask_as(&resource, &limit, SOME_NOON + 30 * SECOND - 1, 0, true);
	expect_split(60, 140, IDEM_SPLIT_INITIAL, "it stays for the interval");
	expect(!resource.is_kept, "and a request that takes nothing writes nothing");
	ask_as(&resource, &limit, SOME_NOON + 30 * SECOND, 0, true);
	expect_split(180, 20, IDEM_SPLIT_HIGH, "and is recalculated then");
	expect(resource.is_kept, "which is written");
	limit.quota = 100;
	ask_as(&resource, &limit, SOME_NOON + 31 * SECOND, 0, true);
	expect_split(90, 10, IDEM_SPLIT_HIGH, "another quota is split at once");
	limit.quota = 200;
}

static void
pools(void)
{
	IdemRateVerdict verdict;
	int			i;

	forget(&resource);
	expect(ask(&resource, &limit, SOME_NOON, 140).is_allowed, "background gets its pool");
	verdict = ask(&resource, &limit, SOME_NOON + SECOND, 1);
	expect(!verdict.is_allowed && verdict.reason == IDEM_RATE_QUOTA, "and no more");
	expect_int(verdict.retry_after, HOUR - SECOND, "until its oldest leaves");
	expect_int(verdict.remaining, 60, "both pools less both usages remain");
	expect_int(verdict.quota, 200, "of the quota");
	expect_int(verdict.reset_at, SOME_NOON + HOUR, "the whole of which is back in an hour");
	expect(ask_as(&resource, &limit, SOME_NOON + SECOND, 60, true).is_allowed, "users get theirs");
	verdict = ask_as(&resource, &limit, SOME_NOON + 2 * SECOND, 1, true);
	expect(!verdict.is_allowed, "and no more");
	expect_int(verdict.retry_after, HOUR - SECOND, "until theirs leave, who came later");
	verdict = ask_as(&resource, &limit, SOME_NOON + 2 * SECOND, 61, true);
	expect_int(verdict.retry_after, 28 * SECOND, "more than the pool needs another split");
	expect_int(verdict.reset_at, SOME_NOON + SECOND + HOUR, "reset_at is that of both");
	expect_int(ask_as(&resource, &limit, SOME_NOON + 40 * SECOND, 61, true).retry_after,
			   30 * SECOND, "the next one");

	forget(&resource);
	ask(&resource, &limit, SOME_NOON - 13 * MINUTE, 140);
	for (i = 0; i < 12; i++)
		force(&resource, &limit, SOME_NOON - 12 * MINUTE, 1, true);
	ask_as(&resource, &limit, SOME_NOON, 0, true);
	expect_split(180, 20, IDEM_SPLIT_HIGH, "users get more");
	expect(ask_as(&resource, &limit, SOME_NOON, 48, true).is_allowed,
		   "but what background used counts");
	verdict = ask_as(&resource, &limit, SOME_NOON, 2, true);
	expect(!verdict.is_allowed && verdict.remaining == 0, "against the quota of both");
	expect_int(verdict.retry_after, 47 * MINUTE, "until the oldest of both has left");
}

static void
impossible(void)
{
	IdemRateVerdict verdict;

	users_came(0, 0, 12);
	verdict = ask(&resource, &limit, SOME_NOON, 201);
	expect(verdict.reason == IDEM_RATE_COST_EXCEEDS_QUOTA &&
		   verdict.retry_after == IDEM_RATE_NEVER, "a cost above the quota never passes");
	limit.quota = 0;
	verdict = ask_as(&resource, &limit, SOME_NOON, 0, true);
	expect(verdict.reason == IDEM_RATE_QUOTA_ZERO && verdict.retry_after == HOUR,
		   "a quota of 0 lets nothing in");
	limit.quota = 200;
}

static void
forgetting(void)
{
	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_int(idem_ratemath_expires_at(&resource.state), SOME_NOON + 30 * SECOND,
			   "without a request, only the split is remembered");
	ask_as(&resource, &limit, SOME_NOON, 1, true);
	expect_int(idem_ratemath_expires_at(&resource.state), PG_INT64_MAX,
			   "that there was a user is never forgotten");
	ask(&resource, &limit, SOME_NOON + 9 * HOUR, 0);
	expect_split(0, 200, IDEM_SPLIT_SUSTAINED_INACTIVITY, "nobody came for a night: all for background");
	ask(&resource, &limit, SOME_NOON + TEN_YEARS, 1);
	expect_split(0, 200, IDEM_SPLIT_SUSTAINED_INACTIVITY, "or for ten years");
	expect(ask_as(&resource, &limit, SOME_NOON + TEN_YEARS, 5, true).is_allowed, "until a user comes");
	ask(&resource, &limit, SOME_NOON + TEN_YEARS + 30 * SECOND, 0);
	expect_split(60, 140, IDEM_SPLIT_LOW, "which ends it");
	forget(&resource);
	ask(&resource, &limit, SOME_NOON, 1);
	ask(&resource, &limit, SOME_NOON + TEN_YEARS, 0);
	expect_split(5, 195, IDEM_SPLIT_NO_USER_ACTIVITY_YET, "and that no user ever came is known, too");
}

/* A pool of nothing would keep users out for good: nobody could end it. */
static void
coming_back(void)
{
	IdemRateVerdict verdict;
	int			i;

	forget(&resource);
	ask_as(&resource, &limit, SOME_NOON - HOUR, 1, true);
	ask(&resource, &limit, SOME_NOON - MINUTE, 1);
	ask(&resource, &limit, SOME_NOON, 0);
	expect_split(0, 200, IDEM_SPLIT_SUSTAINED_INACTIVITY, "no user for an hour");
	for (i = 0; i < 5; i++)
		verdict = ask_as(&resource, &limit, SOME_NOON + i, 1, true);
	expect(verdict.is_allowed, "the first users who come back are let in");
	verdict = ask_as(&resource, &limit, SOME_NOON + 5, 1, true);
	expect(!verdict.is_allowed, "as many as are reserved at least");
	ask(&resource, &limit, SOME_NOON + 30 * SECOND, 0);
	expect_split(140, 60, IDEM_SPLIT_MODERATE, "and then they have their share again");
}

static void
clock_set_back(void)
{
	int64		earlier = SOME_NOON - 3 * DAY;
	const IdemAdaptiveState *state = &resource.state.as.adaptive;
	IdemRateVerdict verdict;

	users_came(0, 0, 12);
	force(&resource, &limit, SOME_NOON, 188, false);
	verdict = ask_as(&resource, &limit, earlier, 1, true);
	expect(!verdict.is_allowed && resource.is_kept, "a step back is written");
	expect_int(state->recalculate_at, earlier + 30 * SECOND, "the recalculation comes with it");
	expect_int(state->last, earlier, "and the newest request");
	expect(state->last_user <= earlier && idem_ratemath_recent_users(&resource.state, &limit, earlier) == 12,
		   "and the users");
	expect(verdict.retry_after <= HOUR, "nobody waits longer than the period");
	ask_as(&resource, &limit, earlier + SECOND, 1, true);
	expect(!resource.is_kept, "it is written once");
	expect(ask(&resource, &limit, earlier + HOUR, 200).is_allowed, "and over after a period");
}

/* Users, each of cost 1, in the thirds of the monitoring window until noon. */
static void
users_came(int oldest, int middle, int newest)
{
	int			i;

	forget(&resource);
	for (i = 0; i < oldest; i++)
		force(&resource, &limit, SOME_NOON - 14 * MINUTE, 1, true);
	for (i = 0; i < middle; i++)
		force(&resource, &limit, SOME_NOON - 9 * MINUTE, 1, true);
	for (i = 0; i < newest; i++)
		force(&resource, &limit, SOME_NOON - 4 * MINUTE, 1, true);
	ask_as(&resource, &limit, SOME_NOON, 0, true);
}

static void
expect_split(int64 user, int64 background, IdemSplitReason reason, const char *name)
{
	const IdemAdaptiveState *state = &resource.state.as.adaptive;

	expect(state->user_reserved == user && state->background_max == background &&
		   state->reason == reason, "%s: %d and %d", name, (int) user, (int) background);
	if (state->user_reserved != user || state->reason != reason)
		diag("got %lld and %lld, reason %d", (long long) state->user_reserved,
			 (long long) state->background_max, state->reason);
}
