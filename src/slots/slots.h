/*
 * slots.h
 *		Tables whose rows are changed in place: one row a key, found by hash.
 *
 * The model is nextval(): a change is there for all at once, whatever their
 * snapshot, outlives ROLLBACK, waits for no transaction and leaves no dead
 * row.  A row is a key, the instant from which it means nothing any more, and
 * perhaps a state of bytes.
 *
 * The lock on a bucket covers look-up, creation, change and removal of every
 * row in it.  While it is held nothing else may be done: no catalog, no other
 * bucket, no wait; as nextval() does, it may only get a transaction id.
 */
#ifndef IDEM_SLOTS_SLOTS_H
#define IDEM_SLOTS_SLOTS_H

#include "storage/bufmgr.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

#include "slots/page.h"

/* buckets at first, and at least */
#define IDEM_SLOTS_MIN_BUCKETS	1024

typedef struct IdemSlots
{
	Relation	rel;
	LOCKMODE	lockmode;
	uint32		nbuckets;		/* 0 when there is nothing to read yet */
	bool		may_lose_changes;	/* of a logged table, in a crash */
} IdemSlots;

/* A row, or the place where there is none, while its bucket is locked. */
typedef struct IdemSlot
{
	const text *key;
	uint32		bucket_number;
	Buffer		bucket;			/* invalid when the table has no bucket yet */
	Buffer		page;			/* where the row is; invalid when there is
								 * none */
	OffsetNumber offset;
	bool		shares_lock;	/* with another slot of the same bucket */
} IdemSlot;

/*
 * Use an open relation for what its lock allows; for writing, the table is set
 * up with so many buckets if need be.  Close releases the lock, not the commit.
 */
extern void idem_slots_open(IdemSlots *slots, Relation rel, LOCKMODE lockmode,
							uint32 nbuckets);
extern void idem_slots_close(IdemSlots *slots);

/* Lock the key's bucket, for writing if the table was opened so. */
extern void idem_slots_lock(IdemSlots *slots, const text *key, IdemSlot *slot);
extern void idem_slots_unlock(IdemSlot *slot);

/*
 * Lock the buckets of several different keys, in an order that all keep, each
 * bucket once.
 */
extern void idem_slots_lock_all(IdemSlots *slots, const text *const *keys,
								IdemSlot *locked, int nkeys);
extern void idem_slots_unlock_all(IdemSlot *locked, int nkeys);

/* The row's fields, to be read before anything is written.  Is there one? */
extern bool idem_slots_get(const IdemSlots *slots, const IdemSlot *slot,
						   IdemSlotRow *row);

/*
 * Write the row, in place where its room is enough, which it keeps.  State is
 * NULL in a table of two columns.  Of a logged table the transaction commits
 * durably, as after nextval().
 */
extern void idem_slots_write(IdemSlots *slots, IdemSlot *slot,
							 TimestampTz expires_at,
							 const char *state, Size size);
extern void idem_slots_remove(IdemSlots *slots, IdemSlot *slot);

/* Add a row whose key is certainly not there. */
extern void idem_slots_append(IdemSlots *slots, const text *key,
							  TimestampTz expires_at,
							  const char *state, Size size);

/* the largest state that fits beside the longest key */
#define IDEM_SLOTS_MAX_STATE_SIZE	6800

#endif							/* IDEM_SLOTS_SLOTS_H */
