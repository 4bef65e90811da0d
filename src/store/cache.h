/*
 * cache.h
 *		The tables of the cache: its entries, who computes one, and which
 *		transaction last invalidated a name.
 */
#ifndef IDEM_STORE_CACHE_H
#define IDEM_STORE_CACHE_H

#include "access/transam.h"
#include "utils/array.h"

#include "store/records.h"

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
} IdemEntry;

extern void idem_store_cache_open(IdemTable *table, LOCKMODE lockmode);
extern IdemKey idem_store_cache_key(const text *key);
extern void idem_store_cache_read(TupleTableSlot *slot, IdemEntry *entry);

/* as their counterparts in tuple.h; written_by is filled in */
extern bool idem_store_cache_insert(IdemTable *table, const IdemEntry *entry);
extern bool idem_store_cache_update(IdemTable *table, const IdemEntry *entry);

/*
 * Who computes a key: a record whose context is the pg_snapshot under which
 * the value is computed.
 */
extern IdemFamily idem_store_cache_leases;

/* Which transaction last invalidated a name. */
typedef struct IdemMark
{
	text	   *name;
	FullTransactionId xid;
} IdemMark;

extern void idem_store_cache_open_marks(IdemTable *table, LOCKMODE lockmode);

/* Of the open table, the mark of the name, as it is committed or our own. */
extern bool idem_store_cache_find_mark(IdemTable *table, text *name, IdemMark *mark);

/* Set it.  The caller must hold off all others who do. */
extern void idem_store_cache_put_mark(IdemTable *table, const IdemMark *mark);

/*
 * The entries with any of these tags, or with this prefix, in the order in
 * which all who write several go through them: key, ctid, expires_at.  $1:
 * what.
 */
#define idem_store_cache_tagged_sql \
	"SELECT key, ctid, expires_at FROM idemstore.cache_entries WHERE tags OPERATOR(pg_catalog.&&) $1 ORDER BY key"
#define idem_store_cache_prefix_sql \
	"SELECT key, ctid, expires_at FROM idemstore.cache_entries WHERE pg_catalog.starts_with(key, $1) ORDER BY key"

/*
 * May this entry go?  Not while somebody computes its value, or may yet begin to
 * under a snapshot that does not see who wrote it: then it is what refuses him.
 * $3: now; $4: the keys of leases that are not committed yet; $5: the oldest
 * transaction that a snapshot in use may not see.
 */
#define IDEM_CACHE_IS_NOT_NEEDED \
	"written_by OPERATOR(pg_catalog.<) $5" \
	" AND key OPERATOR(pg_catalog.<>) ALL ($4) AND NOT EXISTS (SELECT FROM idemstore.cache_leases" \
	" WHERE cache_leases.key OPERATOR(pg_catalog.=) cache_entries.key" \
	" AND cache_leases.expires_at OPERATOR(pg_catalog.>) $3)"

/*
 * Remove what has expired, for longer than may still be served as stale.  $1:
 * expired before when; $2: the most rows to remove; $3 to $5: see above; $6: in
 * which bucket $1 is.
 */
#define idem_store_cache_expire_sql \
	"DELETE FROM idemstore.cache_entries WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.cache_entries" \
	" WHERE expires_bucket OPERATOR(pg_catalog.<=) $6" \
	" AND expires_at OPERATOR(pg_catalog.<=) $1" \
	" AND " IDEM_CACHE_IS_NOT_NEEDED \
	" LIMIT $2 FOR UPDATE OF cache_entries SKIP LOCKED))"

/*
 * Remove entries while all together are larger than $1 bytes: the expired at
 * $3 first, then the oldest; $2: the most rows to remove; $4, $5: see above.
 */
#define idem_store_cache_trim_sql \
	"DELETE FROM idemstore.cache_entries WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.cache_entries WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	"  SELECT row_id FROM (" \
	"   SELECT row_id, is_expired, written_at, pg_catalog.sum(size)" \
	"    OVER (ORDER BY is_expired, written_at DESC, row_id) AS size_with_better" \
	"   FROM (" \
	"    SELECT ctid AS row_id, written_at," \
	"     COALESCE(expires_at OPERATOR(pg_catalog.<=) $3, false) AS is_expired," \
	"     pg_catalog.octet_length(key) OPERATOR(pg_catalog.+) pg_catalog.pg_column_size(value)" \
	"     OPERATOR(pg_catalog.+) COALESCE(pg_catalog.pg_column_size(tags), 0)" \
	"     OPERATOR(pg_catalog.+) 64 AS size" \
	"    FROM idemstore.cache_entries) AS entry) AS ranked" \
	"  WHERE size_with_better OPERATOR(pg_catalog.>) $1" \
	"  ORDER BY is_expired DESC, written_at LIMIT $2))" \
	" AND " IDEM_CACHE_IS_NOT_NEEDED \
	" FOR UPDATE OF cache_entries SKIP LOCKED))"

/* Remove expired leases; $1: now, $2: the most rows to remove. */
#define idem_store_cache_expire_leases_sql \
	"DELETE FROM idemstore.cache_leases WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.cache_leases WHERE expires_at OPERATOR(pg_catalog.<=) $1" \
	" LIMIT $2 FOR UPDATE SKIP LOCKED))"

/*
 * A mark is first stamped, once every snapshot that is still in use sees its
 * transaction ($3: the oldest that one may not see), and removed when every
 * lease from before that is over.  $1: now, or that instant; $2: the most
 * rows.  By name, as all who leave several go through them: for a row that is
 * updated again at once, SKIP LOCKED waits after all.
 */
#define idem_store_cache_stamp_marks_sql \
	"UPDATE idemstore.cache_invalidations SET seen_at = $1" \
	" WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.cache_invalidations" \
	" WHERE seen_at IS NULL AND xid OPERATOR(pg_catalog.<) $3" \
	" ORDER BY name LIMIT $2 FOR UPDATE SKIP LOCKED))"
#define idem_store_cache_expire_marks_sql \
	"DELETE FROM idemstore.cache_invalidations" \
	" WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY(" \
	" SELECT ctid FROM idemstore.cache_invalidations" \
	" WHERE seen_at OPERATOR(pg_catalog.<=) $1" \
	" ORDER BY name LIMIT $2 FOR UPDATE SKIP LOCKED))"

/* the coarse column that expiry finds entries by, so that refreshing is HOT */
extern int32 idem_store_cache_bucket(TimestampTz expires_at);

#endif							/* IDEM_STORE_CACHE_H */
