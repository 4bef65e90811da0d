/*
 * lease.c
 *		The guard against stampedes: of all who miss a key, one computes it.
 *
 * A lease is a record to the claim engine.  It keeps a snapshot that is at most as
 * new as anything that the value will be computed from.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "engine/cache/entry.h"
#include "engine/cache/lease.h"
#include "engine/cache/snapshot.h"
#include "engine/claims/change.h"
#include "engine/claims/claims.h"
#include "engine/common/count.h"
#include "engine/common/wait.h"
#include "pg/clock.h"
#include "store/cache/marks.h"

StaticAssertDecl(IDEM_COUNT_HIT + IDEM_FETCH_IN_PROGRESS == IDEM_COUNT_CACHE_IN_PROGRESS,
				 "fetches are counted in the order of IdemFetchOutcome");

static bool fetch_once(const IdemFetch *fetch, IdemFetched *fetched,
					   IdemVerdict *verdict);
static bool look(const IdemFetch *fetch, IdemFetched *fetched);
static void claim(const IdemFetch *fetch, IdemVerdict *verdict);
static void begin_epoch(void);
static struct varlena *held_under(const IdemTable *table, int64 fence);

void
idem_cache_lease_fetch(const IdemFetch *fetch, IdemFetched *fetched)
{
	IdemWaiter	waiter;
	IdemVerdict verdict;

	idem_wait_begin(&waiter, &idem_store_cache_leases, fetch->key, NULL, fetch->wait_us);
	while (!fetch_once(fetch, fetched, &verdict) && verdict.is_waitable &&
		   idem_wait_sleep(&waiter, verdict.blocker, verdict.blocker_is_locker,
						   verdict.retry_after_us))
		 /* look again */ ;
	idem_wait_end(&waiter);
	idem_count_one(IDEM_COUNT_HIT + fetched->outcome);
}

/* false while somebody else computes */
static bool
fetch_once(const IdemFetch *fetch, IdemFetched *fetched, IdemVerdict *verdict)
{
	IdemTarget	target = {.family = &idem_store_cache_leases, .key = fetch->key};

	memset(fetched, 0, sizeof(IdemFetched));
	if (look(fetch, fetched))
		return true;
	claim(fetch, verdict);
	if (verdict->outcome != IDEM_STARTED)
	{
		if (fetched->outcome == IDEM_FETCH_STALE)
			return true;
		fetched->outcome = IDEM_FETCH_IN_PROGRESS;
		return false;
	}
	/* whoever had the lease before us may have stored in the meantime */
	memset(fetched, 0, sizeof(IdemFetched));
	if (look(fetch, fetched))
	{
		idem_claims_change_remove(&target);
		return true;
	}
	memset(fetched, 0, sizeof(IdemFetched));
	fetched->outcome = IDEM_FETCH_COMPUTE;
	fetched->fence = verdict->fence;
	return true;
}

/*
 * Is it a hit?  As it is committed now, or our own, since others wait for each
 * other's commit here, whatever their isolation level.  Sets the value also of
 * an entry that may be served as stale.
 */
static bool
look(const IdemFetch *fetch, IdemFetched *fetched)
{
	IdemKey		key = idem_store_cache_key(fetch->key);
	TimestampTz now;
	IdemTable	table;
	IdemEntry	entry;
	bool		is_live = false;

	fetched->outcome = IDEM_FETCH_IN_PROGRESS;
	idem_store_cache_open(&table, AccessShareLock);
	if (idem_store_versions_find(&table, &key))
	{
		idem_store_cache_read(table.base.slot, &entry);
		now = idem_clock_now();
		is_live = idem_cache_entry_is_live(&entry, now);
		if (is_live)
			fetched->outcome = IDEM_FETCH_HIT;
		else if (!idem_store_cache_is_trace(&entry) &&
				 now < idem_clock_add(entry.expires_at, &fetch->stale))
			fetched->outcome = IDEM_FETCH_STALE;
		if (fetched->outcome != IDEM_FETCH_IN_PROGRESS)
		{
			fetched->value = idem_cache_entry_copy_value(&entry, entry.is_json);
			fetched->is_json = entry.is_json;
			fetched->expires_at = entry.expires_at;
		}
	}
	idem_store_table_close(&table);
	return is_live;
}

/* never waits */
static void
claim(const IdemFetch *fetch, IdemVerdict *verdict)
{
	IdemStart	request = {0};

	request.family = &idem_store_cache_leases;
	request.key = fetch->key;
	request.lease = fetch->lease;
	request.ttl = fetch->lease;
	request.ttl.month *= 2;
	request.ttl.day *= 2;
	request.ttl.time *= 2;
	request.takeover = true;
	request.context = idem_cache_snapshot_oldest();
	begin_epoch();
	idem_claims_start(&request, verdict);
}

/* If others are beginning one, this lease stores nothing, as if it were our own. */
static void
begin_epoch(void)
{
	FullTransactionId epoch;
	IdemTable	marks;
	bool		has_epoch;

	if (idem_store_cache_marks_knows_epoch())
		return;
	idem_store_cache_marks_open(&marks, AccessShareLock);
	has_epoch = idem_store_cache_marks_epoch(&marks, &epoch);
	idem_store_table_close(&marks);
	if (!has_epoch)
		idem_store_cache_marks_begin_epoch();
}

struct varlena *
idem_cache_lease_end(text *key, int64 fence)
{
	IdemKey		lease_key = idem_store_records_key(key, NULL);
	struct varlena *snapshot = NULL;
	TransactionId locker;
	IdemTable	table;

	idem_store_records_open(&table, &idem_store_cache_leases, RowExclusiveLock);
	if (idem_store_versions_find(&table, &lease_key) &&
		(snapshot = held_under(&table, fence)) != NULL &&
		(idem_store_tuple_lock(&table, &locker) != IDEM_LOCKED ||
		 !idem_store_tuple_delete(&table)))
		snapshot = NULL;
	idem_store_table_close(&table);
	if (snapshot != NULL)
		idem_wait_wake(&idem_store_cache_leases, key, NULL);
	return snapshot;
}

/* looked at before the lock, so that nobody else's lease is locked */
static struct varlena *
held_under(const IdemTable *table, int64 fence)
{
	IdemRecord	lease;

	idem_store_records_read(table, table->base.slot, &lease);
	if (lease.fence != fence || !idem_store_records_is_live(&lease, idem_clock_now()))
		return NULL;
	return idem_store_records_copy(lease.context);
}
