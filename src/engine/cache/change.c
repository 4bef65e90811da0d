/*
 * change.c
 *		The frame of every write of an entry.
 *
 * A write looks with a dirty probe, waits for whoever is writing the key, and
 * looks again when the row moved on, so that no isolation level makes it fail.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"

#include "engine/cache/change.h"
#include "engine/common/presence.h"
#include "engine/common/wait.h"
#include "pg/clock.h"
#include "store/blocker.h"

/* a write, and the last look at what it writes */
typedef struct Write
{
	IdemTable  *table;
	text	   *key;
	const		ItemPointerData *row;	/* where to look first, or NULL */
	IdemEntryChange change;
	IdemEntryPatience patience; /* NULL: waits for everybody */
	void	   *arg;
	TransactionId blocker;		/* to be waited for */
	bool		is_given_up;
} Write;

static void run(Write *write);
static void wait_for_blocker(Write *write);
static bool try_change(Write *write);
static void look(Write *write);
static bool is_there_still(Write *write);
static bool change_base(Write *write);
static bool change_nothing(Write *write);
static IdemEntryAction decide(Write *write, const IdemEntry *old, IdemEntry *new);
static bool is_blocked(Write *write, const IdemEntry *old);
static bool write_base(IdemTable *table, IdemEntryAction action, const IdemEntry *new);

void
idem_cache_change_entry(text *key, IdemEntryChange change, void *arg)
{
	(void) idem_cache_change_entry_if(key, change, NULL, arg);
}

bool
idem_cache_change_entry_if(text *key, IdemEntryChange change,
						   IdemEntryPatience patience, void *arg)
{
	IdemTable	table;
	Write		write = {.table = &table, .key = key, .change = change, .patience = patience, .arg = arg};

	idem_store_cache_open(&table, RowExclusiveLock);
	run(&write);
	idem_store_table_close(&table);
	return !write.is_given_up;
}

void
idem_cache_change_found(IdemTable *table, text *key, const ItemPointerData * row,
						IdemEntryChange change, void *arg)
{
	Write		write = {.table = table, .key = key, .row = row, .change = change, .arg = arg};

	run(&write);
}

static void
run(Write *write)
{
	while (!try_change(write) && !write->is_given_up)
	{
		CHECK_FOR_INTERRUPTS();
		write->row = NULL;
		if (TransactionIdIsValid(write->blocker))
			wait_for_blocker(write);
	}
	if (!write->is_given_up)
		idem_wait_wake(&idem_store_cache_leases, write->key, NULL);
}

/* with nothing open, as anywhere */
static void
wait_for_blocker(Write *write)
{
	idem_store_table_close(write->table);
	idem_store_blocker_wait(write->blocker);
	idem_store_cache_open(write->table, RowExclusiveLock);
}

/* false when the row moved on, or somebody is in the way */
static bool
try_change(Write *write)
{
	write->blocker = InvalidTransactionId;
	look(write);
	if (idem_store_versions_has_base(write->table))
		return change_base(write);
	return !is_blocked(write, NULL) && change_nothing(write);
}

static void
look(Write *write)
{
	IdemKey		key = idem_store_cache_key(write->key);

	if (write->row == NULL || !idem_store_versions_at(write->table, write->row) ||
		!is_there_still(write))
		idem_store_versions_probe(write->table, &key);
}

/* Another entry may have taken its place. */
static bool
is_there_still(Write *write)
{
	IdemEntry	entry;

	idem_store_cache_read(write->table->base.slot, &entry);
	return idem_store_records_equal(entry.key, write->key);
}

static bool
change_base(Write *write)
{
	IdemEntry	old;
	IdemEntry	new;
	IdemEntryAction action;

	idem_store_cache_read(write->table->base.slot, &old);
	if (is_blocked(write, &old))
		return false;
	action = decide(write, &old, &new);
	return action == IDEM_ENTRY_LEAVE || write_base(write->table, action, &new);
}

/* An insertion finds out whether there is really nothing. */
static bool
change_nothing(Write *write)
{
	IdemKey		key = idem_store_cache_key(write->key);
	IdemEntry	new;
	IdemEntryAction action = decide(write, NULL, &new);

	if (action == IDEM_ENTRY_LEAVE || action == IDEM_ENTRY_DROP)
		return !idem_store_versions_find(write->table, &key) &&
			!idem_store_versions_has_pending(write->table);
	return idem_store_cache_insert(write->table, &new);
}

/* Nobody gets a transaction id for what is left as it is. */
static IdemEntryAction
decide(Write *write, const IdemEntry *old, IdemEntry *new)
{
	TimestampTz now = idem_clock_now();
	IdemEntryAction action;

	memset(new, 0, sizeof(IdemEntry));
	new->key = write->key;
	new->written_at = now;
	action = write->change(old, now, new, write->arg);
	if (action == IDEM_ENTRY_REMOVE)
	{
		idem_presence_show(IDEM_REMOVES);
		idem_store_cache_make_trace(new);
	}
	if (action != IDEM_ENTRY_LEAVE && !FullTransactionIdIsValid(new->written_by))
		new->written_by = GetTopFullTransactionId();
	return action;
}

/*
 * Is somebody else writing the row?  Then he is to be waited for, or it is given up:
 * what is to be left as it stands may be something else when he commits.
 */
static bool
is_blocked(Write *write, const IdemEntry *old)
{
	IdemTable  *table = write->table;
	IdemEntryWriter writer = {.old = old};
	IdemEntry	new;

	if (idem_store_versions_has_pending(table))
	{
		idem_store_cache_read(table->pending.slot, &new);
		writer.new = &new;
		writer.xid = table->pending.open_xid;
	}
	else if (old != NULL)
		writer.xid = table->base.open_xid;
	if (!TransactionIdIsValid(writer.xid))
		return false;
	write->is_given_up = write->patience != NULL && !write->patience(&writer, write->arg);
	write->blocker = writer.xid;
	return true;
}

/* false when the row moved on */
static bool
write_base(IdemTable *table, IdemEntryAction action, const IdemEntry *new)
{
	return action == IDEM_ENTRY_DROP ? idem_store_tuple_delete(table) :
		idem_store_cache_update(table, new);
}
