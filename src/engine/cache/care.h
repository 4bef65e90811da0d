/*
 * care.h
 *		Keeping the cache's tables small.
 *
 * All remove at most max_rows, and leave what others have locked.
 */
#ifndef IDEM_CACHE_CARE_H
#define IDEM_CACHE_CARE_H

#include "datatype/timestamp.h"

/*
 * What expired too long ago to be served as stale; then the oldest, when the
 * cache is larger than idemstore.cache_max_size.
 */
extern int64 idem_cache_care_expire_entries(TimestampTz now, int32 max_rows);

extern int64 idem_cache_care_expire_leases(TimestampTz now, int32 max_rows);

/* marks of invalidations that every lease is younger than */
extern int64 idem_cache_care_expire_marks(TimestampTz now, int32 max_rows);

#endif							/* IDEM_CACHE_CARE_H */
