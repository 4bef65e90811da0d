/*
 * args.h
 *		Decoding the arguments of calls on rate limits.
 *
 * As idem_args_*: 22004, 22023 and 54000.
 */
#ifndef IDEM_API_LIMITS_ARGS_H
#define IDEM_API_LIMITS_ARGS_H

#include "fmgr.h"

#include "engine/limits/limits.h"

/* resource, cost, priority, quota, per: a call, and the limit given in it */
extern void idem_limits_args_call(PG_FUNCTION_ARGS, IdemRateCall *call, IdemRateLimit *given);

/*
 * quota and per, both or neither, and no priority beside them; NULL in the call
 * for neither
 */
extern void idem_limits_args_given(PG_FUNCTION_ARGS, int arg, bool has_priority,
								   IdemRateCall *call, IdemRateLimit *given);

/* background for NULL */
extern bool idem_limits_args_is_user(const text *priority);

/* more than zero and at most 366 days, without months */
extern Interval idem_limits_args_period(PG_FUNCTION_ARGS, int arg, const char *name);

#endif							/* IDEM_API_LIMITS_ARGS_H */
