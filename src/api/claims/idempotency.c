/*
 * idempotency.c
 *		The SQL functions of an owner: claim, work, finish.
 *
 * Each decodes its arguments, refuses to write where that is not possible,
 * calls the engine once and builds the result.  The contract of every function
 * is its COMMENT in src/sql/idempotency.sql.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/args.h"
#include "api/claims/headers.h"
#include "api/claims/startargs.h"
#include "api/duration.h"
#include "api/result.h"
#include "api/text.h"
#include "engine/claims/claims.h"
#include "engine/claims/finish.h"
#include "engine/claims/hold.h"
#include "engine/common/count.h"
#include "pg/guc.h"
#include "store/idempotency.h"

/* the columns of idemstore.idempotency_verdict */
enum
{
	VERDICT_OUTCOME,
	VERDICT_FENCE,
	VERDICT_ATTEMPT,
	VERDICT_RETRY_AFTER_MS,
	VERDICT_RETRY_AFTER_SECONDS,
	VERDICT_CONFLICTING_KEY,
	VERDICT_RESPONSE_STATUS,
	VERDICT_RESPONSE_HEADERS,
	VERDICT_RESPONSE_BODY,
	VERDICT_ERROR,
	VERDICT_RECOVERY_POINT,
	VERDICT_CHECKPOINT,
	VERDICT_COLUMNS
};

static const Oid verdict_types[VERDICT_COLUMNS] = {
	[VERDICT_OUTCOME] = TEXTOID,
	[VERDICT_FENCE] = INT8OID,
	[VERDICT_ATTEMPT] = INT4OID,
	[VERDICT_RETRY_AFTER_MS] = FLOAT8OID,
	[VERDICT_RETRY_AFTER_SECONDS] = INT4OID,
	[VERDICT_CONFLICTING_KEY] = TEXTOID,
	[VERDICT_RESPONSE_STATUS] = INT4OID,
	[VERDICT_RESPONSE_HEADERS] = JSONOID,
	[VERDICT_RESPONSE_BODY] = BYTEAOID,
	[VERDICT_ERROR] = JSONOID,
	[VERDICT_RECOVERY_POINT] = TEXTOID,
	[VERDICT_CHECKPOINT] = JSONOID,
};

static const char *const outcome_names[] = {
	[IDEM_STARTED] = "started",
	[IDEM_IN_PROGRESS] = "in_progress",
	[IDEM_REPLAY] = "replay",
	[IDEM_TERMINALLY_FAILED] = "failed",
	[IDEM_MISMATCH] = "mismatch",
	[IDEM_ABANDONED] = "abandoned",
	[IDEM_DUPLICATE] = "duplicate",
};

PG_FUNCTION_INFO_V1(idemstore_start_processing_0_3);
PG_FUNCTION_INFO_V1(idemstore_complete_0_3);
PG_FUNCTION_INFO_V1(idemstore_fail_0_3);
PG_FUNCTION_INFO_V1(idemstore_release);
PG_FUNCTION_INFO_V1(idemstore_extend_lease);
PG_FUNCTION_INFO_V1(idemstore_checkpoint_0_3);
PG_FUNCTION_INFO_V1(idemstore_assert_owner_0_3);

static IdemStart start_from(PG_FUNCTION_ARGS);
static void require_fingerprint(const IdemStart *request);
static Datum verdict_datum(PG_FUNCTION_ARGS, const IdemVerdict *verdict);
static void put_claim(const IdemVerdict *verdict, Datum *values, bool *isnull);
static void put_response(const IdemVerdict *verdict, Datum *values, bool *isnull);
static void require_fence(const IdemTarget *target);
static IdemResponse response_from(PG_FUNCTION_ARGS, int status_arg, int body_arg);

