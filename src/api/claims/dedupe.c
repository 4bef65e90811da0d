/*
 * dedupe.c
 *		The SQL functions that coalesce work in flight.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

#include "api/args.h"
#include "api/duration.h"
#include "api/result.h"
#include "engine/claims/jobs.h"
#include "pg/clock.h"
#include "pg/guc.h"
#include "store/listing.h"

/* the columns of idemstore.dedupe_registration */
enum
{
	REGISTRATION_JOB_ID,
	REGISTRATION_IS_OWNER,
	REGISTRATION_COLUMNS
};

/* the columns of idemstore.dedupe_result */
enum
{
	RESULT_OUTCOME,
	RESULT_VALUE,
	RESULT_ERROR,
	RESULT_COLUMNS
};

PG_FUNCTION_INFO_V1(idemstore_dedupe_register_or_join);
PG_FUNCTION_INFO_V1(idemstore_dedupe_register);
PG_FUNCTION_INFO_V1(idemstore_dedupe_complete);
PG_FUNCTION_INFO_V1(idemstore_dedupe_fail);
PG_FUNCTION_INFO_V1(idemstore_dedupe_wait_for);
PG_FUNCTION_INFO_V1(idemstore_dedupe_is_in_progress);
PG_FUNCTION_INFO_V1(idemstore_dedupe_clear);
PG_FUNCTION_INFO_V1(idemstore_dedupe_list);

/* the columns of dedupe_list() */
enum
{
	LIST_HASH,
	LIST_JOB_ID,
	LIST_STATUS,
	LIST_EXPIRES_AT,
	LIST_COLUMNS
};

/* a listing and where it goes */
typedef struct Listing
{
	const IdemTable *table;
	ReturnSetInfo *result;
	TimestampTz now;
	int32		nleft;
} Listing;

static bool put_job(TupleTableSlot *slot, void *arg);
static bool register_or_join(PG_FUNCTION_ARGS, pg_uuid_t *job_id);
static bool finish(PG_FUNCTION_ARGS, IdemJobEnd *end);
static const pg_uuid_t *optional_job_id(PG_FUNCTION_ARGS);

Datum
idemstore_dedupe_register_or_join(PG_FUNCTION_ARGS)
{
	static const Oid types[REGISTRATION_COLUMNS] = {UUIDOID, BOOLOID};
	Datum		values[REGISTRATION_COLUMNS];
	bool		isnull[REGISTRATION_COLUMNS] = {false};
	pg_uuid_t	job_id;

	idem_args_require_writable("dedupe_register_or_join()");
	values[REGISTRATION_IS_OWNER] = BoolGetDatum(register_or_join(fcinfo, &job_id));
	values[REGISTRATION_JOB_ID] = UUIDPGetDatum(&job_id);
	return idem_result_composite(idem_result_type(fcinfo->flinfo),
								 REGISTRATION_COLUMNS, types, values, isnull);
}

Datum
idemstore_dedupe_register(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *job_id = palloc(sizeof(pg_uuid_t));

	idem_args_require_writable("dedupe_register()");
	(void) register_or_join(fcinfo, job_id);
	PG_RETURN_UUID_P(job_id);
}

static bool
register_or_join(PG_FUNCTION_ARGS, pg_uuid_t *job_id)
{
	text	   *hash = idem_args_long_name(fcinfo, 0, "hash");
	Interval	timeout = idem_duration_lease_or(fcinfo, 1, "timeout",
												 idem_guc_default_job_timeout);

	return idem_claims_jobs_register(hash, &timeout, job_id);
}

Datum
idemstore_dedupe_complete(PG_FUNCTION_ARGS)
{
	IdemJobEnd	end = {0};

	idem_args_require_writable("dedupe_complete()");
	end.value = idem_args_optional_body(fcinfo, 1, "value");
	PG_RETURN_BOOL(finish(fcinfo, &end));
}

Datum
idemstore_dedupe_fail(PG_FUNCTION_ARGS)
{
	IdemJobEnd	end = {.is_failure = true};

	idem_args_require_writable("dedupe_fail()");
	end.error = idem_args_optional_body(fcinfo, 1, "error");
	PG_RETURN_BOOL(finish(fcinfo, &end));
}

