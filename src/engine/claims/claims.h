/*
 * claims.h
 *		One owner per key: who may start, and what everybody else is answered.
 */
#ifndef IDEM_CLAIMS_CLAIMS_H
#define IDEM_CLAIMS_CLAIMS_H

#include "store/records.h"

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

typedef struct IdemStart
{
	IdemFamily *family;
	text	   *key;
	text	   *scope;
	text	   *fingerprint;	/* NULL: none */
	text	   *owner;			/* NULL: none */
	struct varlena *context;	/* NULL: none, or that of the former attempt */
	Interval	ttl;			/* both bounded, see idem_clock_is_bounded */
	Interval	lease;
	int64		wait_us;
	bool		takeover;
	bool		unique_fingerprint;
	pg_uuid_t	job_id;			/* of a job: that of the new claim */
	bool		reopens_final;	/* a final record is claimed anew */
	bool		only_if_absent; /* any live record is in progress to this call */
	bool		is_complete;	/* the record is final at once, with this
								 * value */
	struct varlena *value;
} IdemStart;

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

/* Make the record of a request that starts anew, keeping only its fence. */
extern void idem_claims_begin_record(IdemRecord *record, const IdemStart *request,
									 TimestampTz now);

#endif							/* IDEM_CLAIMS_CLAIMS_H */
