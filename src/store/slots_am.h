/*
 * slots_am.h
 *		The table access method idemstore_slots, and the care of its tables.
 */
#ifndef IDEM_STORE_SLOTS_AM_H
#define IDEM_STORE_SLOTS_AM_H

#include "access/tableam.h"

#include "store/table.h"

extern const TableAmRoutine *idem_store_slots_routine(void);

/*
 * Remove at most max_rows rows that mean nothing any more.  Then, where the
 * number of buckets no longer suits the rows, rewrite the table, unless it is
 * in use just now.  Returns the number of rows removed.
 */
extern int64 idem_store_slots_expire(IdemTableInfo *info, TimestampTz now,
									 int64 max_rows);

#endif							/* IDEM_STORE_SLOTS_AM_H */
