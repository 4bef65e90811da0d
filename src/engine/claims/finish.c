/*
 * finish.c
 *		How a claim ends: completed, failed, or given back.
 */
#include "postgres.h"

#include "utils/timestamp.h"

#include "engine/claims/finish.h"
#include "engine/common/count.h"
#include "pg/clock.h"

typedef struct Failure
{
	const IdemResult *result;
	bool		is_retryable;
} Failure;

static IdemAction decide_complete(const IdemTarget *target, IdemRecord *record,
								  TimestampTz now, void *arg);
static IdemAction decide_fail(const IdemTarget *target, IdemRecord *record,
							  TimestampTz now, void *arg);
static IdemAction decide_release(const IdemTarget *target, IdemRecord *record,
								 TimestampTz now, void *arg);
static bool is_failed_so(const IdemRecord *record, bool is_retryable);
static void store_result(IdemRecord *record, const IdemResult *result,
						 TimestampTz now);
static void require_size(const struct varlena *value, const char *name);
static bool is_same_result(const IdemRecord *record, const IdemResult *result);

bool
idem_claims_finish_complete(const IdemTarget *target, const IdemResult *result)
{
	IdemAction	action = idem_claims_change_record(target, decide_complete,
												   (void *) result);

	idem_count_one(IDEM_COUNT_COMPLETED);
	return action != IDEM_NOTHING;
}

bool
idem_claims_finish_fail(const IdemTarget *target, const IdemResult *result,
						bool is_retryable)
{
	Failure		failure = {.result = result, .is_retryable = is_retryable};
	IdemAction	action = idem_claims_change_record(target, decide_fail, &failure);

	idem_count_one(is_retryable ? IDEM_COUNT_RETRYABLE : IDEM_COUNT_GIVEN_UP);
	return action != IDEM_NOTHING;
}

bool
idem_claims_finish_release(const IdemTarget *target)
{
	if (idem_claims_change_record(target, decide_release, NULL) == IDEM_NOTHING)
		return false;
	idem_count_one(IDEM_COUNT_RELEASED);
	return true;
}

static IdemAction
decide_complete(const IdemTarget *target, IdemRecord *record, TimestampTz now,
				void *arg)
{
	const IdemResult *result = arg;

	idem_claims_change_require_record(target, record);
	if (record->status == IDEM_COMPLETE && is_same_result(record, result))
		return IDEM_NOTHING;
	idem_claims_change_require_not_final(target, record);

	record->status = IDEM_COMPLETE;
	record->completed_at = now;
	store_result(record, result, now);
	return IDEM_UPDATE_AND_WAKE;
}

/*
 * A retryable failure ends the attempt and not the record: without a lease,
 * the next start owns it.
 */
static IdemAction
decide_fail(const IdemTarget *target, IdemRecord *record, TimestampTz now,
			void *arg)
{
	const Failure *failure = arg;

	idem_claims_change_require_record(target, record);
	if (is_failed_so(record, failure->is_retryable) &&
		is_same_result(record, failure->result))
		return IDEM_NOTHING;
	idem_claims_change_require_not_final(target, record);

	if (!failure->is_retryable)
	{
		record->status = IDEM_FAILED;
		record->completed_at = now;
	}
	store_result(record, failure->result, now);
	return IDEM_UPDATE_AND_WAKE;
}

static bool
is_failed_so(const IdemRecord *record, bool is_retryable)
{
	if (!is_retryable)
		return record->status == IDEM_FAILED;
	return record->status == IDEM_PROCESSING &&
		record->lease_expires_at == IDEM_NO_INSTANT;
}

static IdemAction
decide_release(const IdemTarget *target, IdemRecord *record, TimestampTz now,
			   void *arg)
{
	if (record == NULL)
		return IDEM_NOTHING;
	idem_claims_change_require_not_final(target, record);
	return IDEM_DELETE_AND_WAKE;
}

/* What stands there already is not asked for its size: the bound may be new. */
static void
store_result(IdemRecord *record, const IdemResult *result, TimestampTz now)
{
	require_size(result->response.headers, "response_headers");
	require_size(result->response.body, "response_body");
	require_size(result->error, "error");
	record->response = result->response;
	record->error = result->error;
	record->lease_expires_at = IDEM_NO_INSTANT;
	if (result->ttl != NULL)
		record->expires_at = idem_clock_add(now, result->ttl);
}

static void
require_size(const struct varlena *value, const char *name)
{
	if (value != NULL)
		idem_claims_change_require_size(VARSIZE_ANY_EXHDR(value), name);
}

static bool
is_same_result(const IdemRecord *record, const IdemResult *result)
{
	const IdemResponse *a = &record->response;
	const IdemResponse *b = &result->response;

	return a->has_status == b->has_status &&
		(!a->has_status || a->status == b->status) &&
		idem_store_records_equal(a->headers, b->headers) &&
		idem_store_records_equal(a->body, b->body) &&
		idem_store_records_equal(record->error, result->error);
}
