/*
 * claim.c
 *		The state machine of a claim: which of many callers starts, and what
 *		all the others are answered.
 *
 * A call looks at the record with a dirty probe, decides, and does at most one
 * write.  When the row turns out to have moved on, everything is decided anew:
 * no decision outlives the look it was made on.  Relations are closed before
 * any sleep.
 *
 * The order of the decisions is part of the contract: another fingerprint
 * before anything else, a final record before an open transaction, an open
 * transaction before the lease.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "engine/claim.h"
#include "engine/wait.h"
#include "pg/clock.h"
#include "pg/errors.h"

/* what a caller is told to wait when only an open transaction is in the way */
#define OPEN_TRANSACTION_RETRY_US	USECS_PER_SEC

/* what remains to be done after a decision */
typedef enum Step
{
	ANSWER,
	INSERT,
	RECLAIM,
	TAKE_OVER
} Step;

static void attempt(const IdemStart *request, IdemVerdict *verdict);
static void detach_answer(IdemVerdict *verdict);
static bool try_start(IdemTable *table, const IdemStart *request,
					  IdemVerdict *verdict);
static Step decide(const IdemTable *table, const IdemStart *request,
				   TimestampTz now, IdemVerdict *verdict);
static Step decide_live(const IdemTable *table, const IdemStart *request,
						TimestampTz now, IdemVerdict *verdict);
static Step decide_pending(const IdemTable *table, const IdemStart *request,
						   TimestampTz now, IdemVerdict *verdict);
static Step answer(IdemVerdict *verdict, IdemOutcome outcome);
static Step blocked(IdemVerdict *verdict, TransactionId blocker, TimestampTz now);
static bool is_mismatch(const IdemStart *request, const IdemRecord *record);
static bool claim(IdemTable *table, const IdemStart *request, Step step,
				  TimestampTz now, IdemVerdict *verdict);
static bool lock_base(IdemTable *table, TimestampTz now, IdemVerdict *verdict,
					  bool *is_blocked);
static void begin_next_attempt(IdemRecord *record, const IdemStart *request,
							   TimestampTz now);
static void grant(IdemRecord *record, const IdemStart *request, TimestampTz now);
static bool write_claim(IdemTable *table, const IdemStart *request, Step step,
						TimestampTz now, IdemVerdict *verdict);
static bool is_certainly_absent(IdemTable *table, const IdemStart *request);
static bool write_unique(IdemTable *table, const IdemStart *request, Step step,
						 TimestampTz now, IdemVerdict *verdict);
static bool look(text *key, text *scope, IdemVerdict *verdict);
static void raise_own_wait(const text *key);
static void raise_wait_timeout(const text *key);

void
idem_claim_start(const IdemStart *request, IdemVerdict *verdict)
{
	IdemWaiter	waiter;

	idem_wait_begin(&waiter, request->key, request->scope, request->wait_us);
	do
		attempt(request, verdict);
	while (verdict->is_waitable &&
		   idem_wait_sleep(&waiter, verdict->blocker, verdict->retry_after_us));
	idem_wait_end(&waiter);
}

static void
attempt(const IdemStart *request, IdemVerdict *verdict)
{
	IdemTable	table;

	idem_store_records_open(&table, RowExclusiveLock);
	while (!try_start(&table, request, verdict))
		CHECK_FOR_INTERRUPTS();
	detach_answer(verdict);
	idem_store_table_close(&table);
}

/* in progress has no answer yet, and may be seen many times in one wait */
static void
detach_answer(IdemVerdict *verdict)
{
	if (verdict->outcome == IDEM_IN_PROGRESS)
		memset(&verdict->record, 0, sizeof(IdemRecord));
	else
		idem_store_records_detach(&verdict->record);
}

/* false when the row moved on between look and write */
static bool
try_start(IdemTable *table, const IdemStart *request, IdemVerdict *verdict)
{
	IdemKey		key = idem_store_records_key(request->key, request->scope);
	TimestampTz now;
	Step		step;

	memset(verdict, 0, sizeof(IdemVerdict));
	idem_store_tuple_probe(table, &key);
	now = idem_clock_now();
	step = decide(table, request, now, verdict);
	return step == ANSWER || claim(table, request, step, now, verdict);
}

static Step
decide(const IdemTable *table, const IdemStart *request, TimestampTz now,
	   IdemVerdict *verdict)
{
	if (idem_store_tuple_has_base(table))
	{
		idem_store_records_read(table->base.slot, &verdict->record);
		if (now < verdict->record.expires_at)
			return decide_live(table, request, now, verdict);
	}
	if (idem_store_tuple_has_pending(table))
		return decide_pending(table, request, now, verdict);
	if (!idem_store_tuple_has_base(table))
		return INSERT;
	if (TransactionIdIsValid(table->base.open_xid))
		return blocked(verdict, table->base.open_xid, now);
	return RECLAIM;
}

