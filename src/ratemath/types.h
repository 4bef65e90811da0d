/*
 * types.h
 *		What a rate limit is, what is remembered of past requests, and what is
 *		said of the next one.
 */
#ifndef IDEM_RATEMATH_TYPES_H
#define IDEM_RATEMATH_TYPES_H

/* runs of requests that a log keeps apart */
#define IDEM_MAX_RUNS	64

/* a wait that never ends: the cost is above the quota */
#define IDEM_RATE_NEVER	PG_INT64_MAX

typedef enum IdemRateAlgorithm
{
	IDEM_RATE_NOTHING,			/* a state in which nothing is remembered */
	IDEM_SLIDING_WINDOW,
	IDEM_TOKEN_BUCKET,
	IDEM_FIXED_WINDOW,
	IDEM_ADAPTIVE,
	IDEM_CALENDAR_WINDOW		/* a fixed one that begins and ends when told */
} IdemRateAlgorithm;

typedef enum IdemRateReason
{
	IDEM_RATE_OK,
	IDEM_RATE_QUOTA,
	IDEM_RATE_QUOTA_ZERO,
	IDEM_RATE_COST_EXCEEDS_QUOTA,
	IDEM_RATE_PAUSED,
	IDEM_RATE_COOLDOWN,
	IDEM_RATE_SHADOW			/* allowed, but not by a limit in the shadow */
} IdemRateReason;

#define IDEM_RATE_REASONS	(IDEM_RATE_SHADOW + 1)

/* why an adaptive limit is split as it is */
typedef enum IdemSplitReason
{
	IDEM_SPLIT_INITIAL,
	IDEM_SPLIT_NO_USER_ACTIVITY_YET,
	IDEM_SPLIT_SUSTAINED_INACTIVITY,
	IDEM_SPLIT_RECENT_INACTIVITY,
	IDEM_SPLIT_LOW,
	IDEM_SPLIT_MODERATE,
	IDEM_SPLIT_HIGH
} IdemSplitReason;

typedef struct IdemAdaptiveSettings
{
	int64		monitoring_window;
	int32		high_threshold;
	int32		moderate_threshold;
	int64		recalculation_interval;
	int64		sustained_inactivity;
	bool		pauses_background;
	double		max_user_scaling;
	int32		min_user_reserved;
} IdemAdaptiveSettings;

typedef struct IdemRateLimit
{
	IdemRateAlgorithm algorithm;
	int64		quota;			/* at least 0 */
	int64		period;			/* more than 0, at most ten years */
	int64		burst;			/* of a token bucket: at least 1, or the quota */
	int64		start;			/* of the calendar window that holds now, and
								 * lasts for the period */
	IdemAdaptiveSettings adaptive;
} IdemRateLimit;

/* Runs of requests, the oldest first; a run counts at its latest request. */
typedef struct IdemRunLog
{
	int64		window;			/* for which the log is kept */
	int			length;
	int64		at[IDEM_MAX_RUNS];
	int64		count[IDEM_MAX_RUNS];
} IdemRunLog;

/* A bucket gets refill tokens a period, a little every microsecond. */
typedef struct IdemTokenBucket
{
	int64		last;			/* when so much was missing */
	int64		refill;
	int64		period;
	int128		missing;		/* tokens times the period */
} IdemTokenBucket;

typedef struct IdemFixedWindow
{
	int64		start;
	int64		period;
	int64		count;
} IdemFixedWindow;

typedef struct IdemAdaptiveState
{
	IdemRunLog	user;			/* by cost, for the period */
	IdemRunLog	background;
	IdemRunLog	activity;		/* user requests, for the monitoring window */
	bool		has_user;		/* was there ever a user request? */
	int64		last_user;
	int64		last;			/* the newest request of all */
	int64		recalculate_at;
	int64		user_reserved;
	int64		background_max;
	bool		background_paused;
	IdemSplitReason reason;
} IdemAdaptiveState;

typedef struct IdemRateState
{
	IdemRateAlgorithm algorithm;	/* says which one is there */
	union
	{
		IdemRunLog	log;
		IdemTokenBucket bucket;
		IdemFixedWindow fixed;
		IdemAdaptiveState adaptive;
	}			as;
} IdemRateState;

typedef struct IdemRateRequest
{
	int64		now;
	int64		cost;			/* 0 asks without taking */
	bool		is_user;		/* or background; for adaptive limits */
} IdemRateRequest;

/* What was taken and not used. */
typedef struct IdemRateRefund
{
	int64		now;
	int64		taken_at;		/* not after now */
	int64		cost;
	bool		is_user;
} IdemRateRefund;

typedef struct IdemRateVerdict
{
	bool		is_allowed;
	IdemRateReason reason;
	int64		quota;
	int64		remaining;
	int64		reset_at;		/* when the whole quota is back; now if it is */
	int64		retry_after;	/* 0 if allowed, else more, or IDEM_RATE_NEVER */
} IdemRateVerdict;

#endif							/* IDEM_RATEMATH_TYPES_H */
