/*
 * jobs.h
 *		Coalescing work in flight: one owner does it, the others wait for it.
 *
 * No expected outcome raises: a job that is gone, over or somebody else's is
 * an answer.
 */
#ifndef IDEM_CLAIMS_JOBS_H
#define IDEM_CLAIMS_JOBS_H

#include "store/jobs.h"

/*
 * Own the job or join it; the timeout counts from now.  Never waits.  Is the
 * caller the owner?
 */
extern bool idem_claims_jobs_register(text *hash, const Interval *timeout, pg_uuid_t *job_id);

/* How a job ended. */
typedef struct IdemJobEnd
{
	const pg_uuid_t *job_id;	/* NULL: whoever owns it */
	bool		is_failure;
	struct varlena *value;
	struct varlena *error;
} IdemJobEnd;

/* False, and nothing is changed, when there is no such pending job. */
extern bool idem_claims_jobs_finish(text *hash, const IdemJobEnd *end);

typedef enum IdemJobOutcome
{
	IDEM_JOB_COMPLETED,
	IDEM_JOB_FAILED,
	IDEM_JOB_TIMEOUT,			/* of the wait, or of the job */
	IDEM_JOB_ABSENT
} IdemJobOutcome;

/*
 * Wait for the end of this job (NULL: of the one that is there, or, while one is
 * being opened anew, of that); absent once another has taken its place.  Value
 * and error are copies.
 */
extern IdemJobOutcome idem_claims_jobs_wait(const text *hash, const pg_uuid_t *job_id,
											int64 timeout_us, struct varlena **value,
											struct varlena **error);

/* pending, and not past its timeout */
extern bool idem_claims_jobs_is_in_progress(const text *hash);

/* Remove the committed jobs whose hash begins so; how many were live? */
extern int64 idem_claims_jobs_clear(text *prefix);

#endif							/* IDEM_CLAIMS_JOBS_H */
