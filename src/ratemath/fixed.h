/*
 * fixed.h
 *		The fixed window.
 */
#ifndef IDEM_RATEMATH_FIXED_H
#define IDEM_RATEMATH_FIXED_H

#include "ratemath/types.h"

/* when the window on the clock began that holds now */
extern int64 idem_ratemath_fixed_start(int64 period, int64 now);

/* A window, in which so many requests came. */
extern void idem_ratemath_fixed_init(IdemFixedWindow *fixed, int64 start, int64 period,
									 int64 count);

/*
 * Go on to the window that holds now.  Is there a change that must be kept even
 * if nothing is counted?
 */
extern bool idem_ratemath_fixed_settle(IdemFixedWindow *fixed, int64 start, int64 period,
									   int64 now);
extern void idem_ratemath_fixed_decide(const IdemFixedWindow *fixed, int64 quota,
									   const IdemRateRequest *request,
									   IdemRateVerdict *verdict);
extern void idem_ratemath_fixed_record(IdemFixedWindow *fixed, int64 cost);

extern bool idem_ratemath_fixed_refund(IdemFixedWindow *fixed, const IdemRateRefund *refund);

/* what is counted in a window that has not ended */
extern int64 idem_ratemath_fixed_count(const IdemFixedWindow *fixed, int64 now);

/* when the window ends; PG_INT64_MIN if nothing is counted in it */
extern int64 idem_ratemath_fixed_empty_at(const IdemFixedWindow *fixed);

#endif							/* IDEM_RATEMATH_FIXED_H */
