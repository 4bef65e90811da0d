/*
 * entry.c
 *		What one entry says.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "engine/cache/entry.h"

bool
idem_cache_entry_is_live(const IdemEntry *entry, TimestampTz now)
{
	return now < entry->expires_at;
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
