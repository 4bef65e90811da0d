/*
 * retire.c
 *		Removing entries that nobody has invalidated.
 *
 * An entry says who wrote it last, to those who have computed a value for its key
 * since before.  When it goes while there may be such, a mark of the key says so in
 * its place.
 */
#include "postgres.h"

#include "storage/procarray.h"
#include "utils/fmgrprotos.h"
#include "utils/snapmgr.h"
#include "utils/xid8.h"

#include "engine/cache/retire.h"
#include "pg/xid.h"
#include "store/cache/marks.h"
#include "store/survey.h"

/* a search for the oldest lease */
typedef struct Horizon
{
	FullTransactionId oldest;
	FullTransactionId epoch;
	bool		has_epoch;
} Horizon;

static bool consider_lease(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg);
static text *mark_of(const IdemEntry *entry);

/*
 * The snapshots in use first, then the leases: who takes one meanwhile, or takes
 * one over, does so under a snapshot that was in use, or is newer than all.
 */
FullTransactionId
idem_cache_retire_horizon(void)
{
	Horizon		horizon;
	IdemTable	marks;
	IdemTable	leases;

	idem_store_records_open(&leases, &idem_store_cache_leases, AccessShareLock);
	horizon.oldest = idem_xid_widen(GetOldestNonRemovableTransactionId(leases.rel));
	idem_store_cache_marks_open(&marks, AccessShareLock);
	horizon.has_epoch = idem_store_cache_marks_epoch(&marks, &horizon.epoch);
	idem_store_table_close(&marks);
	idem_store_survey_from(&leases, 0, consider_lease, &horizon);
	idem_store_table_close(&leases);
	return horizon.oldest;
}

/* One from before the epoch stores nothing. */
static bool
consider_lease(IdemTable *table, TupleTableSlot *slot, bool is_open, void *arg)
{
	Horizon    *horizon = arg;
	IdemRecord	lease;
	FullTransactionId xmin;

	idem_store_records_read(table, slot, &lease);
	xmin = DatumGetFullTransactionId(DirectFunctionCall1(pg_snapshot_xmin,
														 PointerGetDatum(lease.context)));
	if (horizon->has_epoch && FullTransactionIdFollowsOrEquals(xmin, horizon->epoch) &&
		FullTransactionIdPrecedes(xmin, horizon->oldest))
		horizon->oldest = xmin;
	return true;
}

void
idem_cache_retire_begin(IdemRetirement *retirement)
{
	retirement->horizon = idem_cache_retire_horizon();
	idem_store_cache_marks_open(&retirement->marks, RowExclusiveLock);
}

void
idem_cache_retire_end(IdemRetirement *retirement)
{
	idem_store_table_close(&retirement->marks);
}

bool
idem_cache_retire_entry(IdemRetirement *retirement, IdemTable *table, const IdemEntry *entry)
{
	ItemPointerData row = entry->row;

	if (!FullTransactionIdPrecedes(entry->written_by, retirement->horizon) &&
		!idem_store_cache_marks_try_raise(&retirement->marks, mark_of(entry), entry->written_by))
		return false;
	return idem_store_tuple_try_delete(table, &row);
}

/* The row may have a long key compressed. */
static text *
mark_of(const IdemEntry *entry)
{
	return idem_store_cache_marks_name(IDEM_MARK_OF_KEY,
									   DatumGetTextPP(PointerGetDatum(entry->key)));
}
