/*
 * finish.h
 *		How a claim ends: completed, failed, or given back.
 */
#ifndef IDEM_CLAIMS_FINISH_H
#define IDEM_CLAIMS_FINISH_H

#include "engine/claims/change.h"

typedef struct IdemResult
{
	IdemResponse response;
	struct varlena *error;
	const Interval *ttl;		/* from now; NULL keeps expires_at */
} IdemResult;

/*
 * complete and fail return false when it stood so already.  They raise ID404
 * when there is no live record, and ID413; all raise ID425 when it is final
 * already (with other content, where there is any).
 */
extern bool idem_claims_finish_complete(const IdemTarget *target,
										const IdemResult *result);
extern bool idem_claims_finish_fail(const IdemTarget *target, const IdemResult *result,
									bool is_retryable);

/* false when there was no live record */
extern bool idem_claims_finish_release(const IdemTarget *target);

#endif							/* IDEM_CLAIMS_FINISH_H */
