/*
 * storm_test.c
 *		The adaptive limit in random storms, against the contract written down
 *		once more: exact logs, and fractions that are never rounded.
 *
 * A small quota is compared in everything. A large one, whose logs merge, is
 * only held to what must be true of any.
 */
#include "exact.h"

typedef struct Model
{
	bool		is_new;
	bool		has_user;
	int64		last_user;
	int64		last;
	int64		user;
	int64		background;
	bool		is_paused;
	IdemSplitReason reason;
	int64		recalculate_at;
} Model;

static Property split_alike = {"it splits as the contract does"};
static Property decides_alike = {"it decides as the contract does"};
static Property figures_alike = {"its figures are those of the contract"};
static Property pools_are_whole = {"pools are from 0 to the quota, and sum to it"};
static Property never_over_quota = {"no period ever holds more than the quota, of both priorities"};
static Property never_over_pool = {"a request is let in only by its pool"};
static Property writes_little = {"a denied request writes nothing but a split and a step back"};
static Property waits_are_bounded = {"nobody waits for nothing, or longer than a period or an interval"};

static ExactLog users;
static ExactLog backgrounds;
static ExactLog both;
static ExactLog activity;
static Model model;
static Resource resource;
static int64 seen[IDEM_SPLIT_HIGH + 1];
static int64 seen_paused;

static void compared_round(int64 round);
static void forced_step(const IdemRateLimit *limit, int64 now, int64 cost, bool is_user);
static void clocked_round(int64 round);
static IdemRateLimit some_limit(int64 quota);
static void model_settle(const IdemRateLimit *limit, int64 now);
static void model_split(const IdemRateLimit *limit, int64 now);
static int64 model_moderate(const IdemRateLimit *limit, int64 recent, int64 newest, int64 before);
static void compare(const IdemRateLimit *limit, int64 now, int64 cost, bool is_user,
					const IdemRateVerdict *verdict);
static int64 model_pool(const IdemRateLimit *limit, bool is_user);
static int64 model_wait(const IdemRateLimit *limit, int64 now, int64 cost, bool is_user);
static void model_record(int64 now, int64 cost, bool is_user);

int
main(void)
{
	int64		i;

	for (i = 0; i < rounds(400); i++)
		compared_round(6000000 + i);
	for (i = 0; i < rounds(100); i++)
		clocked_round(7000000 + i);
	for (i = 0; i < lengthof(seen); i++)
		expect(seen[i] > 0, "a split for reason %d was there", (int) i);
	expect(seen_paused > 0, "and a pause");
	report(&split_alike);
	report(&decides_alike);
	report(&figures_alike);
	report(&pools_are_whole);
	report(&never_over_quota);
	report(&never_over_pool);
	report(&writes_little);
	report(&waits_are_bounded);
	report(&survives_encoding);
	diag("%lld steps", (long long) steps_done);
	return done_testing();
}

static void
compared_round(int64 round)
{
	IdemRateLimit limit;
	int64		now;
	int64		gap;
	int64		i;

	start_round(round);
	limit = some_limit(between(0, 60));
	gap = limit.period / Max(limit.quota, 1) * between(20, 200) / 100;
	now = between(-1000, 1000) * 100 * DAY;
	forget(&resource);
	memset(&model, 0, sizeof(model));
	model.is_new = true;

	for (i = 0; i < 1000; i++)
	{
		bool		is_user = one_in(3);
		int64		cost = one_in(8) ? between(0, limit.quota + 1) : between(0, 2);
		IdemRateVerdict verdict;

		next_step();
		now += one_in(200) ? below(3 * limit.period) : below(2 * gap + 1);
		if (one_in(300))
			limit.quota = between(0, 60);
		if (one_in(20))
		{
			forced_step(&limit, now, cost + 1, is_user);
			continue;
		}
		verdict = ask_as(&resource, &limit, now, cost, is_user);
		model_settle(&limit, now);
		compare(&limit, now, cost, is_user, &verdict);
		if (verdict.is_allowed && cost > 0)
			model_record(now, cost, is_user);
	}
}

/* The first request of all is there before the first split. */
static void
forced_step(const IdemRateLimit *limit, int64 now, int64 cost, bool is_user)
{
	bool		is_first = model.is_new || model.last == PG_INT64_MIN;

	force(&resource, limit, now, cost, is_user);
	model_settle(limit, now);
	model_record(now, cost, is_user);
	if (is_first)
		model.recalculate_at = now;
	model_settle(limit, now);
	HOLDS(&split_alike, resource.state.as.adaptive.reason == model.reason);
	HOLDS(&split_alike, resource.state.as.adaptive.user_reserved == model.user);
}

/*
 * From 71 minutes on, a log is no longer exact; with a few microseconds, every
 * edge is met.
 */
