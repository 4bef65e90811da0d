/*
 * jsonstring.h
 *		Strings of JSON: what they say, and their one canonical form.
 */
#ifndef IDEM_CLAIMS_JSONSTRING_H
#define IDEM_CLAIMS_JSONSTRING_H

#include "lib/stringinfo.h"

#include "engine/claims/jsontoken.h"

/*
 * What a string's token says, in UTF-8 and with its length, since it may hold
 * NUL.  Half a surrogate pair is three bytes, as if it were a character.
 */
extern const char *idem_claims_jsonstring_decode(const IdemJsonToken *token, int *len);

/* Append it in quotes, with escapes where JSON needs them and nowhere else. */
extern void idem_claims_jsonstring_put(StringInfo out, const char *string, int len);

#endif							/* IDEM_CLAIMS_JSONSTRING_H */
