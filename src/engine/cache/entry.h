/*
 * entry.h
 *		What one entry says.
 */
#ifndef IDEM_CACHE_ENTRY_H
#define IDEM_CACHE_ENTRY_H

#include "store/cache.h"

extern bool idem_cache_entry_is_live(const IdemEntry *entry, TimestampTz now);

/* Raises 42804 when the entry is not of the form that is asked for. */
extern struct varlena *idem_cache_entry_copy_value(const IdemEntry *entry, bool as_json);

#endif							/* IDEM_CACHE_ENTRY_H */
