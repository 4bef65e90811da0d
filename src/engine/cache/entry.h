/*
 * entry.h
 *		What one entry says.
 */
#ifndef IDEM_CACHE_ENTRY_H
#define IDEM_CACHE_ENTRY_H

#include "store/cache/cache.h"

/* NULL is not */
extern bool idem_cache_entry_is_live(const IdemEntry *entry, TimestampTz now);

/* A copy of the tags that a live entry keeps when it is written without any. */
extern ArrayType *idem_cache_entry_kept_tags(const IdemEntry *old, TimestampTz now);

/* from when on an entry with this ttl is expired, or IDEM_CACHE_NEVER */
extern TimestampTz idem_cache_entry_expiry(const Interval *ttl, TimestampTz now);

/* Is an entry with this ttl expired already? */
extern bool idem_cache_entry_is_over(const Interval *ttl);

/* Raises 42804 when the entry is not of the form that is asked for. */
extern struct varlena *idem_cache_entry_copy_value(const IdemEntry *entry, bool as_json);

#endif							/* IDEM_CACHE_ENTRY_H */
