/*
 * expiry.c
 *		Removing what has expired, one relation after the other.
 *
 * Rows that others have locked are skipped: whoever holds a lock on an expired
 * row is reclaiming it.
 *
 * A table that expires registers itself by its line in the list.  Each has its
 * turn in a subtransaction: what fails there leaves the others alone.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/cache/care.h"
#include "engine/care/expiry.h"
#include "engine/common/count.h"
#include "engine/common/userlock.h"
#include "pg/attempt.h"
#include "pg/clock.h"
#include "slots/am.h"
#include "store/idempotency.h"
#include "store/jobs.h"
#include "store/limits/limits.h"

/* removes at most max_rows of what has expired at now, and returns how many */
typedef int64 (*ExpirySource) (TimestampTz now, int32 max_rows);

static int64 expire_rate_limits(TimestampTz now, int32 max_rows);
static int64 expire_cooldowns(TimestampTz now, int32 max_rows);

typedef enum SourceKind
{
	ROWS,
	SLOTS						/* whose lock is not kept */
} SourceKind;

static const struct Source
{
	const char *relation;
	SourceKind	kind;
	IdemStatsFamily family;
	ExpirySource expire;
	/* other relations, or NULL */
	const char *also_reads;
	const char *also_writes;
}			sources[] =

{
	{"idempotency_records", ROWS, IDEM_STATS_IDEMPOTENCY, idem_store_idempotency_expire},
	{"dedupe_jobs", ROWS, IDEM_STATS_DEDUPE, idem_store_jobs_expire},
	{"cache_entries", ROWS, IDEM_STATS_CACHE, idem_cache_care_expire_entries, "cache_leases", "cache_invalidations"},
	{"cache_leases", ROWS, IDEM_STATS_CACHE, idem_cache_care_expire_leases},
	{"cache_invalidations", ROWS, IDEM_STATS_CACHE, idem_cache_care_expire_marks, "cache_leases"},
	{"rate_limit_state", SLOTS, IDEM_STATS_RATE_LIMIT, expire_rate_limits},
	{"cooldowns", SLOTS, IDEM_STATS_RATE_LIMIT, expire_cooldowns},
};

/* one source's turn */
typedef struct Turn
{
	const struct Source *source;
	int32		max_rows;
	int64		done;
} Turn;

/* of the last run, which SQL in between has no column for */
static bool has_more;

/*
 * Of a table of slots a run looks at a part: at which, and at how much since
 * begin.  One that fails has nothing more to give.
 */
static double last_part;
static double parts[lengthof(sources)];

static void take_turn(Turn *turn);
static void expire_source(void *argument);
static void warn(const struct Source *source, const ErrorData *error);

void
idem_care_expiry_begin(void)
{
	memset(parts, 0, sizeof(parts));
}

void
idem_care_expiry_run(int32 max_rows, IdemExpiryReport report, void *arg)
{
	int			i;

	has_more = false;
	for (i = 0; i < lengthof(sources); i++)
	{
		Turn		turn = {.source = &sources[i], .max_rows = max_rows};

		CHECK_FOR_INTERRUPTS();
		take_turn(&turn);
		has_more |= turn.done >= max_rows;
		if (sources[i].kind == SLOTS)
		{
			parts[i] += turn.done == IDEM_EXPIRY_FAILED ? 1 : last_part;
			has_more |= parts[i] < 1;
		}
		report(sources[i].relation, turn.done, arg);
		if (turn.done != IDEM_EXPIRY_FAILED)
			idem_count_expiry(sources[i].family, turn.done);
	}
	/* nobody may call from here for a long time */
	idem_count_flush();
}

static void
take_turn(Turn *turn)
{
	ErrorData  *error = idem_attempt_to_keep(expire_source, turn);

	if (error == NULL)
		return;
	turn->done = IDEM_EXPIRY_FAILED;
	warn(turn->source, error);
	FreeErrorData(error);
}

static void
expire_source(void *argument)
{
	Turn	   *turn = argument;
	const struct Source *source = turn->source;
	Oid			relid = idem_store_table_lock_now(source->relation, RowExclusiveLock);

	if (source->also_reads != NULL)
		idem_store_table_lock_now(source->also_reads, AccessShareLock);
	if (source->also_writes != NULL)
		idem_store_table_lock_now(source->also_writes, RowExclusiveLock);
	turn->done = source->expire(idem_clock_now(), turn->max_rows);
	if (source->kind == SLOTS)
		UnlockRelationOid(relid, RowExclusiveLock);
}

static void
warn(const struct Source *source, const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not expire rows of table \"%s.%s\": %s",
					IDEM_SCHEMA, source->relation, error->message),
			 error->detail != NULL ? errdetail("%s", error->detail) : 0,
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
}

bool
idem_care_expiry_has_more(void)
{
	return has_more;
}

bool
idem_care_expiry_try_lock(void)
{
	LOCKTAG		tag;

	idem_userlock_set_tag(&tag, IDEM_LOCK_EXPIRY, 0, cstring_to_text("expiry"), NULL);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

static int64
expire_rate_limits(TimestampTz now, int32 max_rows)
{
	return idem_store_limits_expire(&idem_store_limits_state, now, max_rows,
									&last_part);
}

static int64
expire_cooldowns(TimestampTz now, int32 max_rows)
{
	return idem_store_limits_expire(&idem_store_limits_cooldowns, now, max_rows,
									&last_part);
}
