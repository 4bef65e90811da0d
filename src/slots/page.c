/*
 * page.c
 *		The pages of a table of slots, and changes to them.
 *
 * A scan that has a page pinned reads rows without a lock, as a heap scan
 * does.  So nothing on a page may move while another pin is there: a row is
 * overwritten at its own length, or marked as gone and added anew elsewhere.
 * Replay on a standby cannot know who has a page pinned there; so pages of a
 * logged table are never compacted, and only a rewrite wins their space back.
 */
#include "postgres.h"

#include "access/xloginsert.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/bufpage.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "slots/page.h"

#define SLOTS_MAGIC		0x1DE50107

/* what block 0 holds in its special space */
typedef struct SlotsMeta
{
	uint32		magic;
	uint32		nbuckets;
} SlotsMeta;

/* what every other page holds there */
typedef struct SlotsLink
{
	BlockNumber next;
	uint32		magic;
} SlotsLink;

#define PageLink(page)	((SlotsLink *) PageGetSpecialPointer(page))
#define PageMeta(page)	((SlotsMeta *) PageGetSpecialPointer(page))

static bool read_nbuckets(Relation rel, uint32 *nbuckets);
static Buffer new_page(Relation rel, BlockNumber block, BlockNumber nblocks);
static void start_page(Relation rel, Buffer buffer, Size special_size,
					   const void *special);
static bool has_varlena(const char *data, Size size, Size position);
static bool has_column(HeapTupleHeader header, int column);
static void require_plain_storage(TupleDesc desc);
static bool has_gone_rows(Page page);
static bool is_gone(HeapTupleHeader header);

uint32
idem_slots_page_nbuckets(Relation rel)
{
	uint32		nbuckets;

	if (rel->rd_amcache == NULL && read_nbuckets(rel, &nbuckets))
	{
		uint32	   *cache = MemoryContextAlloc(CacheMemoryContext, sizeof(uint32));

		*cache = nbuckets;
		rel->rd_amcache = cache;
	}
	return rel->rd_amcache == NULL ? 0 : *(uint32 *) rel->rd_amcache;
}

static bool
read_nbuckets(Relation rel, uint32 *nbuckets)
{
	Buffer		buffer;
	Page		page;
	bool		is_set_up;

	if (RelationGetNumberOfBlocks(rel) == 0)
		return false;
	buffer = ReadBuffer(rel, 0);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	is_set_up = !PageIsNew(page) &&
		PageGetSpecialSize(page) == MAXALIGN(sizeof(SlotsMeta)) &&
		PageMeta(page)->magic == SLOTS_MAGIC;
	if (is_set_up)
		*nbuckets = PageMeta(page)->nbuckets;
	UnlockReleaseBuffer(buffer);
	return is_set_up;
}

/* The first page comes last: with it the table is set up. */
void
idem_slots_page_set_up(Relation rel, uint32 nbuckets)
{
	SlotsMeta	meta = {SLOTS_MAGIC, nbuckets};
	SlotsLink	link = {InvalidBlockNumber, SLOTS_MAGIC};
	uint32		already;

	LockRelationForExtension(rel, ExclusiveLock);
	if (!read_nbuckets(rel, &already))
	{
		BlockNumber nblocks = RelationGetNumberOfBlocks(rel);
		Buffer		first = new_page(rel, 0, nblocks);
		BlockNumber block;

		LockBuffer(first, BUFFER_LOCK_UNLOCK);
		for (block = 1; block <= nbuckets; block++)
		{
			Buffer		buffer = new_page(rel, block, nblocks);

			start_page(rel, buffer, sizeof(link), &link);
			UnlockReleaseBuffer(buffer);
			CHECK_FOR_INTERRUPTS();
		}
		LockBuffer(first, BUFFER_LOCK_EXCLUSIVE);
		start_page(rel, first, sizeof(meta), &meta);
		UnlockReleaseBuffer(first);
	}
	UnlockRelationForExtension(rel, ExclusiveLock);
}

/* A zeroed page, locked; one that an interrupted set-up left is taken again. */
static Buffer
new_page(Relation rel, BlockNumber block, BlockNumber nblocks)
{
	return ReadBufferExtended(rel, MAIN_FORKNUM, block < nblocks ? block : P_NEW,
							  RBM_ZERO_AND_LOCK, NULL);
}

