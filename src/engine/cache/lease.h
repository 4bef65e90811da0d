/*
 * lease.h
 *		The guard against stampedes: of all who miss a key, one computes it.
 */
#ifndef IDEM_CACHE_LEASE_H
#define IDEM_CACHE_LEASE_H

#include "store/cache/cache.h"

typedef enum IdemFetchOutcome
{
	IDEM_FETCH_HIT,
	IDEM_FETCH_STALE,
	IDEM_FETCH_COMPUTE,
	IDEM_FETCH_IN_PROGRESS
} IdemFetchOutcome;

typedef struct IdemFetch
{
	text	   *key;
	Interval	lease;
	Interval	stale;			/* for how long an expired value still serves */
	int64		wait_us;
} IdemFetch;

typedef struct IdemFetched
{
	IdemFetchOutcome outcome;
	struct varlena *value;		/* of hit and stale, a copy */
	bool		is_json;		/* likewise */
	TimestampTz expires_at;		/* likewise */
	int64		fence;			/* of compute */
} IdemFetched;

extern void idem_cache_lease_fetch(const IdemFetch *fetch, IdemFetched *fetched);

/*
 * Give the lease back, if it is still held under this fence and nobody is
 * taking it over.  Returns the snapshot under which the value was computed,
 * or NULL.
 */
extern struct varlena *idem_cache_lease_end(text *key, int64 fence);

#endif							/* IDEM_CACHE_LEASE_H */
