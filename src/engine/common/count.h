/*
 * count.h
 *		Counting calls by their outcome.
 *
 * Counted is in the backend, which costs an addition; about once a second, and
 * when the backend ends, it is added to the numbers that all share.  Calls
 * that are rolled back are counted, those that raise an error are not.
 */
#ifndef IDEM_COMMON_COUNT_H
#define IDEM_COMMON_COUNT_H

#include "datatype/timestamp.h"

typedef enum IdemStatsFamily
{
	IDEM_STATS_IDEMPOTENCY,
	IDEM_STATS_DEDUPE,
	IDEM_STATS_CACHE,
	IDEM_STATS_RATE_LIMIT,
	IDEM_STATS_FAMILIES
} IdemStatsFamily;

typedef enum IdemCounter
{
	/* of starts, in the order of IdemOutcome */
	IDEM_COUNT_STARTED,
	IDEM_COUNT_IN_PROGRESS,
	IDEM_COUNT_REPLAY,
	IDEM_COUNT_FAILED,
	IDEM_COUNT_MISMATCH,
	IDEM_COUNT_ABANDONED,
	IDEM_COUNT_DUPLICATE,
	/* of the other calls on a record */
	IDEM_COUNT_EXISTS,			/* to who starts only if there is none */
	IDEM_COUNT_VALUE_SET,
	IDEM_COUNT_COMPLETED,
	IDEM_COUNT_GIVEN_UP,		/* failed for good */
	IDEM_COUNT_RETRYABLE,		/* failed for now */
	IDEM_COUNT_RELEASED,
	IDEM_COUNT_LOST,			/* came with a stale fence */

	IDEM_COUNT_OWNER,
	IDEM_COUNT_JOINED,
	IDEM_COUNT_JOB_COMPLETED,
	IDEM_COUNT_JOB_FAILED,
	IDEM_COUNT_JOB_REFUSED,
	/* of waits for a job, in the order of IdemJobOutcome */
	IDEM_COUNT_WAIT_COMPLETED,
	IDEM_COUNT_WAIT_FAILED,
	IDEM_COUNT_WAIT_TIMEOUT,
	IDEM_COUNT_WAIT_ABSENT,

	/* of fetches, in the order of IdemFetchOutcome; a hit of any reading */
	IDEM_COUNT_HIT,
	IDEM_COUNT_STALE,
	IDEM_COUNT_COMPUTE,
	IDEM_COUNT_CACHE_IN_PROGRESS,
	/* of the other calls on the cache; entries and not calls */
	IDEM_COUNT_MISS,
	IDEM_COUNT_SET,
	IDEM_COUNT_REFUSED,
	IDEM_COUNT_TOUCHED,
	IDEM_COUNT_DELETED,
	IDEM_COUNT_INVALIDATED,

	/* of requests, in the order of IdemRateReason */
	IDEM_COUNT_ALLOWED,
	IDEM_COUNT_QUOTA,
	IDEM_COUNT_QUOTA_ZERO,
	IDEM_COUNT_COST_EXCEEDS_QUOTA,
	IDEM_COUNT_PAUSED,
	IDEM_COUNT_COOLDOWN,
	IDEM_COUNT_SHADOW,			/* of those allowed */
	IDEM_COUNT_RECORDED,

	/* of expired rows, one a family; not of calls */
	IDEM_COUNT_REMOVED,
	IDEM_COUNTERS = IDEM_COUNT_REMOVED + IDEM_STATS_FAMILIES
} IdemCounter;

/*
 * Count.  No page and no fingerprint may be locked: it may be time to add what
 * has been counted to what all share.  Never raises, never waits.
 */
extern void idem_count_one(IdemCounter counter);
extern void idem_count_many(IdemCounter counter, int64 n);

/* As count, just before an error is raised. */
extern void idem_count_error(IdemCounter counter);

/* Count a run of expiry over a table of the family, and the rows it removed. */
extern void idem_count_expiry(IdemStatsFamily family, int64 nremoved);

/* Add what this backend has counted to what all share, if that can be now. */
extern void idem_count_flush(void);

/* Forget what has not been added yet. */
extern void idem_count_forget(void);

/*
 * The names under which all share the numbers: since when is counted, calls,
 * and the last run of expiry of a family.
 */
#define IDEM_COUNT_RESET_AT		"reset_at"
extern char *idem_count_name(IdemCounter counter);
extern char *idem_count_expiry_name(IdemStatsFamily family);

extern const char *idem_count_family_name(IdemStatsFamily family);

/* The outcome's name if the counter is one of calls of the family, else NULL. */
extern const char *idem_count_outcome_name(IdemStatsFamily family, IdemCounter counter);

#endif							/* IDEM_COMMON_COUNT_H */
