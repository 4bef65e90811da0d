/*
 * cache.h
 *		The tables of the cache: its entries, and who computes one.
 */
#ifndef IDEM_STORE_CACHE_CACHE_H
#define IDEM_STORE_CACHE_CACHE_H

#include "access/transam.h"
#include "utils/array.h"

#include "store/cache/sweep.h"
#include "store/records.h"

/* the column of tags, from 0 */
#define IDEM_CACHE_TAGS_COLUMN	3

/* an entry that never expires */
#define IDEM_CACHE_NEVER	DT_NOEND

/*
 * An entry.  What was read points into the table's slot until it is copied.
 */
typedef struct IdemEntry
{
	text	   *key;
	struct varlena *value;
	bool		is_json;
	ArrayType  *tags;			/* NULL: none; sorted, no two the same */
	TimestampTz expires_at;		/* or IDEM_CACHE_NEVER */
	TimestampTz written_at;
	FullTransactionId written_by;
	ItemPointerData row;		/* where it was read */
} IdemEntry;

extern void idem_store_cache_open(IdemTable *table, LOCKMODE lockmode);
extern IdemKey idem_store_cache_key(const text *key);
extern void idem_store_cache_read(TupleTableSlot *slot, IdemEntry *entry);

/*
 * What is left of an entry that was removed, or was to be: it says who did that,
 * to those who have computed a value since before.  No value is empty as json.
 */
extern void idem_store_cache_make_trace(IdemEntry *entry);
extern bool idem_store_cache_is_trace(const IdemEntry *entry);

/* as their counterparts in tuple.h */
extern bool idem_store_cache_insert(IdemTable *table, const IdemEntry *entry);
extern bool idem_store_cache_update(IdemTable *table, const IdemEntry *entry);

/* A copy of the version that lies there, which this transaction has replaced. */
extern void idem_store_cache_read_back(const ItemPointerData * row, IdemEntry *entry);

/*
 * Who computes a key: a record whose context is the pg_snapshot under which
 * the value is computed.
 */
extern IdemFamily idem_store_cache_leases;

/* of the file, in bytes, and of what is kept apart from its rows */
extern int64 idem_store_cache_length(IdemTable *table);

/*
 * Go through the entries that expire in this bucket or an earlier one, or were
 * removed in it.
 */
extern int64 idem_store_cache_sweep(IdemTable *table, int32 bucket,
									IdemSweepVisitor visit, void *arg, int64 max_rows);

/* the coarse column that expiry finds entries by, so that refreshing is HOT */
extern int32 idem_store_cache_bucket(TimestampTz expires_at);

#endif							/* IDEM_STORE_CACHE_CACHE_H */
