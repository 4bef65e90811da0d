/*
 * cache.c
 *		The tables of the cache: their columns, and how rows become structs and
 *		back.
 *
 * No index has a column that every refresh changes: expiry finds entries by a
 * coarse bucket, so that overwriting an entry under its tags stays HOT.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "pg/clock.h"
#include "store/cache/cache.h"

/* of an hour */
#define BUCKET_US	USECS_PER_HOUR

enum
{
	ENTRY_KEY,
	ENTRY_VALUE,
	ENTRY_IS_JSON,
	ENTRY_TAGS,
	ENTRY_EXPIRES_AT,
	ENTRY_EXPIRES_BUCKET,
	ENTRY_WRITTEN_AT,
	ENTRY_WRITTEN_BY,
	ENTRY_COLUMNS
};

static const IdemColumn entry_columns[ENTRY_COLUMNS] = {
	[ENTRY_KEY] = {"key", TEXTOID},
	[ENTRY_VALUE] = {"value", BYTEAOID},
	[ENTRY_IS_JSON] = {"is_json", BOOLOID},
	[ENTRY_TAGS] = {"tags", TEXTARRAYOID},
	[ENTRY_EXPIRES_AT] = {"expires_at", TIMESTAMPTZOID},
	[ENTRY_EXPIRES_BUCKET] = {"expires_bucket", INT4OID},
	[ENTRY_WRITTEN_AT] = {"written_at", TIMESTAMPTZOID},
	[ENTRY_WRITTEN_BY] = {"written_by", XID8OID},
};

StaticAssertDecl(ENTRY_TAGS == IDEM_CACHE_TAGS_COLUMN, "the column of tags is known");

static IdemTableInfo entries_table = {
	.kind = IDEM_TABLE_RECORDS,
	.name = "cache_entries",
	.nkeys = 1,
	.ncolumns = ENTRY_COLUMNS,
	.columns = entry_columns,
};

enum
{
	LEASE_KEY,
	LEASE_FENCE,
	LEASE_SNAPSHOT,
	LEASE_LEASE_EXPIRES_AT,
	LEASE_EXPIRES_AT,
	LEASE_CREATED_AT,
	LEASE_COLUMNS
};

