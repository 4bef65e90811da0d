/*
 * adaptive.h
 *		The adaptive limit: one quota, split between users and background.
 */
#ifndef IDEM_RATEMATH_ADAPTIVE_H
#define IDEM_RATEMATH_ADAPTIVE_H

#include "ratemath/types.h"

/* A state whose background made the requests of a log for the period. */
extern void idem_ratemath_adaptive_init(IdemAdaptiveState *state,
										const IdemRateLimit *limit,
										const IdemRunLog *background, int64 now);

/* Is there a change that must be kept even if nothing is recorded? */
extern bool idem_ratemath_adaptive_settle(IdemAdaptiveState *state,
										  const IdemRateLimit *limit, int64 now);
extern void idem_ratemath_adaptive_decide(const IdemAdaptiveState *state,
										  const IdemRateLimit *limit,
										  const IdemRateRequest *request,
										  IdemRateVerdict *verdict);
extern void idem_ratemath_adaptive_record(IdemAdaptiveState *state,
										  const IdemRateRequest *request);

/* as record, before any split was made that somebody was told of */
extern void idem_ratemath_adaptive_force(IdemAdaptiveState *state,
										 const IdemRateLimit *limit,
										 const IdemRateRequest *request);

extern bool idem_ratemath_adaptive_refund(IdemAdaptiveState *state,
										  const IdemRateRefund *refund);

/* never, once there was a request */
extern int64 idem_ratemath_adaptive_expires_at(const IdemAdaptiveState *state);

#endif							/* IDEM_RATEMATH_ADAPTIVE_H */
