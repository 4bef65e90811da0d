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

#include "slots/slot.h"

/*
 * Take a relation that is open and locked, for writing if by more than an
 * AccessShareLock, which sets the table up if need be.  Close lets the relation
 * and its lock go, not at commit, after grow.
 */
extern void idem_slots_open(IdemSlots *slots, Relation rel, LOCKMODE lockmode);
extern void idem_slots_close(IdemSlots *slots);

/* Let the table grow where it was found crowded.  Nothing may be locked. */
extern void idem_slots_grow(IdemSlots *slots);

/* Lock the key's bucket, for writing if the table was opened so. */
extern void idem_slots_lock(IdemSlots *slots, const text *key, IdemSlot *slot);
extern void idem_slots_unlock(IdemSlot *slot);

/*
 * The same in two steps, for whoever visits many in the order of their buckets:
 * the hash, and the bucket that the key would be looked for in now.
 */
extern uint64 idem_slots_hash(const IdemSlots *slots, const text *key);
extern uint32 idem_slots_bucket(const IdemSlots *slots, uint64 hash);
extern void idem_slots_lock_hashed(IdemSlots *slots, const text *key, uint64 hash,
								   IdemSlot *slot);

/*
 * Lock the buckets of several different keys, in an order that all keep, each
 * bucket once.
 */
extern void idem_slots_lock_all(IdemSlots *slots, const text *const *keys,
								IdemSlot *locked, int nkeys);
extern void idem_slots_unlock_all(IdemSlot *locked, int nkeys);

extern bool idem_slots_is_there(const IdemSlot *slot);

/* The row's fields, to be read before anything is written; NULL for no row. */
extern const IdemSlotRow *idem_slots_row(const IdemSlot *slot);

/*
 * Find room for a state of this size, so that writing it cannot fail any more.
 * Nothing is changed that anybody could see.
 */
extern void idem_slots_reserve(IdemSlots *slots, IdemSlot *slot, Size size);

/*
 * Write the row, in place where its room is enough, which it keeps.  State is
 * NULL in a table of two columns.  Of a logged table the transaction commits
 * durably, as after nextval().
 */
extern void idem_slots_write(IdemSlots *slots, IdemSlot *slot,
							 TimestampTz expires_at, const char *state, Size size);
extern void idem_slots_remove(IdemSlots *slots, IdemSlot *slot);

/* the largest state that fits beside the longest key */
#define IDEM_SLOTS_MAX_STATE_SIZE	6800

#endif							/* IDEM_SLOTS_SLOTS_H */
