/*
 * cache.c
 *		Entries of the cache, one at a time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "engine/cache/cache.h"
#include "engine/cache/change.h"
#include "engine/cache/entry.h"
#include "engine/common/count.h"
#include "pg/clock.h"

typedef struct Touch
{
	const Interval *ttl;
	bool		was_live;
} Touch;

typedef struct Increment
{
	int64		delta;
	const Interval *ttl;
	int64		result;
} Increment;

static IdemEntryAction remove_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg);
static IdemEntryAction touch_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg);
static IdemEntryAction increment_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new,
									   void *arg);
static int64 number_in(const IdemEntry *entry);
static bool find_live(IdemTable *table, const text *key, IdemEntry *entry);

struct varlena *
idem_cache_get(const text *key, bool *is_json)
{
	IdemTable	table;
	struct varlena *value;

	idem_store_cache_open(&table, AccessShareLock);
	value = idem_cache_get_from(&table, key, is_json);
	idem_store_table_close(&table);
	return value;
}

struct varlena *
idem_cache_get_from(IdemTable *table, const text *key, bool *is_json)
{
	IdemEntry	entry;
	struct varlena *value;

	if (!find_live(table, key, &entry))
	{
		idem_count_one(IDEM_COUNT_MISS);
		return NULL;
	}
	value = idem_cache_entry_copy_value(&entry, is_json == NULL);
	idem_count_one(IDEM_COUNT_HIT);
	if (is_json != NULL)
		*is_json = entry.is_json;
	return value;
}

/* as the statement's snapshot sees it, like any SELECT */
static bool
find_live(IdemTable *table, const text *key, IdemEntry *entry)
{
	IdemKey		entry_key = idem_store_cache_key(key);

	if (!idem_store_versions_fetch(table, &entry_key, GetActiveSnapshot()))
		return false;
	idem_store_cache_read(table->base.slot, entry);
	return idem_cache_entry_is_live(entry, idem_clock_now());
}

bool
idem_cache_delete(text *key)
{
	bool		was_live = idem_cache_remove(key);

	idem_count_many(IDEM_COUNT_DELETED, was_live);
	return was_live;
}

bool
idem_cache_remove(text *key)
{
	bool		was_live = false;

	idem_cache_change_entry(key, remove_entry, &was_live);
	return was_live;
}

/* a key that comes twice is not live any more */
int64
idem_cache_delete_many(text **keys, int n)
{
	int64		nlive = 0;
	IdemTable	table;
	int			i;

	idem_store_cache_open(&table, RowExclusiveLock);
	for (i = 0; i < n; i++)
	{
		bool		was_live = false;

		CHECK_FOR_INTERRUPTS();
		idem_cache_change_found(&table, keys[i], NULL, remove_entry, &was_live);
		nlive += was_live;
	}
	idem_store_table_close(&table);
	idem_count_many(IDEM_COUNT_DELETED, nlive);
	return nlive;
}

/* One trace a transaction is enough. */
static IdemEntryAction
remove_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	*(bool *) arg = idem_cache_entry_is_live(old, now);
	if (old != NULL && idem_store_cache_is_trace(old) &&
		FullTransactionIdEquals(old->written_by, GetTopFullTransactionIdIfAny()))
		return IDEM_ENTRY_LEAVE;
	return IDEM_ENTRY_REMOVE;
}

bool
idem_cache_touch(text *key, const Interval *ttl)
{
	Touch		touch = {.ttl = ttl};

	idem_cache_change_entry(key, touch_entry, &touch);
	idem_count_many(IDEM_COUNT_TOUCHED, touch.was_live);
	return touch.was_live;
}

static IdemEntryAction
touch_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	Touch	   *touch = arg;

	touch->was_live = idem_cache_entry_is_live(old, now);
	if (idem_cache_entry_is_over(touch->ttl))
		return IDEM_ENTRY_REMOVE;
	if (!touch->was_live)
		return IDEM_ENTRY_LEAVE;
	*new = *old;
	new->written_by = InvalidFullTransactionId;
	new->expires_at = idem_cache_entry_expiry(touch->ttl, now);
	return IDEM_ENTRY_STORE;
}

bool
idem_cache_expires_at(const text *key, TimestampTz *expires_at)
{
	IdemTable	table;
	IdemEntry	entry;
	bool		is_live;

	idem_store_cache_open(&table, AccessShareLock);
	is_live = find_live(&table, key, &entry);
	*expires_at = is_live ? entry.expires_at : 0;
	idem_store_table_close(&table);
	return is_live;
}

int64
idem_cache_increment(text *key, int64 delta, const Interval *ttl)
{
	Increment	increment = {.delta = delta, .ttl = ttl};

	idem_cache_change_entry(key, increment_entry, &increment);
	idem_count_one(IDEM_COUNT_SET);
	return increment.result;
}

static IdemEntryAction
increment_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	Increment  *increment = arg;
	int64		former = 0;
	bool		was_live = idem_cache_entry_is_live(old, now);

	if (was_live)
		former = number_in(old);
	if (pg_add_s64_overflow(former, increment->delta, &increment->result))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cache entry is out of range for type bigint")));
	new->value = cstring_to_text(psprintf(INT64_FORMAT, increment->result));
	new->is_json = true;
	new->tags = idem_cache_entry_kept_tags(old, now);
	if (was_live)
		new->expires_at = old->expires_at;
	else
		new->expires_at = increment->ttl == NULL ? IDEM_CACHE_NEVER :
			idem_cache_entry_expiry(increment->ttl, now);
	return new->expires_at <= now ? IDEM_ENTRY_REMOVE : IDEM_ENTRY_STORE;
}

/* in the detail is the key, and nowhere the value */
static int64
number_in(const IdemEntry *entry)
{
	char	   *digits = text_to_cstring(idem_cache_entry_copy_value(entry, true));
	char	   *end;
	int64		result;

	errno = 0;
	result = strtoi64(digits, &end, 10);
	if (end == digits || end[strspn(end, " \t\r\n")] != '\0' || errno != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("cache entry is not an integer"),
				 errdetail("Its key is \"%s\".", text_to_cstring(entry->key)),
				 errhint("Increment only what cache_increment() has made, or an integer.")));
	return result;
}
