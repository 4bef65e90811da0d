/*
 * value.c
 *		The SQL functions for callers who keep plain values under a key, and
 *		the fingerprint of a request.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/array.h"

#include "api/args.h"
#include "api/duration.h"
#include "api/text.h"
#include "engine/claims/fingerprint.h"
#include "engine/claims/finish.h"
#include "engine/claims/value.h"
#include "engine/common/count.h"
#include "pg/guc.h"
#include "store/idempotency.h"

PG_FUNCTION_INFO_V1(idemstore_set_nx_0_3);
PG_FUNCTION_INFO_V1(idemstore_set_value_0_3);
PG_FUNCTION_INFO_V1(idemstore_initiate);
PG_FUNCTION_INFO_V1(idemstore_success_0_3);
PG_FUNCTION_INFO_V1(idemstore_fingerprint_0_3);

static IdemStart start_from(PG_FUNCTION_ARGS, int ttl_arg, int scope_arg);
static void put_value(IdemStart *request, PG_FUNCTION_ARGS);
static bool start_if_absent(const IdemStart *request);

Datum
idemstore_set_nx_0_3(PG_FUNCTION_ARGS)
{
	IdemStart	request;

	idem_args_require_writable("set_nx()");
	request = start_from(fcinfo, 2, 3);
	put_value(&request, fcinfo);
	PG_RETURN_BOOL(start_if_absent(&request));
}

Datum
idemstore_set_value_0_3(PG_FUNCTION_ARGS)
{
	IdemStart	request;

	idem_args_require_writable("set_value()");
	request = start_from(fcinfo, 2, 3);
	put_value(&request, fcinfo);
	PG_RETURN_BOOL(idem_claims_value_set(&request));
}

Datum
idemstore_initiate(PG_FUNCTION_ARGS)
{
	IdemStart	request;

	idem_args_require_writable("initiate()");
	request = start_from(fcinfo, 2, 3);
	request.context = idem_args_optional_body(fcinfo, 1, "context");
	PG_RETURN_BOOL(start_if_absent(&request));
}

/* a request that takes no live record over, and whose lease is its ttl */
static IdemStart
start_from(PG_FUNCTION_ARGS, int ttl_arg, int scope_arg)
{
	IdemStart	request = {0};

	request.family = &idem_store_idempotency;
	request.key = idem_args_key(fcinfo, 0);
	request.scope = idem_args_scope(fcinfo, scope_arg);
	request.ttl = idem_duration_ttl_or(fcinfo, ttl_arg, idem_guc_default_ttl);
	request.lease = request.ttl;
	request.only_if_absent = true;
	return request;
}

static void
put_value(IdemStart *request, PG_FUNCTION_ARGS)
{
	static const IdemTextArgs args = {1, "value_text", 4, "value"};

	request->is_complete = true;
	request->value = idem_text_bytes(fcinfo, &args);
	idem_claims_change_require_size(VARSIZE_ANY_EXHDR(request->value), "value");
}

static bool
start_if_absent(const IdemStart *request)
{
	IdemVerdict verdict;
	bool		was_absent;

	idem_claims_start(request, &verdict);
	was_absent = verdict.outcome == IDEM_STARTED;
	idem_count_one(was_absent ? IDEM_COUNT_STARTED : IDEM_COUNT_EXISTS);
	return was_absent;
}

Datum
idemstore_success_0_3(PG_FUNCTION_ARGS)
{
	IdemTarget	target;
	IdemResult	result = {0};

	idem_args_require_writable("success()");
	target = idem_args_target(fcinfo, 2, 3);
	if (!PG_ARGISNULL(1))
		result.response.body = idem_text_to_utf8(PG_GETARG_TEXT_PP(1));
	PG_RETURN_BOOL(idem_claims_finish_complete(&target, &result));
}

Datum
idemstore_fingerprint_0_3(PG_FUNCTION_ARGS)
{
	text	   *payload = PG_GETARG_TEXT_PP(0);
	ArrayType  *exclude = PG_GETARG_ARRAYTYPE_P(1);

	if (array_contains_nulls(exclude))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("exclude must not contain nulls")));
	PG_RETURN_TEXT_P(idem_claims_fingerprint_compute(payload, exclude));
}
