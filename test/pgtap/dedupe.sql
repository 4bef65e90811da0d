-- The public contract of the dedupe family: what others build on.
BEGIN;
LOAD 'idemstore';
SELECT plan(43);

-- the table and its columns, in order
SELECT has_table('idemstore', 'dedupe_jobs', 'the table is there');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod), attnotnull, attstorage::text
		FROM pg_attribute
		WHERE attrelid = 'idemstore.dedupe_jobs'::regclass AND attnum > 0
		ORDER BY attnum$$,
	$$VALUES
		('hash', 'text', true, 'm'),
		('job_id', 'uuid', true, 'p'),
		('status', 'text', true, 'm'),
		('value', 'json', false, 'x'),
		('error', 'json', false, 'x'),
		('lease_expires_at', 'timestamp with time zone', false, 'p'),
		('expires_at', 'timestamp with time zone', true, 'p'),
		('created_at', 'timestamp with time zone', true, 'p'),
		('completed_at', 'timestamp with time zone', false, 'p')$$,
	'its columns, with what a dirty read needs stored in the row');
SELECT is_empty(
	$$SELECT attname FROM pg_attribute
		WHERE attrelid = 'idemstore.dedupe_jobs'::regclass AND attnum > 0
			AND atttypid = 'text'::regtype AND attcollation <> '"C"'::regcollation$$,
	'names compare by their bytes');
SELECT is_empty(
	$$SELECT conname FROM pg_constraint
		WHERE conrelid = 'idemstore.dedupe_jobs'::regclass AND contype NOT IN ('p', 'n')$$,
	'no constraint but the primary key');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'idemstore.dedupe_registration'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES ('job_id', 'uuid'), ('is_owner', 'boolean')$$,
	'the columns of a registration');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) FROM pg_attribute
		WHERE attrelid = 'idemstore.dedupe_result'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES ('outcome', 'text'), ('value', 'json'), ('error', 'json')$$,
	'the columns of a result');

-- key, indexes, storage, backup
SELECT col_is_pk('idemstore', 'dedupe_jobs', 'hash', 'the hash is the primary key');
SELECT set_eq(
	$$SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) ~ 'UNIQUE', pg_get_indexdef(indexrelid, 1, false)
		FROM pg_index WHERE indrelid = 'idemstore.dedupe_jobs'::regclass$$,
	$$VALUES ('idemstore.dedupe_jobs_pkey', true, 'hash'),
		('idemstore.dedupe_jobs_expires_at_idx', false, 'expires_at')$$,
	'its indexes');
SELECT ok('fillfactor=60' = ANY (reloptions), 'room for HOT updates')
	FROM pg_class WHERE oid = 'idemstore.dedupe_jobs'::regclass;
SELECT is(relpersistence::text, 'u', 'jobs are unlogged')
	FROM pg_class WHERE oid = 'idemstore.dedupe_jobs'::regclass;
SELECT ok('idemstore.dedupe_jobs'::regclass <> ALL (extconfig), 'pg_dump leaves its rows')
	FROM pg_extension WHERE extname = 'idemstore';

