/*
 * scan.c
 *		Scans of an index for the versions of a row, and what they leave in an
 *		open table.
 */
#include "postgres.h"

#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "store/scan.h"

IndexScanDesc
idem_store_scan_begin(const IdemScan *scan, Snapshot snapshot)
{
	ScanKeyData scan_keys[IDEM_MAX_KEY_COLUMNS + 1];
	IndexScanDesc desc;
	int			n;

	Assert(scan->nkeys <= IDEM_MAX_KEY_COLUMNS);
	for (n = 0; n < scan->nkeys; n++)
	{
		ScanKeyInit(&scan_keys[n], n + 1, BTEqualStrategyNumber, F_TEXTEQ,
					scan->keys[n]);
		scan_keys[n].sk_collation = scan->index->rd_indcollation[n];
	}
	if (scan->later_than != NULL && scan->index->rd_index->indnkeyatts > n)
	{
		ScanKeyInit(&scan_keys[n], n + 1, BTGreaterStrategyNumber, F_TIMESTAMPTZ_GT,
					TimestampTzGetDatum(*scan->later_than));
		n++;
	}
	desc = idem_compat_index_beginscan(scan->table->rel, scan->index, snapshot, n);
	index_rescan(desc, scan_keys, n, NULL, 0);
	return desc;
}

bool
idem_store_scan_next(const IdemScan *scan, IndexScanDesc desc)
{
	return index_getnext_slot(desc, scan->later_than != NULL ?
							  BackwardScanDirection : ForwardScanDirection,
							  idem_store_table_scan_slot(scan->table));
}

bool
idem_store_scan_is_speculative(const SnapshotData *dirty, IdemSpeculation *speculation)
{
	speculation->xid = dirty->xmin;
	speculation->token = dirty->speculativeToken;
	return dirty->speculativeToken != 0;
}

bool
idem_store_scan_wait_for(const IdemSpeculation *speculation)
{
	if (speculation->token == 0)
		return false;
	SpeculativeInsertionWait(speculation->xid, speculation->token);
	return true;
}

void
idem_store_scan_clear(IdemVersion *version)
{
	if (version->slot != NULL)
		ExecClearTuple(version->slot);
	version->open_xid = InvalidTransactionId;
}

void
idem_store_scan_clear_current(IdemTable *table)
{
	if (table->scan != NULL)
		ExecClearTuple(table->scan);
}

void
idem_store_scan_keep(IdemTable *table, IdemVersion *version, TransactionId open_xid)
{
	TupleTableSlot *slot = version->slot;

	version->slot = table->scan;
	version->open_xid = open_xid;
	table->scan = slot;
}

bool
idem_store_scan_is_there(const IdemVersion *version)
{
	return version->slot != NULL && !TTS_EMPTY(version->slot);
}

bool
idem_store_scan_is_superseded(TupleTableSlot *slot)
{
	uint16		infomask = idem_store_scan_header(slot)->t_infomask;

	return (infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(infomask);
}

bool
idem_store_scan_has_ended(TransactionId xid)
{
	return TransactionIdIsValid(xid) && !TransactionIdIsInProgress(xid);
}

HeapTupleHeader
idem_store_scan_header(TupleTableSlot *slot)
{
	return ExecFetchSlotHeapTuple(slot, false, NULL)->t_data;
}