Datum
idemstore_start_processing_0_3(PG_FUNCTION_ARGS)
{
	LOCAL_FCINFO(call, START_ARGS);
	IdemStart	request;
	IdemVerdict verdict;

	idem_args_require_writable("start_processing()");
	idem_claims_startargs_restore(fcinfo, call);
	request = start_from(call);
	require_fingerprint(&request);

	idem_claims_start(&request, &verdict);
	idem_count_one(IDEM_COUNT_STARTED + verdict.outcome);
	return verdict_datum(fcinfo, &verdict);
}

static IdemStart
start_from(PG_FUNCTION_ARGS)
{
	IdemStart	request = {0};

	request.family = &idem_store_idempotency;
	request.key = idem_args_key(fcinfo, START_KEY);
	request.fingerprint = idem_args_optional_name(fcinfo, START_FINGERPRINT, "fingerprint",
												  IDEM_MAX_FINGERPRINT_SIZE);
	request.ttl = idem_duration_ttl_or(fcinfo, START_TTL, idem_guc_default_ttl);
	request.scope = idem_args_scope(fcinfo, START_SCOPE);
	request.lease = idem_duration_lease_or(fcinfo, START_LEASE, "lease", idem_guc_default_lease);
	request.wait_us = idem_duration_wait_us(fcinfo, START_WAIT, "wait", 0);
	request.owner = idem_args_optional_name(fcinfo, START_OWNER, "owner", IDEM_MAX_OWNER_SIZE);
	request.takeover = idem_args_bool(fcinfo, START_TAKEOVER, "takeover");
	request.unique_fingerprint = idem_args_bool(fcinfo, START_UNIQUE_FINGERPRINT,
												"unique_fingerprint");
	request.context = idem_args_optional_body(fcinfo, START_CONTEXT, "context");
	return request;
}

static void
require_fingerprint(const IdemStart *request)
{
	if (request->unique_fingerprint && request->fingerprint == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("fingerprint must not be null"),
				 errdetail("With unique_fingerprint, a fingerprint is what must be unique.")));
}

static Datum
verdict_datum(PG_FUNCTION_ARGS, const IdemVerdict *verdict)
{
	Datum		values[VERDICT_COLUMNS];
	bool		isnull[VERDICT_COLUMNS];

	memset(isnull, true, sizeof(isnull));
	values[VERDICT_OUTCOME] = CStringGetTextDatum(outcome_names[verdict->outcome]);
	isnull[VERDICT_OUTCOME] = false;
	switch (verdict->outcome)
	{
		case IDEM_STARTED:
		case IDEM_ABANDONED:
			put_claim(verdict, values, isnull);
			break;
		case IDEM_REPLAY:
		case IDEM_TERMINALLY_FAILED:
			put_response(verdict, values, isnull);
			break;
		case IDEM_IN_PROGRESS:
			idem_result_put_retry(values, isnull, VERDICT_RETRY_AFTER_MS, verdict->retry_after_us);
			break;
		case IDEM_DUPLICATE:
			idem_result_put(values, isnull, VERDICT_CONFLICTING_KEY,
							verdict->conflicting_key);
			break;
		case IDEM_MISMATCH:
			break;
	}
	return idem_result_composite(idem_result_type(fcinfo->flinfo),
								 VERDICT_COLUMNS, verdict_types, values, isnull);
}

static void
put_claim(const IdemVerdict *verdict, Datum *values, bool *isnull)
{
	values[VERDICT_FENCE] = Int64GetDatum(verdict->fence);
	isnull[VERDICT_FENCE] = false;
	values[VERDICT_ATTEMPT] = Int32GetDatum(verdict->attempt);
	isnull[VERDICT_ATTEMPT] = false;
	idem_result_put(values, isnull, VERDICT_RECOVERY_POINT, verdict->recovery_point);
	idem_result_put(values, isnull, VERDICT_CHECKPOINT, verdict->checkpoint);
}

