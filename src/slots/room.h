/*
 * room.h
 *		Room for a row in its bucket.
 */
#ifndef IDEM_SLOTS_ROOM_H
#define IDEM_SLOTS_ROOM_H

#include "access/htup.h"

#include "slots/slot.h"

/*
 * Put the row, which may be one that is gone for now, where there is room, and
 * take away the one that it replaces.  From then on the slot is where it is.
 * An error leaves all as it was.
 */
extern void idem_slots_room_put(IdemSlots *slots, IdemSlot *slot, HeapTuple tuple,
								bool is_gone);

#endif							/* IDEM_SLOTS_ROOM_H */
