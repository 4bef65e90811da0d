/*
 * limits.c
 *		The tables of rate limits that are changed in place: their state, and the
 *		cooldowns.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "pg/compat.h"
#include "slots/sweep.h"
#include "store/limits/limits.h"

static const IdemColumn state_columns[] = {
	{"resource", TEXTOID},
	{"expires_at", TIMESTAMPTZOID},
	{"state", BYTEAOID},
};

IdemTableInfo idem_store_limits_state = {
	.kind = IDEM_TABLE_SLOTS,
	.name = "rate_limit_state",
	.nkeys = 1,
	.ncolumns = lengthof(state_columns),
	.columns = state_columns,
};

static const IdemColumn cooldown_columns[] = {
	{"origin", TEXTOID},
	{"until", TIMESTAMPTZOID},
};

IdemTableInfo idem_store_limits_cooldowns = {
	.kind = IDEM_TABLE_SLOTS,
	.name = "cooldowns",
	.nkeys = 1,
	.ncolumns = lengthof(cooldown_columns),
	.columns = cooldown_columns,
};

void
idem_store_limits_open(IdemSlots *slots, IdemTableInfo *info, bool for_writing)
{
	LOCKMODE	lockmode = for_writing ? RowExclusiveLock : AccessShareLock;

	idem_slots_open(slots, idem_store_table_open_relation(info, lockmode), lockmode);
}

int64
idem_store_limits_expire(IdemTableInfo *info, TimestampTz now, int64 max_rows,
						 double *part)
{
	Relation	rel = idem_store_table_open_relation(info, RowExclusiveLock);
	IdemSlotsSwept swept;

	idem_slots_sweep(rel, now, max_rows, &swept);
	relation_close(rel, RowExclusiveLock);
	*part = swept.nbuckets == 0 ? 1.0 : (double) swept.visited / swept.nbuckets;
	return swept.removed;
}

int
idem_store_limits_longest_chain(IdemTableInfo *info)
{
	Relation	rel = idem_store_table_open_relation(info, AccessShareLock);
	int			npages = idem_slots_sweep_longest_chain(rel);

	relation_close(rel, AccessShareLock);
	return npages;
}
