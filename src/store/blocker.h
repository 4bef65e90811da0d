/*
 * blocker.h
 *		Who keeps a row from being locked or written.
 */
#ifndef IDEM_STORE_BLOCKER_H
#define IDEM_STORE_BLOCKER_H

#include "executor/tuptable.h"
#include "nodes/lockoptions.h"

/*
 * The open transaction of others whose lock or change of the row in the slot
 * conflicts with a lock of this mode, or invalid.  A dirty scan reports only who
 * changes a row, not who locks it.
 */
extern TransactionId idem_store_blocker_find(TupleTableSlot *slot, LockTupleMode mode);

/*
 * Wait until the transaction, or that level of one, has ended.  Obeys
 * lock_timeout, and takes part in the detection of deadlocks.
 */
extern void idem_store_blocker_wait(TransactionId xid);

#endif							/* IDEM_STORE_BLOCKER_H */
