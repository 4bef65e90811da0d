/*
 * bytes.h
 *		Fields to bytes and back, at any alignment, and which of them are sound:
 *		an instant less some spans stays in the range.
 */
#ifndef IDEM_RATEMATH_BYTES_H
#define IDEM_RATEMATH_BYTES_H

/* Both leave the pointer behind what they put or got. */
#define PUT(bytes, field) \
	(memcpy(bytes, &(field), sizeof(field)), (bytes) += sizeof(field))
#define GET(bytes, field) \
	(memcpy(&(field), bytes, sizeof(field)), (bytes) += sizeof(field))

static inline bool
is_instant(int64 value)
{
	return value > -(INT64CONST(1) << 62);
}

static inline bool
is_span(int64 value)
{
	return value > 0 && value < INT64CONST(1) << 52;
}

#endif							/* IDEM_RATEMATH_BYTES_H */
