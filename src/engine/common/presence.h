/*
 * presence.h
 *		What a transaction shows to others of what it does, to its end.
 *
 * In the lock manager, so that it outlives PREPARE TRANSACTION and a crash.  It
 * keeps nobody out: who sees that somebody is there looks at what he has left.
 * One lock a transaction, however many names it works on: the lock table is
 * everybody's.
 */
#ifndef IDEM_COMMON_PRESENCE_H
#define IDEM_COMMON_PRESENCE_H

#include "access/transam.h"

typedef enum IdemPresence
{
	IDEM_REMOVES,				/* entries of the cache */
	IDEM_INVALIDATES,			/* tags or prefixes: a removal, too */
	IDEM_STORES_FENCED			/* values that a fence came with */
} IdemPresence;

/*
 * Another transaction that shows it.  Its xid may be invalid, while it has none
 * or is ending.
 */
typedef struct IdemPresent
{
	TransactionId xid;
	bool		is_prepared;
} IdemPresent;

/* Before doing it. */
extern void idem_presence_show(IdemPresence what);

/* How many others show it; *others is palloc'd when there are any. */
extern int	idem_presence_find(IdemPresence what, IdemPresent **others);

/* Does another transaction, of which this one is a level, show it? */
extern bool idem_presence_is_shown_by(IdemPresence what, TransactionId xid);

#endif							/* IDEM_COMMON_PRESENCE_H */
