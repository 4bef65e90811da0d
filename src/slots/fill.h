/*
 * fill.h
 *		Rows that SQL brings, and tables that are written anew.
 */
#ifndef IDEM_SLOTS_FILL_H
#define IDEM_SLOTS_FILL_H

#include "datatype/timestamp.h"
#include "utils/relcache.h"

/*
 * Insert a row.  Raises 23505 when the key is there, and 54000 when the row is
 * larger than a page.
 */
extern void idem_slots_fill_insert(Relation rel, const text *key,
								   TimestampTz expires_at, const bytea *state);

/*
 * Fill the new, empty table with the rows of the old one that still mean
 * something, in as many buckets as they need.
 */
extern void idem_slots_fill_rehash(Relation old, Relation new, TimestampTz now,
								   double *copied, double *left_behind);

/* how many rows there are */
extern double idem_slots_fill_count(Relation rel);

#endif							/* IDEM_SLOTS_FILL_H */
