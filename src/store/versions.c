/*
 * versions.c
 *		Finding the versions of a row, past the executor.
 *
 * The rules that hold here:
 * - A dirty scan sees every version that is committed or still open.  What it
 *	 reports is settled only when no transaction it names has ended by the end
 *	 of the scan; else it starts over.
 * - Absence by a dirty scan is never trusted: a non-HOT update that commits
 *	 between the index read and the heap fetch hides the row from it.  It is
 *	 confirmed with a snapshot taken after the scan.
 * - That snapshot's scan runs over all versions and asks for each whether the
 *	 snapshot sees it.  A scan under the snapshot itself would leave SIREAD
 *	 locks, and a SERIALIZABLE caller would fail with 40001 for nothing.
 * - A version with a speculative token may yet be taken back by an inserter
 *	 that stays open.  It is waited for (microseconds) and never reported.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "store/scan.h"
#include "store/versions.h"

static IdemScan key_scan(IdemTable *table, const IdemKey *key, Datum *keys);
static IdemScan open_search(IdemTable *table, const IdemSearch *search);
static bool find_own(const IdemScan *scan, Snapshot snapshot);
static bool is_own(TupleTableSlot *slot);
static bool is_removed_by_us(TupleTableSlot *slot, Snapshot snapshot);
static void forget(IdemTable *table);
static bool probe_once(const IdemScan *scan);
static bool is_only_version(const IdemTable *table);
static bool find_latest(const IdemScan *scan, IdemVisitor visit, void *arg);
static bool match_dirty_once(const IdemScan *scan, IdemVisitor visit, void *arg);
static bool offer(IdemTable *table, TransactionId open_xid, IdemVisitor visit,
				  void *arg);
static IdemVisit take_any(TupleTableSlot *slot, void *arg);

void
idem_store_versions_probe(IdemTable *table, const IdemKey *key)
{
	Datum		keys[IDEM_MAX_KEY_COLUMNS];
	IdemScan	scan = key_scan(table, key, keys);

	CommandCounterIncrement();
	do
		CHECK_FOR_INTERRUPTS();
	while (!probe_once(&scan));
}

bool
idem_store_versions_at(IdemTable *table, const ItemPointerData * row)
{
	TupleTableSlot *slot = idem_store_table_scan_slot(table);
	ItemPointerData tid = *row;
	SnapshotData dirty;

	forget(table);
	InitDirtySnapshot(dirty);
	if (!table_tuple_fetch_row_version(table->rel, &tid, &dirty, slot))
		return false;
	if (TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax))
	{
		ExecClearTuple(slot);
		return false;
	}
	idem_store_scan_keep(table, &table->base, InvalidTransactionId);
	return true;
}

bool
idem_store_versions_find(IdemTable *table, const IdemKey *key)
{
	Datum		keys[IDEM_MAX_KEY_COLUMNS];
	IdemScan	scan = key_scan(table, key, keys);

	for (;;)
	{
		idem_store_versions_probe(table, key);
		if (idem_store_versions_has_base(table))
			return true;
		if (!find_latest(&scan, take_any, NULL))
			return false;
	}
}

bool
idem_store_versions_fetch(IdemTable *table, const IdemKey *key, Snapshot snapshot)
{
	Datum		keys[IDEM_MAX_KEY_COLUMNS];
	IdemScan	scan = key_scan(table, key, keys);
	IndexScanDesc desc = idem_store_scan_begin(&scan, snapshot);
	bool		found;

	found = idem_store_scan_next(&scan, desc);
	if (found)
		idem_store_scan_keep(table, &table->base, InvalidTransactionId);
	index_endscan(desc);
	if (found && IsolationUsesXactSnapshot() && idem_store_scan_is_superseded(table->base.slot))
		return find_own(&scan, snapshot);
	return found;
}

bool
idem_store_versions_match(IdemTable *table, const IdemSearch *search,
						  Snapshot snapshot, IdemVisitor visit, void *arg)
{
	IdemScan	scan = open_search(table, search);
	IndexScanDesc desc = idem_store_scan_begin(&scan, snapshot);
	bool		goes_on = true;

	idem_store_scan_clear(&table->match);
	while (goes_on && idem_store_scan_next(&scan, desc))
	{
		CHECK_FOR_INTERRUPTS();
		goes_on = offer(table, InvalidTransactionId, visit, arg);
	}
	index_endscan(desc);
	index_close(scan.index, AccessShareLock);
	return idem_store_scan_is_there(&table->match);
}

static IdemScan
open_search(IdemTable *table, const IdemSearch *search)
{
	IdemScan	scan = {.table = table, .nkeys = search->nkeys, .keys = search->keys,
	.later_than = search->later_than};

	scan.index = index_open(search->index, AccessShareLock);
	return scan;
}

bool
idem_store_versions_match_any(IdemTable *table, const IdemSearch *search,
							  IdemVisitor visit, void *arg)
{
	IdemScan	scan = open_search(table, search);

	do
		CHECK_FOR_INTERRUPTS();
	while (!match_dirty_once(&scan, visit, arg));
	if (!idem_store_scan_is_there(&table->match))
		find_latest(&scan, visit, arg);
	index_close(scan.index, AccessShareLock);
	return idem_store_scan_is_there(&table->match);
}

void
idem_store_versions_visit(IdemTable *table, const IdemKey *key, IdemVisitor visit,
						  void *arg)
{
	Datum		keys[IDEM_MAX_KEY_COLUMNS];
	IdemScan	scan = key_scan(table, key, keys);
	IndexScanDesc desc = idem_store_scan_begin(&scan, SnapshotAny);
	bool		goes_on = true;

	while (goes_on && idem_store_scan_next(&scan, desc))
	{
		CHECK_FOR_INTERRUPTS();
		goes_on = visit(table->scan, arg) != IDEM_VISIT_STOP;
	}
	index_endscan(desc);
	idem_store_scan_clear_current(table);
}

/* the columns of the primary key's index may stand in any order */
static IdemScan
key_scan(IdemTable *table, const IdemKey *key, Datum *keys)
{
	IdemScan	scan = {.table = table, .index = table->pkey, .keys = keys};
	int			i;

	scan.nkeys = table->info->nkeys;
	for (i = 0; i < scan.nkeys; i++)
		keys[i] = key->column[table->pkey->rd_index->indkey.values[i] - 1];
	return scan;
}

