/*
 * list.h
 *		Reading a whole table of slots: each name once.
 *
 * A list that was begun at so many buckets reads each of them together with
 * those that have descended from it meanwhile.  No lock is held between two
 * rows.
 */
#ifndef IDEM_SLOTS_LIST_H
#define IDEM_SLOTS_LIST_H

#include "access/htup.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"

#include "slots/page.h"

/* buckets still to be read with the one that they descend from */
#define IDEM_SLOTS_MAX_DESCENT	32

typedef struct IdemSlotsList
{
	Relation	rel;
	MemoryContext context;		/* in which it was begun */
	BufferAccessStrategy strategy;
	bool		is_former;		/* of the format before: block by block */
	uint32		nbuckets;		/* when it was begun; or of blocks */
	uint32		next;			/* bucket or block */

	struct
	{
		uint32		bucket;
		int			level;		/* at which it is to be read */
	}			descent[IDEM_SLOTS_MAX_DESCENT];
	int			ndescent;

	/* copies of the pages of the bucket that is being read */
	PGAlignedBlock *pages;
	BlockNumber *blocks;
	int			npages;
	int			max_pages;
	uint32		bucket;
	int			level;
	bool		has_strays;

	/* the row that is next */
	int			page;
	OffsetNumber offset;
	HeapTupleData tuple;
} IdemSlotsList;

/* Begin and end; or begin anew, after end. */
extern void idem_slots_list_begin(IdemSlotsList *list, Relation rel);
extern void idem_slots_list_end(IdemSlotsList *list);

/* The next row, which is good until the call after this; NULL at the end. */
extern HeapTuple idem_slots_list_next(IdemSlotsList *list, IdemSlotRow *row);

#endif							/* IDEM_SLOTS_LIST_H */
