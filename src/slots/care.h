/*
 * care.h
 *		What fills, sweeps and rewrites tables of slots as a whole.
 */
#ifndef IDEM_SLOTS_CARE_H
#define IDEM_SLOTS_CARE_H

#include "slots/slots.h"

/* Insert a row that SQL brings.  Raises 23505 when the key is there. */
extern void idem_slots_care_insert(Relation rel, const text *key,
								   TimestampTz expires_at, const bytea *state);

/*
 * Fill the new, empty table with the rows of the old one that still mean
 * something, in as many buckets as they need.
 */
extern void idem_slots_care_rehash(Relation old, Relation new, TimestampTz now,
								   double *copied, double *left_behind);

/*
 * Remove at most max_rows rows that mean nothing any more, and close the
 * relation, which is locked for writing.  Then, where the number of buckets no
 * longer suits the rows, rewrite the table, unless it is in use just now.
 * Returns the number of rows removed.
 */
extern int64 idem_slots_care_expire(Relation rel, TimestampTz now, int64 max_rows);

/* of the last sweep of this session, in pages; 0 if it did not come to the end */
extern int	idem_slots_care_longest_chain(void);

#endif							/* IDEM_SLOTS_CARE_H */
