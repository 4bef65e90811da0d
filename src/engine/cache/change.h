/*
 * change.h
 *		The frame of every write of an entry: find it, decide, write, wake.
 */
#ifndef IDEM_CACHE_CHANGE_H
#define IDEM_CACHE_CHANGE_H

#include "store/cache.h"

/* What is to become of an entry, whether there is a live one or not. */
typedef enum IdemEntryAction
{
	IDEM_ENTRY_LEAVE,
	IDEM_ENTRY_STORE,
	IDEM_ENTRY_REMOVE
} IdemEntryAction;

/*
 * Decide over the entry as it stands, and make the new one, which comes with
 * its key and written now.  old is NULL when there is none, and may have
 * expired.  May be asked again when the row has moved on.
 */
typedef IdemEntryAction (*IdemEntryChange) (const IdemEntry *old, TimestampTz now,
											IdemEntry *new, void *arg);

/*
 * Waits for another transaction that writes the key, as UPDATE does, whatever
 * the isolation level.  Whoever waits for the key looks again when we commit.
 */
extern void idem_cache_change_entry(text *key, IdemEntryChange change, void *arg);

#endif							/* IDEM_CACHE_CHANGE_H */
