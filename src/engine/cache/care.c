/*
 * care.c
 *		Keeping the cache's tables small.
 *
 * No statement of SQL does it: at some isolation levels that fails where the rows
 * have changed since, and it leaves SIREAD locks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/timestamp.h"

#include "engine/cache/care.h"
#include "engine/cache/retire.h"
#include "engine/cache/trim.h"
#include "pg/guc.h"
#include "store/cache/marks.h"
#include "store/survey.h"

/* a batch of entries */
typedef struct EntryExpiry
{
	IdemRetirement retirement;
	TimestampTz before;
} EntryExpiry;

/* a batch of leases */
typedef struct LeaseExpiry
{
	TimestampTz now;
	int64		max_rows;
	int64		nremoved;
} LeaseExpiry;

static bool expire_entry(IdemTable *table, TupleTableSlot *slot, void *arg);
static bool expire_lease(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);

int64
idem_cache_care_expire_entries(TimestampTz now, int32 max_rows)
{
	EntryExpiry expiry = {.before = now - idem_guc_cache_keep_stale * USECS_PER_SEC};
	IdemTable	table;
	int64		removed;

	idem_cache_retire_begin(&expiry.retirement);
	idem_store_cache_open(&table, RowExclusiveLock);
	removed = idem_store_cache_sweep(&table, idem_store_cache_bucket(expiry.before),
									 expire_entry, &expiry, max_rows);
	idem_store_table_close(&table);
	removed += idem_cache_trim(&expiry.retirement, now, max_rows - removed);
	idem_cache_retire_end(&expiry.retirement);
	return removed;
}

static bool
expire_entry(IdemTable *table, TupleTableSlot *slot, void *arg)
{
	EntryExpiry *expiry = arg;
	IdemEntry	entry;

	idem_store_cache_read(slot, &entry);
	return entry.expires_at <= expiry->before &&
		idem_cache_retire_entry(&expiry->retirement, table, &entry);
}

int64
idem_cache_care_expire_leases(TimestampTz now, int32 max_rows)
{
	LeaseExpiry expiry = {.now = now, .max_rows = max_rows};
	IdemTable	table;

	idem_store_records_open(&table, &idem_store_cache_leases, RowExclusiveLock);
	idem_store_survey_from(&table, 0, expire_lease, &expiry);
	idem_store_table_close(&table);
	CommandCounterIncrement();
	return expiry.nremoved;
}

static bool
expire_lease(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	LeaseExpiry *expiry = arg;
	IdemRecord	lease;

	idem_store_records_read(table, slot, &lease);
	if (!is_open && !idem_store_records_is_live(&lease, expiry->now) &&
		idem_store_tuple_try_delete(table, &slot->tts_tid))
		expiry->nremoved++;
	return expiry->nremoved < expiry->max_rows;
}

int64
idem_cache_care_expire_marks(TimestampTz now, int32 max_rows)
{
	FullTransactionId horizon = idem_cache_retire_horizon();
	IdemTable	table;
	int64		removed;

	idem_store_cache_marks_open(&table, RowExclusiveLock);
	removed = idem_store_cache_marks_remove(&table, horizon, max_rows);
	idem_store_table_close(&table);
	return removed;
}
