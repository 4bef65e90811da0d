/*
 * marks.c
 *		The table cache_invalidations: which transaction last invalidated a name,
 *		and since when these marks are whole.
 *
 * What finds old marks is a coarse bucket of their transaction ids, so that
 * invalidating a name again is HOT.  The epoch is in no bucket: nothing but
 * TRUNCATE and a crash removes it.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "pg/compat.h"
#include "store/blocker.h"
#include "store/cache/marks.h"
#include "store/records.h"

#define OF_EPOCH		'e'

/* a bucket is of so many transaction ids, as a power of 2 */
#define BUCKET_SHIFT	14

enum
{
	MARK_NAME,
	MARK_XID,
	MARK_BUCKET,
	MARK_COLUMNS
};

static const IdemColumn mark_columns[MARK_COLUMNS] = {
	[MARK_NAME] = {"name", TEXTOID},
	[MARK_XID] = {"xid", XID8OID},
	[MARK_BUCKET] = {"xid_bucket", INT8OID},
};

static IdemTableInfo marks_table = {
	.kind = IDEM_TABLE_RECORDS,
	.name = "cache_invalidations",
	.nkeys = 1,
	.ncolumns = MARK_COLUMNS,
	.columns = mark_columns,
};

static IdemSweep sweep = {.column = MARK_BUCKET, .type = INT8OID};

/* while marks_table.is_loaded */
static FullTransactionId known_epoch;

static IdemKey key_of(const text *name);
static FullTransactionId xid_in(TupleTableSlot *slot);
static text *last_name_up_to(IdemTable *table, text *name);
static int	common_size(const text *a, const text *b);
static bool put(IdemTable *table, const text *name, FullTransactionId xid,
				TransactionId *blocker);
static void form(const text *name, FullTransactionId xid, Datum *values, bool *isnull);
static int64 bucket_of(FullTransactionId xid);
static bool remove_old(IdemTable *table, TupleTableSlot *slot, void *arg);
static text *epoch_name(void);

void
idem_store_cache_marks_open(IdemTable *table, LOCKMODE lockmode)
{
	idem_store_table_open(table, &marks_table, lockmode);
}

text *
idem_store_cache_marks_name(char kind, const text *name)
{
	int			size = VARSIZE_ANY_EXHDR(name);
	text	   *result = palloc(VARHDRSZ + 1 + size);

	SET_VARSIZE(result, VARHDRSZ + 1 + size);
	*VARDATA(result) = kind;
	memcpy(VARDATA(result) + 1, VARDATA_ANY(name), size);
	return result;
}

void
idem_store_cache_marks_find(IdemTable *table, text *name, IdemMarked *marked)
{
	IdemKey		key = key_of(name);

	marked->is_there = idem_store_versions_find(table, &key);
	if (marked->is_there)
		marked->xid = xid_in(table->base.slot);
	marked->is_open = idem_store_versions_has_pending(table);
	if (marked->is_open)
		marked->open_xid = xid_in(table->pending.slot);
}

static IdemKey
key_of(const text *name)
{
	IdemKey		result = {{PointerGetDatum(name)}};

	return result;
}

static FullTransactionId
xid_in(TupleTableSlot *slot)
{
	bool		isnull;

	return DatumGetFullTransactionId(slot_getattr(slot, MARK_XID + 1, &isnull));
}

/*
 * The greatest name up to the key's is the key's own, or of a prefix of it, or
 * has the longest of these prefixes in common with it: so few looks find all.
 */
void
idem_store_cache_marks_visit_prefixes(IdemTable *table, const text *key,
									  IdemMarkVisitor visit, void *arg)
{
	text	   *name = idem_store_cache_marks_name(IDEM_MARK_OF_PREFIX, key);
	bool		goes_on = true;

	while (goes_on && VARSIZE_ANY_EXHDR(name) > 0)
	{
		text	   *found = last_name_up_to(table, name);
		int			size;
		IdemMarked	marked;

		CHECK_FOR_INTERRUPTS();
		if (found == NULL)
			return;
		size = common_size(found, name);
		if (size == VARSIZE_ANY_EXHDR(found))
		{
			idem_store_cache_marks_find(table, found, &marked);
			goes_on = visit(&marked, arg);
			size--;
		}
		SET_VARSIZE(name, VARHDRSZ + size);
	}
}

/*
 * Of any version, alive or not.  The caller's snapshot keeps those of rows that
 * stand under a name where they are.
 */
static text *
last_name_up_to(IdemTable *table, text *name)
{
	TupleTableSlot *slot = idem_store_table_scan_slot(table);
	text	   *result = NULL;
	bool		isnull;
	ScanKeyData key;
	IndexScanDesc scan;

	ScanKeyInit(&key, 1, BTLessEqualStrategyNumber, F_TEXT_LE, PointerGetDatum(name));
	key.sk_collation = table->pkey->rd_indcollation[0];
	scan = idem_compat_index_beginscan(table->rel, table->pkey, SnapshotAny, 1);
	index_rescan(scan, &key, 1, NULL, 0);
	if (index_getnext_slot(scan, BackwardScanDirection, slot))
		result = DatumGetTextPCopy(slot_getattr(slot, MARK_NAME + 1, &isnull));
	index_endscan(scan);
	ExecClearTuple(slot);
	return result;
}

