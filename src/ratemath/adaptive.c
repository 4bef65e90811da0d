/*
 * adaptive.c
 *		The adaptive limit: one quota, split between users and background.
 *
 * The split stays as it is until its recalculation is due, whoever asks: a new
 * one is a change that must be kept even if the request is denied.
 */
#include "postgres.h"

#include "ratemath/adaptive.h"
#include "ratemath/bounds.h"
#include "ratemath/log.h"

typedef enum Trend
{
	STEADY,						/* none, or stable */
	INCREASING,
	DECREASING
} Trend;

static bool settle_logs(IdemAdaptiveState *state, const IdemRateLimit *limit,
						int64 now);
static void recalculate(IdemAdaptiveState *state, const IdemRateLimit *limit,
						int64 now);
static void split_when_quiet(IdemAdaptiveState *state,
							 const IdemRateLimit *limit, int64 now);
static void split_when_moderate(IdemAdaptiveState *state,
								const IdemRateLimit *limit, int64 recent,
								Trend trend);
static void split_when_high(IdemAdaptiveState *state,
							const IdemRateLimit *limit, Trend trend);
static Trend trend_of(const IdemRunLog *activity, int64 now);
static int64 share(int64 quota, int tenths);
static int64 scaled(int64 pool, double scaling, int64 most);
static int64 pool_of(const IdemAdaptiveState *state,
					 const IdemRateLimit *limit,
					 const IdemRateRequest *request);
static int64 wait_for(const IdemAdaptiveState *state,
					  const IdemRateLimit *limit,
					  const IdemRateRequest *request, bool is_paused);

void
idem_ratemath_adaptive_init(IdemAdaptiveState *state, const IdemRateLimit *limit,
							const IdemRunLog *background, int64 now)
{
	idem_ratemath_log_clear(&state->user, limit->period);
	idem_ratemath_log_copy(&state->background, background);
	idem_ratemath_log_clear(&state->activity, limit->adaptive.monitoring_window);
	state->has_user = false;
	state->last_user = 0;
	state->last = background->length > 0 ?
		Min(background->at[background->length - 1], now) : PG_INT64_MIN;
	recalculate(state, limit, now);
}

bool
idem_ratemath_adaptive_settle(IdemAdaptiveState *state, const IdemRateLimit *limit,
							  int64 now)
{
	int64		interval = limit->adaptive.recalculation_interval;
	bool		is_moved;

	is_moved = settle_logs(state, limit, now);
	if (now >= state->recalculate_at ||
		state->user_reserved + state->background_max != limit->quota)
	{
		recalculate(state, limit, now);
		return true;
	}
	if (state->recalculate_at > add_bounded(now, interval))
	{
		state->recalculate_at = now + interval;
		return true;
	}
	return is_moved;
}

/*
 * What was never used has a split to keep, no more.  That there were requests,
 * and when the last user came, holds until another one comes.
 */
int64
idem_ratemath_adaptive_expires_at(const IdemAdaptiveState *state)
{
	if (state->last == PG_INT64_MIN)
		return state->recalculate_at;
	return PG_INT64_MAX;
}

static bool
settle_logs(IdemAdaptiveState *state, const IdemRateLimit *limit, int64 now)
{
	bool		is_moved = state->last > now;

	is_moved |= idem_ratemath_log_settle(&state->user, limit->period, now);
	is_moved |= idem_ratemath_log_settle(&state->background, limit->period, now);
	is_moved |= idem_ratemath_log_settle(&state->activity,
										 limit->adaptive.monitoring_window, now);
	state->last = Min(state->last, now);
	state->last_user = Min(state->last_user, now);
	return is_moved;
}

static void
recalculate(IdemAdaptiveState *state, const IdemRateLimit *limit, int64 now)
{
	const IdemAdaptiveSettings *settings = &limit->adaptive;
	int64		recent = idem_ratemath_log_count(&state->activity, now);
	Trend		trend = trend_of(&state->activity, now);

	state->background_paused = false;
	if (recent >= settings->high_threshold)
		split_when_high(state, limit, trend);
	else if (recent >= settings->moderate_threshold)
		split_when_moderate(state, limit, recent, trend);
	else if (recent == 0)
		split_when_quiet(state, limit, now);
	else
	{
		state->reason = IDEM_SPLIT_LOW;
		state->user_reserved = Max(share(limit->quota, 3),
								   settings->min_user_reserved);
	}
	state->user_reserved = Max(Min(state->user_reserved, limit->quota), 0);
	state->background_max = limit->quota - state->user_reserved;
	state->recalculate_at = add_bounded(now, settings->recalculation_interval);
}

static void
split_when_quiet(IdemAdaptiveState *state, const IdemRateLimit *limit, int64 now)
{
	const IdemAdaptiveSettings *settings = &limit->adaptive;

	state->user_reserved = settings->min_user_reserved;
	if (state->last == PG_INT64_MIN)
	{
		state->reason = IDEM_SPLIT_INITIAL;
		state->user_reserved = Max(share(limit->quota, 3),
								   settings->min_user_reserved);
	}
	else if (!state->has_user)
		state->reason = IDEM_SPLIT_NO_USER_ACTIVITY_YET;
	else if (now - state->last_user > settings->sustained_inactivity)
	{
		state->reason = IDEM_SPLIT_SUSTAINED_INACTIVITY;
		state->user_reserved = 0;
	}
	else
		state->reason = IDEM_SPLIT_RECENT_INACTIVITY;
}

