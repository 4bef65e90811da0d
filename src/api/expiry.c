/*
 * expiry.c
 *		The SQL functions that remove what has expired.
 *
 * expire_all() commits, so it can be neither SECURITY DEFINER nor SET anything:
 * it touches no table and only calls expire().
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/duration.h"
#include "engine/care/expiry.h"
#include "pg/clock.h"

/* longer than any server runs, and no overflow when added to a clock */
#define NO_LIMIT_US		(PG_INT64_MAX / 2)

PG_FUNCTION_INFO_V1(idemstore_expire);
PG_FUNCTION_INFO_V1(idemstore_expire_all);

static void put_report(const char *relation, int64 removed, void *arg);
static void require_nonatomic(const CallContext *context);
static bool is_alone(void);
static bool expire_batch(int32 batch_size);
static bool is_past(int64 deadline_us);

Datum
idemstore_expire(PG_FUNCTION_ARGS)
{
	int32		max_rows = idem_args_positive_int(fcinfo, 0, "max_rows");

	idem_args_require_writable("expire()");
	InitMaterializedSRF(fcinfo, 0);
	idem_care_expiry_run(max_rows, put_report, fcinfo->resultinfo);
	return (Datum) 0;
}

static void
put_report(const char *relation, int64 removed, void *arg)
{
	ReturnSetInfo *result = arg;
	Datum		values[] = {CStringGetTextDatum(relation), Int64GetDatum(removed)};
	bool		isnull[] = {false, removed == IDEM_EXPIRY_FAILED};

	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}

Datum
idemstore_expire_all(PG_FUNCTION_ARGS)
{
	int32		batch_size = idem_args_positive_int(fcinfo, 0, "batch_size");
	int64		limit_us = idem_duration_span_us(fcinfo, 1, "max_duration", NO_LIMIT_US);
	int64		deadline_us = idem_clock_monotonic_us() + limit_us;

	idem_args_require_writable("expire_all()");
	require_nonatomic((CallContext *) fcinfo->context);
	idem_care_expiry_begin();
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	while (is_alone() && expire_batch(batch_size) && !is_past(deadline_us))
	{
		CHECK_FOR_INTERRUPTS();
		SPI_commit();
	}
	SPI_finish();
	PG_RETURN_VOID();
}

static void
require_nonatomic(const CallContext *context)
{
	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("expire_all() cannot run inside a transaction block"),
				 errdetail("It commits after every batch."),
				 errhint("Call it outside a transaction, or call expire().")));
}

/* for this batch */
static bool
is_alone(void)
{
	if (idem_care_expiry_try_lock())
		return true;
	ereport(NOTICE,
			(errmsg("expire_all() is already running in this database")));
	return false;
}

/* is there more? */
static bool
expire_batch(int32 batch_size)
{
	Oid			types[] = {INT4OID};
	Datum		values[] = {Int32GetDatum(batch_size)};
	int			status;

	status = SPI_execute_with_args("SELECT FROM idemstore.expire($1)",
								   lengthof(types), types, values, NULL, false, 0);
	if (status != SPI_OK_SELECT)
		elog(ERROR, "could not call expire(): %s", SPI_result_code_string(status));
	/* a commit does not free it */
	SPI_freetuptable(SPI_tuptable);
	return idem_care_expiry_has_more();
}

static bool
is_past(int64 deadline_us)
{
	return idem_clock_monotonic_us() >= deadline_us;
}
