/*
 * retire.h
 *		Removing entries that nobody has invalidated.
 */
#ifndef IDEM_CACHE_RETIRE_H
#define IDEM_CACHE_RETIRE_H

#include "store/cache/cache.h"

/* while several are removed */
typedef struct IdemRetirement
{
	IdemTable	marks;
	FullTransactionId horizon;
} IdemRetirement;

/*
 * Every transaction before this one is seen by all leases, those that may yet be
 * taken included.
 */
extern FullTransactionId idem_cache_retire_horizon(void);

extern void idem_cache_retire_begin(IdemRetirement *retirement);
extern void idem_cache_retire_end(IdemRetirement *retirement);

/* Remove the entry that was read from the open table; false instead of a wait. */
extern bool idem_cache_retire_entry(IdemRetirement *retirement, IdemTable *table,
									const IdemEntry *entry);

#endif							/* IDEM_CACHE_RETIRE_H */
