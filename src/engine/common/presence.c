/*
 * presence.c
 *		What a transaction shows to others of what it does, to its end.
 *
 * All hold a lock in modes that conflict with none of theirs, and look for its
 * holders as if they wanted another one, which only some of these conflict with.
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "storage/proc.h"

#include "engine/common/presence.h"
#include "engine/common/userlock.h"
#include "pg/compat.h"

static const struct
{
	uint32		lock;
	LOCKMODE	shown_in;
	LOCKMODE	seen_by;
}			presences[] =

{
	[IDEM_REMOVES] = {1, RowShareLock, ExclusiveLock},
	[IDEM_INVALIDATES] = {1, RowExclusiveLock, ShareLock},
	[IDEM_STORES_FENCED] = {2, RowExclusiveLock, ShareLock},
};

static IdemPresent present_of(VirtualTransactionId holder);

void
idem_presence_show(IdemPresence what)
{
	LOCKTAG		tag;

	idem_userlock_set_flag_tag(&tag, IDEM_LOCK_PRESENCE, presences[what].lock);
	(void) LockAcquire(&tag, presences[what].shown_in, false, false);
}

int
idem_presence_find(IdemPresence what, IdemPresent **others)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			n;
	int			i;

	idem_userlock_set_flag_tag(&tag, IDEM_LOCK_PRESENCE, presences[what].lock);
	holders = GetLockConflicts(&tag, presences[what].seen_by, &n);
	if (n > 0)
		*others = palloc(n * sizeof(IdemPresent));
	for (i = 0; i < n; i++)
		(*others)[i] = present_of(holders[i]);
	pfree(holders);
	return n;
}

static IdemPresent
present_of(VirtualTransactionId holder)
{
	IdemPresent result = {.is_prepared = idem_compat_is_prepared(holder)};
	PGPROC	   *proc;

	if (result.is_prepared)
		result.xid = holder.localTransactionId;
	else if ((proc = idem_compat_lock_holder(holder)) != NULL)
		result.xid = proc->xid;
	return result;
}

bool
idem_presence_is_shown_by(IdemPresence what, TransactionId xid)
{
	TransactionId top = SubTransGetTopmostTransaction(xid);
	IdemPresent *others;
	int			n = idem_presence_find(what, &others);
	int			i;

	for (i = 0; i < n; i++)
	{
		if (TransactionIdEquals(others[i].xid, top))
			return true;
	}
	return false;
}
