/*
 * tuple.h
 *		Inserting, locking, changing and deleting one row.
 *
 * Every write advances the command counter, so that the next call, even in
 * the same statement, meets what this one wrote.
 */
#ifndef IDEM_STORE_TUPLE_H
#define IDEM_STORE_TUPLE_H

#include "store/versions.h"

typedef enum IdemLockResult
{
	IDEM_LOCKED,
	IDEM_LOCK_BUSY,				/* by another transaction */
	IDEM_LOCK_ROW_MOVED			/* the row was changed or deleted: probe again */
} IdemLockResult;

/*
 * Insert unless the key is there, committed or not; false when it is.  Never
 * waits for another session's transaction.
 */
extern bool idem_store_tuple_insert(IdemTable *table, const Datum *values,
									const bool *isnull);

/*
 * Lock the base exclusively without waiting.  When it is held, *locker is the
 * transaction that holds it.
 */
extern IdemLockResult idem_store_tuple_lock(IdemTable *table,
											TransactionId *locker);

/* likewise, for an update that idem_store_tuple_hold lets pass */
extern IdemLockResult idem_store_tuple_lock_weakly(IdemTable *table,
												   TransactionId *locker);

/*
 * Lock all versions of the base FOR KEY SHARE to the end of the transaction:
 * updates pass, idem_store_tuple_lock does not.  Waits for an open takeover.
 */
extern bool idem_store_tuple_hold(IdemTable *table);

/*
 * Change or delete the base, waiting for an open change of it as UPDATE does,
 * but for one level of its transaction at a time.  All of these return false
 * when they have waited, or the row was changed or deleted: find it again.
 */
extern bool idem_store_tuple_update(IdemTable *table, const Datum *values,
									const bool *isnull);
extern bool idem_store_tuple_delete(IdemTable *table);

/* likewise, a version that a snapshot still in use has shown */
extern bool idem_store_tuple_delete_version(IdemTable *table, ItemPointer tid);

/*
 * Likewise, but false when another transaction has it, and without advancing
 * the command counter.
 */
extern bool idem_store_tuple_try_delete(IdemTable *table, ItemPointer tid);

/*
 * Go from such a version to the newest one that others have made of it, and lock
 * that, waiting for them.  It is in the scan's slot then.  False when they have
 * deleted it.
 */
extern bool idem_store_tuple_follow(IdemTable *table, ItemPointer tid);

#endif							/* IDEM_STORE_TUPLE_H */
