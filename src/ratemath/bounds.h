/*
 * bounds.h
 *		Sums that stop at the end of the range instead of passing it.
 */
#ifndef IDEM_RATEMATH_BOUNDS_H
#define IDEM_RATEMATH_BOUNDS_H

static inline int64
add_bounded(int64 a, int64 b)
{
	if (b < 0)
		return a < PG_INT64_MIN - b ? PG_INT64_MIN : a + b;
	return a > PG_INT64_MAX - b ? PG_INT64_MAX : a + b;
}

/* the remainder that is never negative */
static inline int64
floor_mod(int64 a, int64 b)
{
	int64		rest = a % b;

	return rest < 0 ? rest + b : rest;
}

#endif							/* IDEM_RATEMATH_BOUNDS_H */
