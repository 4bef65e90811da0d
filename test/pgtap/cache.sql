-- The public contract of the cache family: what others build on.
BEGIN;
LOAD 'idemstore';
SELECT plan(87);

CREATE TEMP TABLE cache_tables AS
SELECT oid, relname::text COLLATE "default" AS name FROM pg_class
WHERE relnamespace = 'idemstore'::regnamespace AND relname ~ '^cache_' AND relkind = 'r';

-- the tables and their columns, in order
SELECT set_eq(
	'SELECT name FROM cache_tables',
	$$VALUES ('cache_entries'), ('cache_leases'), ('cache_invalidations')$$,
	'the tables');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation::text
		FROM pg_attribute WHERE attrelid = 'idemstore.cache_entries'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES
		('key', 'text', true, '"C"'),
		('value', 'bytea', true, '-'),
		('is_json', 'boolean', true, '-'),
		('tags', 'text[]', false, '"C"'),
		('expires_at', 'timestamp with time zone', false, '-'),
		('expires_bucket', 'integer', false, '-'),
		('written_at', 'timestamp with time zone', true, '-'),
		('written_by', 'xid8', true, '-')$$,
	'the columns of cache_entries');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation::text
		FROM pg_attribute WHERE attrelid = 'idemstore.cache_leases'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES
		('key', 'text', true, '"C"'),
		('fence', 'bigint', true, '-'),
		('snapshot', 'pg_snapshot', true, '-'),
		('lease_expires_at', 'timestamp with time zone', true, '-'),
		('expires_at', 'timestamp with time zone', true, '-'),
		('created_at', 'timestamp with time zone', true, '-')$$,
	'the columns of cache_leases');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod), attnotnull, attcollation::regcollation::text
		FROM pg_attribute WHERE attrelid = 'idemstore.cache_invalidations'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES
		('name', 'text', true, '"C"'),
		('xid', 'xid8', true, '-'),
		('xid_bucket', 'bigint', false, '-')$$,
	'the columns of cache_invalidations');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod)
		FROM pg_attribute WHERE attrelid = 'idemstore.cache_fetched'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES ('outcome', 'text'), ('value', 'json'), ('fence', 'bigint'), ('expires_at', 'timestamp with time zone'), ('value_bytes', 'bytea')$$,
	'the columns of what cache_fetch returns');
SELECT ok(obj_description('idemstore.cache_fetched'::regtype, 'pg_type') ~ 'hit.*stale.*compute.*in_progress', 'its outcomes are in its comment');

-- keys, indexes, storage, backup
SELECT col_is_pk('idemstore', 'cache_entries', 'key', 'the key of an entry');
SELECT col_is_pk('idemstore', 'cache_leases', 'key', 'the key of a lease');
SELECT col_is_pk('idemstore', 'cache_invalidations', 'name', 'the key of a mark');
SELECT set_eq(
	$$SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) ~ 'UNIQUE' FROM pg_index AS i JOIN cache_tables AS t ON t.oid = i.indrelid$$,
	$$VALUES ('idemstore.cache_entries_pkey', true), ('idemstore.cache_entries_tags_idx', false),
		('idemstore.cache_entries_expires_bucket_idx', false), ('idemstore.cache_leases_pkey', true),
		('idemstore.cache_invalidations_pkey', true), ('idemstore.cache_invalidations_xid_bucket_idx', false)$$,
	'their indexes, of which none has a column that every refresh changes');
SELECT is(indexdef, 'CREATE INDEX cache_entries_tags_idx ON idemstore.cache_entries USING gin (tags) WITH (fastupdate=off) WHERE (tags IS NOT NULL)', 'tags are in a GIN index without a pending list')
	FROM pg_indexes WHERE indexname = 'cache_entries_tags_idx';
SELECT ok(relpersistence = 'u', name || ' is unlogged') FROM pg_class JOIN cache_tables USING (oid) ORDER BY name;
SELECT ok(array_to_string(reloptions, ' ') ~ 'fillfactor=[678]0 .*autovacuum_vacuum_scale_factor=0.02', name || ' has room for HOT updates and is vacuumed often')
	FROM pg_class JOIN cache_tables USING (oid) ORDER BY name;
SELECT is_empty('SELECT name FROM cache_tables, pg_extension WHERE extname = ''idemstore'' AND cache_tables.oid = ANY (extconfig)', 'pg_dump leaves their rows out');
SELECT is_empty('SELECT tgname FROM pg_trigger JOIN cache_tables ON cache_tables.oid = tgrelid', 'they have no triggers');

