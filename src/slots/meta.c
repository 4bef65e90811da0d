/*
 * meta.c
 *		Block 0 of a table of slots: its key, its buckets, its free pages.
 *
 * The lock on block 0 is the last that anybody takes, and he who has it takes
 * no other but that of a page which it is alone to lead to.  The lock for
 * extending the file is as late, and never held together with it, but by
 * who sets the table up: before that there is no bucket to come from.
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "slots/meta.h"
#include "slots/page.h"
#include "slots/siphash.h"

#define META_MAGIC			0x1DE50300
#define META_VERSION		2

/* what the format before this one had there */
#define FORMER_MAGIC		0x1DE50107

#define MetaOf(page)		((IdemSlotsMeta *) PageGetSpecialPointer(page))

typedef enum Format
{
	NOT_SET_UP,
	FORMER,
	OF_LATER,
	OURS
} Format;

StaticAssertDecl(MAXALIGN(sizeof(IdemSlotsMeta)) + SizeOfPageHeaderData < BLCKSZ,
				 "block 0 has room for all segments");

static Format format_of(Relation rel);
static Format format_of_page(Page page);
static bool is_set_up(Relation rel);
static void make_segment(Relation rel, uint32 segment, uint32 nbuckets,
						 BlockNumber begin, BlockNumber nblocks);
static Buffer new_page(Relation rel, BlockNumber block, BlockNumber nblocks);
static void log_page(Relation rel, Buffer buffer);
static void begin_meta(Relation rel, Buffer buffer, uint32 nbuckets);

const IdemSlotsMap *
idem_slots_meta_map(Relation rel)
{
	if (rel->rd_amcache != NULL)
		return rel->rd_amcache;
	return idem_slots_meta_read_map(rel);
}

const IdemSlotsMap *
idem_slots_meta_read_map(Relation rel)
{
	IdemSlotsMap *map;
	IdemSlotsMeta *meta;
	Buffer		buffer;

	if (rel->rd_amcache == NULL && !is_set_up(rel))
		return NULL;
	map = MemoryContextAlloc(CacheMemoryContext,
							 offsetof(IdemSlotsMap, segments) +
							 IDEM_SLOTS_MAX_SEGMENTS * sizeof(BlockNumber));
	buffer = idem_slots_meta_lock(rel, BUFFER_LOCK_SHARE);
	meta = idem_slots_meta_of(BufferGetPage(buffer));
	memcpy(map->key, meta->key, sizeof(map->key));
	map->nbuckets = meta->nbuckets;
	map->nsegments = meta->nsegments;
	memcpy(map->segments, meta->segments, map->nsegments * sizeof(BlockNumber));
	UnlockReleaseBuffer(buffer);

	idem_slots_meta_forget_map(rel);
	rel->rd_amcache = repalloc(map, offsetof(IdemSlotsMap, segments) +
							   map->nsegments * sizeof(BlockNumber));
	return rel->rd_amcache;
}

void
idem_slots_meta_forget_map(Relation rel)
{
	if (rel->rd_amcache != NULL)
		pfree(rel->rd_amcache);
	rel->rd_amcache = NULL;
}

uint64
idem_slots_meta_hash(Relation rel, const text *key)
{
	return idem_slots_siphash(idem_slots_meta_map(rel)->key, VARDATA_ANY(key),
							  VARSIZE_ANY_EXHDR(key));
}

