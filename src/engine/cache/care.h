/*
 * care.h
 *		Keeping the cache's tables small.
 *
 * All are connected to SPI already, and change at most max_rows.
 */
#ifndef IDEM_CACHE_CARE_H
#define IDEM_CACHE_CARE_H

#include "datatype/timestamp.h"

/*
 * What expired too long ago to be served as stale; then the oldest, while the
 * cache is larger than idemstore.cache_max_size.
 */
extern int64 idem_cache_care_expire_entries(TimestampTz now, int32 max_rows);

extern int64 idem_cache_care_expire_leases(TimestampTz now, int32 max_rows);

/* note of marks of invalidations that from now on every lease sees them */
extern int64 idem_cache_care_stamp_marks(TimestampTz now, int32 max_rows);

/* marks of invalidations that every lease is younger than */
extern int64 idem_cache_care_expire_marks(TimestampTz now, int32 max_rows);

#endif							/* IDEM_CACHE_CARE_H */
