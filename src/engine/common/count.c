/*
 * count.c
 *		Counting calls by their outcome.
 *
 * A call must not fail or wait for being counted.  So what could raise runs in
 * a subtransaction, interrupts wait till it is through, and a table that is
 * locked or is not there is left for the next time.  The subtransaction is
 * rolled back in any case, which frees its memory; rows that are changed in
 * place do not care.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "replication/walsender.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"

#include "engine/common/count.h"
#include "pg/attempt.h"
#include "pg/clock.h"
#include "store/stats.h"

#define PAUSE_US			USECS_PER_SEC

/* what keeps failing is not to fill the server's log */
#define PAUSE_AFTER_ERROR_US	USECS_PER_MINUTE

/* in a long statement that does not read the clock itself */
#define COUNTS_A_READING	1024

static const char *const family_names[] = {
	[IDEM_STATS_IDEMPOTENCY] = "idempotency",
	[IDEM_STATS_DEDUPE] = "dedupe",
	[IDEM_STATS_CACHE] = "cache",
	[IDEM_STATS_RATE_LIMIT] = "rate_limit",
};

static const struct
{
	IdemStatsFamily family;
	const char *name;
}			counters[] =

{
	[IDEM_COUNT_STARTED] = {IDEM_STATS_IDEMPOTENCY, "started"},
	[IDEM_COUNT_IN_PROGRESS] = {IDEM_STATS_IDEMPOTENCY, "in_progress"},
	[IDEM_COUNT_REPLAY] = {IDEM_STATS_IDEMPOTENCY, "replay"},
	[IDEM_COUNT_FAILED] = {IDEM_STATS_IDEMPOTENCY, "failed"},
	[IDEM_COUNT_MISMATCH] = {IDEM_STATS_IDEMPOTENCY, "mismatch"},
	[IDEM_COUNT_ABANDONED] = {IDEM_STATS_IDEMPOTENCY, "abandoned"},
	[IDEM_COUNT_DUPLICATE] = {IDEM_STATS_IDEMPOTENCY, "duplicate"},
	[IDEM_COUNT_EXISTS] = {IDEM_STATS_IDEMPOTENCY, "exists"},
	[IDEM_COUNT_VALUE_SET] = {IDEM_STATS_IDEMPOTENCY, "set"},
	[IDEM_COUNT_COMPLETED] = {IDEM_STATS_IDEMPOTENCY, "completed"},
	[IDEM_COUNT_GIVEN_UP] = {IDEM_STATS_IDEMPOTENCY, "given_up"},
	[IDEM_COUNT_RETRYABLE] = {IDEM_STATS_IDEMPOTENCY, "retryable"},
	[IDEM_COUNT_RELEASED] = {IDEM_STATS_IDEMPOTENCY, "released"},
	[IDEM_COUNT_LOST] = {IDEM_STATS_IDEMPOTENCY, "lost"},
	[IDEM_COUNT_OWNER] = {IDEM_STATS_DEDUPE, "owner"},
	[IDEM_COUNT_JOINED] = {IDEM_STATS_DEDUPE, "joined"},
	[IDEM_COUNT_JOB_COMPLETED] = {IDEM_STATS_DEDUPE, "completed"},
	[IDEM_COUNT_JOB_FAILED] = {IDEM_STATS_DEDUPE, "failed"},
	[IDEM_COUNT_JOB_REFUSED] = {IDEM_STATS_DEDUPE, "refused"},
	[IDEM_COUNT_WAIT_COMPLETED] = {IDEM_STATS_DEDUPE, "wait_completed"},
	[IDEM_COUNT_WAIT_FAILED] = {IDEM_STATS_DEDUPE, "wait_failed"},
	[IDEM_COUNT_WAIT_TIMEOUT] = {IDEM_STATS_DEDUPE, "wait_timeout"},
	[IDEM_COUNT_WAIT_ABSENT] = {IDEM_STATS_DEDUPE, "wait_absent"},
	[IDEM_COUNT_HIT] = {IDEM_STATS_CACHE, "hit"},
	[IDEM_COUNT_STALE] = {IDEM_STATS_CACHE, "stale"},
	[IDEM_COUNT_COMPUTE] = {IDEM_STATS_CACHE, "compute"},
	[IDEM_COUNT_CACHE_IN_PROGRESS] = {IDEM_STATS_CACHE, "in_progress"},
	[IDEM_COUNT_MISS] = {IDEM_STATS_CACHE, "miss"},
	[IDEM_COUNT_SET] = {IDEM_STATS_CACHE, "set"},
	[IDEM_COUNT_REFUSED] = {IDEM_STATS_CACHE, "refused"},
	[IDEM_COUNT_TOUCHED] = {IDEM_STATS_CACHE, "touched"},
	[IDEM_COUNT_DELETED] = {IDEM_STATS_CACHE, "deleted"},
	[IDEM_COUNT_INVALIDATED] = {IDEM_STATS_CACHE, "invalidated"},
	[IDEM_COUNT_ALLOWED] = {IDEM_STATS_RATE_LIMIT, "allowed"},
	[IDEM_COUNT_QUOTA] = {IDEM_STATS_RATE_LIMIT, "quota"},
	[IDEM_COUNT_QUOTA_ZERO] = {IDEM_STATS_RATE_LIMIT, "quota_zero"},
	[IDEM_COUNT_COST_EXCEEDS_QUOTA] = {IDEM_STATS_RATE_LIMIT, "cost_exceeds_quota"},
	[IDEM_COUNT_PAUSED] = {IDEM_STATS_RATE_LIMIT, "paused"},
	[IDEM_COUNT_COOLDOWN] = {IDEM_STATS_RATE_LIMIT, "cooldown"},
	[IDEM_COUNT_SHADOW] = {IDEM_STATS_RATE_LIMIT, "shadow"},
	[IDEM_COUNT_RECORDED] = {IDEM_STATS_RATE_LIMIT, "recorded"},
	[IDEM_COUNT_REMOVED + IDEM_STATS_IDEMPOTENCY] = {IDEM_STATS_IDEMPOTENCY, "removed"},
	[IDEM_COUNT_REMOVED + IDEM_STATS_DEDUPE] = {IDEM_STATS_DEDUPE, "removed"},
	[IDEM_COUNT_REMOVED + IDEM_STATS_CACHE] = {IDEM_STATS_CACHE, "removed"},
	[IDEM_COUNT_REMOVED + IDEM_STATS_RATE_LIMIT] = {IDEM_STATS_RATE_LIMIT, "removed"},
};

