/*
 * policy.h
 *		What is configured for one name, in the form that the arithmetic needs.
 */
#ifndef IDEM_LIMITS_POLICY_H
#define IDEM_LIMITS_POLICY_H

#include "datatype/timestamp.h"

#include "engine/limits/calendar.h"
#include "ratemath/types.h"
#include "store/limits/rows.h"

/* policies of one resource */
#define IDEM_MAX_POLICIES		8
#define IDEM_MAX_POLICY_SIZE	63

/* the policy that set_adaptive_rate_limit() sets */
#define IDEM_DEFAULT_POLICY		"default"

typedef struct IdemPolicy
{
	const char *name;
	bool		is_enforced;
	IdemCalendar *calendar;		/* of a calendar window, else NULL */
	IdemRateLimit limit;
} IdemPolicy;

typedef struct IdemPolicies
{
	int			count;			/* one too many if there are more */
	IdemPolicy	policy[FLEXIBLE_ARRAY_MEMBER];
} IdemPolicies;

/*
 * Add a row to the policies, NULL for none; in the current memory context.
 * What the arithmetic cannot stand, which comes only when constraints were
 * dropped, is left out.
 */
extern IdemPolicies *idem_limits_policy_add(IdemPolicies *policies, const IdemLimitRow *row);
extern IdemPolicies *idem_limits_policy_append(IdemPolicies *policies,
											   const IdemPolicy *policy);

/* Have the windows of the calendar that hold the instant; raises 22023. */
extern void idem_limits_policy_turn_to(const IdemPolicies *policies, TimestampTz instant);

extern bool idem_limits_policy_equal(const IdemPolicies *a, const IdemPolicies *b);

/* microseconds, days being 24 hours; the span must have no months */
extern int64 idem_limits_policy_span_us(const Interval *span);

/* the algorithm that set_rate_limit() calls so, or IDEM_RATE_NOTHING */
extern IdemRateAlgorithm idem_limits_policy_algorithm(const text *name);

#endif							/* IDEM_LIMITS_POLICY_H */