-- every function: arguments with names and defaults, result, volatility
CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text, parallel text);
INSERT INTO contract VALUES
	('cache_get', 'key text', 'json', 's', 's'),
	('cache_get_bytes', 'key text', 'bytea', 's', 's'),
	('cache_set', 'key text, value json, ttl interval DEFAULT ''00:00:00''::interval, tags text[] DEFAULT NULL::text[], fence bigint DEFAULT NULL::bigint', 'boolean', 'v', 'u'),
	('cache_set_bytes', 'key text, value_text text DEFAULT NULL::text, ttl interval DEFAULT ''00:00:00''::interval, tags text[] DEFAULT NULL::text[], fence bigint DEFAULT NULL::bigint, value bytea DEFAULT NULL::bytea', 'boolean', 'v', 'u'),
	('cache_delete', 'key text', 'boolean', 'v', 'u'),
	('cache_clear', 'prefix text DEFAULT ''''::text', 'bigint', 'v', 'u'),
	('invalidate_by_tag', 'tag text', 'bigint', 'v', 'u'),
	('invalidate_by_tags', 'tags text[]', 'bigint', 'v', 'u'),
	('cache_touch', 'key text, ttl interval', 'boolean', 'v', 'u'),
	('cache_ttl', 'key text', 'interval', 's', 's'),
	('cache_increment', 'key text, delta bigint DEFAULT 1, ttl interval DEFAULT NULL::interval', 'bigint', 'v', 'u'),
	('cache_get_many', 'keys text[]', 'TABLE(key text, value json, value_bytes bytea)', 's', 's'),
	('cache_set_many', 'keys text[], items json[], ttl interval DEFAULT ''00:00:00''::interval, tags text[] DEFAULT NULL::text[]', 'bigint', 'v', 'u'),
	('cache_add', 'key text, value json, ttl interval DEFAULT ''00:00:00''::interval, tags text[] DEFAULT NULL::text[]', 'boolean', 'v', 'u'),
	('cache_compare_and_set', 'key text, expected json, value json, ttl interval DEFAULT NULL::interval, tags text[] DEFAULT NULL::text[]', 'boolean', 'v', 'u'),
	('cache_delete_many', 'keys text[]', 'bigint', 'v', 'u'),
	('cache_list', 'prefix text DEFAULT ''''::text, max_rows integer DEFAULT 100, after text DEFAULT ''''::text', 'TABLE(key text, expires_at timestamp with time zone, tags text[], size bigint)', 's', 's'),
	('cache_fetch', 'key text, lease interval DEFAULT ''00:00:10''::interval, stale interval DEFAULT ''00:00:00''::interval, wait interval DEFAULT ''00:00:00''::interval', 'idemstore.cache_fetched', 'v', 'u');
CREATE TEMP TABLE functions AS
SELECT p.* FROM pg_proc AS p WHERE pronamespace = 'idemstore'::regnamespace AND (proname ~ '^cache_' OR proname ~ '^invalidate_');
SELECT is(count(p.oid)::int, 1, name || ' has the signature of the contract')
	FROM contract AS c LEFT JOIN functions AS p ON p.proname = c.name
		AND pg_get_function_arguments(p.oid) = c.arguments
		AND pg_get_function_result(p.oid) = c.result
		AND p.provolatile::text = c.volatility
		AND p.proparallel::text = c.parallel
		AND NOT p.proisstrict
	GROUP BY name ORDER BY name;
SELECT set_eq(
	'SELECT proname::text COLLATE "default" FROM functions',
	'SELECT name FROM contract',
	'there is no other function of the cache');
SELECT is_empty('SELECT proname FROM functions GROUP BY 1 HAVING count(*) > 1', 'no name is overloaded');
SELECT ok(obj_description(oid, 'pg_proc') ~ 'Errors: .*[0-9I][0-9D][0-9]{3}', proname || ' says its errors in its comment')
	FROM functions ORDER BY proname;
SELECT ok(obj_description(oid, 'pg_class') IS NOT NULL, name || ' has a comment') FROM cache_tables ORDER BY name;
SELECT is_empty(
	'SELECT name, attname FROM pg_attribute JOIN cache_tables ON cache_tables.oid = attrelid WHERE attnum > 0 AND col_description(attrelid, attnum) IS NULL',
	'every column has a comment');

-- the contracts served are said where they are served
SELECT set_eq(
	$$SELECT proname::text COLLATE "default" FROM functions WHERE obj_description(oid, 'pg_proc') ~ 'CacheStore'$$,
	$$VALUES ('cache_get'), ('cache_set'), ('cache_delete'), ('cache_clear'), ('invalidate_by_tag'), ('invalidate_by_tags')$$,
	'which functions serve the contract of CacheStore');

-- EXECUTE is the gate
SELECT ok(NOT has_function_privilege('public', oid, 'EXECUTE'), proname || ' is closed to PUBLIC')
	FROM functions ORDER BY proname;
SELECT is_empty(
	$$SELECT name FROM cache_tables WHERE has_table_privilege('public', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')$$,
	'the tables are closed to PUBLIC');
SELECT is_empty('SELECT proname FROM functions WHERE prosecdef OR proconfig IS NOT NULL', 'none runs with the owner''s rights');
CREATE ROLE idem_cache_application;
CREATE ROLE idem_cache_operator;
SELECT lives_ok($$SELECT idemstore.grant_usage('idem_cache_application'), idemstore.grant_usage('idem_cache_operator', 'operator')$$, 'grant_usage');
SELECT is_empty($$SELECT proname FROM functions WHERE NOT has_function_privilege('idem_cache_application', oid, 'EXECUTE')$$, 'a program may call all of them');
SELECT is_empty($$SELECT proname FROM functions WHERE NOT has_function_privilege('idem_cache_operator', oid, 'EXECUTE')$$, 'an operator as well');

-- settings
SELECT results_eq(
	$$SELECT name COLLATE "default", boot_val, unit, context, min_val, max_val FROM pg_settings WHERE name LIKE 'idemstore.cache%' ORDER BY name$$,
	$$VALUES ('idemstore.cache_keep_stale', '60', 's', 'superuser', '0', '315619200'),
		('idemstore.cache_max_entry_size', '5120', 'kB', 'superuser', '1', '102400'),
		('idemstore.cache_max_size', '0', 'kB', 'superuser', '0', '2147483647')$$,
	'the settings with their defaults and bounds');
SELECT set_eq(
	$$SELECT relation FROM idemstore.expire() WHERE relation ~ '^cache'$$,
	'SELECT name FROM cache_tables',
	'expire reports on every table');

SELECT * FROM finish();
ROLLBACK;