StaticAssertDecl(lengthof(counters) == IDEM_COUNTERS, "every counter has a name");

/* what this backend has counted and not yet added to what all share */
typedef struct Pending
{
	int64		counts[IDEM_COUNTERS];
	TimestampTz last_expiry[IDEM_STATS_FAMILIES];	/* 0: none */
} Pending;

static Pending pending;
static bool has_pending;
static uint32 ncounted;

static TimestampTz last_flush;
static int64 pause_us = PAUSE_US;
static bool is_registered;

static void begin_counting(void);
static bool is_due(void);
static void flush_at_exit(int code, Datum arg);
static void write_uninterrupted(void *argument);
static void write_pending(void);

void
idem_count_one(IdemCounter counter)
{
	idem_count_many(counter, 1);
}

void
idem_count_many(IdemCounter counter, int64 n)
{
	pending.counts[counter] += n;
	has_pending = true;
	if (!is_registered)
		begin_counting();
	else if (is_due())
		idem_count_flush();
}

/* The clock may be set back. */
static bool
is_due(void)
{
	TimestampTz now;

	ncounted++;
	now = ncounted % COUNTS_A_READING == 0 ? idem_clock_real() : idem_clock_recent();
	return now - last_flush >= pause_us || now < last_flush;
}

/* The first second of a backend is not over yet. */
static void
begin_counting(void)
{
	before_shmem_exit(flush_at_exit, (Datum) 0);
	is_registered = true;
	last_flush = idem_clock_recent();
}

void
idem_count_error(IdemCounter counter)
{
	if (!is_registered)
		begin_counting();
	pending.counts[counter]++;
	has_pending = true;
}

void
idem_count_expiry(IdemStatsFamily family, int64 nremoved)
{
	pending.last_expiry[family] = idem_clock_now();
	idem_count_many(IDEM_COUNT_REMOVED + family, nremoved);
}

void
idem_count_flush(void)
{
	ErrorData  *error;

	last_flush = idem_clock_recent();
	pause_us = PAUSE_US;
	if (!has_pending || IsInParallelMode() || RecoveryInProgress())
		return;

	error = idem_attempt(write_uninterrupted, NULL);
	if (error != NULL)
	{
		pause_us = PAUSE_AFTER_ERROR_US;
		ereport(LOG,
				(errmsg("could not add to the statistics of idemstore: %s",
						error->message)));
		FreeErrorData(error);
	}
}

static void
write_uninterrupted(void *argument)
{
	HOLD_INTERRUPTS();
	write_pending();
	RESUME_INTERRUPTS();
}

/*
 * As core does away with temporary tables: whatever was going on is over.  A
 * walsender may be there after the last checkpoint, and must not write then.
 */
static void
flush_at_exit(int code, Datum arg)
{
	if (!has_pending || IsParallelWorker() || am_walsender || RecoveryInProgress())
		return;
	AbortOutOfAnyTransaction();
	StartTransactionCommand();
	write_pending();
	CommitTransactionCommand();
}

/* What is written is not pending any more, even if the rest fails. */
static void
write_pending(void)
{
	IdemSlots	slots;
	int			i;

	if (!idem_store_stats_try_open(&slots))
		return;
	if (idem_store_stats_get(&slots, IDEM_COUNT_RESET_AT) == 0)
		idem_store_stats_put(&slots, IDEM_COUNT_RESET_AT, idem_clock_now());
	for (i = 0; i < IDEM_COUNTERS; i++)
	{
		if (pending.counts[i] != 0)
			idem_store_stats_add(&slots, idem_count_name(i), pending.counts[i]);
		pending.counts[i] = 0;
	}
	for (i = 0; i < IDEM_STATS_FAMILIES; i++)
	{
		if (pending.last_expiry[i] != 0)
			idem_store_stats_raise(&slots, idem_count_expiry_name(i), pending.last_expiry[i]);
		pending.last_expiry[i] = 0;
	}
	has_pending = false;
	idem_slots_close(&slots);
}

char *
idem_count_name(IdemCounter counter)
{
	return psprintf("%s.%s", family_names[counters[counter].family],
					counters[counter].name);
}

char *
idem_count_expiry_name(IdemStatsFamily family)
{
	return psprintf("%s.last_expiry", family_names[family]);
}

void
idem_count_forget(void)
{
	memset(&pending, 0, sizeof(pending));
	has_pending = false;
}

const char *
idem_count_family_name(IdemStatsFamily family)
{
	return family_names[family];
}

const char *
idem_count_outcome_name(IdemStatsFamily family, IdemCounter counter)
{
	if (counter >= IDEM_COUNT_REMOVED || counters[counter].family != family)
		return NULL;
	return counters[counter].name;
}