static Format
format_of(Relation rel)
{
	Format		format;
	Buffer		buffer;

	if (RelationGetNumberOfBlocks(rel) == 0)
		return NOT_SET_UP;
	buffer = ReadBuffer(rel, IDEM_SLOTS_META_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	format = format_of_page(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	return format;
}

static Format
format_of_page(Page page)
{
	uint32		magic;

	if (PageIsNew(page) || PageGetSpecialSize(page) < sizeof(magic))
		return NOT_SET_UP;
	magic = *(uint32 *) PageGetSpecialPointer(page);
	if (magic == FORMER_MAGIC)
		return FORMER;
	if (magic != META_MAGIC)
		return NOT_SET_UP;
	return MetaOf(page)->version == META_VERSION ? OURS : OF_LATER;
}

bool
idem_slots_meta_is_former(Relation rel)
{
	return rel->rd_amcache == NULL && format_of(rel) == FORMER;
}

static bool
is_set_up(Relation rel)
{
	Format		format = format_of(rel);

	if (format == FORMER)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is of an earlier version of idemstore",
						RelationGetRelationName(rel)),
				 errhint("Run ALTER EXTENSION idemstore UPDATE.")));
	if (format == OF_LATER)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is of a later version of idemstore",
						RelationGetRelationName(rel)),
				 errhint("Install the library of that version.")));
	return format == OURS;
}

Buffer
idem_slots_meta_lock(Relation rel, int mode)
{
	Buffer		buffer = ReadBuffer(rel, IDEM_SLOTS_META_BLOCK);

	LockBuffer(buffer, mode);
	return buffer;
}

IdemSlotsMeta *
idem_slots_meta_of(Page page)
{
	if (format_of_page(page) != OURS)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("block 0 of a table of slots is damaged"),
				 errhint("TRUNCATE the table; what it remembers is lost then.")));
	return MetaOf(page);
}

/*
 * Block 0 comes last: with it the table is set up.  Whoever is interrupted in
 * setting up a large one loses nothing, and the next begins anew.
 */
void
idem_slots_meta_set_up(Relation rel, uint32 nbuckets)
{
	LockRelationForExtension(rel, ExclusiveLock);
	if (format_of(rel) == NOT_SET_UP)
	{
		BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
		uint32		last = idem_slots_map_segment(nbuckets - 1);
		Buffer		first = new_page(rel, IDEM_SLOTS_META_BLOCK, nblocks);
		uint32		i;

		LockBuffer(first, BUFFER_LOCK_UNLOCK);
		for (i = 0; i <= last; i++)
		{
			make_segment(rel, i, nbuckets, 1 + idem_slots_map_segment_begin(i), nblocks);
			if (i < last)
				CHECK_FOR_INTERRUPTS();
		}
		LockBuffer(first, BUFFER_LOCK_EXCLUSIVE);
		begin_meta(rel, first, nbuckets);
		UnlockReleaseBuffer(first);
	}
	UnlockRelationForExtension(rel, ExclusiveLock);
}

static void
make_segment(Relation rel, uint32 segment, uint32 nbuckets, BlockNumber begin,
			 BlockNumber nblocks)
{
	uint32		first = idem_slots_map_segment_begin(segment);
	uint32		size = idem_slots_map_segment_size(segment);
	uint32		i;

	for (i = 0; i < size; i++)
	{
		uint32		bucket = first + i;
		Buffer		buffer = new_page(rel, begin + i, nblocks);

		START_CRIT_SECTION();
		idem_slots_page_init(BufferGetPage(buffer), IDEM_SLOTS_FIRST, bucket,
							 bucket < nbuckets ? idem_slots_map_level(bucket, nbuckets) : 0,
							 InvalidBlockNumber);
		log_page(rel, buffer);
		END_CRIT_SECTION();
		UnlockReleaseBuffer(buffer);
	}
}

/* A zeroed page, locked; one that an interrupted set-up left is taken again. */
static Buffer
new_page(Relation rel, BlockNumber block, BlockNumber nblocks)
{
	return ReadBufferExtended(rel, MAIN_FORKNUM, block < nblocks ? block : P_NEW,
							  RBM_ZERO_AND_LOCK, NULL);
}

static void
log_page(Relation rel, Buffer buffer)
{
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		log_newpage_buffer(buffer, true);
}

