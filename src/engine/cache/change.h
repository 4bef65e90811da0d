/*
 * change.h
 *		The frame of every write of an entry: find it, decide, write, wake.
 */
#ifndef IDEM_CACHE_CHANGE_H
#define IDEM_CACHE_CHANGE_H

#include "store/cache/cache.h"

/* What is to become of an entry, whether there is a live one or not. */
typedef enum IdemEntryAction
{
	IDEM_ENTRY_LEAVE,
	IDEM_ENTRY_STORE,
	IDEM_ENTRY_REMOVE,			/* and leave a trace of who did that */
	IDEM_ENTRY_DROP				/* and leave none */
} IdemEntryAction;

/*
 * Decide over the entry as it stands, and make the new one, which comes with
 * its key and written now, by this transaction unless it says otherwise.  old is
 * NULL when there is none, and may have expired.  May be asked again when the row
 * has moved on.
 */
typedef IdemEntryAction (*IdemEntryChange) (const IdemEntry *old, TimestampTz now,
											IdemEntry *new, void *arg);

/* Another transaction that is writing the entry. */
typedef struct IdemEntryWriter
{
	TransactionId xid;
	const IdemEntry *old;		/* what it changes, or NULL */
	const IdemEntry *new;		/* what it makes of it; NULL when that is not
								 * known, or nothing */
} IdemEntryWriter;

/* Is it to be waited for? */
typedef bool (*IdemEntryPatience) (const IdemEntryWriter *writer, void *arg);

/*
 * Waits for another transaction that writes the key, as UPDATE does, whatever
 * the isolation level.  Whoever waits for the key looks again when we commit.
 */
extern void idem_cache_change_entry(text *key, IdemEntryChange change, void *arg);

/*
 * Likewise, in the open table, which is opened anew when somebody has to be waited
 * for.  The entry was found at this row, which may be NULL.
 */
extern void idem_cache_change_found(IdemTable *table, text *key, const ItemPointerData * row,
									IdemEntryChange change, void *arg);

/* Likewise, but false, and nothing is done, when a writer is not waited for. */
extern bool idem_cache_change_entry_if(text *key, IdemEntryChange change,
									   IdemEntryPatience patience, void *arg);

#endif							/* IDEM_CACHE_CHANGE_H */
