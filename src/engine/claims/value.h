/*
 * value.h
 *		Records as plain values, and forgetting records.
 */
#ifndef IDEM_CLAIMS_VALUE_H
#define IDEM_CLAIMS_VALUE_H

#include "engine/claims/claims.h"

/*
 * Store request->value as a complete record, whatever stood there, with a new
 * fence; true when there was no live one.  The one exception to the
 * immutability of final records.  Waits for another transaction's claim of the
 * key as INSERT and UPDATE do.
 */
extern bool idem_claims_value_set(const IdemStart *request);

/* Remove a record in any state; false when there was no live one. */
extern bool idem_claims_value_forget(text *key, text *scope);

/* Remove all committed records of a scope; how many were live? */
extern int64 idem_claims_value_forget_scope(text *scope);

#endif							/* IDEM_CLAIMS_VALUE_H */
