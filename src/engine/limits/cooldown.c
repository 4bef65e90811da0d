/*
 * cooldown.c
 *		Origins that are to be left alone until an instant.
 */
#include "postgres.h"

#include "engine/limits/cooldown.h"
#include "pg/clock.h"
#include "store/limits/limits.h"

static bool read_until(const IdemSlot *slot, TimestampTz *until);

bool
idem_limits_cooldown_set(const text *origin, TimestampTz until)
{
	IdemSlots	slots;
	IdemSlot	slot;
	TimestampTz former;
	bool		was_live;
	bool		is_live;

	idem_store_limits_open(&slots, &idem_store_limits_cooldowns, true);
	idem_slots_lock(&slots, origin, &slot);
	was_live = read_until(&slot, &former);
	is_live = idem_clock_now() < until;
	if (is_live)
		idem_slots_write(&slots, &slot, until, NULL, 0);
	else
		idem_slots_remove(&slots, &slot);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	return was_live ? !is_live || former != until : is_live;
}

bool
idem_limits_cooldown_get(const text *origin, TimestampTz *until)
{
	IdemSlots	slots;
	IdemSlot	slot;
	bool		is_live;

	idem_store_limits_open(&slots, &idem_store_limits_cooldowns, false);
	idem_slots_lock(&slots, origin, &slot);
	is_live = read_until(&slot, until);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	return is_live;
}

static bool
read_until(const IdemSlot *slot, TimestampTz *until)
{
	const IdemSlotRow *row = idem_slots_row(slot);

	if (row == NULL)
		return false;
	*until = *row->expires_at;
	return idem_clock_now() < *until;
}

bool
idem_limits_cooldown_clear(const text *origin)
{
	IdemSlots	slots;
	IdemSlot	slot;
	TimestampTz until;
	bool		is_live;

	idem_store_limits_open(&slots, &idem_store_limits_cooldowns, true);
	idem_slots_lock(&slots, origin, &slot);
	is_live = read_until(&slot, &until);
	idem_slots_remove(&slots, &slot);
	idem_slots_unlock(&slot);
	idem_slots_close(&slots);
	return is_live;
}
