/*
 * finish.c
 *		What the owner of a claim does with it.
 *
 * Every operation is a decision over the record as it stands (a Change), in
 * one frame that finds the record, checks the fence, writes and wakes the
 * waiters.  A decision may be asked more than once: when the row was changed
 * between look and write, the frame looks again.
 *
 * A final record is immutable: repeating what made it final is a success that
 * writes nothing, anything else is an error.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "engine/finish.h"
#include "engine/wait.h"
#include "pg/clock.h"
#include "pg/errors.h"

typedef enum Action
{
	NOTHING,
	UPDATE,
	UPDATE_AND_WAKE,
	DELETE_AND_WAKE
} Action;

/* the record is NULL when there is no live one */
typedef Action (*Change) (const IdemTarget *target, IdemRecord *record,
						  TimestampTz now, void *arg);

typedef struct Failure
{
	const IdemResult *result;
	bool		is_retryable;
} Failure;

typedef struct Extension
{
	const Interval *lease;
	TimestampTz end;
} Extension;

static Action apply(const IdemTarget *target, Change change, void *arg);
static Action look_and_decide(IdemTable *table, const IdemTarget *target,
							  IdemRecord *record, Change change, void *arg);
static bool write_change(IdemTable *table, const IdemRecord *record, Action action);
static Action decide_complete(const IdemTarget *target, IdemRecord *record,
							  TimestampTz now, void *arg);
static Action decide_fail(const IdemTarget *target, IdemRecord *record,
						  TimestampTz now, void *arg);
static Action decide_release(const IdemTarget *target, IdemRecord *record,
							 TimestampTz now, void *arg);
static Action decide_extend_lease(const IdemTarget *target, IdemRecord *record,
								  TimestampTz now, void *arg);
static void store_result(IdemRecord *record, const IdemResult *result,
						 TimestampTz now);
static bool is_same_result(const IdemRecord *record, const IdemResult *result);
static void require_record(const IdemTarget *target, const IdemRecord *record);
static void require_fence(const IdemTarget *target, const IdemRecord *record);
static void require_lease(const IdemTarget *target, const IdemRecord *record);
static void require_not_final(const IdemTarget *target, const IdemRecord *record);

void
idem_finish_complete(const IdemTarget *target, const IdemResult *result)
{
	apply(target, decide_complete, (void *) result);
}

void
idem_finish_fail(const IdemTarget *target, const IdemResult *result,
				 bool is_retryable)
{
	Failure		failure = {.result = result, .is_retryable = is_retryable};

	apply(target, decide_fail, &failure);
}

bool
idem_finish_release(const IdemTarget *target)
{
	return apply(target, decide_release, NULL) != NOTHING;
}

TimestampTz
idem_finish_extend_lease(const IdemTarget *target, const Interval *lease)
{
	Extension	extension = {.lease = lease};

	apply(target, decide_extend_lease, &extension);
	return extension.end;
}

static Action
apply(const IdemTarget *target, Change change, void *arg)
{
	IdemTable	table;
	IdemRecord	record;
	Action		action;

	idem_store_records_open(&table, RowExclusiveLock);
	do
	{
		CHECK_FOR_INTERRUPTS();
		action = look_and_decide(&table, target, &record, change, arg);
	} while (!write_change(&table, &record, action));

	if (action == UPDATE_AND_WAKE || action == DELETE_AND_WAKE)
		idem_wait_wake(target->key, target->scope);
	idem_store_table_close(&table);
	return action;
}

static Action
look_and_decide(IdemTable *table, const IdemTarget *target, IdemRecord *record,
				Change change, void *arg)
{
	IdemKey		key = idem_store_records_key(target->key, target->scope);
	TimestampTz now;

	if (!idem_store_tuple_find(table, &key))
		return change(target, NULL, idem_clock_now(), arg);
	idem_store_records_read(table->base.slot, record);
	now = idem_clock_now();
	if (now >= record->expires_at)
		return change(target, NULL, now, arg);
	require_fence(target, record);
	return change(target, record, now, arg);
}