static bool
finish(PG_FUNCTION_ARGS, IdemJobEnd *end)
{
	if (!PG_ARGISNULL(2))
		end->job_id = PG_GETARG_UUID_P(2);
	return idem_claims_jobs_finish(idem_args_long_name(fcinfo, 0, "hash"), end);
}

Datum
idemstore_dedupe_wait_for(PG_FUNCTION_ARGS)
{
	static const Oid types[RESULT_COLUMNS] = {TEXTOID, JSONOID, JSONOID};
	static const char *const outcomes[] = {
		[IDEM_JOB_COMPLETED] = "completed",
		[IDEM_JOB_FAILED] = "failed",
		[IDEM_JOB_TIMEOUT] = "timeout",
		[IDEM_JOB_ABSENT] = "absent",
	};
	text	   *hash = idem_args_long_name(fcinfo, 0, "hash");
	int64		timeout_us = idem_duration_wait_us(fcinfo, 1, "timeout",
												   idem_guc_default_wait * INT64CONST(1000));
	Datum		values[RESULT_COLUMNS];
	bool		isnull[RESULT_COLUMNS] = {false};
	struct varlena *value;
	struct varlena *error;
	const pg_uuid_t *job_id = optional_job_id(fcinfo);
	IdemJobOutcome outcome = idem_claims_jobs_wait(hash, job_id, timeout_us, &value, &error);

	values[RESULT_OUTCOME] = CStringGetTextDatum(outcomes[outcome]);
	idem_result_put(values, isnull, RESULT_VALUE, value);
	idem_result_put(values, isnull, RESULT_ERROR, error);
	return idem_result_composite(idem_result_type(fcinfo->flinfo),
								 RESULT_COLUMNS, types, values, isnull);
}

/* the SQL of 0.2.0 has no such argument */
static const pg_uuid_t *
optional_job_id(PG_FUNCTION_ARGS)
{
	return PG_NARGS() <= 2 || PG_ARGISNULL(2) ? NULL : PG_GETARG_UUID_P(2);
}

Datum
idemstore_dedupe_is_in_progress(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(idem_claims_jobs_is_in_progress(idem_args_long_name(fcinfo, 0, "hash")));
}

Datum
idemstore_dedupe_clear(PG_FUNCTION_ARGS)
{
	idem_args_require_writable("dedupe_clear()");
	PG_RETURN_INT64(idem_claims_jobs_clear(idem_args_name(fcinfo, 0, "prefix",
														  IDEM_MAX_KEY_SIZE)));
}

/* prefix, max_rows, after */
Datum
idemstore_dedupe_list(PG_FUNCTION_ARGS)
{
	IdemListing listing = {
		.prefix = idem_args_name(fcinfo, 0, "prefix", IDEM_MAX_KEY_SIZE),
		.after = idem_args_name(fcinfo, 2, "after", IDEM_MAX_KEY_SIZE),
	};
	IdemTable	table;
	Listing		page = {
		.table = &table,
		.result = (ReturnSetInfo *) fcinfo->resultinfo,
		.now = idem_clock_now(),
		.nleft = idem_args_positive_int(fcinfo, 1, "max_rows"),
	};

	InitMaterializedSRF(fcinfo, 0);
	idem_store_records_open(&table, &idem_store_jobs, AccessShareLock);
	idem_store_listing_read(&table, &listing, put_job, &page);
	idem_store_table_close(&table);
	return (Datum) 0;
}

static bool
put_job(TupleTableSlot *slot, void *arg)
{
	Listing    *page = arg;
	IdemRecord	job;
	Datum		values[LIST_COLUMNS];
	bool		isnull[LIST_COLUMNS] = {false};

	idem_store_records_read(page->table, slot, &job);
	if (!idem_store_records_is_live(&job, page->now))
		return true;
	values[LIST_HASH] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(PointerGetDatum(job.key)));
	values[LIST_JOB_ID] = UUIDPGetDatum(&job.job_id);
	values[LIST_STATUS] = CStringGetTextDatum(idem_store_jobs_status_name(job.status));
	values[LIST_EXPIRES_AT] = TimestampTzGetDatum(job.expires_at);
	tuplestore_putvalues(page->result->setResult, page->result->setDesc, values, isnull);
	return --page->nleft > 0;
}
