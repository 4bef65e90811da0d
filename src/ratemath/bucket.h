/*
 * bucket.h
 *		The token bucket.
 */
#ifndef IDEM_RATEMATH_BUCKET_H
#define IDEM_RATEMATH_BUCKET_H

#include "ratemath/types.h"

/* A bucket from which so many tokens are taken. */
extern void idem_ratemath_bucket_init(IdemTokenBucket *bucket, const IdemRateLimit *limit,
									  int64 now, int64 taken);

/* Is there a change that must be kept even if nothing is taken? */
extern bool idem_ratemath_bucket_settle(IdemTokenBucket *bucket,
										const IdemRateLimit *limit, int64 now);
extern void idem_ratemath_bucket_decide(const IdemTokenBucket *bucket,
										const IdemRateLimit *limit, int64 cost,
										IdemRateVerdict *verdict);
extern void idem_ratemath_bucket_record(IdemTokenBucket *bucket, int64 cost);

extern bool idem_ratemath_bucket_refund(IdemTokenBucket *bucket,
										const IdemRateRefund *refund);

/* tokens that are missing, begun ones too */
extern int64 idem_ratemath_bucket_taken(const IdemTokenBucket *bucket, int64 now);
extern int64 idem_ratemath_bucket_full_at(const IdemTokenBucket *bucket);

#endif							/* IDEM_RATEMATH_BUCKET_H */
