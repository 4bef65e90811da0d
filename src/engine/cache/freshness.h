/*
 * freshness.h
 *		Keeping values out of the cache that are older than an invalidation.
 *
 * The order is that of commits, not of clocks.  An invalidation of a name (a
 * key, a tag, or everything) locks the name to the end of its transaction and
 * leaves its transaction id as a mark.  A value that was computed under a
 * snapshot may be stored only when no such lock is held, and when every mark
 * was already visible to that snapshot.
 */
#ifndef IDEM_CACHE_FRESHNESS_H
#define IDEM_CACHE_FRESHNESS_H

#include "access/transam.h"
#include "utils/array.h"

/* the longest lease of cache_fetch(), in seconds; marks are kept for twice that */
#define IDEM_MAX_CACHE_LEASE_S	3600

/* Invalidate: wait for those who are storing under the name, lock, and mark. */
extern void idem_cache_freshness_invalidate_key(const text *key);
extern void idem_cache_freshness_invalidate_keys(text **keys, int n);
extern void idem_cache_freshness_invalidate_tags(ArrayType *tags);
extern void idem_cache_freshness_invalidate_all(void);

/*
 * Let invalidations of these tags wait for this transaction.  Where one is
 * open already, this one counts as later.
 */
extern void idem_cache_freshness_announce_tags(ArrayType *tags);

/*
 * May a value computed under this snapshot be stored under the key, or the
 * tags?  If so, invalidations wait for this transaction.
 */
extern bool idem_cache_freshness_may_store(const text *key, struct varlena *snapshot);
extern bool idem_cache_freshness_may_tag(ArrayType *tags, struct varlena *snapshot);

/* Had the transaction ended when the snapshot was taken?  Never our own. */
extern bool idem_cache_freshness_is_visible(FullTransactionId xid, struct varlena *snapshot);

#endif							/* IDEM_CACHE_FRESHNESS_H */
