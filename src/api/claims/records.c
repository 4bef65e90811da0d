/*
 * records.c
 *		The SQL functions that read and forget records.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/duration.h"
#include "api/result.h"
#include "api/text.h"
#include "engine/claims/await.h"
#include "engine/claims/value.h"
#include "pg/clock.h"
#include "pg/guc.h"
#include "store/idempotency.h"

/* of idemstore.idempotency_match: how it was found, then the record */
#define MATCH_COLUMNS	(1 + IDEM_IDEMPOTENCY_COLUMNS)

PG_FUNCTION_INFO_V1(idemstore_lookup_0_3);
PG_FUNCTION_INFO_V1(idemstore_get);
PG_FUNCTION_INFO_V1(idemstore_get_value);
PG_FUNCTION_INFO_V1(idemstore_get_value_text);
PG_FUNCTION_INFO_V1(idemstore_wait);
PG_FUNCTION_INFO_V1(idemstore_forget);
PG_FUNCTION_INFO_V1(idemstore_forget_scope);

static void check_match(TupleDesc desc);
static void put_match(ReturnSetInfo *result, const char *matched, IdemRecord *record,
					  TimestampTz now);
static struct varlena *fetch_value(PG_FUNCTION_ARGS);
static bool fetch_live(IdemTable *table, const text *key, const text *scope,
					   TimestampTz now, IdemRecord *record);

Datum
idemstore_lookup_0_3(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	text	   *key = idem_args_key(fcinfo, 0);
	text	   *fingerprint = idem_args_optional_name(fcinfo, 1, "fingerprint",
													  IDEM_MAX_FINGERPRINT_SIZE);
	text	   *scope = idem_args_scope(fcinfo, 2);
	TimestampTz now = idem_clock_now();
	IdemFingerprinted wanted = {fingerprint, scope, key, now};
	IdemRecord	record;
	IdemTable	table;

	InitMaterializedSRF(fcinfo, 0);
	check_match(result->setDesc);
	idem_store_records_open(&table, &idem_store_idempotency, AccessShareLock);
	if (fetch_live(&table, key, scope, now, &record))
		put_match(result, "key", &record, now);
	if (fingerprint != NULL &&
		idem_store_idempotency_find_fingerprint(&table, &wanted, GetActiveSnapshot(), &record))
		put_match(result, "fingerprint", &record, now);
	idem_store_table_close(&table);
	return (Datum) 0;
}

static void
check_match(TupleDesc desc)
{
	Oid			types[MATCH_COLUMNS] = {TEXTOID};

	idem_store_idempotency_types(types + 1);
	idem_result_check(desc, MATCH_COLUMNS, types);
}

static void
put_match(ReturnSetInfo *result, const char *matched, IdemRecord *record, TimestampTz now)
{
	Datum		values[MATCH_COLUMNS] = {CStringGetTextDatum(matched)};
	bool		isnull[MATCH_COLUMNS] = {false};

	idem_store_records_detach(record);
	idem_store_idempotency_view(record, now, values + 1, isnull + 1);
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}

Datum
idemstore_get(PG_FUNCTION_ARGS)
{
	text	   *key = idem_args_key(fcinfo, 0);
	text	   *scope = idem_args_scope(fcinfo, 1);
	TimestampTz now = idem_clock_now();
	IdemTable	table;
	IdemRecord	record;
	Datum		result = (Datum) 0;
	bool		is_live;

	idem_store_records_open(&table, &idem_store_idempotency, AccessShareLock);
	is_live = fetch_live(&table, key, scope, now, &record);
	if (is_live)
		result = idem_result_record(idem_result_type(fcinfo->flinfo), &record, now);
	idem_store_table_close(&table);

	if (!is_live)
		PG_RETURN_NULL();
	return result;
}

Datum
idemstore_get_value(PG_FUNCTION_ARGS)
{
	struct varlena *value = fetch_value(fcinfo);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(value);
}

Datum
idemstore_get_value_text(PG_FUNCTION_ARGS)
{
	struct varlena *value = fetch_value(fcinfo);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(idem_text_from_utf8(value));
}

/* a copy of the value of a live complete record, or NULL */
static struct varlena *
fetch_value(PG_FUNCTION_ARGS)
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
	return value;
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
	int64		timeout_us = idem_duration_wait_us(fcinfo, 1, "timeout",
												   idem_guc_default_wait * INT64CONST(1000));
	text	   *scope = idem_args_scope(fcinfo, 2);
	IdemRecord	record;

	if (!idem_claims_await_final(key, scope, timeout_us, &record))
		PG_RETURN_NULL();
	return idem_result_record(idem_result_type(fcinfo->flinfo), &record, idem_clock_now());
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
