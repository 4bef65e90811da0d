/*
 * trim.h
 *		Keeping the cache below idemstore.cache_max_size.
 */
#ifndef IDEM_CACHE_TRIM_H
#define IDEM_CACHE_TRIM_H

#include "engine/cache/retire.h"

/* Remove the oldest entries while there are too many; at most max_rows. */
extern int64 idem_cache_trim(IdemRetirement *retirement, TimestampTz now, int64 max_rows);

#endif							/* IDEM_CACHE_TRIM_H */
