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

#include "access/heapam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "store/versions.h"

/* a scan of an index by the equality of its leading columns */
typedef struct KeyScan
{
	IdemTable  *table;
	Relation	index;
	int			nkeys;
	const Datum *keys;
} KeyScan;

/* an insertion that has not settled */
typedef struct Speculation
{
	TransactionId xid;
	uint32		token;
} Speculation;

static KeyScan key_scan(IdemTable *table, const IdemKey *key, Datum *keys);
static IndexScanDesc begin(const KeyScan *scan, Snapshot snapshot);
static bool find_own(const KeyScan *scan, Snapshot snapshot);
static bool is_own(TupleTableSlot *slot);
static bool is_removed_by_us(TupleTableSlot *slot, Snapshot snapshot);
static bool probe_once(const KeyScan *scan);
static bool is_only_version(const IdemTable *table);
static bool find_latest(const KeyScan *scan, IdemVisitor visit, void *arg);
static bool match_dirty_once(const KeyScan *scan, IdemVisitor visit, void *arg);
static bool offer(IdemTable *table, TransactionId open_xid, IdemVisitor visit,
				  void *arg);
static IdemVisit take_any(TupleTableSlot *slot, void *arg);
static bool is_speculative(const SnapshotData *dirty, Speculation *speculation);
static bool wait_for(const Speculation *speculation);
static void clear(IdemVersion *version);
static void clear_scan(IdemTable *table);
static void keep(IdemTable *table, IdemVersion *version, TransactionId open_xid);
static bool is_there(const IdemVersion *version);
static bool is_superseded(TupleTableSlot *slot);
static bool has_ended(TransactionId xid);
static HeapTupleHeader header_of(TupleTableSlot *slot);

void
idem_store_versions_probe(IdemTable *table, const IdemKey *key)
{
	Datum		keys[IDEM_MAX_KEY_COLUMNS];
	KeyScan		scan = key_scan(table, key, keys);

	CommandCounterIncrement();
	do
		CHECK_FOR_INTERRUPTS();
	while (!probe_once(&scan));
}

bool
idem_store_versions_find(IdemTable *table, const IdemKey *key)
{
	Datum		keys[IDEM_MAX_KEY_COLUMNS];
	KeyScan		scan = key_scan(table, key, keys);

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
	KeyScan		scan = key_scan(table, key, keys);
	IndexScanDesc desc = begin(&scan, snapshot);
	bool		found;

	found = index_getnext_slot(desc, ForwardScanDirection, idem_store_table_scan_slot(table));
	if (found)
		keep(table, &table->base, InvalidTransactionId);
	index_endscan(desc);
	if (found && IsolationUsesXactSnapshot() && is_superseded(table->base.slot))
		return find_own(&scan, snapshot);
	return found;
}

bool
idem_store_versions_match(IdemTable *table, Oid index, int nkeys,
						  const Datum *keys, Snapshot snapshot,
						  IdemVisitor visit, void *arg)
{
	KeyScan		scan = {.table = table, .nkeys = nkeys, .keys = keys};
	IndexScanDesc desc;
	bool		goes_on = true;

	clear(&table->match);
	scan.index = index_open(index, AccessShareLock);
	desc = begin(&scan, snapshot);
	while (goes_on && index_getnext_slot(desc, ForwardScanDirection, idem_store_table_scan_slot(table)))
	{
		CHECK_FOR_INTERRUPTS();
		goes_on = offer(table, InvalidTransactionId, visit, arg);
	}
	index_endscan(desc);
	index_close(scan.index, AccessShareLock);
	return is_there(&table->match);
}

bool
idem_store_versions_match_any(IdemTable *table, Oid index, int nkeys,
							  const Datum *keys, IdemVisitor visit, void *arg)
{
	KeyScan		scan = {.table = table, .nkeys = nkeys, .keys = keys};

	scan.index = index_open(index, AccessShareLock);
	do
		CHECK_FOR_INTERRUPTS();
	while (!match_dirty_once(&scan, visit, arg));
	if (!is_there(&table->match))
		find_latest(&scan, visit, arg);
	index_close(scan.index, AccessShareLock);
	return is_there(&table->match);
}

