/*
 * room.c
 *		Room for a row in its bucket.
 *
 * Where a page is full, rows that are gone or expired make way; but no row, and
 * no place, that the same call has found and is going to write to.
 */
#include "postgres.h"

#include "utils/rel.h"

#include "pg/clock.h"
#include "slots/chain.h"
#include "slots/room.h"

/* a page, and what must leave it */
typedef struct Room
{
	Buffer		page;
	bool		is_behind;		/* the page of the row that is replaced */
	bool		has_drops;
	IdemSlotsDrops drops;
} Room;

static bool find_where_it_lay(const IdemSlots *slots, const IdemSlot *slot, Size size,
							  Room *room);
static void find_in_chain(IdemSlots *slots, const IdemSlot *slot, Size size, Room *room);
static bool fits(const IdemSlots *slots, const IdemSlot *slot, Size size, Size own,
				 Room *room);
static Size choose_drops(const IdemSlots *slots, const IdemSlot *slot, Room *room);
static bool is_needed(const IdemSlots *slots, Buffer buffer, OffsetNumber offset);
static bool is_useless(const IdemSlots *slots, const IdemSlot *slot, Page page,
					   OffsetNumber offset, TimestampTz now);
static void put_where_it_lay(IdemSlots *slots, IdemSlot *slot, Room *room,
							 HeapTuple tuple);
static void put_elsewhere(IdemSlots *slots, IdemSlot *slot, Room *room, HeapTuple tuple);
static Page make_way(IdemSlotsEdit *edit, const IdemSlot *slot, const Room *room);

void
idem_slots_room_put(IdemSlots *slots, IdemSlot *slot, HeapTuple tuple, bool is_gone)
{
	Room		room;

	if (is_gone)
		tuple->t_data->t_infomask &= ~HEAP_XMIN_COMMITTED;
	if (find_where_it_lay(slots, slot, tuple->t_len, &room))
		put_where_it_lay(slots, slot, &room, tuple);
	else
	{
		find_in_chain(slots, slot, tuple->t_len, &room);
		put_elsewhere(slots, slot, &room, tuple);
	}
	slot->is_gone = is_gone;
}

static bool
find_where_it_lay(const IdemSlots *slots, const IdemSlot *slot, Size size, Room *room)
{
	ItemId		item;

	if (!BufferIsValid(slot->page))
		return false;
	room->page = slot->page;
	item = PageGetItemId(BufferGetPage(slot->page), slot->offset);
	if (!fits(slots, slot, size, MAXALIGN(ItemIdGetLength(item)) + sizeof(ItemIdData), room))
		return false;
	if (!room->has_drops)
		memset(room->drops, false, sizeof(room->drops));
	room->has_drops = true;
	room->drops[slot->offset] = true;
	return true;
}

/* Who finds no room on the first page owes a split. */
static void
find_in_chain(IdemSlots *slots, const IdemSlot *slot, Size size, Room *room)
{
	Buffer		buffer = slot->bucket;
	int			npages = 1;

	room->is_behind = false;
	for (;;)
	{
		room->page = buffer;
		if (fits(slots, slot, size, 0, room))
			break;
		room->is_behind |= buffer == slot->page;
		npages++;
		buffer = idem_slots_chain_next(slots->rel, slot->bucket, buffer);
		if (!BufferIsValid(buffer))
		{
			room->page = idem_slots_chain_grow(slots->rel, slot->bucket);
			idem_slots_chain_unlock(slot->bucket, room->page);
			room->has_drops = room->is_behind = false;
			break;
		}
	}
	if (room->page != slot->bucket)
		slots->crowded = Max(slots->crowded, Max(npages, slot->npages));
}

/* Does it fit on this page, where so many bytes are won in any case? */
static bool
fits(const IdemSlots *slots, const IdemSlot *slot, Size size, Size own, Room *room)
{
	Page		page = BufferGetPage(room->page);

	room->has_drops = false;
	if (idem_slots_page_has_room(page, size, own))
		return true;
	own += choose_drops(slots, slot, room);
	return room->has_drops && idem_slots_page_has_room(page, size, own);
}

