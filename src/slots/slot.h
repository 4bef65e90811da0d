/*
 * slot.h
 *		What one call has open and locked.
 */
#ifndef IDEM_SLOTS_SLOT_H
#define IDEM_SLOTS_SLOT_H

#include "storage/bufmgr.h"
#include "storage/lockdefs.h"
#include "utils/relcache.h"

#include "slots/page.h"

/* A row, or the place where there is none, while its bucket is locked. */
typedef struct IdemSlot
{
	const text *key;
	uint64		hash;
	uint32		bucket_number;
	Buffer		bucket;			/* its first page; invalid when the table has
								 * no bucket yet */
	Buffer		page;			/* where the row is, or lay before it was
								 * gone; invalid when it never was */
	OffsetNumber offset;
	IdemSlotRow row;			/* as it was found, if it was */
	bool		is_gone;
	bool		page_is_locked; /* too, by who only reads */
	bool		shares_lock;	/* with another slot of the same bucket */
	int			npages;			/* of the chain, as far as it was looked
								 * through */
} IdemSlot;

typedef struct IdemSlots
{
	Relation	rel;
	LOCKMODE	lockmode;
	bool		may_lose_changes;	/* of a logged table, in a crash */
	const IdemSlot *locked;		/* what this call has locked */
	int			nlocked;
	int			crowded;		/* pages of the longest chain whose first one
								 * had no room; 0 for none */
} IdemSlots;

#endif							/* IDEM_SLOTS_SLOT_H */