static void
begin_meta(Relation rel, Buffer buffer, uint32 nbuckets)
{
	Page		page = BufferGetPage(buffer);
	IdemSlotsMeta *meta;
	uint64		key[2];
	uint32		i;

	if (!pg_strong_random(key, sizeof(key)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	START_CRIT_SECTION();
	PageInit(page, BLCKSZ, sizeof(IdemSlotsMeta));
	meta = MetaOf(page);
	meta->magic = META_MAGIC;
	meta->version = META_VERSION;
	memcpy(meta->key, key, sizeof(key));
	meta->nbuckets = nbuckets;
	meta->nsegments = idem_slots_map_segment(nbuckets - 1) + 1;
	meta->free = InvalidBlockNumber;
	for (i = 0; i < meta->nsegments; i++)
		meta->segments[i] = 1 + idem_slots_map_segment_begin(i);
	log_page(rel, buffer);
	END_CRIT_SECTION();
}

bool
idem_slots_meta_add_segment(Relation rel, BlockNumber *begin)
{
	const IdemSlotsMap *map = idem_slots_meta_map(rel);
	uint32		segment = map->nsegments;
	IdemSlotsEdit edit;
	IdemSlotsMeta *meta;
	Buffer		buffer;

	if (segment == IDEM_SLOTS_MAX_SEGMENTS)
		return false;
	LockRelationForExtension(rel, ExclusiveLock);
	*begin = RelationGetNumberOfBlocks(rel);
	make_segment(rel, segment, 0, *begin, *begin);
	UnlockRelationForExtension(rel, ExclusiveLock);

	buffer = idem_slots_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE);
	idem_slots_edit_begin(&edit, rel);
	meta = idem_slots_meta_of(idem_slots_edit_page(&edit, buffer));
	meta->segments[segment] = *begin;
	meta->nsegments = segment + 1;
	idem_slots_edit_end(&edit);
	UnlockReleaseBuffer(buffer);
	(void) idem_slots_meta_read_map(rel);
	return true;
}

int
idem_slots_meta_extend(Relation rel, Buffer pages[IDEM_SLOTS_MAX_EXTENSION],
					   int npages, bool waits)
{
	int			i;

	if (!ConditionalLockRelationForExtension(rel, ExclusiveLock))
	{
		LockRelationForExtension(rel, ExclusiveLock);
		if (!waits)
		{
			UnlockRelationForExtension(rel, ExclusiveLock);
			return 0;
		}
	}
	npages = Max(npages, 1 + RelationExtensionLockWaiterCount(rel));
	npages = Min(npages, IDEM_SLOTS_MAX_EXTENSION);
	for (i = 0; i < npages; i++)
		pages[i] = new_page(rel, P_NEW, 0);
	UnlockRelationForExtension(rel, ExclusiveLock);
	return npages;
}

uint32
idem_slots_meta_nfree(Relation rel)
{
	Buffer		buffer = idem_slots_meta_lock(rel, BUFFER_LOCK_SHARE);
	uint32		nfree = idem_slots_meta_of(BufferGetPage(buffer))->nfree;

	UnlockReleaseBuffer(buffer);
	return nfree;
}

IdemSlotsHand
idem_slots_meta_hand(Relation rel)
{
	Buffer		buffer = idem_slots_meta_lock(rel, BUFFER_LOCK_SHARE);
	IdemSlotsHand hand = idem_slots_meta_of(BufferGetPage(buffer))->hand;

	UnlockReleaseBuffer(buffer);
	return hand;
}

void
idem_slots_meta_set_hand(Relation rel, const IdemSlotsHand *hand)
{
	Buffer		buffer = idem_slots_meta_lock(rel, BUFFER_LOCK_EXCLUSIVE);
	IdemSlotsEdit edit;

	idem_slots_edit_begin(&edit, rel);
	idem_slots_meta_of(idem_slots_edit_page(&edit, buffer))->hand = *hand;
	idem_slots_edit_end(&edit);
	UnlockReleaseBuffer(buffer);
}
