/*
 * slots_care.h
 *		What fills, sweeps and rewrites tables of slots as a whole.
 */
#ifndef IDEM_STORE_SLOTS_CARE_H
#define IDEM_STORE_SLOTS_CARE_H

#include "store/slots.h"

/* Insert a row that SQL brings.  Raises 23505 when the key is there. */
extern void idem_store_slots_insert(Relation rel, const text *key,
									TimestampTz expires_at, const bytea *state);

/*
 * Fill the new, empty table with the rows of the old one that still mean
 * something, in as many buckets as they need.
 */
extern void idem_store_slots_rehash(Relation old, Relation new, TimestampTz now,
									double *copied, double *left_behind);

#endif							/* IDEM_STORE_SLOTS_CARE_H */
