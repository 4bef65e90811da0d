-- The public contract of the idempotency family: what others build on.
BEGIN;
LOAD 'idemstore';
SELECT plan(86);

-- the table and its columns, in order
SELECT has_table('idemstore', 'idempotency_records', 'the table is there');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod), attnotnull, attstorage::text
		FROM pg_attribute
		WHERE attrelid = 'idemstore.idempotency_records'::regclass AND attnum > 0
		ORDER BY attnum$$,
	$$VALUES
		('key', 'text', true, 'm'),
		('scope', 'text', true, 'm'),
		('fingerprint', 'text', false, 'm'),
		('status', 'text', true, 'm'),
		('fence', 'bigint', true, 'p'),
		('attempt', 'integer', true, 'p'),
		('owner', 'text', false, 'm'),
		('lease_expires_at', 'timestamp with time zone', false, 'p'),
		('expires_at', 'timestamp with time zone', true, 'p'),
		('created_at', 'timestamp with time zone', true, 'p'),
		('completed_at', 'timestamp with time zone', false, 'p'),
		('response_status', 'integer', false, 'p'),
		('response_headers', 'json', false, 'x'),
		('response_body', 'bytea', false, 'x'),
		('error', 'json', false, 'x'),
		('context', 'json', false, 'x'),
		('recovery_point', 'text', false, 'x'),
		('checkpoint', 'json', false, 'x')$$,
	'its columns, with what a dirty read needs stored in the row');
SELECT is_empty(
	$$SELECT attname FROM pg_attribute
		WHERE attrelid = 'idemstore.idempotency_records'::regclass AND attnum > 0
			AND atttypid = 'text'::regtype AND attcollation <> '"C"'::regcollation
			AND attname <> 'recovery_point'$$,
	'names compare by their bytes');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'idemstore.idempotency_record'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'idemstore.idempotency_records'::regclass AND attnum > 0 ORDER BY attnum$$,
	'the type idempotency_record has the columns of the table in their order');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'idemstore.idempotency_verdict'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES ('outcome', 'text'), ('fence', 'bigint'), ('attempt', 'integer'),
		('retry_after_ms', 'double precision'), ('retry_after_seconds', 'integer'), ('conflicting_key', 'text'), ('response_status', 'integer'),
		('response_headers', 'json'), ('response_body', 'bytea'), ('error', 'json'),
		('recovery_point', 'text'), ('checkpoint', 'json')$$,
	'the columns of a verdict');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'idemstore.idempotency_match'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$SELECT 'matched'::text, 'text'::text UNION ALL (SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'idemstore.idempotency_record'::regclass AND attnum > 0 ORDER BY attnum)$$,
	'a match is what was matched, and the record');
SELECT is(prorows, 2::real, 'lookup is known to return two rows at most')
	FROM pg_proc WHERE oid = 'idemstore.lookup'::regproc;

-- keys, indexes, storage, backup
SELECT col_is_pk('idemstore', 'idempotency_records', ARRAY['key', 'scope'], 'the key comes first in the primary key');
SELECT set_eq(
	$$SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) ~ 'UNIQUE', substring(pg_get_indexdef(indexrelid) FROM '\(.*\)') FROM pg_index
		WHERE indrelid = 'idemstore.idempotency_records'::regclass$$,
	$$VALUES ('idemstore.idempotency_records_pkey', true, '(key, scope)'),
		('idemstore.idempotency_records_fingerprint_idx', false, '(scope, fingerprint, expires_at)'),
		('idemstore.idempotency_records_expires_at_idx', false, '(expires_at)')$$,
	'its indexes');
SELECT ok('fillfactor=60' = ANY (reloptions), 'room for HOT updates')
	FROM pg_class WHERE oid = 'idemstore.idempotency_records'::regclass;
SELECT is(relpersistence::text, 'p', 'records are logged')
	FROM pg_class WHERE oid = 'idemstore.idempotency_records'::regclass;
SELECT ok('idemstore.idempotency_records'::regclass = ANY (extconfig), 'pg_dump takes its rows')
	FROM pg_extension WHERE extname = 'idemstore';

