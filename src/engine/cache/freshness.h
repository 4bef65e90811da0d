/*
 * freshness.h
 *		Keeping values out of the cache that are older than an invalidation.
 *
 * The order is that of commits, not of clocks.  An invalidation of tags, or of all
 * keys that begin so, leaves its transaction id as a mark, and then looks for
 * entries.  Who stores writes the entry, and then looks for marks: one of the two
 * sees the other.  Of a single key, the entry itself says who wrote or removed it.
 */
#ifndef IDEM_CACHE_FRESHNESS_H
#define IDEM_CACHE_FRESHNESS_H

#include "access/transam.h"
#include "utils/array.h"

/* the longest lease of cache_fetch(), in seconds */
#define IDEM_MAX_CACHE_LEASE_S	3600

/* Leave the marks, waiting for others who invalidate the same. */
extern void idem_cache_freshness_invalidate_tags(ArrayType *tags);
extern void idem_cache_freshness_invalidate_prefix(const text *prefix);

/*
 * Is another transaction invalidating this key, by a prefix, or one of the tags,
 * which may be NULL?
 */
extern bool idem_cache_freshness_is_due(const text *key, ArrayType *tags);

/*
 * Is a value that was computed under this snapshot newer than all invalidations of
 * the key and the tags, open ones included?
 */
extern bool idem_cache_freshness_is_fresh(const text *key, ArrayType *tags,
										  struct varlena *snapshot);

/* Had the transaction ended when the snapshot was taken?  Never our own. */
extern bool idem_cache_freshness_is_visible(FullTransactionId xid, struct varlena *snapshot);

#endif							/* IDEM_CACHE_FRESHNESS_H */
