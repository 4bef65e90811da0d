/*
 * claims.h
 *		One owner per key: who may start, and what everybody else is answered.
 */
#ifndef IDEM_CLAIMS_CLAIMS_H
#define IDEM_CLAIMS_CLAIMS_H

#include "engine/claims/grant.h"

typedef enum IdemOutcome
{
	IDEM_STARTED,
	IDEM_IN_PROGRESS,
	IDEM_REPLAY,
	IDEM_TERMINALLY_FAILED,
	IDEM_MISMATCH,
	IDEM_ABANDONED,
	IDEM_DUPLICATE
} IdemOutcome;

/* Everything in it is a copy of what the record holds. */
typedef struct IdemVerdict
{
	IdemOutcome outcome;
	int64		fence;			/* of started and abandoned */
	int32		attempt;
	pg_uuid_t	job_id;			/* of started and in progress, of a job */
	text	   *recovery_point;
	struct varlena *checkpoint;
	IdemResponse response;		/* of replay and failed */
	struct varlena *error;
	int64		retry_after_us; /* of in progress */
	text	   *conflicting_key;	/* of duplicate */

	/* how to wait for another verdict; only while is_waitable */
	bool		is_waitable;
	bool		blocker_is_locker;
	TransactionId blocker;		/* an open transaction, or invalid */
} IdemVerdict;

/*
 * Decide, claim if that is the decision, and wait for a better verdict as long
 * as the request says.  Raises query_canceled and deadlock_detected from the
 * wait, nothing for an expected outcome.
 */
extern void idem_claims_start(const IdemStart *request, IdemVerdict *verdict);

#endif							/* IDEM_CLAIMS_CLAIMS_H */
