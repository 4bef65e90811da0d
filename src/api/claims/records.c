/*
 * records.c
 *		The SQL functions that read and forget records.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "api/args.h"
#include "api/result.h"
#include "engine/claims/await.h"
#include "engine/claims/value.h"
#include "pg/clock.h"
#include "pg/guc.h"
#include "store/idempotency.h"

/* the columns of idemstore.idempotency_match */
enum
{
	MATCH_BY_KEY,
	MATCH_BY_FINGERPRINT,
	MATCH_COLUMNS
};

PG_FUNCTION_INFO_V1(idemstore_lookup);
PG_FUNCTION_INFO_V1(idemstore_get);
PG_FUNCTION_INFO_V1(idemstore_get_value);
PG_FUNCTION_INFO_V1(idemstore_wait);
PG_FUNCTION_INFO_V1(idemstore_forget);
PG_FUNCTION_INFO_V1(idemstore_forget_scope);

static bool fetch_live(IdemTable *table, const text *key, const text *scope,
					   TimestampTz now, IdemRecord *record);
static Oid	column_type(Oid composite, int column);

Datum
idemstore_lookup(PG_FUNCTION_ARGS)
{
	text	   *key = idem_args_key(fcinfo, 0);
	text	   *fingerprint = idem_args_optional_name(fcinfo, 1, "fingerprint",
													  IDEM_MAX_FINGERPRINT_SIZE);
	text	   *scope = idem_args_scope(fcinfo, 2);
	Oid			match_type = idem_result_type(fcinfo->flinfo);
	Oid			record_type = column_type(match_type, MATCH_BY_KEY);
	Oid			types[MATCH_COLUMNS] = {record_type, record_type};
	TimestampTz now = idem_clock_now();
	Datum		values[MATCH_COLUMNS];
	bool		isnull[MATCH_COLUMNS] = {true, true};
	IdemRecord	record;
	IdemTable	table;

	idem_store_records_open(&table, &idem_store_idempotency, AccessShareLock);
	if (fetch_live(&table, key, scope, now, &record))
		idem_result_put(values, isnull, MATCH_BY_KEY,
						DatumGetPointer(idem_result_record(record_type, &record)));
	if (fingerprint != NULL &&
		idem_store_idempotency_find_fingerprint(&table, fingerprint, scope, key, now,
												GetActiveSnapshot(), &record))
		idem_result_put(values, isnull, MATCH_BY_FINGERPRINT,
						DatumGetPointer(idem_result_record(record_type, &record)));
	idem_store_table_close(&table);

	return idem_result_composite(match_type, MATCH_COLUMNS, types, values, isnull);
}

static Oid
column_type(Oid composite, int column)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(composite, -1);
	Oid			result = TupleDescAttr(desc, column)->atttypid;

	ReleaseTupleDesc(desc);
	return result;
}

Datum
idemstore_get(PG_FUNCTION_ARGS)
{
	text	   *key = idem_args_key(fcinfo, 0);
	text	   *scope = idem_args_scope(fcinfo, 1);
	IdemTable	table;
	IdemRecord	record;
	Datum		result = (Datum) 0;
	bool		is_live;

	idem_store_records_open(&table, &idem_store_idempotency, AccessShareLock);
	is_live = fetch_live(&table, key, scope, idem_clock_now(), &record);
	if (is_live)
		result = idem_result_record(idem_result_type(fcinfo->flinfo), &record);
	idem_store_table_close(&table);

	if (!is_live)
		PG_RETURN_NULL();
	return result;
}

Datum
idemstore_get_value(PG_FUNCTION_ARGS)
{
	text	   *key = idem_args_key(fcinfo, 0);
	text	   *scope = idem_args_scope(fcinfo, 1);
	IdemTable	table;
	IdemRecord	record;
	struct varlena *value = NULL;

	idem_store_records_open(&table, &idem_store_idempotency, AccessShareLock);
	if (fetch_live(&table, key, scope, idem_clock_now(), &record) &&
		record.status == IDEM_COMPLETE)
		value = idem_store_records_copy(record.response.body);
	idem_store_table_close(&table);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(value);
}

/* as the statement's snapshot sees it, like any SELECT */
static bool
fetch_live(IdemTable *table, const text *key, const text *scope,
		   TimestampTz now, IdemRecord *record)
{
	IdemKey		record_key = idem_store_records_key(key, scope);

	if (!idem_store_versions_fetch(table, &record_key, GetActiveSnapshot()))
		return false;
	idem_store_records_read(table, table->base.slot, record);
	return idem_store_records_is_live(record, now);
}

Datum
idemstore_wait(PG_FUNCTION_ARGS)
{
	text	   *key = idem_args_key(fcinfo, 0);
	int64		timeout_us = idem_args_timeout_us(fcinfo, 1, "timeout",
												  idem_guc_default_wait * INT64CONST(1000));
	text	   *scope = idem_args_scope(fcinfo, 2);
	IdemRecord	record;

	if (!idem_claims_await_final(key, scope, timeout_us, &record))
		PG_RETURN_NULL();
	return idem_result_record(idem_result_type(fcinfo->flinfo), &record);
}

Datum
idemstore_forget(PG_FUNCTION_ARGS)
{
	text	   *key;
	text	   *scope;

	idem_args_require_writable("forget()");
	key = idem_args_key(fcinfo, 0);
	scope = idem_args_scope(fcinfo, 1);
	PG_RETURN_BOOL(idem_claims_value_forget(key, scope));
}

Datum
idemstore_forget_scope(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("forget_scope()");
	PG_RETURN_INT64(idem_claims_value_forget_scope(idem_args_scope(fcinfo, 0)));
}