static const IdemColumn lease_columns[LEASE_COLUMNS] = {
	[LEASE_KEY] = {"key", TEXTOID},
	[LEASE_FENCE] = {"fence", INT8OID},
	[LEASE_SNAPSHOT] = {"snapshot", PG_SNAPSHOTOID},
	[LEASE_LEASE_EXPIRES_AT] = {"lease_expires_at", TIMESTAMPTZOID},
	[LEASE_EXPIRES_AT] = {"expires_at", TIMESTAMPTZOID},
	[LEASE_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
};

static void read_lease(TupleTableSlot *slot, IdemRecord *record);
static void put_lease(const IdemRecord *record, Datum *values, bool *isnull);

IdemFamily	idem_store_cache_leases = {
	.table = {
		.kind = IDEM_TABLE_RECORDS,
		.name = "cache_leases",
		.nkeys = 1,
		.ncolumns = LEASE_COLUMNS,
		.columns = lease_columns,
	},
	.has_fence = true,
	.read = read_lease,
	.columns = put_lease,
};

static IdemSweep sweep = {.column = ENTRY_EXPIRES_BUCKET, .type = INT4OID};

static void put_entry(const IdemEntry *entry, Datum *values, bool *isnull);

void
idem_store_cache_open(IdemTable *table, LOCKMODE lockmode)
{
	idem_store_table_open(table, &entries_table, lockmode);
}

IdemKey
idem_store_cache_key(const text *key)
{
	IdemKey		result = {{PointerGetDatum(key)}};

	return result;
}

void
idem_store_cache_read(TupleTableSlot *slot, IdemEntry *entry)
{
	const Datum *values;

	slot_getallattrs(slot);
	values = slot->tts_values;
	entry->key = idem_store_records_get_varlena(slot, ENTRY_KEY);
	entry->value = idem_store_records_get_varlena(slot, ENTRY_VALUE);
	entry->is_json = DatumGetBool(values[ENTRY_IS_JSON]);
	entry->tags = (ArrayType *) idem_store_records_get_varlena(slot, ENTRY_TAGS);
	entry->expires_at = slot->tts_isnull[ENTRY_EXPIRES_AT] ? IDEM_CACHE_NEVER :
		DatumGetTimestampTz(values[ENTRY_EXPIRES_AT]);
	entry->written_at = DatumGetTimestampTz(values[ENTRY_WRITTEN_AT]);
	entry->written_by = DatumGetFullTransactionId(values[ENTRY_WRITTEN_BY]);
	entry->row = slot->tts_tid;
}

void
idem_store_cache_read_back(const ItemPointerData * row, IdemEntry *entry)
{
	IdemTable	table;
	ItemPointerData tid = *row;

	idem_store_cache_open(&table, AccessShareLock);
	if (!table_tuple_fetch_row_version(table.rel, &tid, SnapshotAny,
									   idem_store_table_scan_slot(&table)))
		elog(ERROR, "could not find a replaced version of a cache entry");
	idem_store_cache_read(table.scan, entry);
	entry->key = idem_store_records_copy(entry->key);
	entry->value = idem_store_records_copy(entry->value);
	entry->tags = (ArrayType *) idem_store_records_copy((struct varlena *) entry->tags);
	idem_store_table_close(&table);
}

void
idem_store_cache_make_trace(IdemEntry *entry)
{
	entry->value = cstring_to_text("");
	entry->is_json = true;
	entry->tags = NULL;
	entry->expires_at = entry->written_at;
}

bool
idem_store_cache_is_trace(const IdemEntry *entry)
{
	return entry->is_json && VARSIZE_ANY_EXHDR(entry->value) == 0;
}

bool
idem_store_cache_insert(IdemTable *table, const IdemEntry *entry)
{
	Datum		values[ENTRY_COLUMNS];
	bool		isnull[ENTRY_COLUMNS];

	put_entry(entry, values, isnull);
	return idem_store_tuple_insert(table, values, isnull);
}

bool
idem_store_cache_update(IdemTable *table, const IdemEntry *entry)
{
	Datum		values[ENTRY_COLUMNS];
	bool		isnull[ENTRY_COLUMNS];

	put_entry(entry, values, isnull);
	return idem_store_tuple_update(table, values, isnull);
}

static void
put_entry(const IdemEntry *entry, Datum *values, bool *isnull)
{
	bool		never_expires = entry->expires_at == IDEM_CACHE_NEVER;

	memset(isnull, 0, ENTRY_COLUMNS * sizeof(bool));
	values[ENTRY_KEY] = PointerGetDatum(entry->key);
	values[ENTRY_VALUE] = PointerGetDatum(entry->value);
	values[ENTRY_IS_JSON] = BoolGetDatum(entry->is_json);
	idem_store_records_put_varlena(values, isnull, ENTRY_TAGS,
								   (const struct varlena *) entry->tags);
	values[ENTRY_EXPIRES_AT] = TimestampTzGetDatum(entry->expires_at);
	isnull[ENTRY_EXPIRES_AT] = never_expires;
	values[ENTRY_EXPIRES_BUCKET] = Int32GetDatum(never_expires ? 0 :
												 idem_store_cache_bucket(entry->expires_at));
	isnull[ENTRY_EXPIRES_BUCKET] = never_expires;
	values[ENTRY_WRITTEN_AT] = TimestampTzGetDatum(entry->written_at);
	values[ENTRY_WRITTEN_BY] = FullTransactionIdGetDatum(entry->written_by);
}

int64
idem_store_cache_length(IdemTable *table)
{
	int64		nblocks = RelationGetNumberOfBlocks(table->rel);
	Oid			toast_oid = table->rel->rd_rel->reltoastrelid;

	if (OidIsValid(toast_oid))
	{
		Relation	toast = table_open(toast_oid, AccessShareLock);

		nblocks += RelationGetNumberOfBlocks(toast);
		table_close(toast, AccessShareLock);
	}
	return nblocks * BLCKSZ;
}

int64
idem_store_cache_sweep(IdemTable *table, int32 bucket, IdemSweepVisitor visit,
					   void *arg, int64 max_rows)
{
	IdemSweepBatch batch = {table, &sweep, bucket, visit, arg, max_rows};

	idem_store_cache_sweep_rows(&batch);
	return batch.nremoved;
}

int32
idem_store_cache_bucket(TimestampTz expires_at)
{
	return (int32) (idem_clock_unix_us(expires_at) / BUCKET_US);
}

static void
read_lease(TupleTableSlot *slot, IdemRecord *record)
{
	const Datum *values;

	slot_getallattrs(slot);
	values = slot->tts_values;
	memset(record, 0, sizeof(IdemRecord));
	record->key = idem_store_records_get_varlena(slot, LEASE_KEY);
	record->status = IDEM_PROCESSING;
	record->fence = DatumGetInt64(values[LEASE_FENCE]);
	record->context = idem_store_records_get_varlena(slot, LEASE_SNAPSHOT);
	record->lease_expires_at = DatumGetTimestampTz(values[LEASE_LEASE_EXPIRES_AT]);
	record->expires_at = DatumGetTimestampTz(values[LEASE_EXPIRES_AT]);
	record->created_at = DatumGetTimestampTz(values[LEASE_CREATED_AT]);
}

static void
put_lease(const IdemRecord *record, Datum *values, bool *isnull)
{
	memset(isnull, 0, LEASE_COLUMNS * sizeof(bool));
	values[LEASE_KEY] = PointerGetDatum(record->key);
	values[LEASE_FENCE] = Int64GetDatum(record->fence);
	idem_store_records_put_varlena(values, isnull, LEASE_SNAPSHOT, record->context);
	values[LEASE_LEASE_EXPIRES_AT] = TimestampTzGetDatum(record->lease_expires_at);
	values[LEASE_EXPIRES_AT] = TimestampTzGetDatum(record->expires_at);
	values[LEASE_CREATED_AT] = TimestampTzGetDatum(record->created_at);
}
