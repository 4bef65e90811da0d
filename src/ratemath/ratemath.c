/*
 * ratemath.c
 *		The arithmetic of rate limits: what all algorithms share, and the way
 *		from one to another.
 */
#include "postgres.h"

#include "ratemath/adaptive.h"
#include "ratemath/bucket.h"
#include "ratemath/fixed.h"
#include "ratemath/log.h"
#include "ratemath/ratemath.h"

static bool is_counted(IdemRateAlgorithm algorithm);
static int64 start_of(const IdemRateLimit *limit, int64 now);
static bool convert(IdemRateState *state, const IdemRateLimit *limit, int64 now);
static void remember(const IdemRateState *state, const IdemRateLimit *limit,
					 int64 now, IdemRunLog *log);
static void decide_by_log(const IdemRunLog *log, const IdemRateLimit *limit,
						  const IdemRateRequest *request,
						  IdemRateVerdict *verdict);
static void refuse(IdemRateVerdict *verdict, IdemRateReason reason,
				   int64 retry_after);

bool
idem_ratemath_settle(IdemRateState *state, const IdemRateLimit *limit, int64 now)
{
	if (state->algorithm != limit->algorithm)
	{
		if (!is_counted(state->algorithm) || !is_counted(limit->algorithm))
			return convert(state, limit, now);
		state->algorithm = limit->algorithm;
	}
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			return idem_ratemath_log_settle(&state->as.log, limit->period, now);
		case IDEM_TOKEN_BUCKET:
			return idem_ratemath_bucket_settle(&state->as.bucket, limit, now);
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			return idem_ratemath_fixed_settle(&state->as.fixed, start_of(limit, now),
											  limit->period, now);
		case IDEM_ADAPTIVE:
			return idem_ratemath_adaptive_settle(&state->as.adaptive, limit, now);
		case IDEM_RATE_NOTHING:
			break;
	}
	return false;
}

/* by a count, in windows of either kind */
static bool
is_counted(IdemRateAlgorithm algorithm)
{
	return algorithm == IDEM_FIXED_WINDOW || algorithm == IDEM_CALENDAR_WINDOW;
}

static int64
start_of(const IdemRateLimit *limit, int64 now)
{
	return limit->algorithm == IDEM_CALENDAR_WINDOW ? limit->start :
		idem_ratemath_fixed_start(limit->period, now);
}

/* A conversion depends on when it is made: kept, unless there was nothing. */
static bool
convert(IdemRateState *state, const IdemRateLimit *limit, int64 now)
{
	IdemRunLog	log;
	int64		used;

	remember(state, limit, now, &log);
	idem_ratemath_log_settle(&log, limit->period, now);
	used = idem_ratemath_log_count(&log, now);
	if (used == 0)
		idem_ratemath_log_clear(&log, limit->period);
	state->algorithm = limit->algorithm;
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			idem_ratemath_log_copy(&state->as.log, &log);
			break;
		case IDEM_TOKEN_BUCKET:
			idem_ratemath_bucket_init(&state->as.bucket, limit, now, used);
			break;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			idem_ratemath_fixed_init(&state->as.fixed, start_of(limit, now), limit->period,
									 used);
			break;
		case IDEM_ADAPTIVE:
			idem_ratemath_adaptive_init(&state->as.adaptive, limit, &log, now);
			return true;
		case IDEM_RATE_NOTHING:
			break;
	}
	return used > 0;
}

/* Everything a state knows of past requests, as a log. */
static void
remember(const IdemRateState *state, const IdemRateLimit *limit, int64 now,
		 IdemRunLog *log)
{
	int64		used = 0;

	idem_ratemath_log_clear(log, limit->period);
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			idem_ratemath_log_copy(log, &state->as.log);
			return;
		case IDEM_ADAPTIVE:
			idem_ratemath_log_copy(log, &state->as.adaptive.user);
			idem_ratemath_log_merge(log, &state->as.adaptive.background);
			return;
		case IDEM_TOKEN_BUCKET:
			used = idem_ratemath_bucket_taken(&state->as.bucket, now);
			break;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			used = idem_ratemath_fixed_count(&state->as.fixed, now);
			break;
		case IDEM_RATE_NOTHING:
			break;
	}
	if (used > 0)
		idem_ratemath_log_append(log, now, used);
}

