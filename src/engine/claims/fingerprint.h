/*
 * fingerprint.h
 *		The fingerprint of a request's content.
 */
#ifndef IDEM_CLAIMS_FINGERPRINT_H
#define IDEM_CLAIMS_FINGERPRINT_H

#include "utils/array.h"

/*
 * SHA-256 in hexadecimal over the payload, a JSON text in the database's
 * encoding, as canonical JSON in UTF-8: of equal keys the last, keys sorted by
 * their bytes, numbers as jsonnumber.h has them, no white space.  Top-level
 * keys in exclude, a text array without NULLs, do not count.
 */
extern text *idem_claims_fingerprint_compute(const text *payload, ArrayType *exclude);

#endif							/* IDEM_CLAIMS_FINGERPRINT_H */
