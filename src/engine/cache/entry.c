/*
 * entry.c
 *		What one entry says.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "engine/cache/entry.h"
#include "pg/clock.h"

bool
idem_cache_entry_is_live(const IdemEntry *entry, TimestampTz now)
{
	return entry != NULL && now < entry->expires_at && !idem_store_cache_is_trace(entry);
}

/* aligned, which they need not be in the row */
ArrayType *
idem_cache_entry_kept_tags(const IdemEntry *old, TimestampTz now)
{
	if (!idem_cache_entry_is_live(old, now) || old->tags == NULL)
		return NULL;
	return DatumGetArrayTypePCopy(PointerGetDatum(old->tags));
}

TimestampTz
idem_cache_entry_expiry(const Interval *ttl, TimestampTz now)
{
	TimestampTz result = idem_clock_add(now, ttl);

	return result == now ? IDEM_CACHE_NEVER : result;
}

bool
idem_cache_entry_is_over(const Interval *ttl)
{
	TimestampTz now = idem_clock_now();

	return idem_clock_add(now, ttl) < now;
}

/* json is text, of which the bytes can be had, but not the other way */
struct varlena *
idem_cache_entry_copy_value(const IdemEntry *entry, bool as_json)
{
	if (as_json && !entry->is_json)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cache entry holds bytes, not json"),
				 errdetail("Its key is \"%s\".", text_to_cstring(entry->key)),
				 errhint("Read it with cache_get_bytes().")));
	return idem_store_records_copy(entry->value);
}
