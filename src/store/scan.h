/*
 * scan.h
 *		Scans of an index for the versions of a row, and what they leave in an
 *		open table.
 */
#ifndef IDEM_STORE_SCAN_H
#define IDEM_STORE_SCAN_H

#include "access/genam.h"
#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "utils/snapshot.h"

#include "store/table.h"

/* a scan by the equality of the leading columns of an index, all of them text */
typedef struct IdemScan
{
	IdemTable  *table;
	Relation	index;
	int			nkeys;
	const Datum *keys;
	const TimestampTz *later_than;	/* NULL, or of the column behind them, if
									 * the index has it: the latest come first */
} IdemScan;

/* an insertion that has not settled */
typedef struct IdemSpeculation
{
	TransactionId xid;
	uint32		token;
} IdemSpeculation;

extern IndexScanDesc idem_store_scan_begin(const IdemScan *scan, Snapshot snapshot);

/* The next row, in the scan's slot of the table; is there one? */
extern bool idem_store_scan_next(const IdemScan *scan, IndexScanDesc desc);

/* Is the row that a dirty scan has just found one of a speculative insertion? */
extern bool idem_store_scan_is_speculative(const SnapshotData *dirty,
										   IdemSpeculation *speculation);

/* false when there is nothing to wait for */
extern bool idem_store_scan_wait_for(const IdemSpeculation *speculation);

/* Hand the row in the scan's slot over, without copying it. */
extern void idem_store_scan_keep(IdemTable *table, IdemVersion *version,
								 TransactionId open_xid);
extern void idem_store_scan_clear(IdemVersion *version);
extern void idem_store_scan_clear_current(IdemTable *table);
extern bool idem_store_scan_is_there(const IdemVersion *version);

/* Has somebody, whose transaction may be open, changed or deleted it? */
extern bool idem_store_scan_is_superseded(TupleTableSlot *slot);

extern HeapTupleHeader idem_store_scan_header(TupleTableSlot *slot);

/* false when it is invalid */
extern bool idem_store_scan_has_ended(TransactionId xid);

#endif							/* IDEM_STORE_SCAN_H */
