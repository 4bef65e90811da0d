/*
 * await.h
 *		Waiting for a record to become final.
 */
#ifndef IDEM_CLAIMS_AWAIT_H
#define IDEM_CLAIMS_AWAIT_H

#include "store/records.h"

typedef enum IdemView
{
	IDEM_VIEW_GONE,				/* there is no live record */
	IDEM_VIEW_FINAL,
	IDEM_VIEW_LAPSED,			/* its lease is over */
	IDEM_VIEW_OWN,				/* this very transaction has the claim */
	IDEM_VIEW_PENDING
} IdemView;

/* What is waited for. */
typedef struct IdemAwait
{
	IdemFamily *family;
	const text *key;
	const text *scope;			/* NULL in a family without scopes */
	bool		is_job;			/* one job is waited for, and no longer than
								 * its lease */
	const pg_uuid_t *job_id;	/* NULL: the one that is there, or about to be */
} IdemAwait;

/* Look, without waiting.  Sets the record, detached, when it is final. */
extern IdemView idem_claims_await_look(const IdemAwait *await, IdemRecord *record);

/*
 * As look, but wait while it is pending, at most timeout_us.  Sees what others
 * commit meanwhile, whatever the isolation level.
 */
extern IdemView idem_claims_await_end(const IdemAwait *await, int64 timeout_us,
									  IdemRecord *record);

/*
 * Wait until an idempotency record is final or gone.  False when it is gone;
 * raises ID408 at the timeout, or at once for a claim of the own transaction.
 */
extern bool idem_claims_await_final(const text *key, const text *scope,
									int64 timeout_us, IdemRecord *record);

#endif							/* IDEM_CLAIMS_AWAIT_H */