static void
put_response(const IdemVerdict *verdict, Datum *values, bool *isnull)
{
	values[VERDICT_RESPONSE_STATUS] = Int32GetDatum(verdict->response.status);
	isnull[VERDICT_RESPONSE_STATUS] = !verdict->response.has_status;
	idem_result_put(values, isnull, VERDICT_RESPONSE_HEADERS, verdict->response.headers);
	idem_result_put(values, isnull, VERDICT_RESPONSE_BODY, verdict->response.body);
	idem_result_put(values, isnull, VERDICT_ERROR, verdict->error);
}

Datum
idemstore_complete_0_3(PG_FUNCTION_ARGS)
{
	IdemTarget	target;
	IdemResult	result = {0};

	idem_args_require_writable("complete()");
	target = idem_args_target(fcinfo, 4, 5);
	result.response = response_from(fcinfo, 1, 7);
	result.ttl = idem_duration_optional_ttl(fcinfo, 6);
	PG_RETURN_BOOL(idem_claims_finish_complete(&target, &result));
}

Datum
idemstore_fail_0_3(PG_FUNCTION_ARGS)
{
	IdemTarget	target;
	IdemResult	result = {0};
	bool		is_retryable;

	idem_args_require_writable("fail()");
	target = idem_args_target(fcinfo, 6, 7);
	if (!PG_ARGISNULL(1))
		result.error = PG_GETARG_VARLENA_PP(1);
	is_retryable = idem_args_bool(fcinfo, 2, "retryable");
	result.response = response_from(fcinfo, 3, 9);
	result.ttl = idem_duration_optional_ttl(fcinfo, 8);
	PG_RETURN_BOOL(idem_claims_finish_fail(&target, &result, is_retryable));
}

Datum
idemstore_release(PG_FUNCTION_ARGS)
{
	IdemTarget	target;

	idem_args_require_writable("release()");
	target = idem_args_target(fcinfo, 1, 2);
	PG_RETURN_BOOL(idem_claims_finish_release(&target));
}

Datum
idemstore_extend_lease(PG_FUNCTION_ARGS)
{
	IdemTarget	target;
	Interval	lease;

	idem_args_require_writable("extend_lease()");
	target = idem_args_target(fcinfo, 1, 3);
	require_fence(&target);
	lease = idem_duration_lease_or(fcinfo, 2, "lease", idem_guc_default_lease);
	PG_RETURN_TIMESTAMPTZ(idem_claims_hold_extend_lease(&target, &lease));
}

Datum
idemstore_checkpoint_0_3(PG_FUNCTION_ARGS)
{
	IdemTarget	target;
	text	   *recovery_point;
	struct varlena *state;

	idem_args_require_writable("checkpoint()");
	target = idem_args_target(fcinfo, 3, 4);
	recovery_point = idem_args_name(fcinfo, 1, "recovery_point",
									IDEM_MAX_RECOVERY_POINT_SIZE);
	state = idem_args_optional_body(fcinfo, 2, "state");

	PG_RETURN_BOOL(idem_claims_hold_checkpoint(&target, recovery_point, state));
}

Datum
idemstore_assert_owner_0_3(PG_FUNCTION_ARGS)
{
	IdemTarget	target;

	idem_args_require_writable("assert_owner()");
	target = idem_args_target(fcinfo, 1, 2);
	require_fence(&target);
	idem_claims_hold_assert_owner(&target);
	PG_RETURN_BOOL(true);
}

static void
require_fence(const IdemTarget *target)
{
	if (!target->has_fence)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("fence must not be null"),
				 errhint("Pass the fence that start_processing() returned.")));
}

/*
 * status, headers and text are always next to each other; the size is checked
 * where they are stored
 */
static IdemResponse
response_from(PG_FUNCTION_ARGS, int status_arg, int body_arg)
{
	IdemTextArgs body = {status_arg + 2, "response_text", body_arg, "response_body"};
	IdemResponse response = {0};

	response.has_status = !PG_ARGISNULL(status_arg);
	if (response.has_status)
		response.status = PG_GETARG_INT32(status_arg);
	response.headers = idem_claims_headers_arg(fcinfo, status_arg + 1);
	response.body = idem_text_optional_bytes(fcinfo, &body);
	return response;
}
