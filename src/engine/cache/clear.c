/*
 * clear.c
 *		Removing many entries: those with a tag, those with a prefix.
 *
 * The names are marked first, then the entries looked for.  They are removed in
 * the order of their keys, as all who write several go through them, so that two
 * never wait for each other; and one by one, so that no isolation level makes it
 * fail.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/procarray.h"

#include "engine/cache/cache.h"
#include "engine/cache/change.h"
#include "engine/cache/entry.h"
#include "engine/cache/freshness.h"
#include "engine/common/count.h"
#include "engine/common/presence.h"
#include "store/cache/search.h"

/* of one entry */
typedef struct Removal
{
	ArrayType  *tags;			/* NULL: whatever its tags are */
	bool		was_live;
} Removal;

static IdemEntryAction remove_tagged(const IdemEntry *old, TimestampTz now,
									 IdemEntry *new, void *arg);
static IdemEntryAction drop(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg);
static bool may_stay(const IdemFound *found);

int64
idem_cache_invalidate_tags(ArrayType *tags)
{
	IdemTable	table;
	IdemEntrySearch *search;
	IdemFound	found;
	int64		nlive = 0;

	if (ArrayGetNItems(ARR_NDIM(tags), ARR_DIMS(tags)) == 0)
		return 0;
	idem_cache_freshness_invalidate_tags(tags);
	idem_store_cache_open(&table, RowExclusiveLock);
	search = idem_store_cache_search_tags(&table, tags);
	while (idem_store_cache_search_next(search, &found))
	{
		Removal		removal = {.tags = tags};

		CHECK_FOR_INTERRUPTS();
		idem_cache_change_found(&table, found.key, &found.row, remove_tagged, &removal);
		nlive += removal.was_live;
	}
	idem_store_cache_search_end(search);
	idem_store_table_close(&table);
	idem_count_many(IDEM_COUNT_INVALIDATED, nlive);
	return nlive;
}

/* It may have other tags by now. */
static IdemEntryAction
remove_tagged(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	Removal    *removal = arg;

	removal->was_live = false;
	if (old == NULL || !idem_store_cache_search_has_any(old, removal->tags))
		return IDEM_ENTRY_LEAVE;
	removal->was_live = idem_cache_entry_is_live(old, now);
	return IDEM_ENTRY_REMOVE;
}

int64
idem_cache_clear(text *prefix)
{
	IdemTable	table;
	IdemEntrySearch *search;
	IdemFound	found;
	int64		nlive = 0;

	idem_cache_freshness_invalidate_prefix(prefix);
	idem_store_cache_open(&table, RowExclusiveLock);
	search = idem_store_cache_search_prefix(&table, prefix);
	while (idem_store_cache_search_next(search, &found))
	{
		bool		was_live = false;

		CHECK_FOR_INTERRUPTS();
		if (may_stay(&found))
			continue;
		idem_cache_change_found(&table, found.key, &found.row, drop, &was_live);
		nlive += was_live;
	}
	idem_store_cache_search_end(search);
	idem_store_table_close(&table);
	idem_count_many(IDEM_COUNT_DELETED, nlive);
	return nlive;
}

/*
 * What is being stored without a fence, and was before the mark.  Who has a fence
 * shows it to the very end, so ask whether he has come to that afterwards.
 */
static bool
may_stay(const IdemFound *found)
{
	return TransactionIdIsValid(found->inserter) &&
		!idem_presence_is_shown_by(IDEM_STORES_FENCED, found->inserter) &&
		TransactionIdIsInProgress(found->inserter);
}

/* The mark of the prefix says who did it. */
static IdemEntryAction
drop(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	*(bool *) arg = idem_cache_entry_is_live(old, now);
	return IDEM_ENTRY_DROP;
}
