/*
 * ratemath.h
 *		The arithmetic of rate limits: what is remembered of past requests, and
 *		what follows from it for the next one.
 *
 * Pure functions over plain structs: no clock, no memory, no error, nothing of
 * PostgreSQL but postgres.h.  Instants are those of a timestamptz, in
 * microseconds like spans, and may be negative.  A request counts in (now - period, now].
 *
 * A state is used in this order: decode, settle, decide, record, encode.
 */
#ifndef IDEM_RATEMATH_RATEMATH_H
#define IDEM_RATEMATH_RATEMATH_H

#include "ratemath/types.h"

/*
 * Make the state one of this limit's algorithm, window and clock, keeping what
 * it remembers: a newest instant from the future moves everything back to now.
 * Of an adaptive limit, also recalculates the split when it is due.  Is there
 * a change that must be kept even if the request is denied?
 */
extern bool idem_ratemath_settle(IdemRateState *state, const IdemRateLimit *limit,
								 int64 now);

/* What would come of the request? The state must be settled at request->now. */
extern void idem_ratemath_decide(const IdemRateState *state,
								 const IdemRateLimit *limit,
								 const IdemRateRequest *request,
								 IdemRateVerdict *verdict);

/* Count the request that was decided on.  The state must be settled. */
extern void idem_ratemath_record(IdemRateState *state, const IdemRateLimit *limit,
								 const IdemRateRequest *request);

/*
 * Count a request, allowed or not, that nothing was decided on: an adaptive
 * limit counts the first one before it makes the first split.
 */
extern void idem_ratemath_force(IdemRateState *state, const IdemRateLimit *limit,
								const IdemRateRequest *request);

/*
 * Give back what was taken at an instant that the window still holds; never
 * more than leaves in every window what was really used.  Was anything given?
 * The state must be settled.
 */
extern bool idem_ratemath_refund(IdemRateState *state, const IdemRateRefund *refund);

/*
 * Take less room: in logs of more than a few runs, each two become one.  What
 * was taken leaves its window later than it would, never earlier.
 */
extern void idem_ratemath_coarsen(IdemRateState *state);

/* from when on the state says no more than an empty one */
extern int64 idem_ratemath_expires_at(const IdemRateState *state);

/* user requests in the monitoring window of an adaptive state */
extern int64 idem_ratemath_recent_users(const IdemRateState *state,
										const IdemRateLimit *limit, int64 now);

/*
 * To bytes and back, without loss for a settled state.  A log takes room for
 * 4, 8, 16, 32 or 64 runs, so that a state seldom outgrows its place.
 */
#define IDEM_RATE_MAX_ENCODED_SIZE	2560

/* of a sliding window */
#define IDEM_RATE_MAX_LOG_SIZE	787

extern Size idem_ratemath_encode(const IdemRateState *state, char *bytes);

/*
 * Can these bytes be decoded, whoever wrote them?  Not whether they are true,
 * but that no more is read, nothing overflows and nothing is divided by 0.
 */
extern bool idem_ratemath_is_sound(const char *bytes, Size size);
extern void idem_ratemath_decode(IdemRateState *state, const char *bytes);

#endif							/* IDEM_RATEMATH_RATEMATH_H */
