/*
 * stats.c
 *		The table stats_counters: numbers under names.
 *
 * A name of its own for each number, and no order among them, so that a later
 * version of the extension can count more and finds the rest in its place.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "slots/meta.h"
#include "store/stats.h"

/* what becomes of a number */
typedef enum Change
{
	PUT,
	ADD,
	RAISE
} Change;

static const IdemColumn counter_columns[] = {
	{"name", TEXTOID},
	{"expires_at", TIMESTAMPTZOID},
	{"value", BYTEAOID},
};

static IdemTableInfo counters_table = {
	.kind = IDEM_TABLE_SLOTS,
	.name = "stats_counters",
	.nkeys = 1,
	.ncolumns = lengthof(counter_columns),
	.columns = counter_columns,
};

static void begin(IdemSlots *slots, Relation rel, LOCKMODE lockmode);
static void change(IdemSlots *slots, const char *name, Change how, int64 n);
static int64 value_in(const IdemSlot *slot);

bool
idem_store_stats_try_open(IdemSlots *slots)
{
	Relation	rel = idem_store_table_try_open_relation(&counters_table,
														 RowExclusiveLock);

	if (rel == NULL)
		return false;
	if (idem_slots_meta_is_former(rel))
	{
		relation_close(rel, RowExclusiveLock);
		return false;
	}
	begin(slots, rel, RowExclusiveLock);
	return true;
}

void
idem_store_stats_open(IdemSlots *slots, bool for_writing)
{
	LOCKMODE	lockmode = for_writing ? RowExclusiveLock : AccessShareLock;

	begin(slots, idem_store_table_open_relation(&counters_table, lockmode), lockmode);
}

static void
begin(IdemSlots *slots, Relation rel, LOCKMODE lockmode)
{
	idem_slots_open(slots, rel, lockmode);
	slots->may_lose_changes = true;
}

bool
idem_store_stats_is_readable(void)
{
	return idem_store_table_is_readable(&counters_table);
}

int64
idem_store_stats_get(IdemSlots *slots, const char *name)
{
	IdemSlot	slot;
	int64		result;

	idem_slots_lock(slots, cstring_to_text(name), &slot);
	result = value_in(&slot);
	idem_slots_unlock(&slot);
	return result;
}

void
idem_store_stats_put(IdemSlots *slots, const char *name, int64 value)
{
	change(slots, name, PUT, value);
}

void
idem_store_stats_add(IdemSlots *slots, const char *name, int64 n)
{
	change(slots, name, ADD, n);
}

void
idem_store_stats_raise(IdemSlots *slots, const char *name, int64 value)
{
	change(slots, name, RAISE, value);
}

static void
change(IdemSlots *slots, const char *name, Change how, int64 n)
{
	IdemSlot	slot;
	int64		value = n;

	idem_slots_lock(slots, cstring_to_text(name), &slot);
	if (how == ADD)
		value += value_in(&slot);
	else if (how == RAISE)
		value = Max(value, value_in(&slot));
	idem_slots_write(slots, &slot, DT_NOEND, (const char *) &value, sizeof(value));
	idem_slots_unlock(&slot);
}

/* SQL can insert a row of any size */
static int64
value_in(const IdemSlot *slot)
{
	const IdemSlotRow *row = idem_slots_row(slot);
	int64		value = 0;

	if (row != NULL && idem_slots_page_row_room(row) >= sizeof(value))
		memcpy(&value, idem_slots_page_row_bytes(row), sizeof(value));
	return value;
}
