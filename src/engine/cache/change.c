/*
 * change.c
 *		The frame of every write of an entry.
 *
 * A write looks with a dirty probe, waits for whoever is writing the key, and
 * looks again when the row moved on, so that no isolation level makes it fail.
 */
#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "storage/lmgr.h"

#include "engine/cache/change.h"
#include "engine/common/wait.h"
#include "pg/clock.h"

static bool try_change(text *key, IdemEntryChange change, void *arg,
					   TransactionId *blocker);
static bool change_base(IdemTable *table, text *key, IdemEntryChange change, void *arg);
static bool change_nothing(IdemTable *table, text *key, IdemEntryChange change,
						   void *arg);

void
idem_cache_change_entry(text *key, IdemEntryChange change, void *arg)
{
	TransactionId blocker;

	while (!try_change(key, change, arg, &blocker))
	{
		CHECK_FOR_INTERRUPTS();
		if (TransactionIdIsValid(blocker))
			XactLockTableWait(blocker, NULL, NULL, XLTW_None);
	}
	idem_wait_wake(&idem_store_cache_leases, key, NULL);
}

/* false when the row moved on, or the blocker is in the way */
static bool
try_change(text *key, IdemEntryChange change, void *arg, TransactionId *blocker)
{
	IdemKey		entry_key = idem_store_cache_key(key);
	IdemTable	table;
	bool		is_done = false;

	*blocker = InvalidTransactionId;
	idem_store_cache_open(&table, RowExclusiveLock);
	idem_store_versions_probe(&table, &entry_key);
	if (idem_store_versions_has_base(&table))
		is_done = change_base(&table, key, change, arg);
	else if (idem_store_versions_has_pending(&table))
		*blocker = table.pending.open_xid;
	else
		is_done = change_nothing(&table, key, change, arg);
	idem_store_table_close(&table);
	return is_done;
}

static bool
change_base(IdemTable *table, text *key, IdemEntryChange change, void *arg)
{
	TimestampTz now = idem_clock_now();
	IdemEntry	old;
	IdemEntry	new = {.key = key, .written_at = now};

	idem_store_cache_read(table->base.slot, &old);
	switch (change(&old, now, &new, arg))
	{
		case IDEM_ENTRY_LEAVE:
			return true;
		case IDEM_ENTRY_REMOVE:
			return idem_store_tuple_delete(table);
		case IDEM_ENTRY_STORE:
			break;
	}
	return idem_store_cache_update(table, &new);
}

/* An insertion finds out whether there is really nothing. */
static bool
change_nothing(IdemTable *table, text *key, IdemEntryChange change, void *arg)
{
	IdemKey		entry_key = idem_store_cache_key(key);
	TimestampTz now = idem_clock_now();
	IdemEntry	new = {.key = key, .written_at = now};

	if (change(NULL, now, &new, arg) != IDEM_ENTRY_STORE)
		return !idem_store_versions_find(table, &entry_key) &&
			!idem_store_versions_has_pending(table);
	return idem_store_cache_insert(table, &new);
}
