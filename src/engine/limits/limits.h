/*
 * limits.h
 *		Which limits hold for a resource.
 */
#ifndef IDEM_LIMITS_LIMITS_H
#define IDEM_LIMITS_LIMITS_H

#include "datatype/timestamp.h"

#include "ratemath/ratemath.h"

/* policies of one resource */
#define IDEM_MAX_POLICIES		8
#define IDEM_MAX_POLICY_SIZE	63

/* the policy that set_adaptive_rate_limit() sets */
#define IDEM_DEFAULT_POLICY		"default"

typedef struct IdemPolicy
{
	char		name[IDEM_MAX_POLICY_SIZE + 1];
	IdemRateLimit limit;
} IdemPolicy;

typedef struct IdemPolicies
{
	int			count;
	IdemPolicy	policy[FLEXIBLE_ARRAY_MEMBER];
} IdemPolicies;

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
 * that matches.  They stay where they are as long as the current memory context.  Raises ID428
 * when there are none.
 */
extern const IdemPolicies *idem_limits_find(const text *resource);

/* 54000 */
extern void idem_limits_raise_too_many(const char *resource);

/* microseconds, days being 24 hours; the span must have no months */
extern int64 idem_limits_span_us(const Interval *span);

/* the algorithm that set_rate_limit() calls so, or IDEM_RATE_NOTHING */
extern IdemRateAlgorithm idem_limits_algorithm(const text *name);

#endif							/* IDEM_LIMITS_LIMITS_H */