static IdemRateLimit
some_limit(int64 quota)
{
	IdemRateLimit limit = limit_of(IDEM_ADAPTIVE, quota,
								   one_in(4) ? between(20, 500) : between(SECOND, HOUR));

	limit.adaptive.monitoring_window = between(limit.period / 5, limit.period);
	limit.adaptive.moderate_threshold = (int32) between(1, 6);
	limit.adaptive.high_threshold = limit.adaptive.moderate_threshold + (int32) between(1, 8);
	limit.adaptive.recalculation_interval = between(1, limit.adaptive.monitoring_window / 2);
	limit.adaptive.sustained_inactivity = between(0, 2 * limit.period);
	limit.adaptive.pauses_background = one_in(2);
	limit.adaptive.max_user_scaling = between(2, 16) / 4.0;
	limit.adaptive.min_user_reserved = (int32) between(0, one_in(4) ? quota + 5 : 5);
	return limit;
}

static void
model_settle(const IdemRateLimit *limit, int64 now)
{
	if (model.is_new)
	{
		memset(&model, 0, sizeof(model));
		model.last = PG_INT64_MIN;
		model.recalculate_at = now;
		exact_clear(&users);
		exact_clear(&backgrounds);
		exact_clear(&both);
		exact_clear(&activity);
	}
	if (now < model.recalculate_at && model.user + model.background == limit->quota)
		return;
	model_split(limit, now);
	model.recalculate_at = now + limit->adaptive.recalculation_interval;
}

static void
model_split(const IdemRateLimit *limit, int64 now)
{
	const IdemAdaptiveSettings *settings = &limit->adaptive;
	int64		quota = limit->quota;
	int64		recent = 0;
	int64		newest = 0;
	int64		before = 0;
	int64		low = Max(quota * 3 / 10, settings->min_user_reserved);
	int64		i;

	for (i = activity.first; i < activity.end; i++)
	{
		int64		age = now - activity.at[i];

		recent += age < settings->monitoring_window;
		newest += 3 * age < settings->monitoring_window;
		before += 3 * age >= settings->monitoring_window && 3 * age < 2 * settings->monitoring_window;
	}
	model.is_paused = false;
	if (recent >= settings->high_threshold)
	{
		model.reason = IDEM_SPLIT_HIGH;
		model.user = Min(quota * 9 / 10, quota * (int64) (settings->max_user_scaling * 4) / 8);
		model.is_paused = settings->pauses_background && 2 * newest > 3 * before;
	}
	else if (recent >= settings->moderate_threshold)
	{
		model.reason = IDEM_SPLIT_MODERATE;
		model.user = model_moderate(limit, recent, newest, before);
	}
	else if (recent > 0)
	{
		model.reason = IDEM_SPLIT_LOW;
		model.user = low;
	}
	else if (model.last == PG_INT64_MIN)
	{
		model.reason = IDEM_SPLIT_INITIAL;
		model.user = low;
	}
	else
	{
		bool		is_long_ago = model.has_user &&
		now - model.last_user > settings->sustained_inactivity;

		model.reason = !model.has_user ? IDEM_SPLIT_NO_USER_ACTIVITY_YET :
			is_long_ago ? IDEM_SPLIT_SUSTAINED_INACTIVITY : IDEM_SPLIT_RECENT_INACTIVITY;
		model.user = is_long_ago ? 0 : settings->min_user_reserved;
	}
	model.user = Min(model.user, quota);
	model.background = quota - model.user;
}

/* The scaling as a fraction; the largest one is a number of quarters. */
static int64
model_moderate(const IdemRateLimit *limit, int64 recent, int64 newest, int64 before)
{
	int64		above = limit->adaptive.high_threshold + recent;
	int64		below = limit->adaptive.high_threshold;
	int64		quarters = (int64) (limit->adaptive.max_user_scaling * 4);

	if (quarters * below < 4 * above)
	{
		above = quarters;
		below = 4;
	}
	if (2 * newest > 3 * before)
	{
		above *= 6;
		below *= 5;
	}
	else if (2 * newest < before)
	{
		above *= 4;
		below *= 5;
	}
	if (above < below)
		above = below;
	return Min(limit->quota * 7 / 10, limit->quota * 4 / 10 * above / below);
}

