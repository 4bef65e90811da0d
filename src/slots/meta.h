/*
 * meta.h
 *		Block 0 of a table of slots: its key, its buckets, its free pages.
 *
 * The map is remembered in the relation cache's entry, which every rewrite and
 * TRUNCATE clears.  It is only ever too old, which shows in the level of a
 * bucket's first page.  A pointer to it holds until the next call of anything
 * that takes a lock on a relation.
 */
#ifndef IDEM_SLOTS_META_H
#define IDEM_SLOTS_META_H

#include "storage/bufmgr.h"
#include "utils/relcache.h"

#include "slots/edit.h"
#include "slots/map.h"

/* by so many pages at most is the file extended at once */
#define IDEM_SLOTS_MAX_EXTENSION	32

/* Where the sweep is, and what it has seen. */
typedef struct IdemSlotsHand
{
	uint32		bucket;			/* at which it goes on */
	uint32		longest;		/* chain of this round so far, in pages */
	uint32		longest_before; /* of the round before */
} IdemSlotsHand;

/* What block 0 holds in its special space; SQL finds no row there. */
typedef struct IdemSlotsMeta
{
	uint32		magic;
	uint32		version;		/* of the format of all pages */
	uint64		key[2];			/* of the hash */
	uint32		nbuckets;
	uint32		nsegments;
	BlockNumber free;			/* the first free page */
	uint32		nfree;			/* and how many there are */
	IdemSlotsHand hand;
	BlockNumber segments[IDEM_SLOTS_MAX_SEGMENTS];
} IdemSlotsMeta;

/*
 * The map as it is remembered, or read now; NULL while the table is not set
 * up.  Raises 55000 when the pages are of another format.
 */
extern const IdemSlotsMap *idem_slots_meta_map(Relation rel);
extern const IdemSlotsMap *idem_slots_meta_read_map(Relation rel);
extern void idem_slots_meta_forget_map(Relation rel);

/* the hash of a name, in a table that is set up */
extern uint64 idem_slots_meta_hash(Relation rel, const text *key);

/* Are the pages of the format before this one? */
extern bool idem_slots_meta_is_former(Relation rel);

/* Set the table up with so many buckets, unless somebody else was first. */
extern void idem_slots_meta_set_up(Relation rel, uint32 nbuckets);

/* Lock block 0, and unlock it with UnlockReleaseBuffer. */
extern Buffer idem_slots_meta_lock(Relation rel, int mode);
extern IdemSlotsMeta *idem_slots_meta_of(Page page);

/*
 * Make the next segment, where the right to split is held, and say where it
 * begins as soon as it does: an error may leave a part of it behind.  False
 * when the map is full.
 */
extern bool idem_slots_meta_add_segment(Relation rel, BlockNumber *begin);

extern IdemSlotsHand idem_slots_meta_hand(Relation rel);
extern void idem_slots_meta_set_hand(Relation rel, const IdemSlotsHand *hand);

/*
 * Zeroed pages at the end of the file, locked exclusively: so many, or one for
 * each who waits to do the same, whose number is returned.  Unless it is told to
 * wait its turn: then none when another was at it, who may have made free ones.
 */
extern int	idem_slots_meta_extend(Relation rel, Buffer pages[IDEM_SLOTS_MAX_EXTENSION],
								   int npages, bool waits);
extern uint32 idem_slots_meta_nfree(Relation rel);

#endif							/* IDEM_SLOTS_META_H */
