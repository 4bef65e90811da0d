/*
 * page.c
 *		The pages of a table of slots, and the rows on them.
 *
 * What changes a page works on a copy that is about to be logged, or on the
 * page itself: it must not fail half-way.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "slots/page.h"

#define LINK_MAGIC		0x1DE50301

#define PageLink(page)	((IdemSlotsLink *) PageGetSpecialPointer(page))

/* A name that is looked for, so that other ones are told from it at once. */
typedef struct WantedName
{
	const char *bytes;
	Size		size;
	uint32		header;			/* as it is in a row */
	uint32		ending;			/* in which names that begin alike differ */
} WantedName;

static inline WantedName name_of(const text *key);
static inline uint32 ending_of(const char *bytes, Size size);
static inline bool has_name(Page page, ItemId item, const WantedName *name);
static bool has_varlena(const char *data, Size size, Size position);
static bool has_column(HeapTupleHeader header, int column);
static void require_plain_storage(TupleDesc desc);
static bool is_gone(HeapTupleHeader header);

void
idem_slots_page_init(Page page, IdemSlotsPageKind kind, uint32 bucket, int level,
					 BlockNumber next)
{
	IdemSlotsLink *link;

	PageInit(page, BLCKSZ, sizeof(IdemSlotsLink));
	link = PageLink(page);
	link->next = next;
	link->bucket = bucket;
	link->kind = kind;
	link->has_strays = false;
	link->level = level;
	link->magic = LINK_MAGIC;
}

IdemSlotsLink *
idem_slots_page_link(Page page)
{
	if (PageIsNew(page) || PageGetSpecialSize(page) != MAXALIGN(sizeof(IdemSlotsLink)) ||
		PageLink(page)->magic != LINK_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a page of a table of slots is damaged"),
				 errhint("TRUNCATE the table; what it remembers is lost then.")));
	return PageLink(page);
}

BlockNumber
idem_slots_page_next(Page page)
{
	return idem_slots_page_link(page)->next;
}

OffsetNumber
idem_slots_page_find(Page page, int natts, const text *key, IdemSlotRow *row,
					 OffsetNumber *gone)
{
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	WantedName	name = name_of(key);
	OffsetNumber offset;

	*gone = InvalidOffsetNumber;
	for (offset = 1; offset <= last; offset++)
	{
		if (!has_name(page, PageGetItemId(page, offset), &name) ||
			!idem_slots_page_place(page, offset, natts, row))
			continue;
		if (!is_gone(row->header))
			return offset;
		*gone = offset;
	}
	return InvalidOffsetNumber;
}

static inline WantedName
name_of(const text *key)
{
	WantedName	name = {.bytes = VARDATA_ANY(key), .size = VARSIZE_ANY_EXHDR(key)};

	SET_VARSIZE(&name.header, VARHDRSZ + name.size);
	name.ending = ending_of(name.bytes, name.size);
	return name;
}

static inline uint32
ending_of(const char *bytes, Size size)
{
	uint32		ending = 0;

	if (size >= sizeof(ending))
		memcpy(&ending, bytes + size - sizeof(ending), sizeof(ending));
	return ending;
}

/* a look at the name alone, which nearly all rows of a page get */
static inline bool
has_name(Page page, ItemId item, const WantedName *name)
{
	HeapTupleHeader header;
	const char *data;
	uint32		length;

	if (!ItemIdIsNormal(item))
		return false;
	header = (HeapTupleHeader) ((char *) page + ItemIdGetOffset(item));
	if (header->t_hoff + VARHDRSZ + name->size > ItemIdGetLength(item))
		return false;
	data = (const char *) header + header->t_hoff;
	memcpy(&length, data, sizeof(length));
	return length == name->header && ending_of(data + VARHDRSZ, name->size) == name->ending &&
		memcmp(data + VARHDRSZ, name->bytes, name->size) == 0;
}

bool
idem_slots_page_row(Page page, OffsetNumber offset, int natts, IdemSlotRow *row)
{
	return !idem_slots_page_is_gone(page, offset) &&
		idem_slots_page_place(page, offset, natts, row);
}

/*
 * SQL can bring rows of any columns, when the table was altered before; what
 * is not formed as ours are is no row.
 */
bool
idem_slots_page_place(Page page, OffsetNumber offset, int natts, IdemSlotRow *row)
{
	ItemId		item = PageGetItemId(page, offset);
	Size		position;
	Size		size;
	char	   *data;

	if (!ItemIdIsNormal(item))
		return false;
	row->header = (HeapTupleHeader) PageGetItem(page, item);
	if (!has_column(row->header, 0) || !has_column(row->header, 1))
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

bool
idem_slots_page_is_gone(Page page, OffsetNumber offset)
{
	ItemId		item = PageGetItemId(page, offset);

	return !ItemIdIsNormal(item) || is_gone((HeapTupleHeader) PageGetItem(page, item));
}

/* HEAP_XMIN_FROZEN is two bits, of which an aborted inserter leaves one. */
static bool
is_gone(HeapTupleHeader header)
{
	return (header->t_infomask & HEAP_XMIN_COMMITTED) == 0;
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

	/* not what a value of a composite type has there */
	tuple->t_data->t_infomask &= ~HEAP_XACT_MASK;
	tuple->t_data->t_infomask2 &= ~HEAP2_XACT_MASK;
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

Size
idem_slots_page_largest_row(void)
{
	return MAXALIGN_DOWN(BLCKSZ - SizeOfPageHeaderData - sizeof(ItemIdData) -
						 MAXALIGN(sizeof(IdemSlotsLink)));
}

bool
idem_slots_page_has_room(Page page, Size size, Size won_back)
{
	if (won_back == 0)
		return PageGetHeapFreeSpace(page) >= MAXALIGN(size);
	return PageGetExactFreeSpace(page) + won_back >= MAXALIGN(size) + sizeof(ItemIdData);
}

OffsetNumber
idem_slots_page_add(Page page, BlockNumber block, HeapTuple tuple)
{
	OffsetNumber offset = PageAddItem(page, (void *) tuple->t_data, tuple->t_len,
									  InvalidOffsetNumber, false, true);
	HeapTupleHeader header;

	if (offset == InvalidOffsetNumber)
		elog(ERROR, "could not add a row to a page that has room");
	header = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, offset));
	ItemPointerSet(&header->t_ctid, block, offset);
	return offset;
}

void
idem_slots_page_set_gone(Page page, OffsetNumber offset, bool is_gone)
{
	HeapTupleHeader header = (HeapTupleHeader) PageGetItem(page,
														   PageGetItemId(page, offset));

	if (is_gone)
		header->t_infomask &= ~HEAP_XMIN_COMMITTED;
	else
		header->t_infomask |= HEAP_XMIN_COMMITTED;
}

void
idem_slots_page_drop(Page page, const IdemSlotsDrops drops)
{
	OffsetNumber offset;

	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		if (drops[offset])
			ItemIdSetUnused(PageGetItemId(page, offset));
	}
	PageRepairFragmentation(page);
}
