/*
 * blocker.c
 *		Who keeps a row from being locked or written.
 *
 * PostgreSQL's own writes wait for a transaction's topmost level, and so sleep
 * through a ROLLBACK TO that undid what they wait for.  Ours ask here, and wait
 * for one level after the other.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/subtrans.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/procarray.h"

#include "store/blocker.h"

static TransactionId find_member(MultiXactId multi, bool is_lock_only, LockTupleMode mode);
static MultiXactStatus status_of(uint16 infomask, bool keys_updated);
static bool conflicts(MultiXactStatus status, LockTupleMode mode);
static bool is_open_elsewhere(TransactionId xid);

TransactionId
idem_store_blocker_find(TupleTableSlot *slot, LockTupleMode mode)
{
	Buffer		buffer = ((BufferHeapTupleTableSlot *) slot)->buffer;
	HeapTupleHeader header = ExecFetchSlotHeapTuple(slot, false, NULL)->t_data;
	TransactionId xmax;
	uint16		infomask;
	bool		keys_updated;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	xmax = HeapTupleHeaderGetRawXmax(header);
	infomask = header->t_infomask;
	keys_updated = (header->t_infomask2 & HEAP_KEYS_UPDATED) != 0;
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);

	if (infomask & HEAP_XMAX_INVALID)
		return InvalidTransactionId;
	if (infomask & HEAP_XMAX_IS_MULTI)
		return find_member(xmax, HEAP_XMAX_IS_LOCKED_ONLY(infomask), mode);
	return is_open_elsewhere(xmax) && conflicts(status_of(infomask, keys_updated), mode) ?
		xmax : InvalidTransactionId;
}

static TransactionId
find_member(MultiXactId multi, bool is_lock_only, LockTupleMode mode)
{
	MultiXactMember *members;
	int			n = GetMultiXactIdMembers(multi, &members, false, is_lock_only);
	int			i;

	for (i = 0; i < n; i++)
	{
		if (is_open_elsewhere(members[i].xid) && conflicts(members[i].status, mode))
			return members[i].xid;
	}
	return InvalidTransactionId;
}

/* as it would be of the only member of a multixact */
static MultiXactStatus
status_of(uint16 infomask, bool keys_updated)
{
	if (!HEAP_XMAX_IS_LOCKED_ONLY(infomask))
		return keys_updated ? MultiXactStatusUpdate : MultiXactStatusNoKeyUpdate;
	if (HEAP_XMAX_IS_KEYSHR_LOCKED(infomask))
		return MultiXactStatusForKeyShare;
	if (HEAP_XMAX_IS_SHR_LOCKED(infomask))
		return MultiXactStatusForShare;
	return keys_updated ? MultiXactStatusForUpdate : MultiXactStatusForNoKeyUpdate;
}

static bool
conflicts(MultiXactStatus status, LockTupleMode mode)
{
	switch (mode)
	{
		case LockTupleKeyShare:
			return status == MultiXactStatusForUpdate || status == MultiXactStatusUpdate;
		case LockTupleShare:
			return status != MultiXactStatusForKeyShare && status != MultiXactStatusForShare;
		case LockTupleNoKeyExclusive:
			return status != MultiXactStatusForKeyShare;
		case LockTupleExclusive:
			return true;
	}
	return true;				/* keep the compiler quiet */
}

static bool
is_open_elsewhere(TransactionId xid)
{
	return TransactionIdIsInProgress(xid) && !TransactionIdIsCurrentTransactionId(xid);
}

/*
 * One level after the other: XactLockTableWait would go straight to the top one
 * and sleep through a ROLLBACK TO an outer savepoint.
 */
void
idem_store_blocker_wait(TransactionId xid)
{
	while (TransactionIdIsValid(xid) && TransactionIdIsInProgress(xid))
	{
		LOCKTAG		tag;

		CHECK_FOR_INTERRUPTS();
		SET_LOCKTAG_TRANSACTION(tag, xid);
		(void) LockAcquire(&tag, ShareLock, false, false);
		LockRelease(&tag, ShareLock, false);
		if (TransactionIdIsInProgress(xid))
			xid = SubTransGetParent(xid);
	}
	CHECK_FOR_INTERRUPTS();
}
