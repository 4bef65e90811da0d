/*
 * idempotency.h
 *		The table idempotency_records.
 */
#ifndef IDEM_STORE_IDEMPOTENCY_H
#define IDEM_STORE_IDEMPOTENCY_H

#include "store/records.h"

#define IDEM_IDEMPOTENCY_COLUMNS	18

extern IdemFamily idem_store_idempotency;

/* the columns of the table and of idempotency_record */
extern void idem_store_idempotency_types(Oid *types);

/* a record as a caller reads it: abandoned, once the lease of a claim is over */
extern void idem_store_idempotency_view(const IdemRecord *record, TimestampTz now,
										Datum *values, bool *isnull);

/* Records of a scope by their fingerprint, live at an instant. */
typedef struct IdemFingerprinted
{
	const text *fingerprint;
	const text *scope;
	const text *key;			/* whoever asks */
	TimestampTz now;
} IdemFingerprinted;

/*
 * One of them, as the snapshot sees it: that of the key, or else the one that
 * lives longest.
 */
extern bool idem_store_idempotency_find_fingerprint(IdemTable *table,
													const IdemFingerprinted *wanted,
													Snapshot snapshot,
													IdemRecord *record);

/*
 * Is there one under another key, committed or not?  Sets *rival_key to a copy,
 * and *open_xid when that is not settled yet.  Only certain under the lock that
 * keeps other insertions away.
 */
extern bool idem_store_idempotency_find_rival(IdemTable *table,
											  const IdemFingerprinted *wanted,
											  text **rival_key,
											  TransactionId *open_xid);

/*
 * Remove at most max_rows records that have expired at now, and whose lease is
 * over, the oldest first, but for those that others have locked.
 */
extern int64 idem_store_idempotency_expire(TimestampTz now, int32 max_rows);

/* Remove the records of a scope in any state, and show each to removed. */
extern void idem_store_idempotency_remove_scope(text *scope, IdemRecordVisitor removed,
												void *arg);

#endif							/* IDEM_STORE_IDEMPOTENCY_H */
