/*
 * listing.c
 *		Reading rows in the order of their names.
 *
 * The primary key's index is by bytes, so those with a prefix stand together, and
 * a page of them costs what it shows, wherever it begins.
 */
#include "postgres.h"

#include "access/genam.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/compat.h"
#include "store/listing.h"
#include "store/records.h"

static IndexScanDesc begin_scan(const IdemTable *table, const IdemListing *listing);
static bool has_prefix(const text *name, const text *prefix);

void
idem_store_listing_read(IdemTable *table, const IdemListing *listing,
						IdemListed listed, void *arg)
{
	TupleTableSlot *slot = idem_store_table_scan_slot(table);
	AttrNumber	column = table->pkey->rd_index->indkey.values[0];
	IndexScanDesc scan = begin_scan(table, listing);

	while (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		if (!has_prefix(DatumGetTextPP(slot_getattr(slot, column, &isnull)), listing->prefix) ||
			!listed(slot, arg))
			break;
	}
	index_endscan(scan);
	ExecClearTuple(slot);
}

/* from the prefix on, or from behind a name that is greater */
static IndexScanDesc
begin_scan(const IdemTable *table, const IdemListing *listing)
{
	bool		is_begun = idem_store_records_compare(listing->after, listing->prefix) >= 0;
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

static bool
has_prefix(const text *name, const text *prefix)
{
	int			size = VARSIZE_ANY_EXHDR(prefix);

	return VARSIZE_ANY_EXHDR(name) >= size &&
		memcmp(VARDATA_ANY(name), VARDATA_ANY(prefix), size) == 0;
}
