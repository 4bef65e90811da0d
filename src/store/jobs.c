/*
 * jobs.c
 *		The table dedupe_jobs: its columns, and how a row becomes an IdemRecord
 *		and back.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "pg/name.h"
#include "store/jobs.h"

enum
{
	JOB_HASH,
	JOB_ID,
	JOB_STATUS,
	JOB_VALUE,
	JOB_ERROR,
	JOB_LEASE_EXPIRES_AT,
	JOB_EXPIRES_AT,
	JOB_CREATED_AT,
	JOB_COMPLETED_AT,
	JOB_COLUMNS
};

static const IdemColumn job_columns[JOB_COLUMNS] = {
	[JOB_HASH] = {"hash", TEXTOID},
	[JOB_ID] = {"job_id", UUIDOID},
	[JOB_STATUS] = {"status", TEXTOID},
	[JOB_VALUE] = {"value", JSONOID},
	[JOB_ERROR] = {"error", JSONOID},
	[JOB_LEASE_EXPIRES_AT] = {"lease_expires_at", TIMESTAMPTZOID},
	[JOB_EXPIRES_AT] = {"expires_at", TIMESTAMPTZOID},
	[JOB_CREATED_AT] = {"created_at", TIMESTAMPTZOID},
	[JOB_COMPLETED_AT] = {"completed_at", TIMESTAMPTZOID},
};

static const char *const status_names[] = {
	[IDEM_PROCESSING] = "pending",
	[IDEM_COMPLETE] = "completed",
	[IDEM_FAILED] = "failed",
};

static void read_job(TupleTableSlot *slot, IdemRecord *record);
static void put_job(const IdemRecord *record, Datum *values, bool *isnull);
static IdemRangeVisit has_prefix(const IdemRecord *job, const text *prefix);

IdemFamily	idem_store_jobs = {
	.table = {
		.kind = IDEM_TABLE_RECORDS,
		.name = "dedupe_jobs",
		.nkeys = 1,
		.ncolumns = JOB_COLUMNS,
		.columns = job_columns,
	},
	.read = read_job,
	.columns = put_job,
};

static void
read_job(TupleTableSlot *slot, IdemRecord *record)
{
	const Datum *values;

	slot_getallattrs(slot);
	values = slot->tts_values;
	memset(record, 0, sizeof(IdemRecord));
	record->key = idem_store_records_get_varlena(slot, JOB_HASH);
	record->job_id = *DatumGetUUIDP(values[JOB_ID]);
	record->status = idem_store_records_get_status(values[JOB_STATUS], status_names);
	record->response.body = idem_store_records_get_varlena(slot, JOB_VALUE);
	record->error = idem_store_records_get_varlena(slot, JOB_ERROR);
	record->lease_expires_at = idem_store_records_get_instant(slot, JOB_LEASE_EXPIRES_AT);
	record->expires_at = idem_store_records_get_instant(slot, JOB_EXPIRES_AT);
	record->created_at = idem_store_records_get_instant(slot, JOB_CREATED_AT);
	record->completed_at = idem_store_records_get_instant(slot, JOB_COMPLETED_AT);
}

static void
put_job(const IdemRecord *record, Datum *values, bool *isnull)
{
	memset(isnull, 0, JOB_COLUMNS * sizeof(bool));
	idem_store_records_put_varlena(values, isnull, JOB_HASH, record->key);
	values[JOB_ID] = UUIDPGetDatum(&record->job_id);
	values[JOB_STATUS] = CStringGetTextDatum(status_names[record->status]);
	idem_store_records_put_varlena(values, isnull, JOB_VALUE, record->response.body);
	idem_store_records_put_varlena(values, isnull, JOB_ERROR, record->error);
	idem_store_records_put_instant(values, isnull, JOB_LEASE_EXPIRES_AT,
								   record->lease_expires_at);
	idem_store_records_put_instant(values, isnull, JOB_EXPIRES_AT, record->expires_at);
	idem_store_records_put_instant(values, isnull, JOB_CREATED_AT, record->created_at);
	idem_store_records_put_instant(values, isnull, JOB_COMPLETED_AT,
								   record->completed_at);
}

int64
idem_store_jobs_expire(TimestampTz now, int32 max_rows)
{
	return idem_store_records_expire(&idem_store_jobs, JOB_EXPIRES_AT, now, max_rows);
}

const char *
idem_store_jobs_status_name(IdemStatus status)
{
	return status_names[status];
}

void
idem_store_jobs_remove_prefix(text *prefix, IdemRecordVisitor removed, void *arg)
{
	IdemRecordRemoval removal = {
		.range = {JOB_HASH, BTGreaterEqualStrategyNumber, F_TEXT_GE, PointerGetDatum(prefix)},
		.bound = prefix,
		.choose = has_prefix,
		.removed = removed,
		.arg = arg,
	};

	idem_store_records_remove(&idem_store_jobs, &removal);
}

/* the first hash without the prefix ends those that have it */
static IdemRangeVisit
has_prefix(const IdemRecord *job, const text *prefix)
{
	return idem_name_begins_with(DatumGetTextPP(PointerGetDatum(job->key)), prefix) ?
		IDEM_RANGE_TAKE : IDEM_RANGE_END;
}
