/*
 * jobs.c
 *		Coalescing work in flight: one owner does it, the others wait for it.
 *
 * A job is a record to the claim engine: registering starts it, a finished one
 * anew as well, and joining is being told that it is in progress.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "engine/claims/await.h"
#include "engine/claims/change.h"
#include "engine/claims/claims.h"
#include "engine/claims/jobs.h"
#include "engine/common/count.h"
#include "pg/guc.h"

StaticAssertDecl(IDEM_COUNT_WAIT_COMPLETED + IDEM_JOB_ABSENT == IDEM_COUNT_WAIT_ABSENT,
				 "waits are counted in the order of IdemJobOutcome");

static Interval kept_for(const Interval *timeout);
static IdemAction decide_end(const IdemTarget *target, IdemRecord *record,
							 TimestampTz now, void *arg);
static IdemJobOutcome await_end(const IdemAwait *await, int64 timeout_us,
								struct varlena **value, struct varlena **error);

bool
idem_claims_jobs_register(text *hash, const Interval *timeout, pg_uuid_t *job_id)
{
	IdemStart	request = {0};
	IdemVerdict verdict;
	bool		is_owner;

	request.family = &idem_store_jobs;
	request.key = hash;
	request.lease = *timeout;
	request.ttl = kept_for(timeout);
	request.takeover = true;
	request.reopens_final = true;
	request.job_id = *DatumGetUUIDP(OidFunctionCall0(F_GEN_RANDOM_UUID));
	idem_claims_start(&request, &verdict);
	*job_id = verdict.job_id;
	is_owner = verdict.outcome == IDEM_STARTED;
	idem_count_one(is_owner ? IDEM_COUNT_OWNER : IDEM_COUNT_JOINED);
	return is_owner;
}

/*
 * A result is kept for a while after the timeout, so that it need not move
 * when the job ends, which would cost a change of the index.
 */
static Interval
kept_for(const Interval *timeout)
{
	Interval	result = *timeout;

	result.time += idem_guc_default_job_timeout * USECS_PER_SEC;
	return result;
}

bool
idem_claims_jobs_finish(text *hash, const IdemJobEnd *end)
{
	IdemTarget	target = {.family = &idem_store_jobs, .key = hash};

	if (idem_claims_change_record(&target, decide_end, (void *) end) == IDEM_NOTHING)
	{
		idem_count_one(IDEM_COUNT_JOB_REFUSED);
		return false;
	}
	idem_count_one(end->is_failure ? IDEM_COUNT_JOB_FAILED : IDEM_COUNT_JOB_COMPLETED);
	return true;
}

static IdemAction
decide_end(const IdemTarget *target, IdemRecord *record, TimestampTz now, void *arg)
{
	const IdemJobEnd *end = arg;

	if (record == NULL || record->status != IDEM_PROCESSING)
		return IDEM_NOTHING;
	if (end->job_id != NULL &&
		memcmp(end->job_id, &record->job_id, sizeof(pg_uuid_t)) != 0)
		return IDEM_NOTHING;
	record->status = end->is_failure ? IDEM_FAILED : IDEM_COMPLETE;
	record->response.body = end->value;
	record->error = end->error;
	record->lease_expires_at = IDEM_NO_INSTANT;
	record->completed_at = now;
	return IDEM_UPDATE_AND_WAKE;
}

IdemJobOutcome
idem_claims_jobs_wait(const text *hash, const pg_uuid_t *job_id, int64 timeout_us,
					  struct varlena **value, struct varlena **error)
{
	IdemAwait	await = {.family = &idem_store_jobs, .key = hash, .is_job = true,
	.job_id = job_id};
	IdemJobOutcome outcome = await_end(&await, timeout_us, value, error);

	idem_count_one(IDEM_COUNT_WAIT_COMPLETED + outcome);
	return outcome;
}

static IdemJobOutcome
await_end(const IdemAwait *await, int64 timeout_us, struct varlena **value,
		  struct varlena **error)
{
	IdemRecord	record;
	IdemView	view = idem_claims_await_end(await, timeout_us, &record);

	*value = NULL;
	*error = NULL;
	if (view == IDEM_VIEW_GONE)
		return IDEM_JOB_ABSENT;
	if (view != IDEM_VIEW_FINAL)
		return IDEM_JOB_TIMEOUT;
	*value = record.response.body;
	*error = record.error;
	return record.status == IDEM_FAILED ? IDEM_JOB_FAILED : IDEM_JOB_COMPLETED;
}

bool
idem_claims_jobs_is_in_progress(const text *hash)
{
	IdemAwait	await = {.family = &idem_store_jobs, .key = hash, .is_job = true};
	IdemRecord	record;
	IdemView	view = idem_claims_await_look(&await, &record);

	return view == IDEM_VIEW_PENDING || view == IDEM_VIEW_OWN;
}

int64
idem_claims_jobs_clear(text *prefix)
{
	IdemRemoved removed = {.family = &idem_store_jobs};

	idem_store_jobs_remove_prefix(prefix, idem_claims_change_note_removed, &removed);
	return removed.nlive;
}
