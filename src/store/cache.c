/*
 * cache.c
 *		The tables of the cache: their columns, and how rows become structs and
 *		back.
 *
 * No index has a column that every refresh changes: expiry finds entries by a
 * coarse bucket, so that overwriting an entry under its tags stays HOT.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "pg/clock.h"
#include "store/cache.h"

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

enum
{
	MARK_NAME,
	MARK_XID,
	MARK_SEEN_AT,
	MARK_COLUMNS
};

static const IdemColumn mark_columns[MARK_COLUMNS] = {
	[MARK_NAME] = {"name", TEXTOID},
	[MARK_XID] = {"xid", XID8OID},
	[MARK_SEEN_AT] = {"seen_at", TIMESTAMPTZOID},
};

static IdemTableInfo marks_table = {
	.kind = IDEM_TABLE_RECORDS,
	.name = "cache_invalidations",
	.nkeys = 1,
	.ncolumns = MARK_COLUMNS,
	.columns = mark_columns,
};

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
	values[ENTRY_WRITTEN_BY] = FullTransactionIdGetDatum(GetTopFullTransactionId());
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

void
idem_store_cache_open_marks(IdemTable *table, LOCKMODE lockmode)
{
	idem_store_table_open(table, &marks_table, lockmode);
}

bool
idem_store_cache_find_mark(IdemTable *table, text *name, IdemMark *mark)
{
	IdemKey		key = idem_store_cache_key(name);
	bool		isnull;

	if (!idem_store_versions_find(table, &key))
		return false;
	mark->name = name;
	mark->xid = DatumGetFullTransactionId(slot_getattr(table->base.slot,
													   MARK_XID + 1, &isnull));
	return true;
}

/*
 * Expiry may change or remove the row in the middle; another transaction that
 * leaves many marks at once holds no lock on each name.
 */
void
idem_store_cache_put_mark(IdemTable *table, const IdemMark *mark)
{
	Datum		values[MARK_COLUMNS];
	bool		isnull[MARK_COLUMNS] = {false};
	IdemMark	former;

	values[MARK_NAME] = PointerGetDatum(mark->name);
	values[MARK_XID] = FullTransactionIdGetDatum(mark->xid);
	isnull[MARK_SEEN_AT] = true;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!idem_store_cache_find_mark(table, mark->name, &former))
		{
			if (idem_store_versions_has_pending(table))
				XactLockTableWait(table->pending.open_xid, NULL, NULL, XLTW_None);
			else if (idem_store_tuple_insert(table, values, isnull))
				return;
		}
		else if (FullTransactionIdEquals(former.xid, mark->xid) ||
				 idem_store_tuple_update(table, values, isnull))
			return;
	}
}
