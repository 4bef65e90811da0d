/*
 * idempotency.c
 *		The table idempotency_records: its columns, its indexes, and how a row
 *		becomes an IdemRecord and back.
 *
 * What decisions are made on (fingerprint, owner) is stored MAIN and bounded,
 * so that it stands in the row itself: a toasted value of a row that is not
 * committed yet could not be read.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/pg_am.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "store/idempotency.h"

enum
{
	COL_KEY,
	COL_SCOPE,
	COL_FINGERPRINT,
	COL_STATUS,
	COL_FENCE,
	COL_ATTEMPT,
	COL_OWNER,
	COL_LEASE_EXPIRES_AT,
	COL_EXPIRES_AT,
	COL_CREATED_AT,
	COL_COMPLETED_AT,
	COL_RESPONSE_STATUS,
	COL_RESPONSE_HEADERS,
	COL_RESPONSE_BODY,
	COL_ERROR,
	COL_CONTEXT,
	COL_RECOVERY_POINT,
	COL_CHECKPOINT
};

static const IdemColumn record_columns[IDEM_IDEMPOTENCY_COLUMNS] = {
	[COL_KEY] = {"key", TEXTOID},
	[COL_SCOPE] = {"scope", TEXTOID},
	[COL_FINGERPRINT] = {"fingerprint", TEXTOID},
	[COL_STATUS] = {"status", TEXTOID},
	[COL_FENCE] = {"fence", INT8OID},
	[COL_ATTEMPT] = {"attempt", INT4OID},
	[COL_OWNER] = {"owner", TEXTOID},
	[COL_LEASE_EXPIRES_AT] = {"lease_expires_at", TIMESTAMPTZOID},
	[COL_EXPIRES_AT] = {"expires_at", TIMESTAMPTZOID},
	[COL_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
	[COL_COMPLETED_AT] = {"completed_at", TIMESTAMPTZOID},
	[COL_RESPONSE_STATUS] = {"response_status", INT4OID},
	[COL_RESPONSE_HEADERS] = {"response_headers", JSONOID},
	[COL_RESPONSE_BODY] = {"response_body", BYTEAOID},
	[COL_ERROR] = {"error", JSONOID},
	[COL_CONTEXT] = {"context", JSONOID},
	[COL_RECOVERY_POINT] = {"recovery_point", TEXTOID},
	[COL_CHECKPOINT] = {"checkpoint", JSONOID},
};

static const char *const status_names[] = {
	[IDEM_PROCESSING] = "processing",
	[IDEM_COMPLETE] = "complete",
	[IDEM_FAILED] = "failed",
};

static void read_record(TupleTableSlot *slot, IdemRecord *record);
static void put_record(const IdemRecord *record, Datum *values, bool *isnull);

IdemFamily	idem_store_idempotency = {
	.table = {
		.kind = IDEM_TABLE_RECORDS,
		.name = "idempotency_records",
		.nkeys = 2,
		.ncolumns = IDEM_IDEMPOTENCY_COLUMNS,
		.columns = record_columns,
	},
	.has_fence = true,
	.read = read_record,
	.columns = put_record,
};

static Oid	fingerprint_index(IdemTable *table);
static Oid	find_fingerprint_index(Relation rel);
static int	fingerprint_columns(Oid oid);
static IdemVisit take_live(TupleTableSlot *slot, void *arg);
static IdemVisit take_rival(TupleTableSlot *slot, void *arg);
static IdemRangeVisit is_of_scope(const IdemRecord *record, const text *scope);

static void
read_record(TupleTableSlot *slot, IdemRecord *record)
{
	const Datum *values;

	slot_getallattrs(slot);
	values = slot->tts_values;
	memset(record, 0, sizeof(IdemRecord));
	record->key = idem_store_records_get_varlena(slot, COL_KEY);
	record->scope = idem_store_records_get_varlena(slot, COL_SCOPE);
	record->fingerprint = idem_store_records_get_varlena(slot, COL_FINGERPRINT);
	record->status = idem_store_records_get_status(values[COL_STATUS], status_names);
	record->fence = DatumGetInt64(values[COL_FENCE]);
	record->attempt = DatumGetInt32(values[COL_ATTEMPT]);
	record->owner = idem_store_records_get_varlena(slot, COL_OWNER);
	record->lease_expires_at = idem_store_records_get_instant(slot, COL_LEASE_EXPIRES_AT);
	record->expires_at = idem_store_records_get_instant(slot, COL_EXPIRES_AT);
	record->created_at = idem_store_records_get_instant(slot, COL_CREATED_AT);
	record->completed_at = idem_store_records_get_instant(slot, COL_COMPLETED_AT);
	record->response.has_status = !slot->tts_isnull[COL_RESPONSE_STATUS];
	record->response.status = DatumGetInt32(values[COL_RESPONSE_STATUS]);
	record->response.headers = idem_store_records_get_varlena(slot, COL_RESPONSE_HEADERS);
	record->response.body = idem_store_records_get_varlena(slot, COL_RESPONSE_BODY);
	record->error = idem_store_records_get_varlena(slot, COL_ERROR);
	record->context = idem_store_records_get_varlena(slot, COL_CONTEXT);
	record->recovery_point = idem_store_records_get_varlena(slot, COL_RECOVERY_POINT);
	record->checkpoint = idem_store_records_get_varlena(slot, COL_CHECKPOINT);
}

static void
put_record(const IdemRecord *record, Datum *values, bool *isnull)
{
	memset(isnull, 0, IDEM_IDEMPOTENCY_COLUMNS * sizeof(bool));
	idem_store_records_put_varlena(values, isnull, COL_KEY, record->key);
	idem_store_records_put_varlena(values, isnull, COL_SCOPE, record->scope);
	idem_store_records_put_varlena(values, isnull, COL_FINGERPRINT, record->fingerprint);
	values[COL_STATUS] = CStringGetTextDatum(status_names[record->status]);
	values[COL_FENCE] = Int64GetDatum(record->fence);
	values[COL_ATTEMPT] = Int32GetDatum(record->attempt);
	idem_store_records_put_varlena(values, isnull, COL_OWNER, record->owner);
	idem_store_records_put_instant(values, isnull, COL_LEASE_EXPIRES_AT, record->lease_expires_at);
	idem_store_records_put_instant(values, isnull, COL_EXPIRES_AT, record->expires_at);
	idem_store_records_put_instant(values, isnull, COL_CREATED_AT, record->created_at);
	idem_store_records_put_instant(values, isnull, COL_COMPLETED_AT, record->completed_at);
	values[COL_RESPONSE_STATUS] = Int32GetDatum(record->response.status);
	isnull[COL_RESPONSE_STATUS] = !record->response.has_status;
	idem_store_records_put_varlena(values, isnull, COL_RESPONSE_HEADERS, record->response.headers);
	idem_store_records_put_varlena(values, isnull, COL_RESPONSE_BODY, record->response.body);
	idem_store_records_put_varlena(values, isnull, COL_ERROR, record->error);
	idem_store_records_put_varlena(values, isnull, COL_CONTEXT, record->context);
	idem_store_records_put_varlena(values, isnull, COL_RECOVERY_POINT, record->recovery_point);
	idem_store_records_put_varlena(values, isnull, COL_CHECKPOINT, record->checkpoint);
}

void
idem_store_idempotency_view(const IdemRecord *record, TimestampTz now,
							Datum *values, bool *isnull)
{
	put_record(record, values, isnull);
	if (record->status == IDEM_PROCESSING && now >= record->lease_expires_at)
		values[COL_STATUS] = CStringGetTextDatum("abandoned");
}

void
idem_store_idempotency_types(Oid *types)
{
	int			i;

	for (i = 0; i < IDEM_IDEMPOTENCY_COLUMNS; i++)
		types[i] = record_columns[i].type;
}

bool
idem_store_idempotency_find_fingerprint(IdemTable *table, const IdemFingerprinted *wanted,
										Snapshot snapshot, IdemRecord *record)
{
	IdemKey		key = idem_store_records_key(wanted->key, wanted->scope);
	Datum		keys[] = {PointerGetDatum(wanted->scope), PointerGetDatum(wanted->fingerprint)};
	IdemSearch	search = {fingerprint_index(table), lengthof(keys), keys, &wanted->now};

	if (idem_store_versions_fetch(table, &key, snapshot))
	{
		read_record(table->base.slot, record);
		if (idem_store_records_is_live(record, wanted->now) &&
			idem_store_records_equal(record->fingerprint, wanted->fingerprint))
			return true;
	}
	if (!idem_store_versions_match(table, &search, snapshot, take_live, (void *) wanted))
		return false;
	read_record(table->match.slot, record);
	return true;
}

bool
idem_store_idempotency_find_rival(IdemTable *table, const IdemFingerprinted *wanted,
								  text **rival_key, TransactionId *open_xid)
{
	Datum		keys[] = {PointerGetDatum(wanted->scope), PointerGetDatum(wanted->fingerprint)};
	IdemSearch	search = {fingerprint_index(table), lengthof(keys), keys, &wanted->now};
	IdemRecord	rival;

	if (!idem_store_versions_match_any(table, &search, take_rival, (void *) wanted))
		return false;
	read_record(table->match.slot, &rival);
	*rival_key = idem_store_records_copy(rival.key);
	*open_xid = table->match.open_xid;
	return true;
}

/*
 * An index without expires_at, as it was before, does, but in time that grows
 * with how many have the fingerprint.
 */
