/*
 * claims.c
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

#include "engine/claims/claims.h"
#include "engine/claims/standing.h"
#include "engine/common/count.h"
#include "engine/common/wait.h"
#include "pg/clock.h"
#include "store/blocker.h"
#include "store/idempotency.h"

StaticAssertDecl(IDEM_COUNT_STARTED + IDEM_DUPLICATE == IDEM_COUNT_DUPLICATE,
				 "starts are counted in the order of IdemOutcome");

/* what a caller is told to wait when only an open transaction is in the way */
#define OPEN_TRANSACTION_RETRY_US	USECS_PER_SEC

/* how often and how long to wait for who has locked a row and not written it */
#define MAX_WRITER_WAITS	200
#define WRITER_WAIT_US		100

/* what remains to be done after a decision */
typedef enum Step
{
	ANSWER,
	LOOK_AGAIN,
	INSERT,
	RECLAIM,
	TAKE_OVER,
	HOLD_LONGER					/* who has the claim already */
} Step;

/* one look at the record, and what was decided on it */
typedef struct Look
{
	const IdemStart *request;
	IdemTable	table;
	TimestampTz now;
	IdemRecord	record;			/* what stands there, then what is written */
	IdemVerdict *verdict;
	int			nwaits;			/* for who may be about to write */
} Look;

static bool has_waited(IdemWaiter *waiter, const IdemStart *request,
					   const IdemVerdict *verdict);
static void start_once(const IdemStart *request, IdemVerdict *verdict);
static bool try_start(Look *look);
static Step decide(Look *look);
static Step decide_held(Look *look, const IdemStanding *standing);
static bool is_mismatch(const IdemStart *request, const IdemRecord *record);
static bool claim(Look *look, Step step);
static bool claim_unique(Look *look, Step step);
static bool has_rival(Look *look);
static bool hold_longer(Look *look);
static bool claim_base(Look *look, Step step);
static bool answer_locked(Look *look, IdemLockResult result, TransactionId locker);
static bool may_be_written_soon(Look *look);
static Step answer(Look *look, IdemOutcome outcome);
static Step answer_blocked(Look *look, TransactionId blocker);
static pg_uuid_t current_job(const Look *look);
static Step answer_claim(Look *look, IdemOutcome outcome);
static Step answer_final(Look *look);

void
idem_claims_start(const IdemStart *request, IdemVerdict *verdict)
{
	IdemWaiter	waiter;

	idem_wait_begin(&waiter, request->family, request->key, request->scope,
					request->wait_us);
	do
		start_once(request, verdict);
	while (verdict->is_waitable && has_waited(&waiter, request, verdict));
	idem_wait_end(&waiter);
}

/*
 * Who starts only if there is no record can be told neither yes nor no while
 * another transaction has an expired one: it is waited for, as INSERT does.
 */
static bool
has_waited(IdemWaiter *waiter, const IdemStart *request, const IdemVerdict *verdict)
{
	bool		is_blocked = TransactionIdIsValid(verdict->blocker);

	if (!request->only_if_absent)
		return idem_wait_sleep(waiter, verdict->blocker, verdict->blocker_is_locker,
							   is_blocked ? PG_INT64_MAX : verdict->retry_after_us);
	idem_store_blocker_wait(verdict->blocker);
	return true;
}

static void
start_once(const IdemStart *request, IdemVerdict *verdict)
{
	Look		look = {.request = request, .verdict = verdict};

	idem_store_records_open(&look.table, request->family, RowExclusiveLock);
	while (!try_start(&look))
		CHECK_FOR_INTERRUPTS();
	idem_store_table_close(&look.table);
}

/* false when the row moved on between look and write */
static bool
try_start(Look *look)
{
	const IdemStart *request = look->request;
	IdemKey		key = idem_store_records_key(request->key, request->scope);
	Step		step;

	memset(look->verdict, 0, sizeof(IdemVerdict));
	idem_store_versions_probe(&look->table, &key);
	look->now = idem_clock_now();
	step = decide(look);
	if (step == ANSWER || step == LOOK_AGAIN)
		return step == ANSWER;
	/* who keeps the record's fingerprint adds no second one */
	if (request->unique_fingerprint && step != HOLD_LONGER &&
		!(step == TAKE_OVER && look->record.fingerprint != NULL))
		return claim_unique(look, step);
	return claim(look, step);
}

