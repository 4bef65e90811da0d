/*
 * list.c
 *		The SQL function that lists the entries of the cache.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "api/args.h"
#include "api/result.h"
#include "engine/cache/entry.h"
#include "pg/clock.h"
#include "store/listing.h"

/* the columns of cache_list() */
enum
{
	LIST_KEY,
	LIST_EXPIRES_AT,
	LIST_TAGS,
	LIST_SIZE,
	LIST_COLUMNS
};

/* a listing and where it goes */
typedef struct Listing
{
	ReturnSetInfo *result;
	TimestampTz now;
	int32		nleft;
} Listing;

PG_FUNCTION_INFO_V1(idemstore_cache_list);

static bool put_entry(TupleTableSlot *slot, void *arg);
static struct varlena *detoasted(void *value);

/* prefix, max_rows, after */
Datum
idemstore_cache_list(PG_FUNCTION_ARGS)
{
	IdemListing listing = {
		.prefix = idem_args_name(fcinfo, 0, "prefix", IDEM_MAX_KEY_SIZE),
		.after = idem_args_name(fcinfo, 2, "after", IDEM_MAX_KEY_SIZE),
	};
	Listing		page = {
		.result = (ReturnSetInfo *) fcinfo->resultinfo,
		.now = idem_clock_now(),
		.nleft = idem_args_positive_int(fcinfo, 1, "max_rows"),
	};
	IdemTable	table;

	InitMaterializedSRF(fcinfo, 0);
	idem_store_cache_open(&table, AccessShareLock);
	idem_store_listing_read(&table, &listing, put_entry, &page);
	idem_store_table_close(&table);
	return (Datum) 0;
}

static bool
put_entry(TupleTableSlot *slot, void *arg)
{
	Listing    *page = arg;
	IdemEntry	entry;
	Datum		values[LIST_COLUMNS];
	bool		isnull[LIST_COLUMNS] = {false};

	idem_store_cache_read(slot, &entry);
	if (!idem_cache_entry_is_live(&entry, page->now))
		return true;
	idem_result_put(values, isnull, LIST_KEY, detoasted(entry.key));
	values[LIST_EXPIRES_AT] = TimestampTzGetDatum(entry.expires_at);
	isnull[LIST_EXPIRES_AT] = entry.expires_at == IDEM_CACHE_NEVER;
	idem_result_put(values, isnull, LIST_TAGS, detoasted(entry.tags));
	values[LIST_SIZE] = Int64GetDatum(toast_raw_datum_size(PointerGetDatum(entry.value)) - VARHDRSZ);
	tuplestore_putvalues(page->result->setResult, page->result->setDesc, values, isnull);
	return --page->nleft > 0;
}

/* before the table is closed */
static struct varlena *
detoasted(void *value)
{
	return value == NULL ? NULL : PG_DETOAST_DATUM_PACKED(PointerGetDatum(value));
}
