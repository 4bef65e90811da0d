/*
 * finish.h
 *		What the owner of a claim does with it: complete, fail, give back,
 *		keep.
 */
#ifndef IDEM_ENGINE_FINISH_H
#define IDEM_ENGINE_FINISH_H

#include "store/records.h"

/* which record, and by which claim; no fence means whoever owns it */
typedef struct IdemTarget
{
	text	   *key;
	text	   *scope;
	bool		has_fence;
	int64		fence;
} IdemTarget;

typedef struct IdemResult
{
	IdemResponse response;
	struct varlena *error;
	const Interval *ttl;		/* from now; NULL keeps expires_at */
} IdemResult;

/*
 * All raise ID412 when the fence is not the record's, before anything else.
 * All but idem_finish_release raise ID404 when there is no live record, and
 * ID425 when it is final already (with other content, where there is any).
 * They wait for an open takeover of the record as UPDATE does.
 */
extern void idem_finish_complete(const IdemTarget *target,
								 const IdemResult *result);
extern void idem_finish_fail(const IdemTarget *target, const IdemResult *result,
							 bool is_retryable);

/* false when there was no live record */
extern bool idem_finish_release(const IdemTarget *target);

/* returns the end of the lease, cut to the end of the record */
extern TimestampTz idem_finish_extend_lease(const IdemTarget *target,
											const Interval *lease);

#endif							/* IDEM_ENGINE_FINISH_H */