-- every function: arguments with names and defaults, result, volatility
CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text, parallel text);
INSERT INTO contract VALUES
	('dedupe_register_or_join', 'hash text, timeout interval DEFAULT NULL::interval', 'idemstore.dedupe_registration', 'v', 'u'),
	('dedupe_register', 'hash text, timeout interval DEFAULT NULL::interval', 'uuid', 'v', 'u'),
	('dedupe_complete', 'hash text, value json, job_id uuid DEFAULT NULL::uuid', 'boolean', 'v', 'u'),
	('dedupe_fail', 'hash text, error json DEFAULT NULL::json, job_id uuid DEFAULT NULL::uuid', 'boolean', 'v', 'u'),
	('dedupe_wait_for', 'hash text, timeout interval DEFAULT NULL::interval, job_id uuid DEFAULT NULL::uuid', 'idemstore.dedupe_result', 'v', 'u'),
	('dedupe_is_in_progress', 'hash text', 'boolean', 'v', 'u'),
	('dedupe_clear', 'prefix text DEFAULT ''''::text', 'bigint', 'v', 'u'),
	('dedupe_list', 'prefix text DEFAULT ''''::text, max_rows integer DEFAULT 100, after text DEFAULT ''''::text', 'TABLE(hash text, job_id uuid, status text, expires_at timestamp with time zone)', 's', 's');
SELECT is(count(p.oid)::int, 1, name || ' has the signature of the contract')
	FROM contract AS c LEFT JOIN pg_proc AS p ON p.proname = c.name
		AND p.pronamespace = 'idemstore'::regnamespace
		AND pg_get_function_arguments(p.oid) = c.arguments
		AND pg_get_function_result(p.oid) IS NOT DISTINCT FROM c.result
		AND p.provolatile::text = c.volatility
		AND p.proparallel::text = c.parallel
		AND NOT p.proisstrict
	GROUP BY name ORDER BY name;
SELECT bag_eq(
	$$SELECT proname::text COLLATE "default" FROM pg_proc
		WHERE pronamespace = 'idemstore'::regnamespace AND proname ~ '^dedupe'$$,
	$$SELECT name FROM contract$$,
	'there is no other function, and no name is overloaded');
SELECT ok(obj_description(p.oid, 'pg_proc') ~ 'Errors: .*[0-9I][0-9D][0-9]{3}', name || ' says its errors in its comment')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name;
SELECT is_empty(
	$$SELECT attname FROM pg_attribute WHERE attrelid = 'idemstore.dedupe_jobs'::regclass
		AND attnum > 0 AND col_description(attrelid, attnum) IS NULL$$,
	'every column has a comment');
SELECT is_empty(
	$$SELECT oid::regclass::text FROM pg_class
		WHERE oid = 'idemstore.dedupe_jobs'::regclass AND obj_description(oid, 'pg_class') IS NULL
		UNION ALL SELECT oid::regtype::text FROM pg_type
		WHERE oid IN ('idemstore.dedupe_registration'::regtype, 'idemstore.dedupe_result'::regtype)
			AND obj_description(oid, 'pg_type') IS NULL$$,
	'the table and the types have comments');

-- EXECUTE is the gate
SELECT ok(NOT has_function_privilege('public', p.oid, 'EXECUTE'), name || ' is closed to PUBLIC')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name;
SELECT ok(NOT has_table_privilege('public', 'idemstore.dedupe_jobs', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE'),
	'the table is closed to PUBLIC');
CREATE ROLE idemstore_pgtap_application;
CREATE ROLE idemstore_pgtap_operator;
SELECT idemstore.grant_usage('idemstore_pgtap_application'), idemstore.grant_usage('idemstore_pgtap_operator', 'operator') \g /dev/null
SELECT is_empty(
	$$SELECT name FROM contract JOIN pg_proc ON proname = name AND pronamespace = 'idemstore'::regnamespace
		WHERE NOT has_function_privilege('idemstore_pgtap_application', pg_proc.oid, 'EXECUTE')$$,
	'an application may call all of them');
SELECT is_empty(
	$$SELECT name FROM contract JOIN pg_proc ON proname = name AND pronamespace = 'idemstore'::regnamespace
		WHERE NOT has_function_privilege('idemstore_pgtap_operator', pg_proc.oid, 'EXECUTE')$$,
	'an operator as well');
SELECT is_empty(
	$$SELECT name FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name
		WHERE p.pronamespace = 'idemstore'::regnamespace AND prosecdef$$,
	'nothing runs with the owner''s rights');

-- settings
SELECT results_eq(
	$$SELECT name COLLATE "default", boot_val, unit, context FROM pg_settings
		WHERE name IN ('idemstore.default_job_timeout', 'idemstore.default_wait') ORDER BY name$$,
	$$VALUES ('idemstore.default_job_timeout', '300', 's', 'user'),
		('idemstore.default_wait', '30000', 'ms', 'user')$$,
	'the settings with their defaults');

SELECT * FROM finish();
ROLLBACK;