static Step
decide_live(const IdemTable *table, const IdemStart *request, TimestampTz now,
			IdemVerdict *verdict)
{
	const IdemRecord *record = &verdict->record;
	bool		has_lease = record->lease_expires_at != IDEM_NO_INSTANT;
	bool		is_lease_live = now < record->lease_expires_at;

	if (request->only_if_absent)
		return answer(verdict, IDEM_IN_PROGRESS);
	if (is_mismatch(request, record))
		return answer(verdict, IDEM_MISMATCH);
	if (record->status == IDEM_COMPLETE)
		return answer(verdict, IDEM_REPLAY);
	if (record->status == IDEM_FAILED)
		return answer(verdict, IDEM_TERMINALLY_FAILED);
	if (TransactionIdIsValid(table->base.open_xid))
		return blocked(verdict, table->base.open_xid, now);
	if (is_lease_live && request->owner != NULL &&
		idem_store_records_equal(request->owner, record->owner))
		return answer(verdict, IDEM_STARTED);
	if (is_lease_live || (has_lease && idem_store_tuple_base_is_own(table)))
	{
		blocked(verdict, InvalidTransactionId, now);
		/* nobody but this transaction could end its own claim */
		verdict->is_waitable = !idem_store_tuple_base_is_own(table);
		return ANSWER;
	}
	if (has_lease && !request->takeover)
		return answer(verdict, IDEM_ABANDONED);
	return TAKE_OVER;
}

static Step
decide_pending(const IdemTable *table, const IdemStart *request,
			   TimestampTz now, IdemVerdict *verdict)
{
	idem_store_records_read(table->pending.slot, &verdict->record);
	if (now < verdict->record.expires_at && is_mismatch(request, &verdict->record))
		return answer(verdict, IDEM_MISMATCH);
	return blocked(verdict, table->pending.open_xid, now);
}

static Step
answer(IdemVerdict *verdict, IdemOutcome outcome)
{
	verdict->outcome = outcome;
	return ANSWER;
}

/* in progress, until the blocker ends or else the lease */
static Step
blocked(IdemVerdict *verdict, TransactionId blocker, TimestampTz now)
{
	TimestampTz lease_end = verdict->record.lease_expires_at;

	verdict->retry_after_us = lease_end > now ?
		lease_end - now : OPEN_TRANSACTION_RETRY_US;
	verdict->is_waitable = true;
	verdict->blocker = blocker;
	return answer(verdict, IDEM_IN_PROGRESS);
}

static bool
is_mismatch(const IdemStart *request, const IdemRecord *record)
{
	return request->fingerprint != NULL && record->fingerprint != NULL &&
		!idem_store_records_equal(request->fingerprint, record->fingerprint);
}

/* Do what was decided.  False when the row moved on. */
static bool
claim(IdemTable *table, const IdemStart *request, Step step, TimestampTz now,
	  IdemVerdict *verdict)
{
	IdemRecord *record = &verdict->record;

	if (step != INSERT)
	{
		bool		is_blocked = false;

		if (!lock_base(table, now, verdict, &is_blocked))
			return false;
		if (is_blocked)
			return true;
	}
	if (step == TAKE_OVER)
		begin_next_attempt(record, request, now);
	else
		idem_claim_begin_record(record, request, now);

	verdict->outcome = IDEM_STARTED;
	if (request->unique_fingerprint)
		return write_unique(table, request, step, now, verdict);
	return write_claim(table, request, step, now, verdict);
}

/*
 * The exclusive lock, and not just the update's, is what assert_owner's lock
 * holds off.  False when the row moved on.
 */
static bool
lock_base(IdemTable *table, TimestampTz now, IdemVerdict *verdict,
		  bool *is_blocked)
{
	TransactionId holder;

	switch (idem_store_tuple_lock(table, &holder))
	{
		case IDEM_LOCK_HELD:
			*is_blocked = true;
			idem_store_records_read(table->base.slot, &verdict->record);
			blocked(verdict, holder, now);
			return true;
		case IDEM_LOCK_ROW_MOVED:
			return false;
		case IDEM_LOCKED:
			break;
	}
	idem_store_records_read(table->base.slot, &verdict->record);
	return true;
}

/* a new record; one that stood under the key has expired */
void
idem_claim_begin_record(IdemRecord *record, const IdemStart *request,
						TimestampTz now)
{
	int64		former_fence = record->fence;

	memset(record, 0, sizeof(IdemRecord));
	record->key = request->key;
	record->scope = request->scope;
	record->fence = former_fence;
	record->created_at = now;
	grant(record, request, now);
	if (request->is_complete)
	{
		record->status = IDEM_COMPLETE;
		record->completed_at = now;
		record->lease_expires_at = IDEM_NO_INSTANT;
		record->response.body = request->value;
	}
}

