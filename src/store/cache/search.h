/*
 * search.h
 *		Finding the entries of the cache with a tag or a prefix, to remove them.
 *
 * What is committed when the search begins is found, and what is open then; what
 * has been inserted since may be found or not.  The entries come in the order of
 * their keys, as all who write several go through them.
 */
#ifndef IDEM_STORE_CACHE_SEARCH_H
#define IDEM_STORE_CACHE_SEARCH_H

#include "store/cache/cache.h"

typedef struct IdemEntrySearch IdemEntrySearch;

/* A version; two of a key may come, one after the other. */
typedef struct IdemFound
{
	text	   *key;			/* until the next one is asked for */
	ItemPointerData row;
	TransactionId inserter;		/* open, or invalid: the version is committed,
								 * or our own */
} IdemFound;

/* Entries of the open table with any of these tags, which are sorted. */
extern IdemEntrySearch *idem_store_cache_search_tags(IdemTable *table, ArrayType *tags);

/* Entries whose key begins so, byte for byte. */
extern IdemEntrySearch *idem_store_cache_search_prefix(IdemTable *table, text *prefix);

extern bool idem_store_cache_search_next(IdemEntrySearch *search, IdemFound *found);
extern void idem_store_cache_search_end(IdemEntrySearch *search);

/* Has the entry any of these tags?  Both are sorted. */
extern bool idem_store_cache_search_has_any(const IdemEntry *entry, ArrayType *tags);

#endif							/* IDEM_STORE_CACHE_SEARCH_H */
