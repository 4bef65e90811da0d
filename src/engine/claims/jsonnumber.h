/*
 * jsonnumber.h
 *		Numbers of JSON in their one canonical form.
 */
#ifndef IDEM_CLAIMS_JSONNUMBER_H
#define IDEM_CLAIMS_JSONNUMBER_H

#include "lib/stringinfo.h"

#include "engine/claims/jsontoken.h"

/*
 * Append a number, the same for all ways of writing it: a plain decimal without
 * trailing zeros if that has at most 1,000 digits, else 1.5e1000.
 */
extern void idem_claims_jsonnumber_put(StringInfo out, const IdemJsonToken *token);

#endif							/* IDEM_CLAIMS_JSONNUMBER_H */
