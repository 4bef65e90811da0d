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
 * transaction before the lease, the lease before a rival under another key.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "engine/claim.h"
#include "engine/standing.h"
#include "engine/wait.h"
#include "pg/clock.h"

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

/* one look at the record, and what was decided on it */
typedef struct Attempt
{
	const IdemStart *request;
	IdemTable	table;
	TimestampTz now;
	IdemRecord	record;			/* what stands there, then what is written */
	IdemVerdict *verdict;
} Attempt;

static void attempt_start(const IdemStart *request, IdemVerdict *verdict);
static bool try_start(Attempt *attempt);
static Step decide(Attempt *attempt);
static Step decide_held(Attempt *attempt, const IdemStanding *standing);
static bool is_mismatch(const IdemStart *request, const IdemRecord *record);
static bool claim(Attempt *attempt, Step step);
static bool claim_unique(Attempt *attempt, Step step);
static bool has_rival(Attempt *attempt);
static bool claim_base(Attempt *attempt, Step step);
static bool insert_claim(Attempt *attempt);
static void begin_next_attempt(IdemRecord *record, const IdemStart *request,
							   TimestampTz now);
static void grant(IdemRecord *record, const IdemStart *request, TimestampTz now);
static Step answer(Attempt *attempt, IdemOutcome outcome);
static Step answer_blocked(Attempt *attempt, TransactionId blocker);
static Step answer_claim(Attempt *attempt, IdemOutcome outcome);
static Step answer_final(Attempt *attempt);

void
idem_claim_start(const IdemStart *request, IdemVerdict *verdict)
{
	IdemWaiter	waiter;

	idem_wait_begin(&waiter, request->key, request->scope, request->wait_us);
	do
		attempt_start(request, verdict);
	while (verdict->is_waitable &&
		   idem_wait_sleep(&waiter, verdict->blocker, verdict->blocker_is_locker,
						   verdict->retry_after_us));
	idem_wait_end(&waiter);
}

static void
attempt_start(const IdemStart *request, IdemVerdict *verdict)
{
	Attempt		attempt = {.request = request, .verdict = verdict};

	idem_store_records_open(&attempt.table, RowExclusiveLock);
	while (!try_start(&attempt))
		CHECK_FOR_INTERRUPTS();
	idem_store_table_close(&attempt.table);
}

/* false when the row moved on between look and write */
static bool
try_start(Attempt *attempt)
{
	const IdemStart *request = attempt->request;
	IdemKey		key = idem_store_records_key(request->key, request->scope);
	Step		step;

	memset(attempt->verdict, 0, sizeof(IdemVerdict));
	idem_store_versions_probe(&attempt->table, &key);
	attempt->now = idem_clock_now();
	step = decide(attempt);
	if (step == ANSWER)
		return true;
	/* a takeover that keeps its record's fingerprint adds no second one */
	if (request->unique_fingerprint &&
		!(step == TAKE_OVER && attempt->record.fingerprint != NULL))
		return claim_unique(attempt, step);
	return claim(attempt, step);
}

static Step
decide(Attempt *attempt)
{
	const IdemStart *request = attempt->request;
	IdemStanding standing;

	idem_standing_describe(&attempt->table, attempt->now, &standing);
	attempt->record = standing.record;
	if (standing.is_live && request->only_if_absent)
		return answer(attempt, IDEM_IN_PROGRESS);
	if (standing.is_live && is_mismatch(request, &standing.record))
		return answer(attempt, IDEM_MISMATCH);

	switch (standing.kind)
	{
		case IDEM_ABSENT:
			return INSERT;
		case IDEM_EXPIRED:
			return RECLAIM;
		case IDEM_OPEN:
			return answer_blocked(attempt, standing.blocker);
		case IDEM_HELD:
			return decide_held(attempt, &standing);
		case IDEM_LAPSED:
			return request->takeover ? TAKE_OVER : answer_claim(attempt, IDEM_ABANDONED);
		case IDEM_GIVEN_UP:
			return TAKE_OVER;
		case IDEM_FINAL:
			return answer_final(attempt);
	}
	return ANSWER;				/* keep the compiler quiet */
}

/* the same owner again has lost an acknowledgement */
static Step
decide_held(Attempt *attempt, const IdemStanding *standing)
{
	const IdemStart *request = attempt->request;
	const IdemRecord *record = &standing->record;

	if (request->owner != NULL && attempt->now < record->lease_expires_at &&
		idem_store_records_equal(request->owner, record->owner))
		return answer_claim(attempt, IDEM_STARTED);
	answer_blocked(attempt, InvalidTransactionId);
	/* nobody but this transaction could end its own claim */
	attempt->verdict->is_waitable = !standing->is_own;
	return ANSWER;
}