/* false when the row moved on */
static bool
write_change(IdemTable *table, const IdemRecord *record, Action action)
{
	switch (action)
	{
		case NOTHING:
			return true;
		case UPDATE:
		case UPDATE_AND_WAKE:
			return idem_store_records_update(table, record);
		case DELETE_AND_WAKE:
			return idem_store_tuple_delete(table);
	}
	return true;				/* keep the compiler quiet */
}

static Action
decide_complete(const IdemTarget *target, IdemRecord *record, TimestampTz now,
				void *arg)
{
	const IdemResult *result = arg;

	require_record(target, record);
	if (record->status == IDEM_COMPLETE && is_same_result(record, result))
		return NOTHING;
	require_not_final(target, record);

	record->status = IDEM_COMPLETE;
	record->completed_at = now;
	store_result(record, result, now);
	return UPDATE_AND_WAKE;
}

/*
 * A retryable failure ends the attempt and not the record: without a lease,
 * the next start owns it.
 */
static Action
decide_fail(const IdemTarget *target, IdemRecord *record, TimestampTz now,
			void *arg)
{
	const Failure *failure = arg;

	require_record(target, record);
	if (record->status == IDEM_FAILED && !failure->is_retryable &&
		is_same_result(record, failure->result))
		return NOTHING;
	require_not_final(target, record);

	if (!failure->is_retryable)
	{
		record->status = IDEM_FAILED;
		record->completed_at = now;
	}
	store_result(record, failure->result, now);
	return UPDATE_AND_WAKE;
}

static Action
decide_release(const IdemTarget *target, IdemRecord *record, TimestampTz now,
			   void *arg)
{
	if (record == NULL)
		return NOTHING;
	require_not_final(target, record);
	return DELETE_AND_WAKE;
}

static Action
decide_extend_lease(const IdemTarget *target, IdemRecord *record,
					TimestampTz now, void *arg)
{
	Extension  *extension = arg;

	require_record(target, record);
	require_not_final(target, record);
	require_lease(target, record);
	record->lease_expires_at = Min(idem_clock_add(now, extension->lease),
								   record->expires_at);
	extension->end = record->lease_expires_at;
	return UPDATE;
}

static void
store_result(IdemRecord *record, const IdemResult *result, TimestampTz now)
{
	record->response = result->response;
	record->error = result->error;
	record->lease_expires_at = IDEM_NO_INSTANT;
	if (result->ttl != NULL)
		record->expires_at = idem_clock_add(now, result->ttl);
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

static void
require_record(const IdemTarget *target, const IdemRecord *record)
{
	if (record == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_NO_RECORD),
				 errmsg("no live record for key \"%.*s\"",
						(int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key)),
				 errdetail("It was never started, was released, or has expired."),
				 errhint("Call start_processing() first, with the same scope and a ttl that outlasts the work.")));
}

static void
require_fence(const IdemTarget *target, const IdemRecord *record)
{
	if (target->has_fence && target->fence != record->fence)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LOST_CLAIM),
				 errmsg("the claim on key \"%.*s\" is lost",
						(int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key)),
				 errdetail("The call came with fence %lld, the record has %lld.",
						   (long long) target->fence, (long long) record->fence),
				 errhint("Another caller owns the key now: roll back, and do not repeat the work.")));
}

static void
require_lease(const IdemTarget *target, const IdemRecord *record)
{
	if (record->lease_expires_at == IDEM_NO_INSTANT)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_LOST_CLAIM),
				 errmsg("the claim on key \"%.*s\" has been given up",
						(int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key)),
				 errdetail("Attempt %d ended with a retryable failure.", record->attempt),
				 errhint("Call start_processing() to begin the next attempt.")));
}

static void
require_not_final(const IdemTarget *target, const IdemRecord *record)
{
	if (record->status != IDEM_PROCESSING)
		ereport(ERROR,
				(errcode(ERRCODE_IDEM_ALREADY_FINAL),
				 errmsg("the record for key \"%.*s\" is final",
						(int) VARSIZE_ANY_EXHDR(target->key), VARDATA_ANY(target->key)),
				 record->status == IDEM_COMPLETE ?
				 errdetail("It is complete, and this call would change it.") :
				 errdetail("It has failed for good, and this call would change it."),
				 errhint("Use a new key for new work.")));
}