static void
start_page(Relation rel, Buffer buffer, Size special_size, const void *special)
{
	Page		page = BufferGetPage(buffer);

	START_CRIT_SECTION();
	PageInit(page, BufferGetPageSize(buffer), special_size);
	memcpy(PageGetSpecialPointer(page), special, special_size);
	MarkBufferDirty(buffer);
	if (RelationNeedsWAL(rel))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
}

BlockNumber
idem_slots_page_next(Page page)
{
	if (PageIsNew(page) || PageGetSpecialSize(page) != MAXALIGN(sizeof(SlotsLink)) ||
		PageLink(page)->magic != SLOTS_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a page of a table of slots is damaged"),
				 errhint("TRUNCATE the table; what it remembers is lost then.")));
	return PageLink(page)->next;
}

/* A page that a crash leaves unlinked stays unused until the next rewrite. */
Buffer
idem_slots_page_extend(Relation rel, Buffer bucket)
{
	SlotsLink	link = {idem_slots_page_next(BufferGetPage(bucket)), SLOTS_MAGIC};
	Buffer		buffer;
	IdemSlotsEdit edit;
	Page		page;

	LockRelationForExtension(rel, ExclusiveLock);
	buffer = ReadBufferExtended(rel, MAIN_FORKNUM, P_NEW, RBM_ZERO_AND_LOCK, NULL);
	UnlockRelationForExtension(rel, ExclusiveLock);
	start_page(rel, buffer, sizeof(link), &link);

	idem_slots_page_edit_begin(&edit, rel);
	page = idem_slots_page_edit_page(&edit, bucket);
	PageLink(page)->next = BufferGetBlockNumber(buffer);
	idem_slots_page_edit_end(&edit);
	return buffer;
}

/*
 * SQL can bring rows of any columns, when the table was altered before; what
 * is not formed as ours are is no row.
 */
bool
idem_slots_page_row(Page page, OffsetNumber offset, int natts, IdemSlotRow *row)
{
	ItemId		item = PageGetItemId(page, offset);
	Size		position;
	Size		size;
	char	   *data;

	if (!ItemIdIsNormal(item))
		return false;
	row->header = (HeapTupleHeader) PageGetItem(page, item);
	if (is_gone(row->header) || !has_column(row->header, 0) || !has_column(row->header, 1))
		return false;

	data = (char *) row->header + row->header->t_hoff;
	size = ItemIdGetLength(item) - row->header->t_hoff;
	if (!has_varlena(data, size, 0))
		return false;
	row->key = (text *) data;
	position = MAXALIGN(VARSIZE(data));
	if (position + sizeof(TimestampTz) > size)
		return false;
	row->expires_at = (TimestampTz *) (data + position);
	position += sizeof(TimestampTz);
	row->state = NULL;
	if (natts > 2 && has_column(row->header, 2))
	{
		if (!has_varlena(data, size, position))
			return false;
		row->state = (bytea *) (data + position);
	}
	return true;
}

/* Is there a value with a long header at this position, all of it? */
static bool
has_varlena(const char *data, Size size, Size position)
{
	return position + VARHDRSZ <= size && VARATT_IS_4B_U(data + position) &&
		VARSIZE(data + position) >= VARHDRSZ &&
		VARSIZE(data + position) <= size - position;
}

static bool
has_column(HeapTupleHeader header, int column)
{
	return HeapTupleHeaderGetNatts(header) > column &&
		((header->t_infomask & HEAP_HASNULL) == 0 || !att_isnull(column, header->t_bits));
}

const char *
idem_slots_page_row_bytes(const IdemSlotRow *row)
{
	return row->state == NULL ? NULL : VARDATA(row->state);
}

Size
idem_slots_page_row_room(const IdemSlotRow *row)
{
	return row->state == NULL ? 0 : VARSIZE(row->state) - VARHDRSZ;
}

