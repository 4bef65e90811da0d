/*
 * chain.h
 *		The pages of one bucket, whose first page is locked.
 *
 * Who has the first page locked exclusively owns the chain: its overflow pages
 * change under that lock only, so that he may read them with a pin alone.  They
 * are locked as well while they change, against scans and the checkpointer.
 */
#ifndef IDEM_SLOTS_CHAIN_H
#define IDEM_SLOTS_CHAIN_H

#include "slots/edit.h"
#include "slots/page.h"

/* Lock or unlock a page of a chain whose first page is locked exclusively. */
extern void idem_slots_chain_lock(Buffer first, Buffer buffer);
extern void idem_slots_chain_unlock(Buffer first, Buffer buffer);

/*
 * The page after this one, pinned, or InvalidBuffer.  The pin on this one is
 * let go, but for the first.
 */
extern Buffer idem_slots_chain_next(Relation rel, Buffer first, Buffer buffer);

/* Put an empty page behind the first one; pinned and locked exclusively. */
extern Buffer idem_slots_chain_grow(Relation rel, Buffer first);

/* Make so many free pages in advance.  No page of any chain may be locked. */
extern void idem_slots_chain_stock(Relation rel, int npages);

/* how many pages */
extern int	idem_slots_chain_length(Relation rel, Buffer first);

/*
 * Is this row, which is not gone, of another bucket?  A split that a crash cut
 * short leaves such rows.
 */
extern bool idem_slots_chain_is_stray(Relation rel, Buffer first, const IdemSlotRow *row);

/*
 * Move rows forward where they leave a page empty, and give such pages back.
 * No offset in the chain is valid any more afterwards.
 */
extern void idem_slots_chain_tidy(Relation rel, Buffer first);

/* Give a page back that nothing leads to; it is locked exclusively. */
extern void idem_slots_chain_give_back(Relation rel, Buffer buffer);

#endif							/* IDEM_SLOTS_CHAIN_H */