/*
 * The snapshot of a transaction shows a version that others have replaced since.
 * Where this transaction has in turn written what they left, that is the row to
 * it, or nothing if it removed it.
 */
static bool
find_own(const IdemScan *scan, Snapshot snapshot)
{
	IdemTable  *table = scan->table;
	IndexScanDesc desc = idem_store_scan_begin(scan, SnapshotAny);
	bool		is_removed = false;
	bool		is_found = false;

	while (!is_found && idem_store_scan_next(scan, desc))
	{
		CHECK_FOR_INTERRUPTS();
		is_removed |= is_removed_by_us(table->scan, snapshot);
		is_found = is_own(table->scan) &&
			table_tuple_satisfies_snapshot(table->rel, table->scan, snapshot);
	}
	if (is_found)
		idem_store_scan_keep(table, &table->base, InvalidTransactionId);
	index_endscan(desc);
	return is_found || !is_removed;
}

static bool
is_own(TupleTableSlot *slot)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(idem_store_scan_header(slot)));
}

/*
 * Changed or deleted, by a command that the snapshot is to see?  Who locks the
 * row meanwhile replaces our transaction id by a MultiXactId, so look under the
 * page's lock.
 */
static bool
is_removed_by_us(TupleTableSlot *slot, Snapshot snapshot)
{
	Buffer		buffer = ((BufferHeapTupleTableSlot *) slot)->buffer;
	HeapTupleHeader header = idem_store_scan_header(slot);
	bool		result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	result = idem_store_scan_is_superseded(slot) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header)) &&
		HeapTupleHeaderGetCmax(header) < snapshot->curcid;
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return result;
}

static void
forget(IdemTable *table)
{
	idem_store_scan_clear(&table->base);
	idem_store_scan_clear(&table->pending);
	table->is_base_locked = false;
}

