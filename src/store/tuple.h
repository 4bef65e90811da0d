/*
 * tuple.h
 *		Finding, inserting, locking, changing and deleting one row by its key.
 *
 * Every write advances the command counter, so that the next call, even in
 * the same statement, meets what this one wrote.
 */
#ifndef IDEM_STORE_TUPLE_H
#define IDEM_STORE_TUPLE_H

#include "nodes/lockoptions.h"
#include "utils/snapshot.h"

#include "store/table.h"

typedef enum IdemLockResult
{
	IDEM_LOCKED,
	IDEM_LOCK_HELD,				/* by another transaction */
	IDEM_LOCK_ROW_MOVED			/* the row was changed or deleted: probe again */
} IdemLockResult;

/*
 * Fill base and pending with what is there of the key under a dirty snapshot.
 * Finding nothing proves nothing: a committing update can hide the row.
 */
extern void idem_store_tuple_probe(IdemTable *table, const IdemKey *key);

/* As probe, but when there is no base, that is certain.  Is there one? */
extern bool idem_store_tuple_find(IdemTable *table, const IdemKey *key);

/* Fill base with the version that the snapshot sees.  Is there one? */
extern bool idem_store_tuple_fetch(IdemTable *table, const IdemKey *key,
								   Snapshot snapshot);

/* Is there a base, and did this very transaction write it? */
extern bool idem_store_tuple_has_base(const IdemTable *table);
extern bool idem_store_tuple_base_is_own(const IdemTable *table);
extern bool idem_store_tuple_has_pending(const IdemTable *table);

/* One row a scan of another index than the primary key's comes by. */
typedef bool (*IdemTupleVisitor) (TupleTableSlot *slot, TransactionId open_xid,
								  void *arg);

/*
 * Call visit for every version in an index that equals the given key columns,
 * until it returns false.  Under a dirty snapshot, open_xid is the transaction
 * that made or is changing the version, and visit may meet a version twice.
 */
extern void idem_store_tuple_visit(IdemTable *table, Oid index, int nkeys,
								   const Datum *keys, Snapshot snapshot,
								   IdemTupleVisitor visit, void *arg);

/*
 * Insert unless the key is there, committed or not; false when it is.  Never
 * waits for another session's transaction.
 */
extern bool idem_store_tuple_insert(IdemTable *table, const Datum *values,
									const bool *isnull);

/*
 * Lock the base exclusively without waiting.  When it is held, *holder is the
 * transaction that holds it.
 */
extern IdemLockResult idem_store_tuple_lock(IdemTable *table,
											TransactionId *holder);

/*
 * Lock all versions of the base FOR KEY SHARE to the end of the transaction:
 * updates pass, idem_store_tuple_lock does not.  Waits for an open takeover;
 * false when the row was changed or deleted meanwhile: find it again.
 */
extern bool idem_store_tuple_hold(IdemTable *table);

/*
 * Change or delete the base, waiting for an open change of it as UPDATE does.
 * False when the row was changed or deleted meanwhile: find it again.
 */
extern bool idem_store_tuple_update(IdemTable *table, const Datum *values,
									const bool *isnull);
extern bool idem_store_tuple_delete(IdemTable *table);

#endif							/* IDEM_STORE_TUPLE_H */
