/*
 * split.c
 *		One bucket more.
 *
 * Copy, switch, forget: no bucket is ever seen half split, and after a crash
 * nothing is left that anybody must finish.
 *
 * The rows that belong to the new bucket are copied into its chain.  Nobody
 * computes that bucket yet, so this may take any number of records, and an
 * interrupted try is written over.  Then one record of three pages switches:
 * the levels of both buckets, and their number in block 0.  Then the old bucket
 * forgets the rows that moved.  After a crash before that, they are strays,
 * which no look-up visits and which everything else passes over.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "pg/attempt.h"
#include "slots/chain.h"
#include "slots/meta.h"
#include "slots/split.h"

/* in chains longer than these: split twice; thrice, and wait for who splits */
#define LONG_CHAIN		2
#define VERY_LONG_CHAIN	3

typedef struct Split
{
	Relation	rel;
	int			chain_length;	/* that the caller has met */
	uint32		from;
	uint32		to;
	int			level;			/* of both, when it is done */
	Buffer		first_from;
	Buffer		first_to;
	PGAlignedBlock *images;		/* what the new chain is to hold */
	int			nimages;
	BlockNumber segment_begin;	/* of one that is being made */
	uint32		segment;
} Split;

static void split_if_free(void *argument);
static bool get_right(Split *split);
static bool choose(Split *split);
static void stock_up(Split *split);
static bool make_segment(Split *split);
static bool split_one(Split *split);
static void lock_both(Split *split);
static void collect(Split *split);
static void collect_from_page(Split *split, Buffer buffer);
static bool is_row_of(const Split *split, uint32 bucket, Page page, OffsetNumber offset);
static void collect_row(Split *split, ItemId item, Page page);
static void start_image(Split *split);
static void copy(Split *split);
static void copy_page(Split *split, Buffer buffer, Page image);
static void add_rows(Page page, BlockNumber block, Page image);
static void switch_over(Split *split);
static void forget(Split *split);
static void forget_on_page(Split *split, Buffer buffer);
static void give_back_segment(void *argument);

void
idem_slots_split(Relation rel, int chain_length)
{
	Split		split = {.rel = rel, .chain_length = chain_length, .segment_begin = InvalidBlockNumber};
	ErrorData  *error = idem_attempt(split_if_free, &split);

	if (error == NULL)
		return;
	if (idem_attempt_is_intervention(error))
		ReThrowError(error);
	ereport(DEBUG1,
			(errcode(error->sqlerrcode),
			 errmsg("could not split a bucket of table \"%s\": %s",
					RelationGetRelationName(rel), error->message)));
	FreeErrorData(error);
	if (split.segment_begin != InvalidBlockNumber)
		(void) idem_attempt(give_back_segment, &split);
}

static void
split_if_free(void *argument)
{
	Split	   *split = argument;
	int			n = 1 + (split->chain_length > LONG_CHAIN) + (split->chain_length > VERY_LONG_CHAIN);
	int			i;

	if (!get_right(split))
		return;
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!choose(split))
			break;
		stock_up(split);
		while (!split_one(split))
			CHECK_FOR_INTERRUPTS();
	}
	UnlockPage(split->rel, IDEM_SLOTS_META_BLOCK, ExclusiveLock);
}

/*
 * When more add rows than one can split for, they have to wait for him, or
 * chains would become longer and longer.  He waits for none of them.
 */
static bool
get_right(Split *split)
{
	if (ConditionalLockPage(split->rel, IDEM_SLOTS_META_BLOCK, ExclusiveLock))
		return true;
	if (split->chain_length <= VERY_LONG_CHAIN)
		return false;
	LockPage(split->rel, IDEM_SLOTS_META_BLOCK, ExclusiveLock);
	return true;
}

/* Which bucket is next?  False when the map is full. */
static bool
choose(Split *split)
{
	const IdemSlotsMap *map = idem_slots_meta_read_map(split->rel);

	split->to = map->nbuckets;
	split->from = idem_slots_map_parent(split->to);
	split->level = idem_slots_map_level(split->to, split->to + 1);
	return idem_slots_map_segment(split->to) < map->nsegments || make_segment(split);
}

/*
 * Who finds no free page extends the file, and has a bucket locked meanwhile,
 * perhaps the one to be split next.  So there are to be some.
 */