/* what the former attempt left for the next one is kept */
static void
begin_next_attempt(IdemRecord *record, const IdemStart *request, TimestampTz now)
{
	memset(&record->response, 0, sizeof(IdemResponse));
	record->error = NULL;
	grant(record, request, now);
}

static void
grant(IdemRecord *record, const IdemStart *request, TimestampTz now)
{
	if (request->fingerprint != NULL)
		record->fingerprint = request->fingerprint;
	if (request->context != NULL)
		record->context = request->context;
	record->owner = request->owner;
	record->status = IDEM_PROCESSING;
	record->fence = Max(idem_clock_unix_us(now), record->fence + 1);
	record->attempt++;
	record->expires_at = idem_clock_add(now, &request->ttl);
	record->lease_expires_at = Min(idem_clock_add(now, &request->lease),
								   record->expires_at);
	record->completed_at = IDEM_NO_INSTANT;
}

static bool
write_claim(IdemTable *table, const IdemStart *request, Step step,
			TimestampTz now, IdemVerdict *verdict)
{
	const IdemRecord *record = &verdict->record;

	if (step != INSERT)
		return idem_store_records_update(table, record);
	if (now < record->expires_at)
		return idem_store_records_insert(table, record);
	/* expired from the start is absent: nothing to write, nobody to block */
	return is_certainly_absent(table, request);
}

static bool
is_certainly_absent(IdemTable *table, const IdemStart *request)
{
	IdemKey		key = idem_store_records_key(request->key, request->scope);

	return !idem_store_tuple_find(table, &key) &&
		!idem_store_tuple_has_pending(table);
}

/*
 * The lock on the fingerprint spans check and write only, so it is held for
 * microseconds.  Afterwards the written row itself, committed or not, is what
 * the next check finds.
 */
static bool
write_unique(IdemTable *table, const IdemStart *request, Step step,
			 TimestampTz now, IdemVerdict *verdict)
{
	const IdemRecord *record = &verdict->record;
	bool		is_done = true;

	idem_wait_lock_fingerprint(record->fingerprint, record->scope);
	if (idem_store_records_find_rival(table, record, now,
									  &verdict->conflicting_key,
									  &verdict->blocker))
	{
		verdict->outcome = IDEM_DUPLICATE;
		verdict->is_waitable = TransactionIdIsValid(verdict->blocker);
	}
	else
		is_done = write_claim(table, request, step, now, verdict);
	idem_wait_unlock_fingerprint(record->fingerprint, record->scope);
	return is_done;
}

bool
idem_claim_wait(text *key, text *scope, int64 timeout_us, IdemRecord *record)
{
	IdemWaiter	waiter;
	IdemVerdict verdict;
	bool		is_there;

	idem_wait_begin(&waiter, key, scope, timeout_us);
	for (;;)
	{
		is_there = look(key, scope, &verdict);
		if (!is_there || verdict.outcome != IDEM_IN_PROGRESS)
			break;
		if (!verdict.is_waitable)
			raise_own_wait(key);
		if (!idem_wait_sleep(&waiter, verdict.blocker, verdict.retry_after_us))
			raise_wait_timeout(key);
	}
	idem_wait_end(&waiter);
	*record = verdict.record;
	return is_there;
}

/* How does the record stand?  False when there is none. */
static bool
look(text *key, text *scope, IdemVerdict *verdict)
{
	IdemStart	request = {.key = key, .scope = scope, .takeover = true};
	IdemKey		record_key = idem_store_records_key(key, scope);
	IdemTable	table;
	Step		step;

	memset(verdict, 0, sizeof(IdemVerdict));
	idem_store_records_open(&table, AccessShareLock);
	idem_store_tuple_find(&table, &record_key);
	step = decide(&table, &request, idem_clock_now(), verdict);
	if (step == TAKE_OVER)
	{
		/* the end of a lease does not end the wait: look again in a while */
		blocked(verdict, InvalidTransactionId, idem_clock_now());
		verdict->is_waitable = !idem_store_tuple_base_is_own(&table);
	}
	detach_answer(verdict);
	idem_store_table_close(&table);
	return step == ANSWER || step == TAKE_OVER;
}

static void
raise_own_wait(const text *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_WAIT_TIMEOUT),
			 errmsg("cannot wait for a claim of this transaction"),
			 errdetail("Key \"%.*s\" was claimed here and has not been completed.",
					   (int) VARSIZE_ANY_EXHDR(key), VARDATA_ANY(key)),
			 errhint("Call complete(), fail() or release() first, or wait in another session.")));
}

static void
raise_wait_timeout(const text *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_IDEM_WAIT_TIMEOUT),
			 errmsg("timed out waiting for key \"%.*s\"",
					(int) VARSIZE_ANY_EXHDR(key), VARDATA_ANY(key)),
			 errhint("The record is still being processed; wait again, or look with get().")));
}