static Size
choose_drops(const IdemSlots *slots, const IdemSlot *slot, Room *room)
{
	Page		page = BufferGetPage(room->page);
	TimestampTz now = idem_clock_now();
	Size		size = 0;
	OffsetNumber offset;

	memset(room->drops, false, sizeof(room->drops));
	for (offset = 1; offset <= PageGetMaxOffsetNumber(page); offset++)
	{
		ItemId		item = PageGetItemId(page, offset);

		if (!ItemIdIsNormal(item) || !is_useless(slots, slot, page, offset, now) ||
			is_needed(slots, room->page, offset))
			continue;
		room->drops[offset] = true;
		room->has_drops = true;
		size += MAXALIGN(ItemIdGetLength(item));
	}
	return size;
}

static bool
is_useless(const IdemSlots *slots, const IdemSlot *slot, Page page,
		   OffsetNumber offset, TimestampTz now)
{
	int			natts = RelationGetNumberOfAttributes(slots->rel);
	IdemSlotRow row;

	if (idem_slots_page_is_gone(page, offset))
		return true;
	return idem_slots_page_row(page, offset, natts, &row) &&
		(*row.expires_at <= now ||
		 idem_slots_chain_is_stray(slots->rel, slot->bucket, &row));
}

static bool
is_needed(const IdemSlots *slots, Buffer buffer, OffsetNumber offset)
{
	int			i;

	for (i = 0; i < slots->nlocked; i++)
	{
		if (slots->locked[i].page == buffer && slots->locked[i].offset == offset)
			return true;
	}
	return false;
}

static void
put_where_it_lay(IdemSlots *slots, IdemSlot *slot, Room *room, HeapTuple tuple)
{
	IdemSlotsEdit edit;

	idem_slots_chain_lock(slot->bucket, room->page);
	idem_slots_edit_begin(&edit, slots->rel);
	slot->offset = idem_slots_page_add(make_way(&edit, slot, room),
									   BufferGetBlockNumber(room->page), tuple);
	idem_slots_edit_end(&edit);
	idem_slots_chain_unlock(slot->bucket, room->page);
}

static void
put_elsewhere(IdemSlots *slots, IdemSlot *slot, Room *room, HeapTuple tuple)
{
	bool		is_moved = BufferIsValid(slot->page) && !slot->is_gone;
	Buffer		old = is_moved ? slot->page : slot->bucket;
	IdemSlotsEdit edit;
	OffsetNumber offset;

	if (room->is_behind)
		idem_slots_chain_lock(slot->bucket, old);
	idem_slots_chain_lock(slot->bucket, room->page);
	if (!room->is_behind && old != room->page)
		idem_slots_chain_lock(slot->bucket, old);

	idem_slots_edit_begin(&edit, slots->rel);
	offset = idem_slots_page_add(make_way(&edit, slot, room),
								 BufferGetBlockNumber(room->page), tuple);
	if (is_moved)
		idem_slots_page_set_gone(idem_slots_edit_page(&edit, old), slot->offset, true);
	idem_slots_edit_end(&edit);

	if (old != room->page)
		idem_slots_chain_unlock(slot->bucket, old);
	idem_slots_chain_unlock(slot->bucket, room->page);
	if (BufferIsValid(slot->page) && slot->page != slot->bucket)
		ReleaseBuffer(slot->page);
	slot->page = room->page;
	slot->offset = offset;
}

static Page
make_way(IdemSlotsEdit *edit, const IdemSlot *slot, const Room *room)
{
	Page		page;

	(void) idem_slots_edit_page(edit, slot->bucket);
	page = idem_slots_edit_page(edit, room->page);
	if (room->has_drops)
		idem_slots_page_drop(page, room->drops);
	return page;
}
