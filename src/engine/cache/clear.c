/*
 * clear.c
 *		Removing many entries: those with a tag, those with a prefix.
 *
 * The names are locked and marked first, then the entries looked for under a
 * snapshot taken after that.  They are removed in the order of their keys, as
 * all who write several go through them, so that two never wait for each
 * other; and one by one, so that no isolation level makes it fail.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "engine/cache/cache.h"
#include "engine/cache/change.h"
#include "engine/cache/entry.h"
#include "engine/cache/freshness.h"
#include "engine/common/count.h"
#include "engine/common/spi.h"
#include "engine/common/wait.h"
#include "pg/clock.h"

/* the removal of many */
typedef struct Removal
{
	ArrayType  *tags;			/* NULL: whatever its tags are */
	bool		was_live;		/* the last one, which was removed */
	int64		nlive;
	IdemTable	table;
} Removal;

static void remove_all(const char *query, Oid type, Datum what, Removal *removal);
static void remove_found(HeapTuple row, TupleDesc desc, void *arg);
static IdemEntryAction remove_matching(const IdemEntry *old, TimestampTz now,
									   IdemEntry *new, void *arg);
static bool has_any_tag(const IdemEntry *entry, ArrayType *tags);

int64
idem_cache_invalidate_tags(ArrayType *tags)
{
	Removal		removal = {.tags = tags};

	if (ArrayGetNItems(ARR_NDIM(tags), ARR_DIMS(tags)) == 0)
		return 0;
	idem_cache_freshness_invalidate_tags(tags);
	remove_all(idem_store_cache_tagged_sql, TEXTARRAYOID, PointerGetDatum(tags), &removal);
	idem_count_many(IDEM_COUNT_INVALIDATED, removal.nlive);
	return removal.nlive;
}

int64
idem_cache_clear(text *prefix)
{
	Removal		removal = {0};

	idem_cache_freshness_invalidate_all();
	remove_all(idem_store_cache_prefix_sql, TEXTOID, PointerGetDatum(prefix), &removal);
	idem_count_many(IDEM_COUNT_DELETED, removal.nlive);
	return removal.nlive;
}

static void
remove_all(const char *query, Oid type, Datum what, Removal *removal)
{
	idem_store_cache_open(&removal->table, RowExclusiveLock);
	idem_spi_each(query, 1, &type, &what, remove_found, removal);
	idem_store_table_close(&removal->table);
}

/* The version that the query has found, or whatever has become of it since. */
static void
remove_found(HeapTuple row, TupleDesc desc, void *arg)
{
	Removal    *removal = arg;
	bool		isnull;
	text	   *key = DatumGetTextPP(SPI_getbinval(row, desc, 1, &isnull));
	ItemPointer tid = (ItemPointer) DatumGetPointer(SPI_getbinval(row, desc, 2, &isnull));
	TimestampTz expires_at = DatumGetTimestampTz(SPI_getbinval(row, desc, 3, &isnull));

	if (idem_store_tuple_delete_version(&removal->table, tid))
	{
		removal->was_live = isnull || idem_clock_now() < expires_at;
		idem_wait_wake(&idem_store_cache_leases, key, NULL);
	}
	else
		idem_cache_change_entry(key, remove_matching, removal);
	if (removal->was_live)
		removal->nlive++;
}

/* It may have other tags by now. */
static IdemEntryAction
remove_matching(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	Removal    *removal = arg;

	removal->was_live = false;
	if (old != NULL && removal->tags != NULL && !has_any_tag(old, removal->tags))
		return IDEM_ENTRY_LEAVE;
	removal->was_live = old != NULL && idem_cache_entry_is_live(old, now);
	return IDEM_ENTRY_REMOVE;
}

/* both are sorted */
static bool
has_any_tag(const IdemEntry *entry, ArrayType *tags)
{
	Datum	   *mine;
	Datum	   *theirs;
	int			nmine = 0;
	int			ntheirs;
	int			i = 0;
	int			j = 0;

	if (entry->tags != NULL)
		deconstruct_array(DatumGetArrayTypeP(PointerGetDatum(entry->tags)), TEXTOID, -1,
						  false, TYPALIGN_INT, &mine, NULL, &nmine);
	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &theirs, NULL, &ntheirs);
	while (i < nmine && j < ntheirs)
	{
		int			order = idem_store_records_compare(DatumGetTextPP(mine[i]),
													   DatumGetTextPP(theirs[j]));

		if (order == 0)
			return true;
		if (order < 0)
			i++;
		else
			j++;
	}
	return false;
}