static void
stock_up(Split *split)
{
	uint32		wanted = Min(split->to / 8, IDEM_SLOTS_MAX_EXTENSION);
	uint32		nfree = idem_slots_meta_nfree(split->rel);

	if (nfree < wanted)
		idem_slots_chain_stock(split->rel, wanted - nfree);
}

static bool
make_segment(Split *split)
{
	bool		is_made;

	split->segment = idem_slots_map_segment(split->to);
	is_made = idem_slots_meta_add_segment(split->rel, &split->segment_begin);
	split->segment_begin = InvalidBlockNumber;
	return is_made;
}

/*
 * False, with nothing changed, when the new chain had too few pages: it has as
 * many as it needed now.  They are found while nothing is locked that anybody
 * could wait for.
 */
static bool
split_one(Split *split)
{
	int			nmissing;
	bool		is_enough;

	lock_both(split);
	collect(split);
	nmissing = split->nimages - idem_slots_chain_length(split->rel, split->first_to);
	is_enough = nmissing <= 0;
	if (is_enough)
	{
		copy(split);
		switch_over(split);
		forget(split);
		idem_slots_chain_tidy(split->rel, split->first_to);
		idem_slots_chain_tidy(split->rel, split->first_from);
	}
	UnlockReleaseBuffer(split->first_from);
	for (; nmissing > 0; nmissing--)
		UnlockReleaseBuffer(idem_slots_chain_grow(split->rel, split->first_to));
	UnlockReleaseBuffer(split->first_to);
	pfree(split->images);
	return is_enough;
}

static void
lock_both(Split *split)
{
	const IdemSlotsMap *map = idem_slots_meta_map(split->rel);
	BlockNumber from = idem_slots_map_block(map, split->from);
	BlockNumber to = idem_slots_map_block(map, split->to);

	split->first_from = ReadBuffer(split->rel, from);
	split->first_to = ReadBuffer(split->rel, to);
	LockBuffer(split->first_from, BUFFER_LOCK_EXCLUSIVE);
	LockBuffer(split->first_to, BUFFER_LOCK_EXCLUSIVE);
}

/* Lay out the rows that move as pages of their own. */
static void
collect(Split *split)
{
	Buffer		buffer;

	split->images = NULL;
	split->nimages = 0;
	start_image(split);
	for (buffer = split->first_from; BufferIsValid(buffer);
		 buffer = idem_slots_chain_next(split->rel, split->first_from, buffer))
		collect_from_page(split, buffer);
}

static void
collect_from_page(Split *split, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	OffsetNumber offset;

	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (is_row_of(split, split->to, page, offset))
			collect_row(split, PageGetItemId(page, offset), page);
	}
}

/* Is there a row that belongs to this one of the two? */
static bool
is_row_of(const Split *split, uint32 bucket, Page page, OffsetNumber offset)
{
	int			natts = RelationGetNumberOfAttributes(split->rel);
	IdemSlotRow row;

	return idem_slots_page_row(page, offset, natts, &row) &&
		idem_slots_map_belongs(idem_slots_meta_hash(split->rel, row.key),
							   bucket, split->level);
}

static void
collect_row(Split *split, ItemId item, Page page)
{
	HeapTupleData tuple;
	int			i;

	tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
	tuple.t_len = ItemIdGetLength(item);
	for (i = 0; i < split->nimages; i++)
	{
		if (idem_slots_page_has_room(split->images[i].data, tuple.t_len, 0))
			break;
	}
	if (i == split->nimages)
		start_image(split);
	(void) idem_slots_page_add(split->images[i].data, InvalidBlockNumber, &tuple);
}

static void
start_image(Split *split)
{
	Size		size = (split->nimages + 1) * sizeof(PGAlignedBlock);

	split->images = split->images == NULL ? palloc(size) : repalloc(split->images, size);
	idem_slots_page_init(split->images[split->nimages++].data, IDEM_SLOTS_OVERFLOW,
						 split->to, 0, InvalidBlockNumber);
}

/* What pages the new chain has more become empty. */
static void
copy(Split *split)
{
	Buffer		buffer = split->first_to;
	int			i;

	for (i = 0; BufferIsValid(buffer); i++)
	{
		copy_page(split, buffer, i < split->nimages ? split->images[i].data : NULL);
		buffer = idem_slots_chain_next(split->rel, split->first_to, buffer);
	}
}

