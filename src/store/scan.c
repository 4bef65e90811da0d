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

#include "pg/compat.h"
#include "store/scan.h"

IndexScanDesc
idem_store_scan_begin(const IdemScan *scan, Snapshot snapshot)
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
