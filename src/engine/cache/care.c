/*
 * care.c
 *		Keeping the cache's tables small.
 *
 * A mark must outlive every lease that could not see its transaction.  When no
 * snapshot is in use any more that does not see it, it is stamped: leases from
 * before have ended when twice the longest lease has passed.
 *
 * An entry is such a mark of its own: it says who wrote it last.  So it stays
 * while somebody computes a value for its key, who may have begun before.  No
 * snapshot shows the lease of a transaction that is still open, so those are
 * looked for first; the statement's snapshot comes later, and shows the others.
 */
#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_type.h"
#include "storage/procarray.h"
#include "utils/array.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "engine/cache/care.h"
#include "engine/cache/freshness.h"
#include "engine/common/spi.h"
#include "pg/guc.h"
#include "store/cache.h"
#include "store/survey.h"

static int64 trim(TimestampTz now, int32 max_rows, Datum open_keys, Datum oldest);
static Datum keys_of_open_leases(void);
static void add_open_key(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);
static FullTransactionId oldest_in_use(void);

int64
idem_cache_care_expire_entries(TimestampTz now, int32 max_rows)
{
	TimestampTz expired_before = now - idem_guc_cache_keep_stale * USECS_PER_SEC;
	Oid			types[] = {TIMESTAMPTZOID, INT4OID, TIMESTAMPTZOID, TEXTARRAYOID, XID8OID, INT4OID};
	Datum		values[lengthof(types)];
	Datum		oldest = FullTransactionIdGetDatum(oldest_in_use());
	Datum		open_keys = keys_of_open_leases();
	int64		removed;

	values[0] = TimestampTzGetDatum(expired_before);
	values[1] = Int32GetDatum(max_rows);
	values[2] = TimestampTzGetDatum(now);
	values[3] = open_keys;
	values[4] = oldest;
	values[5] = Int32GetDatum(idem_store_cache_bucket(expired_before));
	idem_spi_execute(idem_store_cache_expire_sql, lengthof(types), types, values, NULL,
					 SPI_OK_DELETE);
	removed = SPI_processed;
	if (idem_guc_cache_max_size > 0 && removed < max_rows)
		removed += trim(now, max_rows - removed, open_keys, oldest);
	return removed;
}

static int64
trim(TimestampTz now, int32 max_rows, Datum open_keys, Datum oldest)
{
	Oid			types[] = {INT8OID, INT4OID, TIMESTAMPTZOID, TEXTARRAYOID, XID8OID};
	Datum		values[lengthof(types)];

	values[0] = Int64GetDatum((int64) idem_guc_cache_max_size * 1024);
	values[1] = Int32GetDatum(max_rows);
	values[2] = TimestampTzGetDatum(now);
	values[3] = open_keys;
	values[4] = oldest;
	idem_spi_execute(idem_store_cache_trim_sql, lengthof(types), types, values, NULL,
					 SPI_OK_DELETE);
	return SPI_processed;
}

static Datum
keys_of_open_leases(void)
{
	ArrayBuildState *keys = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	IdemTable	table;

	idem_store_records_open(&table, &idem_store_cache_leases, AccessShareLock);
	idem_store_survey(&table, add_open_key, keys);
	idem_store_table_close(&table);
	return makeArrayResult(keys, CurrentMemoryContext);
}

static void
add_open_key(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	IdemRecord	lease;

	if (!is_open)
		return;
	idem_store_records_read(table, slot, &lease);
	accumArrayResult(arg, PointerGetDatum(lease.key), false, TEXTOID, CurrentMemoryContext);
}

int64
idem_cache_care_expire_leases(TimestampTz now, int32 max_rows)
{
	return idem_spi_expire(idem_store_cache_expire_leases_sql, now, max_rows);
}

int64
idem_cache_care_stamp_marks(TimestampTz now, int32 max_rows)
{
	Oid			types[] = {TIMESTAMPTZOID, INT4OID, XID8OID};
	Datum		values[lengthof(types)];

	values[0] = TimestampTzGetDatum(now);
	values[1] = Int32GetDatum(max_rows);
	values[2] = FullTransactionIdGetDatum(oldest_in_use());
	idem_spi_execute(idem_store_cache_stamp_marks_sql, lengthof(types), types, values,
					 NULL, SPI_OK_UPDATE);
	return SPI_processed;
}

/*
 * The oldest transaction that is open in this database, or was when a snapshot
 * in use here was taken.
 */
static FullTransactionId
oldest_in_use(void)
{
	IdemTable	table;
	TransactionId xid;
	FullTransactionId next;
	uint32		epoch;

	idem_store_records_open(&table, &idem_store_cache_leases, AccessShareLock);
	xid = GetOldestNonRemovableTransactionId(table.rel);
	idem_store_table_close(&table);
	next = ReadNextFullTransactionId();
	epoch = EpochFromFullTransactionId(next);
	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return FullTransactionIdFromEpochAndXid(epoch, xid);
}

int64
idem_cache_care_expire_marks(TimestampTz now, int32 max_rows)
{
	TimestampTz over = now - 2 * IDEM_MAX_CACHE_LEASE_S * USECS_PER_SEC;

	return idem_spi_expire(idem_store_cache_expire_marks_sql, over, max_rows);
}