-- every function: arguments with names and defaults, result, volatility
CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text, parallel text);
INSERT INTO contract VALUES
	('start_processing', 'key text, fingerprint text DEFAULT NULL::text, ttl interval DEFAULT NULL::interval, scope text DEFAULT ''''::text, lease interval DEFAULT NULL::interval, wait interval DEFAULT ''00:00:00''::interval, owner text DEFAULT NULL::text, takeover boolean DEFAULT true, unique_fingerprint boolean DEFAULT false, context json DEFAULT NULL::json',
		'idemstore.idempotency_verdict', 'v', 'u'),
	('complete', 'key text, response_status integer DEFAULT NULL::integer, response_headers json DEFAULT NULL::json, response_text text DEFAULT NULL::text, fence bigint DEFAULT NULL::bigint, scope text DEFAULT ''''::text, ttl interval DEFAULT NULL::interval, response_body bytea DEFAULT NULL::bytea',
		'boolean', 'v', 'u'),
	('fail', 'key text, error json DEFAULT NULL::json, retryable boolean DEFAULT false, response_status integer DEFAULT NULL::integer, response_headers json DEFAULT NULL::json, response_text text DEFAULT NULL::text, fence bigint DEFAULT NULL::bigint, scope text DEFAULT ''''::text, ttl interval DEFAULT NULL::interval, response_body bytea DEFAULT NULL::bytea',
		'boolean', 'v', 'u'),
	('release', 'key text, fence bigint DEFAULT NULL::bigint, scope text DEFAULT ''''::text', 'boolean', 'v', 'u'),
	('extend_lease', 'key text, fence bigint, lease interval DEFAULT NULL::interval, scope text DEFAULT ''''::text',
		'timestamp with time zone', 'v', 'u'),
	('lookup', 'key text, fingerprint text DEFAULT NULL::text, scope text DEFAULT ''''::text', 'SETOF idemstore.idempotency_match', 's', 's'),
	('get', 'key text, scope text DEFAULT ''''::text', 'idemstore.idempotency_record', 's', 's'),
	('wait', 'key text, timeout interval DEFAULT NULL::interval, scope text DEFAULT ''''::text', 'idemstore.idempotency_record', 'v', 'u'),
	('checkpoint', 'key text, recovery_point text, state json DEFAULT NULL::json, fence bigint DEFAULT NULL::bigint, scope text DEFAULT ''''::text', 'boolean', 'v', 'u'),
	('assert_owner', 'key text, fence bigint, scope text DEFAULT ''''::text', 'boolean', 'v', 'u'),
	('set_nx', 'key text, value_text text DEFAULT NULL::text, ttl interval DEFAULT NULL::interval, scope text DEFAULT ''''::text, value bytea DEFAULT NULL::bytea', 'boolean', 'v', 'u'),
	('set_value', 'key text, value_text text DEFAULT NULL::text, ttl interval DEFAULT NULL::interval, scope text DEFAULT ''''::text, value bytea DEFAULT NULL::bytea', 'boolean', 'v', 'u'),
	('get_value', 'key text, scope text DEFAULT ''''::text', 'bytea', 's', 's'),
	('get_value_text', 'key text, scope text DEFAULT ''''::text', 'text', 's', 's'),
	('initiate', 'key text, context json DEFAULT NULL::json, ttl interval DEFAULT NULL::interval, scope text DEFAULT ''''::text', 'boolean', 'v', 'u'),
	('success', 'key text, result json, fence bigint DEFAULT NULL::bigint, scope text DEFAULT ''''::text', 'boolean', 'v', 'u'),
	('forget', 'key text, scope text DEFAULT ''''::text', 'boolean', 'v', 'u'),
	('forget_scope', 'scope text', 'bigint', 'v', 'u'),
	('fingerprint', 'payload json, exclude text[] DEFAULT ''{}''::text[]', 'text', 'i', 's'),
	('shard', 'key text, shards integer', 'integer', 'i', 's'),
	('expire', 'max_rows integer DEFAULT 10000, OUT relation text, OUT removed bigint', 'SETOF record', 'v', 'u'),
	('expire_all', 'IN batch_size integer DEFAULT 10000, IN max_duration interval DEFAULT NULL::interval', NULL, 'v', 'u');
SELECT is(count(p.oid)::int, 1, name || ' has the signature of the contract')
	FROM contract AS c LEFT JOIN pg_proc AS p ON p.proname = c.name
		AND p.pronamespace = 'idemstore'::regnamespace
		AND pg_get_function_arguments(p.oid) = c.arguments
		AND pg_get_function_result(p.oid) IS NOT DISTINCT FROM c.result
		AND p.provolatile::text = c.volatility
		AND p.proparallel::text = c.parallel
	GROUP BY name ORDER BY name;
-- beside those of dedupe, the cache, the rate limits, the statistics, the schedule and the privileges, which have contracts of their own
SELECT bag_eq(
	$$SELECT proname::text COLLATE "default" FROM pg_proc
		WHERE pronamespace = 'idemstore'::regnamespace AND proname !~ '^(dedupe|cache|invalidate|stats|in_flight)_|_expiry$|^expiry_|_usage$|^usage_'$$,
	$$SELECT name FROM contract UNION ALL SELECT unnest('{acquire,acquire_all,acquire_many,adaptive_rate_limit_status,can_proceed,clear_cooldown,consume,consume_many,cooldown_list,drop_rate_limit,get_cooldown,get_wait_time,rate_limit_clear,rate_limit_list,rate_limit_reset,rate_limit_status,rate_limits_changed,record_request,refund,set_adaptive_rate_limit,set_cooldown,set_rate_limit,slots_handler,start_processing_support}'::text[])$$,
	'there is no other function, and no name is overloaded');
SELECT ok(obj_description(p.oid, 'pg_proc') ~ 'Errors: .*[0-9I][0-9D][0-9]{3}', name || ' says its errors in its comment')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name;
SELECT is_empty(
	$$SELECT attname FROM pg_attribute WHERE attrelid = 'idemstore.idempotency_records'::regclass
		AND attnum > 0 AND col_description(attrelid, attnum) IS NULL$$,
	'every column has a comment');

-- EXECUTE is the gate
SELECT ok(NOT has_function_privilege('public', p.oid, 'EXECUTE'), name || ' is closed to PUBLIC')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name;
SELECT ok(NOT has_function_privilege('public', 'idemstore.start_processing_support(internal)', 'EXECUTE'), 'so is what the planner calls');
SELECT is(prosupport, 'idemstore.start_processing_support'::regproc, 'which it knows of')
	FROM pg_proc WHERE oid = 'idemstore.start_processing'::regproc;
SELECT ok(NOT has_schema_privilege('public', 'idemstore', 'USAGE'), 'the schema is closed to PUBLIC');
SELECT is_empty(
	$$SELECT relname FROM pg_class WHERE relnamespace = 'idemstore'::regnamespace AND relkind = 'r'
		AND has_table_privilege('public', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')$$,
	'the tables are closed to PUBLIC');
SELECT is_empty(
	$$SELECT name FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name
		WHERE p.pronamespace = 'idemstore'::regnamespace AND (prosecdef OR proconfig IS NOT NULL)$$,
	'none runs with the owner''s rights');

-- settings
SELECT results_eq(
	$$SELECT name COLLATE "default", boot_val, unit, context FROM pg_settings WHERE name LIKE 'idemstore.%' ORDER BY name$$,
	$$VALUES ('idemstore.cache_keep_stale', '60', 's', 'superuser'),
		('idemstore.cache_max_entry_size', '5120', 'kB', 'superuser'),
		('idemstore.cache_max_size', '0', 'kB', 'superuser'),
		('idemstore.default_job_timeout', '300', 's', 'user'),
		('idemstore.default_lease', '300', 's', 'user'),
		('idemstore.default_ttl', '86400', 's', 'user'),
		('idemstore.default_wait', '30000', 'ms', 'user'),
		('idemstore.max_body_size', '65536', 'kB', 'superuser'),
		('idemstore.test_clock', '', NULL, 'superuser')$$,
	'the settings with their defaults');

SELECT * FROM finish();
ROLLBACK;
