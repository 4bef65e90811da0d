/*
 * cache.h
 *		Entries of the cache: reading, writing and removing one or many.
 *
 * Everything commits or rolls back with the transaction.  Writing the same key
 * in two transactions waits, as UPDATE does.
 */
#ifndef IDEM_CACHE_CACHE_H
#define IDEM_CACHE_CACHE_H

#include "store/cache/cache.h"

/* of one entry */
#define IDEM_MAX_TAGS		256
#define IDEM_MAX_TAG_SIZE	1024

/* What is to be stored. */
typedef struct IdemCachePut
{
	text	   *key;
	struct varlena *value;
	bool		is_json;
	Interval	ttl;			/* bounded; 0 never expires, less is expired
								 * already */
	bool		keeps_tags;		/* those of a live entry */
	ArrayType  *tags;			/* else these; sorted, no two the same */
	bool		has_fence;
	int64		fence;

	/* without a fence, on what condition */
	bool		only_if_absent; /* there is no live entry */
	struct varlena *expected;	/* unless NULL: this very JSON stands there */
	bool		keeps_expiry;	/* of a live entry */
} IdemCachePut;

/*
 * Store it.  False when it could be older than an invalidation: nothing is
 * stored then.  With a fence, of any one, or when the lease is lost; without one,
 * of one that is open, and what stood there is removed.  Likewise where a
 * condition is not met, but then all is left as it is.
 */
extern bool idem_cache_put(const IdemCachePut *put);

/*
 * A copy of the value that the statement's snapshot sees, or NULL.  Sets its form,
 * or raises 42804 unless it is JSON where that is not asked for.
 */
extern struct varlena *idem_cache_get(const text *key, bool *is_json);

/* Open the table once for several of these. */
extern struct varlena *idem_cache_get_from(IdemTable *table, const text *key,
										   bool *is_json);

/* Remove it; was there a live one? */
extern bool idem_cache_delete(text *key);

/* likewise, and uncounted */
extern bool idem_cache_remove(text *key);

/* Remove all of them, in this order; how many were live? */
extern int64 idem_cache_delete_many(text **keys, int n);

/* Give a live entry another ttl.  Was there one? */
extern bool idem_cache_touch(text *key, const Interval *ttl);

/* When a live entry expires, or IDEM_CACHE_NEVER.  Is there one? */
extern bool idem_cache_expires_at(const text *key, TimestampTz *expires_at);

/*
 * Add to the number that is there, or to 0.  The ttl is that of an entry that
 * begins so; NULL is never.  Raises 22P02 for what is no number, 22003.
 */
extern int64 idem_cache_increment(text *key, int64 delta, const Interval *ttl);

/* Remove what has any of these tags, or begins so; how many were live? */
extern int64 idem_cache_invalidate_tags(ArrayType *tags);
extern int64 idem_cache_clear(text *prefix);

#endif							/* IDEM_CACHE_CACHE_H */
