/*
 * claim.h
 *		One owner per key: who may start, and what everybody else is answered.
 */
#ifndef IDEM_ENGINE_CLAIM_H
#define IDEM_ENGINE_CLAIM_H

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
	bool		only_if_absent; /* any live record is in progress to this call */
	bool		is_complete;	/* the record is final at once, with this
								 * value */
	struct varlena *value;
} IdemStart;

typedef struct IdemVerdict
{
	IdemOutcome outcome;
	IdemRecord	record;			/* what stands now, when there is something;
								 * detached */
	int64		retry_after_us; /* 0: none */
	text	   *conflicting_key;	/* of IDEM_DUPLICATE */

	/* how to wait for another verdict; only while is_waitable */
	bool		is_waitable;
	TransactionId blocker;		/* an open transaction, or invalid */
} IdemVerdict;

/*
 * Decide, claim if that is the decision, and wait for a better verdict as long
 * as the request says.  Raises query_canceled and deadlock_detected from the
 * wait, nothing for an expected outcome.
 */
extern void idem_claim_start(const IdemStart *request, IdemVerdict *verdict);

/* Make the record of a request that starts anew, keeping only its fence. */
extern void idem_claim_begin_record(IdemRecord *record, const IdemStart *request,
									TimestampTz now);

/*
 * Wait until the record is final or gone, at most timeout_us.  False when it
 * is gone; raises ID408 at the timeout.
 */
extern bool idem_claim_wait(text *key, text *scope, int64 timeout_us,
							IdemRecord *record);

#endif							/* IDEM_ENGINE_CLAIM_H */