/* the columns of the primary key's index may stand in any order */
static KeyScan
key_scan(IdemTable *table, const IdemKey *key, Datum *keys)
{
	KeyScan		scan = {.table = table, .index = table->pkey, .keys = keys};
	int			i;

	scan.nkeys = table->info->nkeys;
	for (i = 0; i < scan.nkeys; i++)
		keys[i] = key->column[table->pkey->rd_index->indkey.values[i] - 1];
	return scan;
}

static IndexScanDesc
begin(const KeyScan *scan, Snapshot snapshot)
{
	IndexScanDesc desc;
	ScanKeyData scan_keys[IDEM_MAX_KEY_COLUMNS];
	int			i;

	Assert(scan->nkeys <= IDEM_MAX_KEY_COLUMNS);
	for (i = 0; i < scan->nkeys; i++)
	{
		ScanKeyInit(&scan_keys[i], i + 1, BTEqualStrategyNumber, F_TEXTEQ,
					scan->keys[i]);
		scan_keys[i].sk_collation = scan->index->rd_indcollation[i];
	}
	desc = idem_compat_index_beginscan(scan->table->rel, scan->index, snapshot,
									   scan->nkeys);
	index_rescan(desc, scan_keys, scan->nkeys, NULL, 0);
	return desc;
}

/*
 * The snapshot of a transaction shows a version that others have replaced since.
 * Where this transaction has in turn written what they left, that is the row to
 * it, or nothing if it removed it.
 */
static bool
find_own(const KeyScan *scan, Snapshot snapshot)
{
	IdemTable  *table = scan->table;
	IndexScanDesc desc = begin(scan, SnapshotAny);
	bool		is_removed = false;
	bool		is_found = false;

	while (!is_found && index_getnext_slot(desc, ForwardScanDirection, idem_store_table_scan_slot(table)))
	{
		CHECK_FOR_INTERRUPTS();
		is_removed |= is_removed_by_us(table->scan, snapshot);
		is_found = is_own(table->scan) &&
			table_tuple_satisfies_snapshot(table->rel, table->scan, snapshot);
	}
	if (is_found)
		keep(table, &table->base, InvalidTransactionId);
	index_endscan(desc);
	return is_found || !is_removed;
}

static bool
is_own(TupleTableSlot *slot)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(header_of(slot)));
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
	HeapTupleHeader header = header_of(slot);
	bool		result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	result = is_superseded(slot) &&
		TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header)) &&
		HeapTupleHeaderGetCmax(header) < snapshot->curcid;
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	return result;
}