static Step
decide(Look *look)
{
	const IdemStart *request = look->request;
	IdemStanding standing;

	idem_claims_standing_describe(&look->table, look->now, &standing);
	look->record = standing.record;
	if (standing.is_live && request->only_if_absent)
		return answer(look, IDEM_IN_PROGRESS);
	if (standing.is_live && is_mismatch(request, &standing.record))
		return answer(look, IDEM_MISMATCH);

	switch (standing.kind)
	{
		case IDEM_ABSENT:
			return INSERT;
		case IDEM_EXPIRED:
			return RECLAIM;
		case IDEM_OPEN:
			return may_be_written_soon(look) ? LOOK_AGAIN :
				answer_blocked(look, standing.blocker);
		case IDEM_HELD:
			return decide_held(look, &standing);
		case IDEM_LAPSED:
			return request->takeover ? TAKE_OVER : answer_claim(look, IDEM_ABANDONED);
		case IDEM_GIVEN_UP:
			return TAKE_OVER;
		case IDEM_FINAL:
			return request->reopens_final ? RECLAIM : answer_final(look);
	}
	return ANSWER;				/* keep the compiler quiet */
}

/* the same owner again has lost an acknowledgement */
static Step
decide_held(Look *look, const IdemStanding *standing)
{
	const IdemStart *request = look->request;
	const IdemRecord *record = &standing->record;

	if (request->owner != NULL &&
		(standing->is_own || look->now < record->lease_expires_at) &&
		idem_store_records_equal(request->owner, record->owner))
		return HOLD_LONGER;
	answer_blocked(look, InvalidTransactionId);
	/* nobody but this transaction could end its own claim */
	look->verdict->is_waitable = !standing->is_own;
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
claim(Look *look, Step step)
{
	if (step == HOLD_LONGER)
		return hold_longer(look);
	if (step != INSERT)
		return claim_base(look, step);
	idem_claims_grant_anew(&look->record, look->request, look->now);
	if (!idem_claims_grant_insert(&look->table, &look->record, look->now))
		return false;
	answer_claim(look, IDEM_STARTED);
	return true;
}

/*
 * The lock on the fingerprint spans check and write only, so it is held for
 * microseconds.  Afterwards the written row itself, committed or not, is what
 * the next check finds.
 */
static bool
claim_unique(Look *look, Step step)
{
	const IdemStart *request = look->request;
	bool		is_done;

	idem_wait_lock_fingerprint(request->fingerprint, request->scope);
	is_done = has_rival(look) || claim(look, step);
	idem_wait_unlock_fingerprint(request->fingerprint, request->scope);
	return is_done;
}

static bool
has_rival(Look *look)
{
	const IdemStart *request = look->request;
	IdemFingerprinted wanted = {request->fingerprint, request->scope, request->key, look->now};
	IdemVerdict *verdict = look->verdict;

	if (!idem_store_idempotency_find_rival(&look->table, &wanted, &verdict->conflicting_key,
										   &verdict->blocker))
		return false;
	verdict->is_waitable = TransactionIdIsValid(verdict->blocker);
	answer(look, IDEM_DUPLICATE);
	return true;
}

/*
 * The owner's lease becomes what he asks for now, if that is later.  The lock
 * lets who merely asserts that he is the owner pass.
 */
static bool
hold_longer(Look *look)
{
	TimestampTz lease_end = idem_claims_grant_lease_end(&look->record, look->request, look->now);
	TransactionId locker;
	IdemLockResult result;

	if (lease_end > look->record.lease_expires_at)
	{
		result = idem_store_tuple_lock_weakly(&look->table, &locker);
		if (result != IDEM_LOCKED)
			return answer_locked(look, result, locker);
		idem_store_records_read(&look->table, look->table.base.slot, &look->record);
		look->record.lease_expires_at = lease_end;
		if (!idem_store_records_update(&look->table, &look->record))
			return false;
	}
	answer_claim(look, IDEM_STARTED);
	return true;
}

/*
 * Take the row that stands there.  The exclusive lock, and not just the
 * update's, is what assert_owner's lock holds off.
 */
static bool
claim_base(Look *look, Step step)
{
	TransactionId locker;
	IdemLockResult result = idem_store_tuple_lock(&look->table, &locker);

	if (result != IDEM_LOCKED)
		return answer_locked(look, result, locker);
	idem_store_records_read(&look->table, look->table.base.slot, &look->record);
	if (step == TAKE_OVER)
		idem_claims_grant_next(&look->record, look->request, look->now);
	else
		idem_claims_grant_anew(&look->record, look->request, look->now);
	answer_claim(look, IDEM_STARTED);
	return idem_store_records_update(&look->table, &look->record);
}

/* false when the row moved on, or soon will */
static bool
answer_locked(Look *look, IdemLockResult result, TransactionId locker)
{
	if (result == IDEM_LOCK_ROW_MOVED)
		return false;
	idem_store_records_read(&look->table, look->table.base.slot, &look->record);
	if (may_be_written_soon(look))
		return false;
	answer_blocked(look, locker);
	look->verdict->blocker_is_locker = true;
	return true;
}

/*
 * Whoever has the row may be about to write, or to enter into the index, the
 * claim whose job the caller is to join, which takes him microseconds; others
 * have it longer.
 */
static bool
may_be_written_soon(Look *look)
{
	if (!look->request->reopens_final || look->nwaits == MAX_WRITER_WAITS ||
		idem_store_versions_has_pending(&look->table))
		return false;
	look->nwaits++;
	pg_usleep(WRITER_WAIT_US);
	return true;
}

static Step
answer(Look *look, IdemOutcome outcome)
{
	look->verdict->outcome = outcome;
	return ANSWER;
}

/* in progress, until the blocker ends or else the lease */
static Step
answer_blocked(Look *look, TransactionId blocker)
{
	IdemVerdict *verdict = look->verdict;
	TimestampTz lease_end = look->record.lease_expires_at;

	verdict->retry_after_us = OPEN_TRANSACTION_RETRY_US;
	if (lease_end > look->now)
		verdict->retry_after_us = lease_end - look->now;
	verdict->is_waitable = true;
	verdict->blocker = blocker;
	verdict->job_id = current_job(look);
	return answer(look, IDEM_IN_PROGRESS);
}

/* a claim that is about to replace another counts as the current one */
static pg_uuid_t
current_job(const Look *look)
{
	IdemRecord	pending;

	if (!idem_store_versions_has_pending(&look->table))
		return look->record.job_id;
	idem_store_records_read(&look->table, look->table.pending.slot, &pending);
	return pending.job_id;
}

static Step
answer_claim(Look *look, IdemOutcome outcome)
{
	IdemVerdict *verdict = look->verdict;
	const IdemRecord *record = &look->record;

	verdict->fence = record->fence;
	verdict->attempt = record->attempt;
	verdict->job_id = record->job_id;
	verdict->recovery_point = idem_store_records_copy(record->recovery_point);
	verdict->checkpoint = idem_store_records_copy(record->checkpoint);
	return answer(look, outcome);
}

static Step
answer_final(Look *look)
{
	IdemVerdict *verdict = look->verdict;
	const IdemRecord *record = &look->record;

	verdict->response = record->response;
	verdict->response.headers = idem_store_records_copy(record->response.headers);
	verdict->response.body = idem_store_records_copy(record->response.body);
	verdict->error = idem_store_records_copy(record->error);
	return answer(look, record->status == IDEM_COMPLETE ?
				  IDEM_REPLAY : IDEM_TERMINALLY_FAILED);
}