static int
common_size(const text *a, const text *b)
{
	int			most = Min(VARSIZE_ANY_EXHDR(a), VARSIZE_ANY_EXHDR(b));
	int			size = 0;

	while (size < most && VARDATA_ANY(a)[size] == VARDATA_ANY(b)[size])
		size++;
	return size;
}

void
idem_store_cache_marks_put(IdemTable *table, text *name, FullTransactionId xid)
{
	TransactionId blocker;

	while (!put(table, name, xid, &blocker))
	{
		CHECK_FOR_INTERRUPTS();
		if (TransactionIdIsValid(blocker))
			idem_store_blocker_wait(blocker);
	}
}

/* false when the row moved on, or the blocker is in the way */
static bool
put(IdemTable *table, const text *name, FullTransactionId xid, TransactionId *blocker)
{
	IdemKey		key = key_of(name);
	Datum		values[MARK_COLUMNS];
	bool		isnull[MARK_COLUMNS];

	*blocker = InvalidTransactionId;
	form(name, xid, values, isnull);
	idem_store_versions_probe(table, &key);
	if (idem_store_versions_has_base(table))
		return FullTransactionIdEquals(xid_in(table->base.slot), xid) ||
			idem_store_tuple_update(table, values, isnull);
	if (!idem_store_versions_has_pending(table))
		return idem_store_tuple_insert(table, values, isnull);
	*blocker = table->pending.open_xid;
	return false;
}

static void
form(const text *name, FullTransactionId xid, Datum *values, bool *isnull)
{
	memset(isnull, 0, MARK_COLUMNS * sizeof(bool));
	values[MARK_NAME] = PointerGetDatum(name);
	values[MARK_XID] = FullTransactionIdGetDatum(xid);
	values[MARK_BUCKET] = Int64GetDatum(bucket_of(xid));
	isnull[MARK_BUCKET] = *VARDATA_ANY(name) == OF_EPOCH;
}

static int64
bucket_of(FullTransactionId xid)
{
	return (int64) (U64FromFullTransactionId(xid) >> BUCKET_SHIFT);
}

bool
idem_store_cache_marks_try_raise(IdemTable *table, text *name, FullTransactionId xid)
{
	IdemKey		key = key_of(name);
	Datum		values[MARK_COLUMNS];
	bool		isnull[MARK_COLUMNS];

	form(name, xid, values, isnull);
	idem_store_versions_probe(table, &key);
	if (idem_store_versions_has_pending(table) || TransactionIdIsValid(table->base.open_xid))
		return false;
	if (!idem_store_versions_has_base(table))
		return idem_store_tuple_insert(table, values, isnull);
	return FullTransactionIdFollowsOrEquals(xid_in(table->base.slot), xid) ||
		idem_store_tuple_update(table, values, isnull);
}

int64
idem_store_cache_marks_remove(IdemTable *table, FullTransactionId before, int64 max_rows)
{
	IdemSweepBatch batch = {table, &sweep, bucket_of(before), remove_old, &before, max_rows};

	idem_store_cache_sweep_rows(&batch);
	return batch.nremoved;
}

static bool
remove_old(IdemTable *table, TupleTableSlot *slot, void *arg)
{
	const FullTransactionId *before = arg;

	return FullTransactionIdPrecedes(xid_in(slot), *before) &&
		idem_store_tuple_try_delete(table, &slot->tts_tid);
}

bool
idem_store_cache_marks_epoch(IdemTable *table, FullTransactionId *epoch)
{
	IdemKey		key = key_of(epoch_name());

	if (!marks_table.is_loaded)
	{
		if (!idem_store_versions_find(table, &key) || idem_store_versions_base_is_own(table))
			return false;
		known_epoch = xid_in(table->base.slot);
		marks_table.is_loaded = OidIsValid(marks_table.oid);
	}
	*epoch = known_epoch;
	return true;
}

bool
idem_store_cache_marks_knows_epoch(void)
{
	return marks_table.is_loaded;
}

static text *
epoch_name(void)
{
	char		name = OF_EPOCH;

	return cstring_to_text_with_len(&name, 1);
}

void
idem_store_cache_marks_begin_epoch(void)
{
	Datum		values[MARK_COLUMNS];
	bool		isnull[MARK_COLUMNS];
	IdemTable	table;

	form(epoch_name(), GetTopFullTransactionId(), values, isnull);
	idem_store_cache_marks_open(&table, RowExclusiveLock);
	(void) idem_store_tuple_insert(&table, values, isnull);
	idem_store_table_close(&table);
}
