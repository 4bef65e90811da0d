/*
 * page.h
 *		The pages of a table of slots, and the rows on them.
 *
 * Pages and rows have the heap's own format, so that ANALYZE, pageinspect and
 * checksums work as for a heap.  Every row is frozen.  A row that is gone is
 * marked as one whose inserter aborted, and keeps its place for a while: the
 * same name may come back.
 *
 * Nobody reads a row without the lock on its page or on the first page of its
 * bucket, scans by SQL included: so rows may be moved about on a page, whoever
 * has it pinned, and on a standby too.
 */
#ifndef IDEM_SLOTS_PAGE_H
#define IDEM_SLOTS_PAGE_H

#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "storage/bufpage.h"

/* the meta page is read and written by meta.c alone */
#define IDEM_SLOTS_META_BLOCK	0

typedef enum IdemSlotsPageKind
{
	IDEM_SLOTS_FIRST = 1,		/* where a bucket begins */
	IDEM_SLOTS_OVERFLOW,		/* what follows in its chain */
	IDEM_SLOTS_FREE				/* in the list of free pages */
} IdemSlotsPageKind;

/* What every page but the meta page holds in its special space. */
typedef struct IdemSlotsLink
{
	BlockNumber next;			/* of the chain, or of the free list */
	uint32		bucket;
	uint8		kind;
	uint8		has_strays;		/* of a first page: are there rows in the
								 * chain that a split has moved elsewhere? */
	uint16		level;			/* of a first page: how many bits of a hash
								 * decide; 0 while the bucket is not in use */
	uint32		magic;
} IdemSlotsLink;

/* The fields of a row, in place. */
typedef struct IdemSlotRow
{
	HeapTupleHeader header;
	text	   *key;			/* with a long header */
	TimestampTz *expires_at;
	bytea	   *state;			/* NULL where there is none */
} IdemSlotRow;

/* true for each row that is to go, by its offset */
typedef bool IdemSlotsDrops[MaxHeapTuplesPerPage + 1];

extern void idem_slots_page_init(Page page, IdemSlotsPageKind kind, uint32 bucket,
								 int level, BlockNumber next);

/* Raises XX001 when the page is not one of ours. */
extern IdemSlotsLink *idem_slots_page_link(Page page);

/* the overflow page after this one, or InvalidBlockNumber */
extern BlockNumber idem_slots_page_next(Page page);

/* The row of this name, or InvalidOffsetNumber; and a gone one, likewise. */
extern OffsetNumber idem_slots_page_find(Page page, int natts, const text *key,
										 IdemSlotRow *row, OffsetNumber *gone);

/* Is there a row that is not gone at this offset?  If so, its fields. */
extern bool idem_slots_page_row(Page page, OffsetNumber offset, int natts,
								IdemSlotRow *row);

/* the same, also of a row that is gone */
extern bool idem_slots_page_place(Page page, OffsetNumber offset, int natts,
								  IdemSlotRow *row);
extern bool idem_slots_page_is_gone(Page page, OffsetNumber offset);

/* the bytes of the row's state, NULL and 0 where it has none */
extern const char *idem_slots_page_row_bytes(const IdemSlotRow *row);
extern Size idem_slots_page_row_room(const IdemSlotRow *row);

/* A row to be put on a page, of a table of two or three columns. */
extern HeapTuple idem_slots_page_row_form(TupleDesc desc, const text *key,
										  TimestampTz expires_at,
										  const char *state, Size size);

/* the size of the largest row that a page can hold */
extern Size idem_slots_page_largest_row(void);

/* ---- changes; the page is locked exclusively ---- */

/* Does a row of this many bytes fit, when so many more are won back? */
extern bool idem_slots_page_has_room(Page page, Size size, Size won_back);

/* Put a row on the page, and say where. */
extern OffsetNumber idem_slots_page_add(Page page, BlockNumber block, HeapTuple tuple);

extern void idem_slots_page_set_gone(Page page, OffsetNumber offset, bool is_gone);

/* Take rows off the page, and move the others together. */
extern void idem_slots_page_drop(Page page, const IdemSlotsDrops drops);

#endif							/* IDEM_SLOTS_PAGE_H */
