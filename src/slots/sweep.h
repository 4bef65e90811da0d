/*
 * sweep.h
 *		Removing the rows that mean nothing any more.
 */
#ifndef IDEM_SLOTS_SWEEP_H
#define IDEM_SLOTS_SWEEP_H

#include "datatype/timestamp.h"
#include "utils/relcache.h"

/* What one run did. */
typedef struct IdemSlotsSwept
{
	int64		removed;
	uint32		visited;		/* buckets, of so many */
	uint32		nbuckets;
} IdemSlotsSwept;

/*
 * Remove at most max_rows rows that have expired at now, from the bucket on at
 * which the run before ended; a run looks at a bounded number of pages.  The
 * relation is locked for writing.
 */
extern void idem_slots_sweep(Relation rel, TimestampTz now, int64 max_rows,
							 IdemSlotsSwept *swept);

/* The longest chain that sweeps have met in the last round, in pages. */
extern int	idem_slots_sweep_longest_chain(Relation rel);

#endif							/* IDEM_SLOTS_SWEEP_H */