static void
compare(const IdemRateLimit *limit, int64 now, int64 cost, bool is_user,
		const IdemRateVerdict *verdict)
{
	const IdemAdaptiveState *state = &resource.state.as.adaptive;
	int64		by_users = exact_count(&users, now - limit->period);
	int64		by_background = exact_count(&backgrounds, now - limit->period);
	int64		pool = model_pool(limit, is_user);
	int64		used = is_user ? by_users : by_background;
	bool		is_paused = !is_user && model.is_paused;
	bool		is_allowed = limit->quota > 0 && !is_paused && used + cost <= pool &&
	by_users + by_background + cost <= limit->quota;
	int64		newest = by_users + by_background == 0 ? PG_INT64_MIN : both.at[both.end - 1];

	seen[model.reason]++;
	seen_paused += is_paused;
	HOLDS(&split_alike, state->user_reserved == model.user);
	HOLDS(&split_alike, state->background_max == model.background);
	HOLDS(&split_alike, state->reason == model.reason &&
		  state->background_paused == model.is_paused);
	HOLDS(&split_alike, state->recalculate_at == model.recalculate_at);
	HOLDS(&decides_alike, verdict->is_allowed == is_allowed);
	HOLDS(&decides_alike, verdict->reason ==
		  (limit->quota == 0 ? IDEM_RATE_QUOTA_ZERO :
		   cost > limit->quota ? IDEM_RATE_COST_EXCEEDS_QUOTA :
		   is_paused ? IDEM_RATE_PAUSED : is_allowed ? IDEM_RATE_OK : IDEM_RATE_QUOTA));
	HOLDS(&figures_alike, verdict->remaining ==
		  Max(limit->quota - by_users - by_background, 0));
	HOLDS(&figures_alike, verdict->reset_at ==
		  (newest == PG_INT64_MIN ? now : newest + limit->period));
	HOLDS(&figures_alike, idem_ratemath_recent_users(&resource.state, limit, now) ==
		  exact_count(&activity, now - limit->adaptive.monitoring_window) + (is_user && is_allowed && cost > 0));
	HOLDS(&figures_alike, verdict->retry_after ==
		  (is_allowed ? 0 : model_wait(limit, now, cost, is_user)));
}

static int64
model_pool(const IdemRateLimit *limit, bool is_user)
{
	if (is_user && model.reason == IDEM_SPLIT_SUSTAINED_INACTIVITY)
		return Min(limit->adaptive.min_user_reserved, limit->quota);
	return is_user ? model.user : model.background;
}

static int64
model_wait(const IdemRateLimit *limit, int64 now, int64 cost, bool is_user)
{
	int64		pool = model_pool(limit, is_user);
	int64		own;
	int64		of_both;

	if (limit->quota == 0)
		return limit->period;
	if (cost > limit->quota)
		return IDEM_RATE_NEVER;
	if (cost > pool || (!is_user && model.is_paused))
		return Max(model.recalculate_at - now, 1);
	own = exact_last_to_leave(is_user ? &users : &backgrounds, pool - cost);
	of_both = exact_last_to_leave(&both, limit->quota - cost);
	return Max(own, of_both) + limit->period - now;
}

static void
model_record(int64 now, int64 cost, bool is_user)
{
	exact_add(is_user ? &users : &backgrounds, now, cost);
	exact_add(&both, now, cost);
	model.last = now;
	if (!is_user)
		return;
	exact_add(&activity, now, 1);
	model.has_user = true;
	model.last_user = now;
}

/* Any quota, and a clock that steps. */
static void
clocked_round(int64 round)
{
	IdemRateLimit limit;
	int64		now;
	int64		latest;
	int64		gap;
	int64		i;

	start_round(round);
	limit = some_limit(magnitude_between(1, 3000));
	gap = limit.period / limit.quota * between(20, 200) / 100;
	now = latest = between(-1000, 1000) * 100 * DAY;
	forget(&resource);
	resource.state.as.adaptive.recalculate_at = now;
	exact_clear(&both);

	for (i = 0; i < 2000; i++)
	{
		const IdemAdaptiveState *state = &resource.state.as.adaptive;
		bool		is_user = one_in(2);
		int64		cost = one_in(8) ? between(1, limit.quota) : 1;
		bool		is_set_back;
		int64		recalculate_at = state->recalculate_at;
		IdemRateVerdict verdict;

		next_step();
		now += one_in(200) ? -magnitude_between(1, 4 * limit.period) : below(2 * gap + 1);
		is_set_back = now < latest;
		verdict = ask_as(&resource, &limit, now, cost, is_user);
		HOLDS(&pools_are_whole, state->user_reserved >= 0 && state->background_max >= 0 &&
			  state->user_reserved + state->background_max == limit.quota);
		HOLDS(&waits_are_bounded, verdict.is_allowed ||
			  verdict.retry_after <= Max(limit.period, limit.adaptive.recalculation_interval));
		if (is_set_back)
			exact_clear(&both);
		latest = is_set_back ? now : Max(latest, now);
		if (!verdict.is_allowed)
		{
			HOLDS(&waits_are_bounded, verdict.retry_after > 0);
			if (!is_set_back && i > 0)
				HOLDS(&writes_little, resource.is_kept == (state->recalculate_at != recalculate_at));
			continue;
		}
		HOLDS(&never_over_pool, cost <= (is_user ? state->user_reserved : state->background_max) ||
			  (is_user && state->reason == IDEM_SPLIT_SUSTAINED_INACTIVITY));
		exact_add(&both, now, cost);
		HOLDS(&never_over_quota, exact_count(&both, now - limit.period) <= limit.quota);
	}
}
