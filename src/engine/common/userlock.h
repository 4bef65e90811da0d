/*
 * userlock.h
 *		Locks on names, in the lock manager, apart from everybody's advisory
 *		locks.
 */
#ifndef IDEM_COMMON_USERLOCK_H
#define IDEM_COMMON_USERLOCK_H

#include "storage/lock.h"

/* what the names are of */
typedef enum IdemLockClass
{
	IDEM_LOCK_WAITER = 0x1D01,	/* a record that somebody waits for */
	IDEM_LOCK_FINGERPRINT = 0x1D02,
	IDEM_LOCK_LIMIT = 0x1D04,
	IDEM_LOCK_EXPIRY = 0x1D05,	/* a run that is to be the only one */
	IDEM_LOCK_PRESENCE = 0x1D06
} IdemLockClass;

/*
 * The tag of a name in two parts, of which the second may be NULL.  Two names
 * with one hash share a tag.
 */
extern void idem_userlock_set_tag(LOCKTAG *tag, IdemLockClass class, uint64 seed,
								  const text *a, const text *b);

/* The tag of what has a number and no name. */
extern void idem_userlock_set_flag_tag(LOCKTAG *tag, IdemLockClass class, uint32 number);

#endif							/* IDEM_COMMON_USERLOCK_H */
