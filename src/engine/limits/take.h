/*
 * take.h
 *		Asking for, taking and counting requests against rate limits.
 *
 * All raise ID428 when no limit is set and none is given.
 */
#ifndef IDEM_LIMITS_TAKE_H
#define IDEM_LIMITS_TAKE_H

#include "engine/limits/answer.h"

/* Take the request if every policy that is enforced allows it.  Was it taken? */
extern bool idem_limits_take_acquire(const IdemRateCall *call);

/* As acquire; the answer is that of the policy that denied, or the tightest. */
extern void idem_limits_take_consume(const IdemRateCall *call, IdemRateAnswer *answer);

/*
 * The steps of both, for many calls: take with the table open, and say what
 * remains then.
 */
extern void idem_limits_take_one(IdemSlots *slots, uint64 hash, IdemRateWork *work);
extern void idem_limits_take_answer(IdemRateWork *work, IdemRateAnswer *answer);

/* Take the requests of different resources if all are allowed, else none. */
extern bool idem_limits_take_acquire_all(const IdemRateCall *calls, int ncalls);

/* Count the request whether it is allowed or not. */
extern void idem_limits_take_record(const IdemRateCall *call);

/* What would come of the request? Writes nothing. */
extern void idem_limits_take_ask(const IdemRateCall *call, IdemRateAnswer *answer);

/* As ask, every policy for itself, the tightest first.  Returns how many. */
extern int	idem_limits_take_status(const IdemRateCall *call,
									IdemRateAnswer answers[IDEM_MAX_POLICIES]);

/* The same, of a copy of the resource's row and in the order of policies. */
extern int	idem_limits_take_row(const IdemRateCall *call, const IdemPolicies *policies,
								 const IdemSlotRow *row,
								 IdemRateAnswer answers[IDEM_MAX_POLICIES]);

/* How the resource's adaptive limit is split.  Is there one? */
typedef struct IdemRateSplit
{
	int64		user_reserved;
	int64		background_max;
	bool		background_paused;
	int64		recent_users;
	IdemSplitReason reason;
} IdemRateSplit;

extern bool idem_limits_take_split(const IdemRateCall *call, IdemRateSplit *split);

/*
 * Give back what the call took at an instant and did not use, from every
 * policy whose window still holds it.  Was anything given?
 */
extern bool idem_limits_take_refund(const IdemRateCall *call, TimestampTz taken_at);

/* Forget all requests.  Was there anything to forget? */
extern bool idem_limits_take_reset(const text *resource);

#endif							/* IDEM_LIMITS_TAKE_H */