static IdemVisit
take_live(TupleTableSlot *slot, void *arg)
{
	const IdemFingerprinted *wanted = arg;
	IdemRecord	record;

	read_record(slot, &record);
	return idem_store_records_is_live(&record, wanted->now) ? IDEM_VISIT_STOP : IDEM_VISIT_NEXT;
}

static IdemVisit
take_rival(TupleTableSlot *slot, void *arg)
{
	const IdemFingerprinted *wanted = arg;
	IdemRecord	record;

	read_record(slot, &record);
	return idem_store_records_is_live(&record, wanted->now) &&
		!idem_store_records_equal(record.key, wanted->key) ?
		IDEM_VISIT_STOP : IDEM_VISIT_NEXT;
}

/* remembered with the table's OID, and forgotten with it */
static Oid
fingerprint_index(IdemTable *table)
{
	IdemTableInfo *info = table->info;
	Oid			index = info->other_index;

	if (!OidIsValid(index))
	{
		index = find_fingerprint_index(table->rel);
		/* not when an invalidation came in the middle of the search */
		if (OidIsValid(info->oid))
			info->other_index = index;
	}
	return index;
}

/* found by its columns, since REINDEX CONCURRENTLY gives it another OID */
static Oid
find_fingerprint_index(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	ListCell   *cell;
	Oid			result = InvalidOid;
	int			most = 0;

	foreach(cell, indexes)
	{
		int			n = fingerprint_columns(lfirst_oid(cell));

		if (n > most)
			result = lfirst_oid(cell);
		most = Max(most, n);
	}
	list_free(indexes);
	if (!OidIsValid(result))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no index on (scope, fingerprint, expires_at)",
						idem_store_idempotency.table.name),
				 errhint("Run CREATE INDEX ON idemstore.idempotency_records (scope, fingerprint, expires_at).")));
	return result;
}

