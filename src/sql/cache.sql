-- The cache

CREATE UNLOGGED TABLE idemstore.cache_entries (
	key text COLLATE "C" NOT NULL,
	value bytea NOT NULL,
	is_json boolean NOT NULL,
	tags text[] COLLATE "C",
	expires_at timestamp with time zone,
	expires_bucket integer,
	written_at timestamp with time zone NOT NULL,
	written_by xid8 NOT NULL,
	CONSTRAINT cache_entries_pkey PRIMARY KEY (key)
) WITH (
	-- room on the page for the next version, so that overwriting is HOT
	fillfactor = 80,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_insert_scale_factor = 0.05,
	autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX cache_entries_tags_idx ON idemstore.cache_entries USING gin (tags) WITH (fastupdate = off) WHERE tags IS NOT NULL;
CREATE INDEX cache_entries_expires_bucket_idx ON idemstore.cache_entries (expires_bucket);

COMMENT ON TABLE idemstore.cache_entries IS
	'One row per cached value; written by the functions of the extension only. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.cache_entries.key IS 'names the value, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.cache_entries.value IS 'the JSON text exactly as it was given, or the bytes';
COMMENT ON COLUMN idemstore.cache_entries.is_json IS 'whether it was stored as json';
COMMENT ON COLUMN idemstore.cache_entries.tags IS 'what the value depends on, sorted, at most 256 of 1 to 1024 bytes; NULL or empty for nothing';
COMMENT ON COLUMN idemstore.cache_entries.expires_at IS 'from when on the row counts as absent; NULL for never';
COMMENT ON COLUMN idemstore.cache_entries.expires_bucket IS 'expires_at in hours, by which expire() finds the row';
COMMENT ON COLUMN idemstore.cache_entries.written_at IS 'when the value was stored';
COMMENT ON COLUMN idemstore.cache_entries.written_by IS 'the transaction that stored it, or removed it and left an empty value as json in its place';

CREATE UNLOGGED TABLE idemstore.cache_leases (
	key text COLLATE "C" NOT NULL,
	fence bigint NOT NULL,
	snapshot pg_snapshot NOT NULL,
	lease_expires_at timestamp with time zone NOT NULL,
	expires_at timestamp with time zone NOT NULL,
	created_at timestamp with time zone NOT NULL,
	CONSTRAINT cache_leases_pkey PRIMARY KEY (key)
) WITH (
	fillfactor = 60,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_analyze_scale_factor = 0.05
);
COMMENT ON TABLE idemstore.cache_leases IS
	'Who computes which value. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.cache_leases.key IS 'the key of the value';
COMMENT ON COLUMN idemstore.cache_leases.fence IS 'number of the lease, which cache_set() is given';
COMMENT ON COLUMN idemstore.cache_leases.snapshot IS 'as of when the value is computed';
COMMENT ON COLUMN idemstore.cache_leases.lease_expires_at IS 'from when on the next caller computes';
COMMENT ON COLUMN idemstore.cache_leases.expires_at IS 'from when on the value is not taken any more';
COMMENT ON COLUMN idemstore.cache_leases.created_at IS 'when the key was first leased';

CREATE UNLOGGED TABLE idemstore.cache_invalidations (
	name text COLLATE "C" NOT NULL,
	xid xid8 NOT NULL,
	xid_bucket bigint,
	CONSTRAINT cache_invalidations_pkey PRIMARY KEY (name)
) WITH (
	fillfactor = 60,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX cache_invalidations_xid_bucket_idx ON idemstore.cache_invalidations (xid_bucket);

-- Marks are whole since here.
INSERT INTO idemstore.cache_invalidations VALUES ('e', pg_catalog.pg_current_xact_id());

COMMENT ON TABLE idemstore.cache_invalidations IS
	'Which transaction last invalidated a name; kept until no lease can be from before that.';
COMMENT ON COLUMN idemstore.cache_invalidations.name IS 't and a tag, * and a prefix, k and the key of an entry that expire() removed, or e: since when the rows are complete';
COMMENT ON COLUMN idemstore.cache_invalidations.xid IS 'the transaction';
COMMENT ON COLUMN idemstore.cache_invalidations.xid_bucket IS 'xid in steps of 16384, by which expire() finds the row; NULL for e, which stays';

CREATE TYPE idemstore.cache_fetched AS (
	outcome text,
	value json,
	fence bigint,
	expires_at timestamp with time zone,
	value_bytes bytea
);
COMMENT ON TYPE idemstore.cache_fetched IS
	'What cache_fetch() found. outcome: hit (value or value_bytes, as the entry holds json or bytes; expires_at), stale (the same, and expires_at is past), compute (fence: compute the value and call cache_set() with it) or in_progress (somebody else computes it). expires_at is NULL for never.';

CREATE FUNCTION idemstore.cache_get(
	key text
) RETURNS json
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_get';
COMMENT ON FUNCTION idemstore.cache_get(text) IS
	'The value, exactly as it was stored, or NULL on a miss; a JSON null is a hit. Sees what SELECT would see. Serves http-client-toolkit, CacheStore.get. Errors: 22004, 22023, 54000, 42804 for an entry that holds bytes.';

CREATE FUNCTION idemstore.cache_get_bytes(
	key text
) RETURNS bytea
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_get_bytes';
COMMENT ON FUNCTION idemstore.cache_get_bytes(text) IS
	'The value byte for byte, that of a json entry as the UTF-8 bytes of its text, or NULL on a miss. Errors: 22004, 22021 a json entry that is not UTF-8, in a SQL_ASCII database, 22023, 54000.';

CREATE FUNCTION idemstore.cache_set(
	key text,
	value json,
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL,
	fence bigint DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_set';
COMMENT ON FUNCTION idemstore.cache_set(text, json, interval, text[], bigint) IS
	'Store a value, exactly as it is given; true if stored. ttl: above 0 expires, 0 never, below 0 is expired already, so that the entry is gone. tags: NULL keeps those of a live entry, an empty array clears them, else they are replaced; at most 256 of 1 to 1024 bytes. False, and nothing is stored: with a fence, of cache_fetch(), when the value could be older than an invalidation of the key or of a tag, or the lease is lost; without one, while another transaction invalidates the key or a tag, and then what stood there is removed. Commits or rolls back with the transaction; waits for another one that writes the key. Serves http-client-toolkit, CacheStore.set and setWithTags. Errors: 22004, 22023, 54000, 25006, ID413 above idemstore.cache_max_entry_size.';

CREATE FUNCTION idemstore.cache_set_bytes(
	key text,
	value_text text DEFAULT NULL,
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL,
	fence bigint DEFAULT NULL,
	value bytea DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_set_bytes_0_3';
COMMENT ON FUNCTION idemstore.cache_set_bytes(text, text, interval, text[], bigint, bytea) IS
	'As cache_set(), for bytes: value_text, kept as its UTF-8 bytes, or value, but not both. Errors: 22004 there is no value, 22021 value_text is not UTF-8, in a SQL_ASCII database, 22023, 54000, 25006, ID413.';

CREATE FUNCTION idemstore.cache_add(
	key text,
	value json,
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_add';
COMMENT ON FUNCTION idemstore.cache_add(text, json, interval, text[]) IS
	'cache_set() if the key has no live entry: true if stored, and of any number of callers one is told so. False also where cache_set() is; then nothing is removed that the caller has not stored. Waits for another transaction that stores under the key. Errors: 22004, 22023, 54000, 25006, ID413 above idemstore.cache_max_entry_size.';

CREATE FUNCTION idemstore.cache_compare_and_set(
	key text,
	expected json,
	value json,
	ttl interval DEFAULT NULL,
	tags text[] DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_compare_and_set';
COMMENT ON FUNCTION idemstore.cache_compare_and_set(text, json, json, interval, text[]) IS
	'cache_set() if the live entry is this very JSON text, as cache_get() gave it: true if stored, and of any number of callers who expect the same one is told so. ttl: NULL keeps when the entry expires; tags: NULL keeps its tags. False also for bytes, and where cache_set() is, which then removes the entry, too. Waits for another transaction that stores under the key. Errors: 22004, 22023, 54000, 25006, ID413 above idemstore.cache_max_entry_size.';

CREATE FUNCTION idemstore.cache_delete(
	key text
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_delete';
COMMENT ON FUNCTION idemstore.cache_delete(text) IS
	'Remove an entry, and refuse every value for it that is being computed. True if there was a live one. Waits for another transaction that writes the key. Serves http-client-toolkit, CacheStore.delete. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_clear(
	prefix text DEFAULT ''
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_clear';
COMMENT ON FUNCTION idemstore.cache_clear(text) IS
	'Remove all entries whose key begins with the prefix, byte for byte; an empty one is all. Returns how many of them were live. Refuses every value for such a key that is being computed; waits for entries that are being stored with a fence, not for others. Serves http-client-toolkit, CacheStore.clear. Errors: 22004, 25006, 54000.';

CREATE FUNCTION idemstore.invalidate_by_tag(
	tag text
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_invalidate_by_tag';
COMMENT ON FUNCTION idemstore.invalidate_by_tag(text) IS
	'Remove all entries with this tag, and refuse every value with it that is being computed. Returns how many of them were live. Another session sees it exactly at commit; waits for transactions that are storing or invalidating under the tag. Serves http-client-toolkit, CacheStore.invalidateByTag. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.invalidate_by_tags(
	tags text[]
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_invalidate_by_tags';
COMMENT ON FUNCTION idemstore.invalidate_by_tags(text[]) IS
	'As invalidate_by_tag(), for all entries with any of the tags, each counted once. Serves http-client-toolkit, CacheStore.invalidateByTags. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_touch(
	key text,
	ttl interval
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_touch';
COMMENT ON FUNCTION idemstore.cache_touch(text, interval) IS
	'Give a live entry another ttl, from now on; 0 is never, below 0 removes it. True if there was one. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_ttl(
	key text
) RETURNS interval
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_ttl';
COMMENT ON FUNCTION idemstore.cache_ttl(text) IS
	'How long the entry still lives, 0 for one that never expires, NULL when there is none. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.cache_increment(
	key text,
	delta bigint DEFAULT 1,
	ttl interval DEFAULT NULL
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_increment';
COMMENT ON FUNCTION idemstore.cache_increment(text, bigint, interval) IS
	'Add delta to the integer in the entry, or to 0, and return the sum; no increment is lost. ttl is that of an entry that begins so (NULL: never expires), a live one keeps its own, and its tags. Waits for another transaction that writes the key. Errors: 22004, 22023, 54000, 22P02 when it is not an integer, 42804 when it is bytes, 22003, 25006.';

CREATE FUNCTION idemstore.cache_get_many(
	keys text[]
) RETURNS TABLE (key text, value json, value_bytes bytea)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_get_many_0_3';
COMMENT ON FUNCTION idemstore.cache_get_many(text[]) IS
	'The value of every key: one row each, in their order; value or value_bytes, as the entry holds json or bytes, both NULL on a miss. Sees what SELECT would see. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.cache_set_many(
	keys text[],
	items json[],
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_set_many';
COMMENT ON FUNCTION idemstore.cache_set_many(text[], json[], interval, text[]) IS
	'cache_set() of every key and its item; returns how many were stored. All or nothing, with the transaction. Errors: 22004, 22023, 54000, 25006, ID413.';

CREATE FUNCTION idemstore.cache_delete_many(
	keys text[]
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_delete_many';
COMMENT ON FUNCTION idemstore.cache_delete_many(text[]) IS
	'cache_delete() of every key; returns how many were live. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_fetch(
	key text,
	lease interval DEFAULT '10 s',
	stale interval DEFAULT '0',
	wait interval DEFAULT '0'
) RETURNS idemstore.cache_fetched
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_fetch_0_3';
COMMENT ON FUNCTION idemstore.cache_fetch(text, interval, interval, interval) IS
	'Get a value, and if there is none make one caller compute it: compute with a fence for him, held for lease (at most an hour), while the others get stale (expired for less than stale, as long as idemstore.cache_keep_stale keeps it), or wait as long as wait (at most a day) for the value, or are told in_progress. When the lease is over, the next caller computes. Sees what is committed now, whatever the isolation level. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100,
	after text DEFAULT ''
) RETURNS TABLE (key text, expires_at timestamp with time zone, tags text[], size bigint)
LANGUAGE c STABLE PARALLEL SAFE ROWS 100
AS 'MODULE_PATHNAME', 'idemstore_cache_list';
COMMENT ON FUNCTION idemstore.cache_list(text, integer, text) IS
	'The live entries whose key begins with the prefix and is greater than after, both byte for byte: at most max_rows, in the order of their keys. For the next page pass the last key as after. expires_at: NULL is never. size: the value''s bytes. Sees what SELECT would see. Errors: 22004, 22023, 54000.';