/* Columns that were added and dropped again are NULL. */
HeapTuple
idem_slots_page_row_form(TupleDesc desc, const text *key, TimestampTz expires_at,
						 const char *state, Size size)
{
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *isnull = palloc(desc->natts * sizeof(bool));
	HeapTuple	tuple;

	require_plain_storage(desc);
	memset(isnull, true, desc->natts * sizeof(bool));
	values[0] = PointerGetDatum(cstring_to_text_with_len(VARDATA_ANY(key),
														 VARSIZE_ANY_EXHDR(key)));
	isnull[0] = false;
	values[1] = TimestampTzGetDatum(expires_at);
	isnull[1] = false;
	if (state != NULL)
	{
		values[2] = PointerGetDatum(cstring_to_text_with_len(state, size));
		isnull[2] = false;
	}
	tuple = heap_form_tuple(desc, values, isnull);
	pfree(DatumGetPointer(values[0]));
	if (state != NULL)
		pfree(DatumGetPointer(values[2]));
	pfree(values);
	pfree(isnull);
	HeapTupleHeaderSetXmin(tuple->t_data, FrozenTransactionId);
	HeapTupleHeaderSetXmax(tuple->t_data, InvalidTransactionId);
	HeapTupleHeaderSetCmin(tuple->t_data, FirstCommandId);
	tuple->t_data->t_infomask |= HEAP_XMIN_FROZEN | HEAP_XMAX_INVALID;
	return tuple;
}

/* A row is read in place, so its headers must be long ones. */
static void
require_plain_storage(TupleDesc desc)
{
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i);

		if (column->attlen == -1 && column->attstorage != TYPSTORAGE_PLAIN)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("column \"%s\" of a table of slots must have storage PLAIN",
							NameStr(column->attname)),
					 errhint("Undo the change.")));
	}
}

void
idem_slots_page_edit_begin(IdemSlotsEdit *edit, Relation rel)
{
	edit->xlog = RelationNeedsWAL(rel) ? GenericXLogStart(rel) : NULL;
	edit->nbuffers = 0;
}

Page
idem_slots_page_edit_page(IdemSlotsEdit *edit, Buffer buffer)
{
	if (edit->xlog != NULL)
		return GenericXLogRegisterBuffer(edit->xlog, buffer, 0);
	edit->buffers[edit->nbuffers++] = buffer;
	return BufferGetPage(buffer);
}

void
idem_slots_page_edit_end(IdemSlotsEdit *edit)
{
	int			i;

	if (edit->xlog != NULL)
		GenericXLogFinish(edit->xlog);
	for (i = 0; i < edit->nbuffers; i++)
		MarkBufferDirty(edit->buffers[i]);
}

void
idem_slots_page_add(Page page, BlockNumber block, HeapTuple tuple)
{
	OffsetNumber offset = PageAddItem(page, (void *) tuple->t_data, tuple->t_len,
									  InvalidOffsetNumber, false, true);
	HeapTupleHeader header;

	if (offset == InvalidOffsetNumber)
		elog(ERROR, "could not add a row to a page that has room");
	header = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, offset));
	ItemPointerSet(&header->t_ctid, block, offset);
}

void
idem_slots_page_remove(Page page, OffsetNumber offset)
{
	HeapTupleHeader header = (HeapTupleHeader) PageGetItem(page,
														   PageGetItemId(page, offset));

	header->t_infomask &= ~HEAP_XMIN_COMMITTED;
}

/* HEAP_XMIN_FROZEN is two bits, of which an aborted inserter leaves one. */
static bool
is_gone(HeapTupleHeader header)
{
	return (header->t_infomask & HEAP_XMIN_COMMITTED) == 0;
}

bool
idem_slots_page_has_room(Page page, Size size)
{
	return PageGetHeapFreeSpace(page) >= MAXALIGN(size);
}

void
idem_slots_page_compact(Relation rel, Buffer buffer)
{
	Page		page = BufferGetPage(buffer);
	OffsetNumber offset;

	if (RelationNeedsWAL(rel) || !has_gone_rows(page) || !IsBufferCleanupOK(buffer))
		return;

	START_CRIT_SECTION();
	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		ItemId		item = PageGetItemId(page, offset);

		if (ItemIdIsNormal(item) && is_gone((HeapTupleHeader) PageGetItem(page, item)))
			ItemIdSetUnused(item);
	}
	PageRepairFragmentation(page);
	MarkBufferDirty(buffer);
	END_CRIT_SECTION();
}

static bool
has_gone_rows(Page page)
{
	OffsetNumber offset;

	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		ItemId		item = PageGetItemId(page, offset);

		if (ItemIdIsNormal(item) && is_gone((HeapTupleHeader) PageGetItem(page, item)))
			return true;
	}
	return false;
}
