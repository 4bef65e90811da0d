/*
 * cache.c
 *		Entries of the cache, one at a time.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "engine/cache/cache.h"
#include "engine/cache/change.h"
#include "engine/cache/entry.h"
#include "engine/cache/freshness.h"
#include "engine/cache/lease.h"
#include "engine/common/count.h"
#include "pg/clock.h"

/* a put and what its lease says */
typedef struct Put
{
	const IdemCachePut *put;
	struct varlena *snapshot;	/* of the lease, NULL without a fence */
	bool		is_refused;
} Put;

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

static bool try_put(const IdemCachePut *put);
static IdemEntryAction put_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg);
static ArrayType *kept_tags(const IdemEntry *old, TimestampTz now);
static bool is_live(const IdemEntry *old, TimestampTz now);
static bool is_stale(const Put *state, const IdemEntry *old, ArrayType *tags);
static IdemEntryAction remove_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg);
static IdemEntryAction touch_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg);
static IdemEntryAction increment_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new,
									   void *arg);
static int64 number_in(const IdemEntry *entry);
static bool removes(const Interval *ttl);
static TimestampTz expiry_of(const Interval *ttl, TimestampTz now);
static bool find_live(IdemTable *table, const text *key, IdemEntry *entry);

bool
idem_cache_put(const IdemCachePut *put)
{
	bool		is_stored = try_put(put);

	idem_count_one(is_stored ? IDEM_COUNT_SET : IDEM_COUNT_REFUSED);
	return is_stored;
}

static bool
try_put(const IdemCachePut *put)
{
	Put			state = {.put = put};

	if (put->has_fence)
	{
		state.snapshot = idem_cache_lease_end(put->key, put->fence);
		if (state.snapshot == NULL || !idem_cache_freshness_may_store(put->key, state.snapshot))
			return false;
	}
	else if (removes(&put->ttl))
		idem_cache_freshness_invalidate_key(put->key);
	else if (put->tags != NULL)
		idem_cache_freshness_announce_tags(put->tags);
	idem_cache_change_entry(put->key, put_entry, &state);
	return !state.is_refused;
}

static IdemEntryAction
put_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	Put		   *state = arg;
	const IdemCachePut *put = state->put;

	new->value = put->value;
	new->is_json = put->is_json;
	new->tags = put->keeps_tags ? kept_tags(old, now) : put->tags;
	new->expires_at = expiry_of(&put->ttl, now);
	state->is_refused = state->snapshot != NULL && is_stale(state, old, new->tags);
	if (state->is_refused)
		return IDEM_ENTRY_LEAVE;
	return new->expires_at <= now ? IDEM_ENTRY_REMOVE : IDEM_ENTRY_STORE;
}

/* aligned, which they need not be in the row */
static ArrayType *
kept_tags(const IdemEntry *old, TimestampTz now)
{
	if (!is_live(old, now) || old->tags == NULL)
		return NULL;
	return DatumGetArrayTypePCopy(PointerGetDatum(old->tags));
}

static bool
is_live(const IdemEntry *old, TimestampTz now)
{
	return old != NULL && idem_cache_entry_is_live(old, now);
}

/* A write of the key since then counts as an invalidation of it. */
static bool
is_stale(const Put *state, const IdemEntry *old, ArrayType *tags)
{
	return (old != NULL && !idem_cache_freshness_is_visible(old->written_by, state->snapshot)) ||
		!idem_cache_freshness_may_tag(tags, state->snapshot);
}

/* What leaves no entry behind must leave a mark. */
static bool
removes(const Interval *ttl)
{
	TimestampTz now = idem_clock_now();

	return idem_clock_add(now, ttl) < now;
}

static TimestampTz
expiry_of(const Interval *ttl, TimestampTz now)
{
	TimestampTz result = idem_clock_add(now, ttl);

	return result == now ? IDEM_CACHE_NEVER : result;
}

struct varlena *
idem_cache_get(const text *key, bool as_json)
{
	IdemTable	table;
	IdemEntry	entry;
	struct varlena *value = NULL;

	idem_store_cache_open(&table, AccessShareLock);
	if (find_live(&table, key, &entry))
		value = idem_cache_entry_copy_value(&entry, as_json);
	idem_store_table_close(&table);
	idem_count_one(value != NULL ? IDEM_COUNT_HIT : IDEM_COUNT_MISS);
	return value;
}

struct varlena *
idem_cache_get_from(IdemTable *table, const text *key, bool *is_json)
{
	IdemEntry	entry;

	if (!find_live(table, key, &entry))
	{
		idem_count_one(IDEM_COUNT_MISS);
		return NULL;
	}
	idem_count_one(IDEM_COUNT_HIT);
	*is_json = entry.is_json;
	return idem_cache_entry_copy_value(&entry, entry.is_json);
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
	bool		was_live = false;

	idem_cache_freshness_invalidate_key(key);
	idem_cache_change_entry(key, remove_entry, &was_live);
	idem_count_many(IDEM_COUNT_DELETED, was_live);
	return was_live;
}

int64
idem_cache_delete_many(text **keys, int n)
{
	int64		nlive = 0;
	int			i;

	idem_cache_freshness_invalidate_keys(keys, n);
	for (i = 0; i < n; i++)
	{
		bool		was_live;

		CHECK_FOR_INTERRUPTS();
		idem_cache_change_entry(keys[i], remove_entry, &was_live);
		if (was_live)
			nlive++;
	}
	idem_count_many(IDEM_COUNT_DELETED, nlive);
	return nlive;
}

static IdemEntryAction
remove_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	*(bool *) arg = is_live(old, now);
	return IDEM_ENTRY_REMOVE;
}

bool
idem_cache_touch(text *key, const Interval *ttl)
{
	Touch		touch = {.ttl = ttl};

	if (removes(ttl))
		idem_cache_freshness_invalidate_key(key);
	idem_cache_change_entry(key, touch_entry, &touch);
	idem_count_many(IDEM_COUNT_TOUCHED, touch.was_live);
	return touch.was_live;
}

static IdemEntryAction
touch_entry(const IdemEntry *old, TimestampTz now, IdemEntry *new, void *arg)
{
	Touch	   *touch = arg;

	touch->was_live = is_live(old, now);
	if (!touch->was_live)
		return IDEM_ENTRY_LEAVE;
	*new = *old;
	new->expires_at = expiry_of(touch->ttl, now);
	return new->expires_at <= now ? IDEM_ENTRY_REMOVE : IDEM_ENTRY_STORE;
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
	bool		was_live = is_live(old, now);

	if (was_live)
		former = number_in(old);
	if (pg_add_s64_overflow(former, increment->delta, &increment->result))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("cache entry is out of range for type bigint")));
	new->value = (struct varlena *) cstring_to_text(psprintf(INT64_FORMAT, increment->result));
	new->is_json = true;
	new->tags = kept_tags(old, now);
	if (was_live)
		new->expires_at = old->expires_at;
	else
		new->expires_at = increment->ttl == NULL ? IDEM_CACHE_NEVER :
			expiry_of(increment->ttl, now);
	return new->expires_at <= now ? IDEM_ENTRY_REMOVE : IDEM_ENTRY_STORE;
}

/* in the detail is the key, and nowhere the value */
static int64
number_in(const IdemEntry *entry)
{
	char	   *digits = text_to_cstring((text *) idem_cache_entry_copy_value(entry, true));
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