static void
split_when_moderate(IdemAdaptiveState *state, const IdemRateLimit *limit,
					int64 recent, Trend trend)
{
	const IdemAdaptiveSettings *settings = &limit->adaptive;
	double		scaling = 1 + (double) recent / settings->high_threshold;

	scaling = Min(scaling, settings->max_user_scaling);
	if (trend == INCREASING)
		scaling *= 1.2;
	else if (trend == DECREASING)
		scaling *= 0.8;
	state->reason = IDEM_SPLIT_MODERATE;
	state->user_reserved = scaled(share(limit->quota, 4), Max(scaling, 1),
								  share(limit->quota, 7));
}

static void
split_when_high(IdemAdaptiveState *state, const IdemRateLimit *limit,
				Trend trend)
{
	const IdemAdaptiveSettings *settings = &limit->adaptive;

	state->reason = IDEM_SPLIT_HIGH;
	state->user_reserved = scaled(limit->quota, 0.5 * settings->max_user_scaling,
								  share(limit->quota, 9));
	state->background_paused = settings->pauses_background &&
		trend == INCREASING;
}

/* What came in the newest third of the window, against the third before it. */
static Trend
trend_of(const IdemRunLog *activity, int64 now)
{
	int64		third = (activity->window + 2) / 3;
	int64		two_thirds = (2 * activity->window + 2) / 3;
	int64		newest = idem_ratemath_log_count_since(activity, now - third);
	int64		both = idem_ratemath_log_count_since(activity, now - two_thirds);
	int128		before = (int128) both - newest;

	if (2 * (int128) newest > 3 * before)
		return INCREASING;
	return 2 * (int128) newest < before ? DECREASING : STEADY;
}

static int64
share(int64 quota, int tenths)
{
	return (int64) ((int128) quota * tenths / 10);
}

/* A product that misses a whole number by its rounding alone still counts. */
static int64
scaled(int64 pool, double scaling, int64 most)
{
	double		result = (double) pool * scaling + 1e-6;

	if (result < 0)
		return 0;
	return result < (double) most ? (int64) result : most;
}

void
idem_ratemath_adaptive_decide(const IdemAdaptiveState *state, const IdemRateLimit *limit,
							  const IdemRateRequest *request, IdemRateVerdict *verdict)
{
	int64		user = idem_ratemath_log_count(&state->user, request->now);
	int64		background = idem_ratemath_log_count(&state->background, request->now);
	int64		left = limit->quota - add_bounded(user, background);
	int64		used_of_pool = request->is_user ? user : background;
	int64		left_in_pool = pool_of(state, limit, request) - used_of_pool;
	bool		is_paused = !request->is_user && state->background_paused;
	int64		reset_at = Max(idem_ratemath_log_empty_at(&state->user),
							   idem_ratemath_log_empty_at(&state->background));

	verdict->remaining = Max(left, 0);
	verdict->reset_at = Max(reset_at, request->now);
	verdict->is_allowed = !is_paused && request->cost <= left &&
		request->cost <= left_in_pool;
	verdict->reason = verdict->is_allowed ? IDEM_RATE_OK :
		is_paused ? IDEM_RATE_PAUSED : IDEM_RATE_QUOTA;
	verdict->retry_after = verdict->is_allowed ? 0 :
		wait_for(state, limit, request, is_paused);
}

/*
 * The first users after a long time are let in, though nothing is reserved for
 * them: nobody else could end the inactivity.
 */
static int64
pool_of(const IdemAdaptiveState *state, const IdemRateLimit *limit,
		const IdemRateRequest *request)
{
	if (!request->is_user)
		return state->background_max;
	if (state->reason == IDEM_SPLIT_SUSTAINED_INACTIVITY)
		return Min(limit->adaptive.min_user_reserved, limit->quota);
	return state->user_reserved;
}

/* Only another split can help where there is a pause or too small a pool. */
static int64
wait_for(const IdemAdaptiveState *state, const IdemRateLimit *limit,
		 const IdemRateRequest *request, bool is_paused)
{
	const IdemRunLog *log = request->is_user ? &state->user : &state->background;
	int64		left_in_pool = pool_of(state, limit, request) - request->cost;
	int64		left = limit->quota - request->cost;
	int64		own;
	int64		both;

	if (is_paused || left_in_pool < 0)
		return Max(state->recalculate_at - request->now, 1);
	own = idem_ratemath_log_wait(log, NULL, request->now, left_in_pool);
	both = idem_ratemath_log_wait(&state->user, &state->background, request->now, left);
	return Max(own, both);
}

void
idem_ratemath_adaptive_record(IdemAdaptiveState *state, const IdemRateRequest *request)
{
	idem_ratemath_log_append(request->is_user ? &state->user : &state->background,
							 request->now, request->cost);
	state->last = request->now;
	if (!request->is_user)
		return;
	idem_ratemath_log_append(&state->activity, request->now, 1);
	state->has_user = true;
	state->last_user = request->now;
}

void
idem_ratemath_adaptive_force(IdemAdaptiveState *state, const IdemRateLimit *limit,
							 const IdemRateRequest *request)
{
	bool		is_first = state->last == PG_INT64_MIN;

	idem_ratemath_adaptive_record(state, request);
	if (is_first)
		recalculate(state, limit, request->now);
}

/* That the request came, as activity, is no less true. */
bool
idem_ratemath_adaptive_refund(IdemAdaptiveState *state, const IdemRateRefund *refund)
{
	return idem_ratemath_log_refund(refund->is_user ? &state->user : &state->background,
									refund);
}
