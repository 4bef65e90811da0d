/*
 * page.h
 *		The pages of a table of slots, and changes to them.
 *
 * Pages and rows have the heap's own format, so that whatever reads a heap
 * reads them: scans, ANALYZE, pg_dump, pageinspect, checksums.  Every row is
 * frozen.  A row that is gone is marked as one whose inserter aborted; its
 * space is used again when nobody can be looking at the page.
 *
 * Block 0 holds the number of buckets and no row.  Bucket b begins on block
 * 1 + b; overflow pages follow from there.
 */
#ifndef IDEM_SLOTS_PAGE_H
#define IDEM_SLOTS_PAGE_H

#include "access/generic_xlog.h"
#include "access/htup_details.h"
#include "storage/bufmgr.h"
#include "utils/relcache.h"

/* The fields of a row, in place. */
typedef struct IdemSlotRow
{
	HeapTupleHeader header;
	text	   *key;			/* with a long header */
	TimestampTz *expires_at;
	bytea	   *state;			/* NULL where there is none */
} IdemSlotRow;

/*
 * The number of buckets, or 0 while the table is not set up.  Remembered in
 * the relation cache's entry, which every rewrite and TRUNCATE clears.
 */
extern uint32 idem_slots_page_nbuckets(Relation rel);

/* Set the table up, unless somebody else was first. */
extern void idem_slots_page_set_up(Relation rel, uint32 nbuckets);

/* the overflow page after this one, or InvalidBlockNumber */
extern BlockNumber idem_slots_page_next(Page page);

/* Make an overflow page right after the bucket's first one; pinned and locked. */
extern Buffer idem_slots_page_extend(Relation rel, Buffer bucket);

/* Is there a row that is not gone at this offset?  If so, its fields. */
extern bool idem_slots_page_row(Page page, OffsetNumber offset, int natts,
								IdemSlotRow *row);

/* the bytes of the row's state, NULL and 0 where it has none */
extern const char *idem_slots_page_row_bytes(const IdemSlotRow *row);
extern Size idem_slots_page_row_room(const IdemSlotRow *row);

/* A row to be put on a page, of a table of two or three columns. */
extern HeapTuple idem_slots_page_row_form(TupleDesc desc, const text *key,
										  TimestampTz expires_at,
										  const char *state, Size size);

/*
 * Changes of up to two pages that reach the disc together.  All pages must be
 * locked exclusively.  Nothing may fail between begin and end.
 */
typedef struct IdemSlotsEdit
{
	GenericXLogState *xlog;		/* NULL when the table is not logged */
	Buffer		buffers[2];
	int			nbuffers;
} IdemSlotsEdit;

extern void idem_slots_page_edit_begin(IdemSlotsEdit *edit, Relation rel);
extern Page idem_slots_page_edit_page(IdemSlotsEdit *edit, Buffer buffer);
extern void idem_slots_page_edit_end(IdemSlotsEdit *edit);

extern void idem_slots_page_add(Page page, BlockNumber block, HeapTuple tuple);
extern void idem_slots_page_remove(Page page, OffsetNumber offset);

/* does a row of this many bytes fit? */
extern bool idem_slots_page_has_room(Page page, Size size);

/*
 * Win back what rows that are gone still take.  The page must be locked
 * exclusively; does nothing while anybody else has it pinned.
 */
extern void idem_slots_page_compact(Relation rel, Buffer buffer);

#endif							/* IDEM_SLOTS_PAGE_H */