static bool
is_mismatch(const IdemStart *request, const IdemRecord *record)
{
	return request->fingerprint != NULL && record->fingerprint != NULL &&
		!idem_store_records_equal(request->fingerprint, record->fingerprint);
}

/* Do what was decided.  False when the row moved on. */
static bool
claim(Attempt *attempt, Step step)
{
	if (step != INSERT)
		return claim_base(attempt, step);
	idem_claim_begin_record(&attempt->record, attempt->request, attempt->now);
	answer_claim(attempt, IDEM_STARTED);
	return insert_claim(attempt);
}

/*
 * The lock on the fingerprint spans check and write only, so it is held for
 * microseconds.  Afterwards the written row itself, committed or not, is what
 * the next check finds.
 */
static bool
claim_unique(Attempt *attempt, Step step)
{
	const IdemStart *request = attempt->request;
	bool		is_done;

	idem_wait_lock_fingerprint(request->fingerprint, request->scope);
	is_done = has_rival(attempt) || claim(attempt, step);
	idem_wait_unlock_fingerprint(request->fingerprint, request->scope);
	return is_done;
}

static bool
has_rival(Attempt *attempt)
{
	const IdemStart *request = attempt->request;
	IdemVerdict *verdict = attempt->verdict;

	if (!idem_store_records_find_rival(&attempt->table, request->key,
									   request->fingerprint, request->scope,
									   attempt->now, &verdict->conflicting_key,
									   &verdict->blocker))
		return false;
	verdict->is_waitable = TransactionIdIsValid(verdict->blocker);
	answer(attempt, IDEM_DUPLICATE);
	return true;
}

/*
 * Take the row that stands there.  The exclusive lock, and not just the
 * update's, is what assert_owner's lock holds off.
 */
static bool
claim_base(Attempt *attempt, Step step)
{
	TransactionId holder;
	IdemLockResult result = idem_store_tuple_lock(&attempt->table, &holder);

	if (result == IDEM_LOCK_ROW_MOVED)
		return false;
	idem_store_records_read(attempt->table.base.slot, &attempt->record);
	if (result == IDEM_LOCK_HELD)
	{
		answer_blocked(attempt, holder);
		attempt->verdict->blocker_is_locker = true;
		return true;
	}

	if (step == TAKE_OVER)
		begin_next_attempt(&attempt->record, attempt->request, attempt->now);
	else
		idem_claim_begin_record(&attempt->record, attempt->request, attempt->now);
	answer_claim(attempt, IDEM_STARTED);
	return idem_store_records_update(&attempt->table, &attempt->record);
}

/*
 * A record that is expired from the start is absent for everybody: nothing is
 * written, so that nobody is blocked.
 */
static bool
insert_claim(Attempt *attempt)
{
	const IdemRecord *record = &attempt->record;
	IdemKey		key = idem_store_records_key(record->key, record->scope);

	if (attempt->now < record->expires_at)
		return idem_store_records_insert(&attempt->table, record);
	return !idem_store_versions_find(&attempt->table, &key) &&
		!idem_store_versions_has_pending(&attempt->table);
}

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

static Step
answer(Attempt *attempt, IdemOutcome outcome)
{
	attempt->verdict->outcome = outcome;
	return ANSWER;
}

/* in progress, until the blocker ends or else the lease */
static Step
answer_blocked(Attempt *attempt, TransactionId blocker)
{
	IdemVerdict *verdict = attempt->verdict;
	TimestampTz lease_end = attempt->record.lease_expires_at;

	verdict->retry_after_us = OPEN_TRANSACTION_RETRY_US;
	if (lease_end > attempt->now)
		verdict->retry_after_us = lease_end - attempt->now;
	verdict->is_waitable = true;
	verdict->blocker = blocker;
	return answer(attempt, IDEM_IN_PROGRESS);
}

static Step
answer_claim(Attempt *attempt, IdemOutcome outcome)
{
	IdemVerdict *verdict = attempt->verdict;
	const IdemRecord *record = &attempt->record;

	verdict->fence = record->fence;
	verdict->attempt = record->attempt;
	verdict->recovery_point = idem_store_records_copy(record->recovery_point);
	verdict->checkpoint = idem_store_records_copy(record->checkpoint);
	return answer(attempt, outcome);
}

static Step
answer_final(Attempt *attempt)
{
	IdemVerdict *verdict = attempt->verdict;
	const IdemRecord *record = &attempt->record;

	verdict->response = record->response;
	verdict->response.headers = idem_store_records_copy(record->response.headers);
	verdict->response.body = idem_store_records_copy(record->response.body);
	verdict->error = idem_store_records_copy(record->error);
	return answer(attempt, record->status == IDEM_COMPLETE ?
				  IDEM_REPLAY : IDEM_TERMINALLY_FAILED);
}