/* how many of the columns it has, if it serves to find a fingerprint, or 0 */
static int
fingerprint_columns(Oid oid)
{
	static const AttrNumber columns[] = {COL_SCOPE + 1, COL_FINGERPRINT + 1, COL_EXPIRES_AT + 1};
	Relation	index = index_open(oid, AccessShareLock);
	const FormData_pg_index *form = index->rd_index;
	int			n = form->indnkeyatts;

	if (index->rd_rel->relam != BTREE_AM_OID || !form->indisvalid ||
		n < 2 || n > lengthof(columns) ||
		memcmp(form->indkey.values, columns, n * sizeof(AttrNumber)) != 0 ||
		index->rd_indcollation[0] != C_COLLATION_OID ||
		index->rd_indcollation[1] != C_COLLATION_OID ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL))
		n = 0;
	index_close(index, AccessShareLock);
	return n;
}

int64
idem_store_idempotency_expire(TimestampTz now, int32 max_rows)
{
	return idem_store_records_expire(&idem_store_idempotency, COL_EXPIRES_AT, now, max_rows);
}

void
idem_store_idempotency_remove_scope(text *scope, IdemRecordVisitor removed, void *arg)
{
	IdemRecordRemoval removal = {
		.range = {COL_SCOPE, BTEqualStrategyNumber, F_TEXTEQ, PointerGetDatum(scope)},
		.bound = scope,
		.choose = is_of_scope,
		.removed = removed,
		.arg = arg,
	};

	idem_store_records_remove(&idem_store_idempotency, &removal);
}

static IdemRangeVisit
is_of_scope(const IdemRecord *record, const text *scope)
{
	return idem_store_records_equal(record->scope, scope) ? IDEM_RANGE_TAKE : IDEM_RANGE_SKIP;
}
