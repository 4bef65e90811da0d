/*
 * stats.h
 *		The table stats_counters: numbers under names.
 *
 * A name that has no row is 0.  Changes are seen by all at once and not undone
 * by ROLLBACK; those of a logged table may be lost in a crash, so that nobody
 * gets a transaction id for being counted.
 */
#ifndef IDEM_STORE_STATS_H
#define IDEM_STORE_STATS_H

#include "slots/slots.h"
#include "store/table.h"

/*
 * Open for writing; false instead of an error or a wait when that is not
 * possible now.  Close with idem_slots_close.
 */
extern bool idem_store_stats_try_open(IdemSlots *slots);

/* Open; raises as idem_store_table_open_relation. */
extern void idem_store_stats_open(IdemSlots *slots, bool for_writing);

/* On a standby, only a logged one is. */
extern bool idem_store_stats_is_readable(void);

extern int64 idem_store_stats_get(IdemSlots *slots, const char *name);
extern void idem_store_stats_put(IdemSlots *slots, const char *name, int64 value);

/* Add to it. */
extern void idem_store_stats_add(IdemSlots *slots, const char *name, int64 n);

/* Put the value unless what is there is larger. */
extern void idem_store_stats_raise(IdemSlots *slots, const char *name, int64 value);

#endif							/* IDEM_STORE_STATS_H */