void
idem_ratemath_decide(const IdemRateState *state, const IdemRateLimit *limit,
					 const IdemRateRequest *request, IdemRateVerdict *verdict)
{
	int64		most = limit->quota;

	Assert(state->algorithm == limit->algorithm);
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			decide_by_log(&state->as.log, limit, request, verdict);
			break;
		case IDEM_TOKEN_BUCKET:
			idem_ratemath_bucket_decide(&state->as.bucket, limit, request->cost, verdict);
			most = limit->burst;
			break;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			idem_ratemath_fixed_decide(&state->as.fixed, limit->quota, request, verdict);
			break;
		case IDEM_ADAPTIVE:
			idem_ratemath_adaptive_decide(&state->as.adaptive, limit, request, verdict);
			break;
		case IDEM_RATE_NOTHING:
			break;
	}
	verdict->quota = limit->quota;
	if (limit->quota == 0)
		refuse(verdict, IDEM_RATE_QUOTA_ZERO, limit->period);
	else if (request->cost > most)
		refuse(verdict, IDEM_RATE_COST_EXCEEDS_QUOTA, IDEM_RATE_NEVER);
}

static void
decide_by_log(const IdemRunLog *log, const IdemRateLimit *limit,
			  const IdemRateRequest *request, IdemRateVerdict *verdict)
{
	int64		left = limit->quota - idem_ratemath_log_count(log, request->now);

	verdict->is_allowed = request->cost <= left;
	verdict->reason = verdict->is_allowed ? IDEM_RATE_OK : IDEM_RATE_QUOTA;
	verdict->remaining = Max(left, 0);
	verdict->reset_at = Max(idem_ratemath_log_empty_at(log), request->now);
	verdict->retry_after = verdict->is_allowed ? 0 :
		idem_ratemath_log_wait(log, NULL, request->now, limit->quota - request->cost);
}

/* what no waiting changes */
static void
refuse(IdemRateVerdict *verdict, IdemRateReason reason, int64 retry_after)
{
	verdict->is_allowed = false;
	verdict->reason = reason;
	verdict->retry_after = retry_after;
}

void
idem_ratemath_record(IdemRateState *state, const IdemRateLimit *limit,
					 const IdemRateRequest *request)
{
	Assert(state->algorithm == limit->algorithm);
	if (request->cost == 0)
		return;
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			idem_ratemath_log_append(&state->as.log, request->now, request->cost);
			break;
		case IDEM_TOKEN_BUCKET:
			idem_ratemath_bucket_record(&state->as.bucket, request->cost);
			break;
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			idem_ratemath_fixed_record(&state->as.fixed, request->cost);
			break;
		case IDEM_ADAPTIVE:
			idem_ratemath_adaptive_record(&state->as.adaptive, request);
			break;
		case IDEM_RATE_NOTHING:
			break;
	}
}

void
idem_ratemath_force(IdemRateState *state, const IdemRateLimit *limit,
					const IdemRateRequest *request)
{
	if (state->algorithm == IDEM_ADAPTIVE && request->cost > 0)
		idem_ratemath_adaptive_force(&state->as.adaptive, limit, request);
	else
		idem_ratemath_record(state, limit, request);
}

bool
idem_ratemath_refund(IdemRateState *state, const IdemRateRefund *refund)
{
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			return idem_ratemath_log_refund(&state->as.log, refund);
		case IDEM_TOKEN_BUCKET:
			return idem_ratemath_bucket_refund(&state->as.bucket, refund);
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			return idem_ratemath_fixed_refund(&state->as.fixed, refund);
		case IDEM_ADAPTIVE:
			return idem_ratemath_adaptive_refund(&state->as.adaptive, refund);
		case IDEM_RATE_NOTHING:
			break;
	}
	return false;
}

void
idem_ratemath_coarsen(IdemRateState *state)
{
	if (state->algorithm == IDEM_SLIDING_WINDOW)
		idem_ratemath_log_coarsen(&state->as.log);
	else if (state->algorithm == IDEM_ADAPTIVE)
	{
		idem_ratemath_log_coarsen(&state->as.adaptive.user);
		idem_ratemath_log_coarsen(&state->as.adaptive.background);
		idem_ratemath_log_coarsen(&state->as.adaptive.activity);
	}
}

int64
idem_ratemath_expires_at(const IdemRateState *state)
{
	switch (state->algorithm)
	{
		case IDEM_SLIDING_WINDOW:
			return idem_ratemath_log_empty_at(&state->as.log);
		case IDEM_TOKEN_BUCKET:
			return idem_ratemath_bucket_full_at(&state->as.bucket);
		case IDEM_FIXED_WINDOW:
		case IDEM_CALENDAR_WINDOW:
			return idem_ratemath_fixed_empty_at(&state->as.fixed);
		case IDEM_ADAPTIVE:
			return idem_ratemath_adaptive_expires_at(&state->as.adaptive);
		case IDEM_RATE_NOTHING:
			break;
	}
	return PG_INT64_MIN;
}

int64
idem_ratemath_recent_users(const IdemRateState *state,
						   const IdemRateLimit *limit, int64 now)
{
	Assert(state->algorithm == IDEM_ADAPTIVE);
	return idem_ratemath_log_count_since(&state->as.adaptive.activity,
										 now - limit->adaptive.monitoring_window);
}
