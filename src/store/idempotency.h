/*
 * idempotency.h
 *		The table idempotency_records.
 */
#ifndef IDEM_STORE_IDEMPOTENCY_H
#define IDEM_STORE_IDEMPOTENCY_H

#include "store/records.h"

#define IDEM_IDEMPOTENCY_COLUMNS	18

extern IdemFamily idem_store_idempotency;

/* the record as columns, in the order of the table and of idempotency_record */
extern void idem_store_idempotency_columns(const IdemRecord *record,
										   Datum *values, bool *isnull);
extern void idem_store_idempotency_types(Oid *types);

/*
 * The newest record of the scope with this fingerprint, live at now, as the
 * snapshot sees it.  A record under preferred_key wins.
 */
extern bool idem_store_idempotency_find_fingerprint(IdemTable *table,
													const text *fingerprint,
													const text *scope,
													const text *preferred_key,
													TimestampTz now,
													Snapshot snapshot,
													IdemRecord *record);

/*
 * Has another key of the scope a live record with this fingerprint, committed
 * or not?  Sets *rival_key to a copy, and *open_xid when that is not settled
 * yet.  Only certain under the lock that keeps other insertions away.
 */
extern bool idem_store_idempotency_find_rival(IdemTable *table, const text *key,
											  const text *fingerprint,
											  const text *scope, TimestampTz now,
											  text **rival_key,
											  TransactionId *open_xid);

/* Remove expired records.  $1: now, $2: the most rows to remove. */
#define idem_store_idempotency_expire_sql \
	"DELETE FROM idemstore.idempotency_records WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.idempotency_records" \
	" WHERE expires_at OPERATOR(pg_catalog.<=) $1" \
	" AND (lease_expires_at IS NULL OR lease_expires_at OPERATOR(pg_catalog.<=) $1)" \
	" ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))"

/* Remove the records of a scope, and count the live ones.  $1: scope, $2: now. */
#define idem_store_idempotency_forget_scope_sql \
	"WITH gone AS (" \
	" DELETE FROM idemstore.idempotency_records WHERE scope OPERATOR(pg_catalog.=) $1" \
	" RETURNING expires_at OPERATOR(pg_catalog.>) $2 AS was_live)" \
	" SELECT pg_catalog.count(*) FROM gone WHERE was_live"

#endif							/* IDEM_STORE_IDEMPOTENCY_H */