/* false when what was seen did not hold to the end */
static bool
probe_once(const KeyScan *scan)
{
	IdemTable  *table = scan->table;
	SnapshotData dirty;
	IndexScanDesc desc;
	Speculation speculation = {0};
	bool		has_two_bases = false;

	clear(&table->base);
	clear(&table->pending);
	table->is_base_locked = false;
	InitDirtySnapshot(dirty);
	desc = begin(scan, &dirty);
	while (!has_two_bases && !is_only_version(table) &&
		   index_getnext_slot(desc, ForwardScanDirection, idem_store_table_scan_slot(table)) &&
		   !is_speculative(&dirty, &speculation))
	{
		CHECK_FOR_INTERRUPTS();
		if (!TransactionIdIsValid(dirty.xmin))
		{
			has_two_bases = idem_store_versions_has_base(table);
			keep(table, &table->base, dirty.xmax);
		}
		else if (!idem_store_versions_has_pending(table) ||
				 !is_superseded(table->scan))
			keep(table, &table->pending, dirty.xmin);
	}
	index_endscan(desc);
	clear_scan(table);

	return !wait_for(&speculation) && !has_two_bases &&
		!has_ended(table->base.open_xid) &&
		!has_ended(table->pending.open_xid);
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
find_latest(const KeyScan *scan, IdemVisitor visit, void *arg)
{
	IdemTable  *table = scan->table;
	Snapshot	latest = RegisterSnapshot(GetLatestSnapshot());
	IndexScanDesc desc = begin(scan, SnapshotAny);
	bool		goes_on = true;

	clear(&table->match);
	while (goes_on && index_getnext_slot(desc, ForwardScanDirection, idem_store_table_scan_slot(table)))
	{
		CHECK_FOR_INTERRUPTS();
		if (table_tuple_satisfies_snapshot(table->rel, table->scan, latest))
			goes_on = offer(table, InvalidTransactionId, visit, arg);
	}
	index_endscan(desc);
	clear_scan(table);
	UnregisterSnapshot(latest);
	return is_there(&table->match);
}

/* false when what was seen did not hold to the end */
static bool
match_dirty_once(const KeyScan *scan, IdemVisitor visit, void *arg)
{
	IdemTable  *table = scan->table;
	SnapshotData dirty;
	IndexScanDesc desc;
	Speculation speculation = {0};
	bool		goes_on = true;

	clear(&table->match);
	InitDirtySnapshot(dirty);
	desc = begin(scan, &dirty);
	while (goes_on &&
		   index_getnext_slot(desc, ForwardScanDirection, idem_store_table_scan_slot(table)) &&
		   !is_speculative(&dirty, &speculation))
	{
		CHECK_FOR_INTERRUPTS();
		goes_on = offer(table, TransactionIdIsValid(dirty.xmin) ?
						dirty.xmin : dirty.xmax, visit, arg);
	}
	index_endscan(desc);
	clear_scan(table);

	return !wait_for(&speculation) && !has_ended(table->match.open_xid);
}

/* show the row in the scan's slot to the visitor; shall the scan go on? */
static bool
offer(IdemTable *table, TransactionId open_xid, IdemVisitor visit, void *arg)
{
	IdemVisit	choice = visit(table->scan, arg);

	if (choice != IDEM_VISIT_NEXT)
		keep(table, &table->match, open_xid);
	return choice != IDEM_VISIT_STOP;
}

static IdemVisit
take_any(TupleTableSlot *slot, void *arg)
{
	return IDEM_VISIT_STOP;
}

static bool
is_speculative(const SnapshotData *dirty, Speculation *speculation)
{
	speculation->xid = dirty->xmin;
	speculation->token = dirty->speculativeToken;
	return dirty->speculativeToken != 0;
}

/* true when there was something to wait for */
static bool
wait_for(const Speculation *speculation)
{
	if (speculation->token == 0)
		return false;
	SpeculativeInsertionWait(speculation->xid, speculation->token);
	return true;
}

static void
clear(IdemVersion *version)
{
	if (version->slot != NULL)
		ExecClearTuple(version->slot);
	version->open_xid = InvalidTransactionId;
}

static void
clear_scan(IdemTable *table)
{
	if (table->scan != NULL)
		ExecClearTuple(table->scan);
}

/* hand the row in the scan's slot over, without copying it */
static void
keep(IdemTable *table, IdemVersion *version, TransactionId open_xid)
{
	TupleTableSlot *slot = version->slot;

	version->slot = table->scan;
	version->open_xid = open_xid;
	table->scan = slot;
}

static bool
is_there(const IdemVersion *version)
{
	return version->slot != NULL && !TTS_EMPTY(version->slot);
}

bool
idem_store_versions_has_base(const IdemTable *table)
{
	return is_there(&table->base);
}

bool
idem_store_versions_has_pending(const IdemTable *table)
{
	return is_there(&table->pending);
}

bool
idem_store_versions_base_is_own(const IdemTable *table)
{
	return is_own(table->base.slot);
}

/* a dirty scan also returns what an open transaction made and changed again */
static bool
is_superseded(TupleTableSlot *slot)
{
	uint16		infomask = header_of(slot)->t_infomask;

	return (infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(infomask);
}

static bool
has_ended(TransactionId xid)
{
	return TransactionIdIsValid(xid) && !TransactionIdIsInProgress(xid);
}

static HeapTupleHeader
header_of(TupleTableSlot *slot)
{
	return ExecFetchSlotHeapTuple(slot, false, NULL)->t_data;
}
