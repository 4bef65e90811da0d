/*
 * fill.c
 *		Rows that SQL brings, and tables that are written anew.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "slots/fill.h"
#include "slots/list.h"
#include "slots/map.h"
#include "slots/meta.h"
#include "slots/slots.h"

/* how full pages are when a table was written anew, in hundredths */
#define FILL_PERCENT	60

static void insert(Relation rel, const text *key, TimestampTz expires_at,
				   const char *state, Size size);
static int64 live_bytes(Relation rel, TimestampTz now);
static uint32 buckets_for(int64 bytes);

void
idem_slots_fill_insert(Relation rel, const text *key, TimestampTz expires_at,
					   const bytea *state)
{
	Size		size = state == NULL ? 0 : VARSIZE_ANY_EXHDR(state);

	if (MAXALIGN(SizeofHeapTupleHeader) + MAXALIGN(VARHDRSZ + VARSIZE_ANY_EXHDR(key)) +
		sizeof(TimestampTz) + VARHDRSZ + size > idem_slots_page_largest_row())
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("row is too large for table \"%s\"", RelationGetRelationName(rel))));
	insert(rel, key, expires_at, state == NULL ? NULL : VARDATA_ANY(state), size);
}

static void
insert(Relation rel, const text *key, TimestampTz expires_at, const char *state,
	   Size size)
{
	IdemSlots	slots;
	IdemSlot	slot;
	bool		is_there;

	idem_slots_open(&slots, rel, RowExclusiveLock);
	idem_slots_lock(&slots, key, &slot);
	is_there = idem_slots_is_there(&slot);
	if (!is_there)
		idem_slots_write(&slots, &slot, expires_at, state, size);
	idem_slots_unlock(&slot);
	idem_slots_grow(&slots);
	if (is_there)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("duplicate key in table \"%s\"", RelationGetRelationName(rel))));
}

void
idem_slots_fill_rehash(Relation old, Relation new, TimestampTz now,
					   double *copied, double *left_behind)
{
	IdemSlotsList list;
	IdemSlotRow row;

	*copied = *left_behind = 0;
	if (RelationGetNumberOfBlocks(old) == 0)
		return;
	idem_slots_meta_set_up(new, buckets_for(live_bytes(old, now)));
	idem_slots_list_begin(&list, old);
	while (idem_slots_list_next(&list, &row) != NULL)
	{
		if (*row.expires_at <= now)
		{
			*left_behind += 1;
			continue;
		}
		insert(new, row.key, *row.expires_at, idem_slots_page_row_bytes(&row),
			   idem_slots_page_row_room(&row));
		*copied += 1;
	}
	idem_slots_list_end(&list);
}

static int64
live_bytes(Relation rel, TimestampTz now)
{
	IdemSlotsList list;
	IdemSlotRow row;
	HeapTuple	tuple;
	int64		bytes = 0;

	idem_slots_list_begin(&list, rel);
	while ((tuple = idem_slots_list_next(&list, &row)) != NULL)
	{
		if (*row.expires_at > now)
			bytes += MAXALIGN(tuple->t_len) + sizeof(ItemIdData);
	}
	idem_slots_list_end(&list);
	return bytes;
}

static uint32
buckets_for(int64 bytes)
{
	int64		per_bucket = (int64) idem_slots_page_largest_row() * FILL_PERCENT / 100;
	int64		most = idem_slots_map_segment_begin(IDEM_SLOTS_MAX_SEGMENTS);

	return (uint32) Min(Max(bytes / per_bucket + 1, IDEM_SLOTS_FIRST_BUCKETS), most);
}

double
idem_slots_fill_count(Relation rel)
{
	IdemSlotsList list;
	IdemSlotRow row;
	double		nrows = 0;

	idem_slots_list_begin(&list, rel);
	while (idem_slots_list_next(&list, &row) != NULL)
		nrows += 1;
	idem_slots_list_end(&list);
	return nrows;
}
