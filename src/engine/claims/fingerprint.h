/*
 * fingerprint.h
 *		The fingerprint of a request's content.
 */
#ifndef IDEM_CLAIMS_FINGERPRINT_H
#define IDEM_CLAIMS_FINGERPRINT_H

#include "utils/array.h"
#include "utils/jsonb.h"

/*
 * SHA-256 in hexadecimal over the payload as canonical JSON in UTF-8: object
 * keys sorted by their bytes, numbers without exponent and trailing zeroes, no
 * white space.  Top-level keys in exclude, a text array without NULLs, do not
 * count.
 */
extern text *idem_claims_fingerprint_compute(Jsonb *payload, ArrayType *exclude);

#endif							/* IDEM_CLAIMS_FINGERPRINT_H */
