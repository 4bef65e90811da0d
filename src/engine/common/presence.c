/*
 * presence.c
 *		What a transaction shows to others of what it does, to its end.
 *
 * All hold the lock in a mode that conflicts with none of them, and look for
 * its holders as if they wanted another one.
 */
#include "postgres.h"

#include "access/subtrans.h"
#include "storage/proc.h"

#include "engine/common/presence.h"
#include "engine/common/userlock.h"
#include "pg/compat.h"

/* the one holds off nobody who holds it, too, the other would */
#define SHOWN_IN	RowExclusiveLock
#define SEEN_BY		ExclusiveLock

static IdemPresent present_of(VirtualTransactionId holder);

void
idem_presence_show(IdemPresence what)
{
	LOCKTAG		tag;

	idem_userlock_set_flag_tag(&tag, IDEM_LOCK_PRESENCE, what);
	(void) LockAcquire(&tag, SHOWN_IN, false, false);
}

int
idem_presence_find(IdemPresence what, IdemPresent **others)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			n;
	int			i;

	idem_userlock_set_flag_tag(&tag, IDEM_LOCK_PRESENCE, what);
	holders = GetLockConflicts(&tag, SEEN_BY, &n);
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
