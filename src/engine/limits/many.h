/*
 * many.h
 *		Taking many requests in one call, each decided by itself.
 */
#ifndef IDEM_LIMITS_MANY_H
#define IDEM_LIMITS_MANY_H

#include "engine/limits/answer.h"

/* Was it taken, and what the limits say of it if that is wanted. */
typedef struct IdemRateTaken
{
	bool		is_taken;
	IdemRateAnswer answer;
} IdemRateTaken;

/*
 * Take each request that its limits allow.  All calls name the same origin, or
 * none.  Requests of one resource are decided in their order, those of
 * different ones in that of the buckets.  Raises ID428 before anything is
 * taken; an error later on, as by a cancel, keeps what was taken before it.
 */
extern void idem_limits_many_take(const IdemRateCall *calls, int ncalls,
								  bool wants_answers, IdemRateTaken *taken);

#endif							/* IDEM_LIMITS_MANY_H */
