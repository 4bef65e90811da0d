/*
 * records.h
 *		The table idempotency_records as C structs.
 */
#ifndef IDEM_STORE_RECORDS_H
#define IDEM_STORE_RECORDS_H

#include "datatype/timestamp.h"

#include "store/tuple.h"

#define IDEM_RECORD_COLUMNS		18

/* the value of an instant column that is NULL */
#define IDEM_NO_INSTANT			DT_NOBEGIN

typedef enum IdemStatus
{
	IDEM_PROCESSING,
	IDEM_COMPLETE,
	IDEM_FAILED					/* for good; a retryable failure is processing
								 * without a lease */
} IdemStatus;

typedef struct IdemResponse
{
	bool		has_status;
	int32		status;
	struct varlena *headers;
	struct varlena *body;
} IdemResponse;

/*
 * A record.  A pointer that is NULL is an SQL NULL.  What was read points into
 * the table's slot until idem_store_records_detach.
 */
typedef struct IdemRecord
{
	text	   *key;
	text	   *scope;
	text	   *fingerprint;
	IdemStatus	status;
	int64		fence;
	int32		attempt;
	text	   *owner;
	TimestampTz lease_expires_at;	/* IDEM_NO_INSTANT: no lease is held */
	TimestampTz expires_at;
	TimestampTz created_at;
	TimestampTz completed_at;	/* IDEM_NO_INSTANT: not yet */
	IdemResponse response;
	struct varlena *error;
	struct varlena *context;
	text	   *recovery_point;
	struct varlena *checkpoint;
} IdemRecord;

extern void idem_store_records_open(IdemTable *table, LOCKMODE lockmode);
extern IdemKey idem_store_records_key(const text *key, const text *scope);

extern void idem_store_records_read(TupleTableSlot *slot, IdemRecord *record);

/* copy everything, toasted values too, into the current memory context */
extern void idem_store_records_detach(IdemRecord *record);

/* a detoasted copy in the current memory context, NULL of NULL */
extern struct varlena *idem_store_records_copy(struct varlena *value);

/* the record as columns, in the order of the table and of idempotency_record */
extern void idem_store_records_columns(const IdemRecord *record,
									   Datum *values, bool *isnull);

extern void idem_store_records_types(Oid *types);

/* as their counterparts in tuple.h */
extern bool idem_store_records_insert(IdemTable *table, const IdemRecord *record);
extern bool idem_store_records_update(IdemTable *table, const IdemRecord *record);

/*
 * The newest record of the scope with this fingerprint, live at now, as the
 * snapshot sees it.  A record under preferred_key wins.
 */
extern bool idem_store_records_find_fingerprint(IdemTable *table,
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
extern bool idem_store_records_find_rival(IdemTable *table, const text *key,
										  const text *fingerprint,
										  const text *scope, TimestampTz now,
										  text **rival_key,
										  TransactionId *open_xid);

/* Remove expired records.  $1: now, $2: the most rows to remove. */
#define idem_store_records_expire_sql \
	"DELETE FROM idemstore.idempotency_records WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.idempotency_records" \
	" WHERE expires_at OPERATOR(pg_catalog.<=) $1" \
	" AND (lease_expires_at IS NULL OR lease_expires_at OPERATOR(pg_catalog.<=) $1)" \
	" ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))"

/* Remove the records of a scope, and count the live ones.  $1: scope, $2: now. */
#define idem_store_records_forget_scope_sql \
	"WITH gone AS (" \
	" DELETE FROM idemstore.idempotency_records WHERE scope OPERATOR(pg_catalog.=) $1" \
	" RETURNING expires_at OPERATOR(pg_catalog.>) $2 AS was_live)" \
	" SELECT pg_catalog.count(*) FROM gone WHERE was_live"

/* an expired record is absent for every function */
extern bool idem_store_records_is_live(const IdemRecord *record, TimestampTz now);

/* both NULL, or the same bytes */
extern bool idem_store_records_equal(const struct varlena *a,
									 const struct varlena *b);

#endif							/* IDEM_STORE_RECORDS_H */
