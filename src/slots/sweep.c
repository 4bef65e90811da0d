/*
 * sweep.c
 *		Removing the rows that mean nothing any more.
 *
 * A run goes on where the last one ended, and ends after so many rows or pages,
 * so that it costs about what it removes, however large the table is.  A
 * bucket is looked at under a share lock, and locked exclusively only where
 * there is something to do.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/rel.h"

#include "slots/chain.h"
#include "slots/meta.h"
#include "slots/sweep.h"

/* what a run looks at, at most, but for the last bucket's end */
#define MAX_PAGES		1000

typedef struct Sweep
{
	Relation	rel;
	TimestampTz now;
	int64		max_rows;
	int64		removed;
	int			npages;
	IdemSlotsHand hand;
} Sweep;

/* what a look at a bucket finds */
typedef struct Look
{
	int			npages;
	bool		has_useless;
	Size		live_bytes;
} Look;

static bool visit_bucket(Sweep *sweep, uint32 bucket);
static void look_at(const Sweep *sweep, Buffer first, Look *look);
static void look_at_page(const Sweep *sweep, Page page, Look *look);
static bool is_loose(const Look *look);
static bool clean(Sweep *sweep, Buffer first);
static bool clean_page(Sweep *sweep, Buffer first, Buffer buffer);
static void drop(Sweep *sweep, Buffer first, Buffer buffer, const IdemSlotsDrops drops);
static void clear_strays(Sweep *sweep, Buffer first);
static void move_hand(Sweep *sweep, uint32 nbuckets);

void
idem_slots_sweep(Relation rel, TimestampTz now, int64 max_rows, IdemSlotsSwept *swept)
{
	Sweep		sweep = {.rel = rel, .now = now, .max_rows = max_rows};

	memset(swept, 0, sizeof(IdemSlotsSwept));
	if (idem_slots_meta_map(rel) == NULL)
		return;
	swept->nbuckets = idem_slots_meta_read_map(rel)->nbuckets;
	sweep.hand = idem_slots_meta_hand(rel);
	while (swept->visited < swept->nbuckets && sweep.npages < MAX_PAGES &&
		   sweep.removed < max_rows)
	{
		CHECK_FOR_INTERRUPTS();
		if (!visit_bucket(&sweep, sweep.hand.bucket % swept->nbuckets))
			break;
		swept->visited++;
		move_hand(&sweep, swept->nbuckets);
	}
	swept->removed = sweep.removed;
	idem_slots_meta_set_hand(rel, &sweep.hand);
}

/* Is the bucket done with? */
static bool
visit_bucket(Sweep *sweep, uint32 bucket)
{
	const IdemSlotsMap *map = idem_slots_meta_map(sweep->rel);
	Buffer		first = ReadBuffer(sweep->rel, idem_slots_map_block(map, bucket));
	Look		look = {0};
	bool		is_done = true;

	LockBuffer(first, BUFFER_LOCK_SHARE);
	look_at(sweep, first, &look);
	LockBuffer(first, BUFFER_LOCK_UNLOCK);
	sweep->npages += look.npages;
	sweep->hand.longest = Max(sweep->hand.longest, look.npages);
	if (look.has_useless || is_loose(&look))
	{
		LockBuffer(first, BUFFER_LOCK_EXCLUSIVE);
		is_done = clean(sweep, first);
		idem_slots_chain_tidy(sweep->rel, first);
		LockBuffer(first, BUFFER_LOCK_UNLOCK);
	}
	ReleaseBuffer(first);
	return is_done;
}

static void
look_at(const Sweep *sweep, Buffer first, Look *look)
{
	Buffer		buffer;

	look->has_useless = idem_slots_page_link(BufferGetPage(first))->has_strays;
	for (buffer = first; BufferIsValid(buffer);
		 buffer = idem_slots_chain_next(sweep->rel, first, buffer))
	{
		look->npages++;
		look_at_page(sweep, BufferGetPage(buffer), look);
	}
}

