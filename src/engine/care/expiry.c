/*
 * expiry.c
 *		Removing what has expired, one statement a relation.
 *
 * A row is locked before it is removed, and locked rows are skipped: whoever
 * holds a lock on an expired row is reclaiming it.  The condition is checked
 * again after the lock, on the newest version, which is what FOR UPDATE does.
 *
 * A table that expires registers itself by its line in the list.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/cache/care.h"
#include "engine/care/expiry.h"
#include "engine/common/count.h"
#include "engine/common/spi.h"
#include "engine/common/userlock.h"
#include "pg/clock.h"
#include "store/idempotency.h"
#include "store/jobs.h"
#include "store/ratelimits.h"

/* removes at most max_rows of what has expired at now, and returns how many */
typedef int64 (*ExpirySource) (TimestampTz now, int32 max_rows);

static int64 expire_records(TimestampTz now, int32 max_rows);
static int64 expire_jobs(TimestampTz now, int32 max_rows);
static int64 expire_rate_limits(TimestampTz now, int32 max_rows);
static int64 expire_cooldowns(TimestampTz now, int32 max_rows);

static const struct
{
	const char *relation;		/* NULL: a step that removes nothing yet */
	IdemStatsFamily family;
	ExpirySource expire;
}			sources[] =

{
	{"idempotency_records", IDEM_STATS_IDEMPOTENCY, expire_records},
	{"dedupe_jobs", IDEM_STATS_DEDUPE, expire_jobs},
	{"cache_entries", IDEM_STATS_CACHE, idem_cache_care_expire_entries},
	{"cache_leases", IDEM_STATS_CACHE, idem_cache_care_expire_leases},
	{NULL, IDEM_STATS_CACHE, idem_cache_care_stamp_marks},
	{"cache_invalidations", IDEM_STATS_CACHE, idem_cache_care_expire_marks},
	{"rate_limit_state", IDEM_STATS_RATE_LIMIT, expire_rate_limits},
	{"cooldowns", IDEM_STATS_RATE_LIMIT, expire_cooldowns},
};

/* of the last run, which SQL in between has no column for */
static bool has_more;

void
idem_care_expiry_run(int32 max_rows, IdemExpiryReport report, void *arg)
{
	int			i;

	has_more = false;
	SPI_connect();
	for (i = 0; i < lengthof(sources); i++)
	{
		int64		done;

		CHECK_FOR_INTERRUPTS();
		done = sources[i].expire(idem_clock_now(), max_rows);
		has_more |= done >= max_rows;
		if (sources[i].relation == NULL)
			continue;
		report(sources[i].relation, done, arg);
		idem_count_expiry(sources[i].family, done);
	}
	SPI_finish();
	/* nobody may call from here for a long time */
	idem_count_flush();
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
expire_records(TimestampTz now, int32 max_rows)
{
	return idem_spi_expire(idem_store_idempotency_expire_sql, now, max_rows);
}

static int64
expire_jobs(TimestampTz now, int32 max_rows)
{
	return idem_spi_expire(idem_store_jobs_expire_sql, now, max_rows);
}

static int64
expire_rate_limits(TimestampTz now, int32 max_rows)
{
	return idem_store_ratelimits_expire(&idem_store_ratelimits_state, now, max_rows);
}

static int64
expire_cooldowns(TimestampTz now, int32 max_rows)
{
	return idem_store_ratelimits_expire(&idem_store_ratelimits_cooldowns, now, max_rows);
}
