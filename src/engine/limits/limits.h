/*
 * limits.h
 *		Which limits hold for a resource.
 */
#ifndef IDEM_LIMITS_LIMITS_H
#define IDEM_LIMITS_LIMITS_H

#include "datatype/timestamp.h"

#include "engine/limits/policy.h"
#include "ratemath/ratemath.h"

/* A call that asks for a request, takes or counts it. */
typedef struct IdemRateCall
{
	const text *resource;
	int64		cost;
	bool		is_user;		/* priority, for adaptive limits */
	const IdemRateLimit *given; /* or NULL: what is configured */
	const text *origin;			/* whose cooldown counts, or NULL */
} IdemRateCall;

/*
 * The policies of the resource: of its own name, else of the longest pattern
 * that matches.  They stay where they are as long as the current memory context.
 * Raises ID428 when there are none.
 */
extern const IdemPolicies *idem_limits_find(const text *resource);

/* the same for one more name of a call, which need not hear of changes again */
extern const IdemPolicies *idem_limits_find_next(const text *resource);

/* NULL when there are none, or too many */
extern const IdemPolicies *idem_limits_search(const text *resource);

/* 54000 */
extern void idem_limits_raise_too_many(const text *resource);

#endif							/* IDEM_LIMITS_LIMITS_H */