/* false when what was seen did not hold to the end */
static bool
probe_once(const IdemScan *scan)
{
	IdemTable  *table = scan->table;
	SnapshotData dirty;
	IndexScanDesc desc;
	IdemSpeculation speculation = {0};
	bool		has_two_bases = false;

	forget(table);
	InitDirtySnapshot(dirty);
	desc = idem_store_scan_begin(scan, &dirty);
	while (!has_two_bases && !is_only_version(table) &&
		   idem_store_scan_next(scan, desc) &&
		   !idem_store_scan_is_speculative(&dirty, &speculation))
	{
		CHECK_FOR_INTERRUPTS();
		if (!TransactionIdIsValid(dirty.xmin))
		{
			has_two_bases = idem_store_versions_has_base(table);
			idem_store_scan_keep(table, &table->base, dirty.xmax);
		}
		else if (!idem_store_versions_has_pending(table) ||
				 !idem_store_scan_is_superseded(table->scan))
			idem_store_scan_keep(table, &table->pending, dirty.xmin);
	}
	index_endscan(desc);
	idem_store_scan_clear_current(table);

	return !idem_store_scan_wait_for(&speculation) && !has_two_bases &&
		!idem_store_scan_has_ended(table->base.open_xid) &&
		!idem_store_scan_has_ended(table->pending.open_xid);
}

/*
 * Nobody can have made another version of the key while this one stands and no
 * open transaction is changing it, but to be refused by it.
 */
static bool
is_only_version(const IdemTable *table)
{
	return idem_store_versions_has_base(table) &&
		!TransactionIdIsValid(table->base.open_xid);
}

/*
 * Fill match from what is committed at this instant, and our own.  No SIREAD
 * locks: see above.
 */
static bool
find_latest(const IdemScan *scan, IdemVisitor visit, void *arg)
{
	IdemTable  *table = scan->table;
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	IndexScanDesc desc = idem_store_scan_begin(scan, SnapshotAny);
	bool		goes_on = true;

	idem_store_scan_clear(&table->match);
	while (goes_on && idem_store_scan_next(scan, desc))
	{
		CHECK_FOR_INTERRUPTS();
		if (table_tuple_satisfies_snapshot(table->rel, table->scan, latest))
			goes_on = offer(table, InvalidTransactionId, visit, arg);
	}
	index_endscan(desc);
	idem_store_scan_clear_current(table);
	UnregisterSnapshot(latest);
	return idem_store_scan_is_there(&table->match);
}

/* false when what was seen did not hold to the end */
static bool
match_dirty_once(const IdemScan *scan, IdemVisitor visit, void *arg)
{
	IdemTable  *table = scan->table;
	SnapshotData dirty;
	IndexScanDesc desc;
	IdemSpeculation speculation = {0};
	bool		goes_on = true;

	idem_store_scan_clear(&table->match);
	InitDirtySnapshot(dirty);
	desc = idem_store_scan_begin(scan, &dirty);
	while (goes_on &&
		   idem_store_scan_next(scan, desc) &&
		   !idem_store_scan_is_speculative(&dirty, &speculation))
	{
		CHECK_FOR_INTERRUPTS();
		goes_on = offer(table, TransactionIdIsValid(dirty.xmin) ?
						dirty.xmin : dirty.xmax, visit, arg);
	}
	index_endscan(desc);
	idem_store_scan_clear_current(table);

	return !idem_store_scan_wait_for(&speculation) && !idem_store_scan_has_ended(table->match.open_xid);
}

/* show the row in the scan's slot to the visitor; shall the scan go on? */
static bool
offer(IdemTable *table, TransactionId open_xid, IdemVisitor visit, void *arg)
{
	if (visit(table->scan, arg) == IDEM_VISIT_NEXT)
		return true;
	idem_store_scan_keep(table, &table->match, open_xid);
	return false;
}

static IdemVisit
take_any(TupleTableSlot *slot, void *arg)
{
	return IDEM_VISIT_STOP;
}

bool
idem_store_versions_has_base(const IdemTable *table)
{
	return idem_store_scan_is_there(&table->base);
}

bool
idem_store_versions_has_pending(const IdemTable *table)
{
	return idem_store_scan_is_there(&table->pending);
}

bool
idem_store_versions_base_is_own(const IdemTable *table)
{
	return is_own(table->base.slot);
}
