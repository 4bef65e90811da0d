/*
 * ratemath_bytes.h
 *		Fields to bytes and back, at any alignment.
 */
#ifndef IDEM_ENGINE_RATEMATH_BYTES_H
#define IDEM_ENGINE_RATEMATH_BYTES_H

/* Both leave the pointer behind what they put or got. */
#define PUT(bytes, field) \
	(memcpy(bytes, &(field), sizeof(field)), (bytes) += sizeof(field))
#define GET(bytes, field) \
	(memcpy(&(field), bytes, sizeof(field)), (bytes) += sizeof(field))

#endif							/* IDEM_ENGINE_RATEMATH_BYTES_H */