static void
look_at_page(const Sweep *sweep, Page page, Look *look)
{
	int			natts = RelationGetNumberOfAttributes(sweep->rel);
	OffsetNumber offset;
	IdemSlotRow row;

	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (!idem_slots_page_row(page, offset, natts, &row))
			continue;
		look->has_useless |= *row.expires_at <= sweep->now;
		look->live_bytes += MAXALIGN(ItemIdGetLength(PageGetItemId(page, offset))) +
			sizeof(ItemIdData);
	}
}

/* Would what is live leave a page empty, with a quarter of the others to spare? */
static bool
is_loose(const Look *look)
{
	return look->npages > 1 &&
		look->live_bytes < (look->npages - 1) * (idem_slots_page_largest_row() / 4 * 3);
}

/* False when max_rows were removed before the end. */
static bool
clean(Sweep *sweep, Buffer first)
{
	Buffer		buffer;

	for (buffer = first; BufferIsValid(buffer);
		 buffer = idem_slots_chain_next(sweep->rel, first, buffer))
	{
		if (!clean_page(sweep, first, buffer))
		{
			if (buffer != first)
				ReleaseBuffer(buffer);
			return false;
		}
	}
	if (idem_slots_page_link(BufferGetPage(first))->has_strays)
		clear_strays(sweep, first);
	return true;
}

static bool
clean_page(Sweep *sweep, Buffer first, Buffer buffer)
{
	int			natts = RelationGetNumberOfAttributes(sweep->rel);
	Page		page = BufferGetPage(buffer);
	IdemSlotsDrops drops;
	bool		has_drops = false;
	bool		is_done = true;
	OffsetNumber offset;
	IdemSlotRow row;

	memset(drops, false, sizeof(drops));
	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (!ItemIdIsNormal(PageGetItemId(page, offset)))
			continue;
		drops[offset] = idem_slots_page_is_gone(page, offset) ||
			(idem_slots_page_row(page, offset, natts, &row) &&
			 idem_slots_chain_is_stray(sweep->rel, first, &row));
		if (!drops[offset] && idem_slots_page_row(page, offset, natts, &row) &&
			*row.expires_at <= sweep->now)
		{
			drops[offset] = sweep->removed < sweep->max_rows;
			is_done &= drops[offset];
			sweep->removed += drops[offset];
		}
		has_drops |= drops[offset];
	}
	if (has_drops)
		drop(sweep, first, buffer, drops);
	return is_done;
}

static void
drop(Sweep *sweep, Buffer first, Buffer buffer, const IdemSlotsDrops drops)
{
	IdemSlotsEdit edit;

	idem_slots_chain_lock(first, buffer);
	idem_slots_edit_begin(&edit, sweep->rel);
	(void) idem_slots_edit_page(&edit, first);
	idem_slots_page_drop(idem_slots_edit_page(&edit, buffer), drops);
	idem_slots_edit_end(&edit);
	idem_slots_chain_unlock(first, buffer);
}

static void
clear_strays(Sweep *sweep, Buffer first)
{
	IdemSlotsEdit edit;

	idem_slots_edit_begin(&edit, sweep->rel);
	idem_slots_page_link(idem_slots_edit_page(&edit, first))->has_strays = false;
	idem_slots_edit_end(&edit);
}

static void
move_hand(Sweep *sweep, uint32 nbuckets)
{
	sweep->hand.bucket = (sweep->hand.bucket + 1) % nbuckets;
	if (sweep->hand.bucket == 0)
	{
		sweep->hand.longest_before = sweep->hand.longest;
		sweep->hand.longest = 0;
	}
}

int
idem_slots_sweep_longest_chain(Relation rel)
{
	IdemSlotsHand hand;

	if (idem_slots_meta_map(rel) == NULL)
		return 0;
	hand = idem_slots_meta_hand(rel);
	return Max(hand.longest, hand.longest_before);
}
