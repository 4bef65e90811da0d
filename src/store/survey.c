/*
 * survey.c
 *		Going over all rows of a table, those of open transactions included.
 *
 * A dirty scan waits for nobody, and a version that moves while it runs may be
 * met twice or not at all: what it finds is where to look, and not what holds.
 * It leaves no SIREAD locks.  Insertions that are not settled yet are left out.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/subtrans.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "utils/snapmgr.h"

#include "store/survey.h"

static void scan_from(IdemTable *table, BlockNumber first, Snapshot snapshot,
					  IdemSurveyStep step, void *arg);

void
idem_store_survey_from(IdemTable *table, BlockNumber first, IdemSurveyStep step,
					   void *arg)
{
	SnapshotData dirty;

	InitDirtySnapshot(dirty);
	scan_from(table, first, &dirty, step, arg);
}

void
idem_store_survey_versions(IdemTable *table, IdemSurveyStep step, void *arg)
{
	scan_from(table, 0, SnapshotAny, step, arg);
}

static void
scan_from(IdemTable *table, BlockNumber first, Snapshot snapshot,
		  IdemSurveyStep step, void *arg)
{
	BlockNumber nblocks = RelationGetNumberOfBlocks(table->rel);
	bool		goes_on = true;
	TupleTableSlot *slot;
	TableScanDesc scan;

	if (first >= nblocks)
		return;
	slot = table_slot_create(table->rel, NULL);
	scan = table_beginscan_strat(table->rel, snapshot, 0, NULL, true, false);
	heap_setscanlimits(scan, first, nblocks - first);
	while (goes_on && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (snapshot == SnapshotAny)
			goes_on = step(table, slot, false, arg);
		else if (snapshot->speculativeToken == 0)
			goes_on = step(table, slot, TransactionIdIsValid(snapshot->xmin) ||
						   TransactionIdIsValid(snapshot->xmax), arg);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* only the top transaction has an entry that leads to its process */
int
idem_store_survey_owner(TransactionId xid)
{
	if (RecoveryInProgress())
		return 0;
	return BackendXidGetPid(SubTransGetTopmostTransaction(xid));
}
