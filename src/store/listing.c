/*
 * listing.c
 *		Reading rows in the order of their names.
 *
 * The primary key's index is by bytes, so those with a prefix stand together, and
 * a page of them costs what it shows, wherever it begins.  What the caller's own
 * transaction wrote or removed counts, even where others came in between.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "pg/name.h"
#include "store/listing.h"
#include "store/records.h"
#include "store/scan.h"
#include "store/versions.h"

static IndexScanDesc begin_scan(const IdemTable *table, const IdemListing *listing);
static IdemKey name_in(const IdemTable *table);
static bool is_new(IdemKey name, text **last);
static TupleTableSlot *current_row(IdemTable *table, const IdemKey *name, Snapshot snapshot);

void
idem_store_listing_read(IdemTable *table, const IdemListing *listing,
						IdemListed listed, void *arg)
{
	IndexScanDesc scan = begin_scan(table, listing);
	text	   *last = NULL;
	bool		goes_on = true;

	while (goes_on &&
		   index_getnext_slot(scan, ForwardScanDirection, idem_store_table_scan_slot(table)))
	{
		TupleTableSlot *row;
		IdemKey		name;

		CHECK_FOR_INTERRUPTS();
		idem_store_scan_keep(table, &table->match, InvalidTransactionId);
		name = name_in(table);
		if (!idem_name_begins_with(DatumGetTextPP(name.column[0]), listing->prefix))
			break;
		row = is_new(name, &last) ? current_row(table, &name, scan->xs_snapshot) : NULL;
		goes_on = row == NULL || listed(row, arg);
	}
	index_endscan(scan);
	idem_store_scan_clear(&table->match);
	idem_store_scan_clear_current(table);
}

static IdemKey
name_in(const IdemTable *table)
{
	AttrNumber	column = table->pkey->rd_index->indkey.values[0];
	bool		isnull;
	IdemKey		result = {{slot_getattr(table->match.slot, column, &isnull)}};

	return result;
}

/* The snapshot of a transaction may see a row, and what that has written of it. */
static bool
is_new(IdemKey name, text **last)
{
	text	   *key = DatumGetTextPP(name.column[0]);

	if (!IsolationUsesXactSnapshot())
		return true;
	if (*last != NULL && idem_name_equal(*last, key))
		return false;
	if (*last != NULL)
		pfree(*last);
	*last = idem_store_records_copy(key);
	return true;
}

/* NULL where the own transaction has removed it */
static TupleTableSlot *
current_row(IdemTable *table, const IdemKey *name, Snapshot snapshot)
{
	if (!IsolationUsesXactSnapshot() || !idem_store_scan_is_superseded(table->match.slot))
		return table->match.slot;
	return idem_store_versions_fetch(table, name, snapshot) ? table->base.slot : NULL;
}

/* from the prefix on, or from behind a name that is greater */
static IndexScanDesc
begin_scan(const IdemTable *table, const IdemListing *listing)
{
	bool		is_begun = idem_name_compare(listing->after, listing->prefix) >= 0;
	ScanKeyData key;
	IndexScanDesc scan;

	ScanKeyInit(&key, 1,
				is_begun ? BTGreaterStrategyNumber : BTGreaterEqualStrategyNumber,
				is_begun ? F_TEXT_GT : F_TEXT_GE,
				PointerGetDatum(is_begun ? listing->after : listing->prefix));
	key.sk_collation = table->pkey->rd_indcollation[0];
	scan = idem_compat_index_beginscan(table->rel, table->pkey, GetActiveSnapshot(), 1);
	index_rescan(scan, &key, 1, NULL, 0);
	return scan;
}