static void
copy_page(Split *split, Buffer buffer, Page image)
{
	bool		is_first = buffer == split->first_to;
	BlockNumber next = idem_slots_page_next(BufferGetPage(buffer));
	IdemSlotsEdit edit;
	Page		page;

	idem_slots_chain_lock(split->first_to, buffer);
	idem_slots_edit_begin(&edit, split->rel);
	if (!is_first)
		(void) idem_slots_edit_page(&edit, split->first_to);
	page = idem_slots_edit_new_page(&edit, buffer);
	idem_slots_page_init(page, is_first ? IDEM_SLOTS_FIRST : IDEM_SLOTS_OVERFLOW,
						 split->to, 0, next);
	if (image != NULL)
		add_rows(page, BufferGetBlockNumber(buffer), image);
	idem_slots_edit_end(&edit);
	idem_slots_chain_unlock(split->first_to, buffer);
}

static void
add_rows(Page page, BlockNumber block, Page image)
{
	OffsetNumber offset;

	for (offset = 1; offset <= PageGetMaxOffsetNumber(image); offset++)
	{
		ItemId		item = PageGetItemId(image, offset);
		HeapTupleData tuple;

		tuple.t_data = (HeapTupleHeader) PageGetItem(image, item);
		tuple.t_len = ItemIdGetLength(item);
		(void) idem_slots_page_add(page, block, &tuple);
	}
}

static void
switch_over(Split *split)
{
	Buffer		meta = idem_slots_meta_lock(split->rel, BUFFER_LOCK_EXCLUSIVE);
	IdemSlotsEdit edit;
	IdemSlotsLink *link;

	idem_slots_edit_begin(&edit, split->rel);
	link = idem_slots_page_link(idem_slots_edit_page(&edit, split->first_from));
	link->level = split->level;
	link->has_strays = true;
	link = idem_slots_page_link(idem_slots_edit_page(&edit, split->first_to));
	link->level = split->level;
	idem_slots_meta_of(idem_slots_edit_page(&edit, meta))->nbuckets = split->to + 1;
	idem_slots_edit_end(&edit);
	UnlockReleaseBuffer(meta);
}

static void
forget(Split *split)
{
	Buffer		buffer = split->first_from;

	while (BufferIsValid(buffer))
	{
		forget_on_page(split, buffer);
		buffer = idem_slots_chain_next(split->rel, split->first_from, buffer);
	}
}

/*
 * Whatever does not belong here goes, also what an earlier split has left, so
 * that there are no strays when the last page is done.
 */
static void
forget_on_page(Split *split, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	bool		is_last = idem_slots_page_next(page) == InvalidBlockNumber;
	IdemSlotsEdit edit;
	IdemSlotsDrops drops;
	OffsetNumber offset;
	IdemSlotsLink *link;

	memset(drops, false, sizeof(drops));
	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
		drops[offset] = ItemIdIsNormal(PageGetItemId(page, offset)) &&
			!is_row_of(split, split->from, page, offset);

	idem_slots_chain_lock(split->first_from, buffer);
	idem_slots_edit_begin(&edit, split->rel);
	link = idem_slots_page_link(idem_slots_edit_page(&edit, split->first_from));
	link->has_strays &= !is_last;
	idem_slots_page_drop(idem_slots_edit_page(&edit, buffer), drops);
	idem_slots_edit_end(&edit);
	idem_slots_chain_unlock(split->first_from, buffer);
}

/* What was made of a segment serves as free pages; nothing else leads there. */
static void
give_back_segment(void *argument)
{
	Split	   *split = argument;
	uint32		bucket = idem_slots_map_segment_begin(split->segment);
	BlockNumber nblocks = RelationGetNumberOfBlocks(split->rel);
	BlockNumber block;
	bool		is_ours = true;

	for (block = split->segment_begin; is_ours && block < nblocks; block++)
	{
		Buffer		buffer = ReadBuffer(split->rel, block);
		Page		page = BufferGetPage(buffer);

		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		is_ours = !PageIsNew(page) &&
			idem_slots_page_link(page)->kind == IDEM_SLOTS_FIRST &&
			idem_slots_page_link(page)->bucket == bucket++;
		if (is_ours)
			idem_slots_chain_give_back(split->rel, buffer);
		UnlockReleaseBuffer(buffer);
	}
}
