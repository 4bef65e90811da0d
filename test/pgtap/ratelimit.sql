-- The public contract of the rate limits: what others build on.
BEGIN;
LOAD 'idemstore';
SELECT plan(135);

-- the tables and their columns, in order
CREATE TEMP VIEW columns AS
	SELECT attrelid, attnum, attname::text COLLATE "default" AS name, format_type(atttypid, atttypmod) COLLATE "default" AS type, attnotnull AS is_not_null, attstorage::text COLLATE "default" AS storage
	FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped;
SELECT results_eq(
	$$SELECT name, type, is_not_null FROM columns WHERE attrelid = 'idemstore.rate_limits'::regclass ORDER BY attnum$$,
	$$VALUES
		('resource', 'text', true),
		('policy', 'text', true),
		('algorithm', 'text', true),
		('quota', 'bigint', true),
		('period', 'interval', true),
		('burst', 'bigint', false),
		('monitoring_window', 'interval', false),
		('high_activity_threshold', 'integer', false),
		('moderate_activity_threshold', 'integer', false),
		('recalculation_interval', 'interval', false),
		('sustained_inactivity_threshold', 'interval', false),
		('background_pause_on_increasing_trend', 'boolean', false),
		('max_user_scaling', 'double precision', false),
		('min_user_reserved', 'integer', false),
		('enforced', 'boolean', true),
		('time_zone', 'text', false)$$,
	'the columns of the configuration');
SELECT results_eq(
	$$SELECT name, type, is_not_null, storage FROM columns WHERE attrelid = 'idemstore.rate_limit_state'::regclass ORDER BY attnum$$,
	$$VALUES ('resource', 'text', true, 'p'), ('expires_at', 'timestamp with time zone', true, 'p'), ('state', 'bytea', true, 'p')$$,
	'the columns of the state, all of them plain');
SELECT results_eq(
	$$SELECT name, type, is_not_null, storage FROM columns WHERE attrelid = 'idemstore.cooldowns'::regclass ORDER BY attnum$$,
	$$VALUES ('origin', 'text', true, 'p'), ('until', 'timestamp with time zone', true, 'p')$$,
	'the columns of the cooldowns, all of them plain');
SELECT is_empty(
	$$SELECT attrelid::regclass, attname FROM pg_attribute
		WHERE attrelid IN ('idemstore.rate_limits'::regclass, 'idemstore.rate_limit_state'::regclass, 'idemstore.cooldowns'::regclass)
			AND attnum > 0 AND atttypid = 'text'::regtype AND attcollation <> '"C"'::regcollation$$,
	'names compare by their bytes');
SELECT results_eq(
	$$SELECT name, type FROM columns WHERE attrelid = 'idemstore.rate_limit_verdict'::regclass ORDER BY attnum$$,
	$$VALUES ('allowed', 'boolean'), ('quota', 'bigint'), ('remaining', 'bigint'), ('reset_at', 'timestamp with time zone'),
		('retry_after_ms', 'double precision'), ('retry_after_seconds', 'integer'), ('policy', 'text'), ('reason', 'text'), ('decided_at', 'timestamp with time zone')$$,
	'the columns of a verdict');
SELECT results_eq(
	$$SELECT name, type FROM columns WHERE attrelid = 'idemstore.rate_limit_resource_verdict'::regclass AND attnum > 1 ORDER BY attnum$$,
	$$SELECT name, type FROM columns WHERE attrelid = 'idemstore.rate_limit_verdict'::regclass ORDER BY attnum$$,
	'which are also those of a verdict on one of many');
SELECT results_eq(
	$$SELECT name, type FROM columns WHERE attrelid = 'idemstore.rate_limit_split'::regclass ORDER BY attnum$$,
	$$VALUES ('user_reserved', 'bigint'), ('background_max', 'bigint'), ('background_paused', 'boolean'),
		('recent_user_activity', 'bigint'), ('reason', 'text')$$,
	'the columns of a split');

-- constraints, how the rows are kept, backup
SELECT col_is_pk('idemstore', 'rate_limits', ARRAY['resource', 'policy'], 'a resource has one limit of each policy');
SELECT set_has(
	$$SELECT conname::text COLLATE "default" FROM pg_constraint
		WHERE conrelid = 'idemstore.rate_limits'::regclass AND contype = 'c' AND convalidated$$,
	$$VALUES ('rate_limits_resource_check'), ('rate_limits_policy_check'), ('rate_limits_algorithm_check'),
		('rate_limits_quota_check'), ('rate_limits_burst_check'), ('rate_limits_period_check'), ('rate_limits_adaptive_check'),
		('rate_limits_monitoring_window_check'), ('rate_limits_recalculation_interval_check'),
		('rate_limits_sustained_inactivity_check'), ('rate_limits_thresholds_check'), ('rate_limits_time_zone_check')$$,
	'what makes no sense is kept out by constraints');
SELECT results_eq(
	$$SELECT tgname::text COLLATE "default", tgenabled::text COLLATE "default", tgtype::int, tgfoid::regproc::text COLLATE "default" FROM pg_trigger
		WHERE tgrelid = 'idemstore.rate_limits'::regclass AND NOT tgisinternal ORDER BY tgname$$,
	$$VALUES ('rate_limits_changed', 'A', 1 + 4 + 8 + 16, 'idemstore.rate_limits_changed'),
		('rate_limits_truncated', 'A', 32, 'idemstore.rate_limits_changed')$$,
	'each row that is changed tells, and each TRUNCATE, under any session_replication_role');
SELECT results_eq(
	$$SELECT c.relname::text COLLATE "default", a.amname::text COLLATE "default", c.relpersistence::text COLLATE "default"
		FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam
		WHERE c.relname IN ('rate_limits', 'rate_limit_state', 'cooldowns') AND c.relnamespace = 'idemstore'::regnamespace ORDER BY c.relname$$,
	$$VALUES ('cooldowns', 'idemstore_slots', 'u'), ('rate_limit_state', 'idemstore_slots', 'u'), ('rate_limits', 'heap', 'p')$$,
	'the configuration is an ordinary logged table; what changes in place is unlogged');
SELECT is_empty(
	$$SELECT oid::regclass FROM pg_class WHERE oid IN ('idemstore.rate_limit_state'::regclass, 'idemstore.cooldowns'::regclass)
		AND (relfrozenxid = '0' OR relminmxid = '0' OR relhasindex OR reltoastrelid <> 0)$$,
	'tables of slots have a horizon, no index and no TOAST table');
SELECT results_eq(
	$$SELECT amtype::text COLLATE "default", amhandler::text COLLATE "default" FROM pg_am WHERE amname = 'idemstore_slots'$$,
	$$VALUES ('t', 'idemstore.slots_handler')$$,
	'the access method is one for tables');
SELECT results_eq(
	$$SELECT c.relname::text COLLATE "default", c.oid = ANY (e.extconfig) FROM pg_class AS c, pg_extension AS e
		WHERE e.extname = 'idemstore' AND c.oid IN ('idemstore.rate_limits'::regclass, 'idemstore.rate_limit_state'::regclass, 'idemstore.cooldowns'::regclass) ORDER BY c.relname$$,
	$$VALUES ('cooldowns', false), ('rate_limit_state', false), ('rate_limits', true)$$,
	'pg_dump takes the configuration, and not the state');
SELECT is_empty(
	$$SELECT o FROM (VALUES ('pg_class'::regclass, 'idemstore.rate_limits'::regclass::oid), ('pg_class', 'idemstore.rate_limit_state'::regclass), ('pg_class', 'idemstore.cooldowns'::regclass),
			('pg_type', 'idemstore.rate_limit_verdict'::regtype), ('pg_type', 'idemstore.rate_limit_resource_verdict'::regtype), ('pg_class', 'idemstore.rate_limits_pattern_idx'::regclass), ('pg_type', 'idemstore.rate_limit_split'::regtype), ('pg_am', (SELECT oid FROM pg_am WHERE amname = 'idemstore_slots')),
			('pg_proc', 'idemstore.slots_handler'::regproc), ('pg_trigger', (SELECT oid FROM pg_trigger WHERE tgname = 'rate_limits_changed'))) AS t (class, o)
		WHERE NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = class AND d.objid = o
			AND (d.deptype = 'e' OR d.refobjid = 'idemstore.rate_limits'::regclass OR d.deptype = 'i'))$$,
	'all of it belongs to the extension');

-- every function: arguments with names and defaults, result, volatility, rights
CREATE TEMP TABLE contract (name text, arguments text, result text, parallel text, is_definer boolean);
INSERT INTO contract VALUES
	('set_rate_limit', 'resource text, quota bigint, per interval, algorithm text DEFAULT ''sliding_window''::text, burst bigint DEFAULT NULL::bigint, policy text DEFAULT ''default''::text, enforced boolean DEFAULT true, time_zone text DEFAULT NULL::text',
		'boolean', 'u', true),
	('drop_rate_limit', 'resource text, policy text DEFAULT NULL::text', 'boolean', 'u', true),
	('set_adaptive_rate_limit', 'resource text, quota bigint DEFAULT 200, per interval DEFAULT ''01:00:00''::interval, monitoring_window interval DEFAULT ''00:15:00''::interval, high_activity_threshold integer DEFAULT 10, moderate_activity_threshold integer DEFAULT 3, recalculation_interval interval DEFAULT ''00:00:30''::interval, sustained_inactivity_threshold interval DEFAULT ''00:30:00''::interval, background_pause_on_increasing_trend boolean DEFAULT true, max_user_scaling double precision DEFAULT 2.0, min_user_reserved integer DEFAULT 5',
		'boolean', 'u', true),
	('acquire', 'resource text, cost bigint DEFAULT 1, priority text DEFAULT NULL::text, quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval, origin text DEFAULT NULL::text',
		'boolean', 'u', false),
	('consume', 'resource text, cost bigint DEFAULT 1, priority text DEFAULT NULL::text, quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval, origin text DEFAULT NULL::text',
		'idemstore.rate_limit_verdict', 'u', false),
	('acquire_all', 'resources text[], costs bigint[] DEFAULT NULL::bigint[]', 'boolean', 'u', false),
	('can_proceed', 'resource text, cost bigint DEFAULT 1, priority text DEFAULT NULL::text, quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval',
		'boolean', 's', false),
	('record_request', 'resource text, cost bigint DEFAULT 1, priority text DEFAULT NULL::text, quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval',
		'boolean', 'u', false),
	('get_wait_time', 'resource text, cost bigint DEFAULT 1, priority text DEFAULT NULL::text, quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval',
		'interval', 's', false),
	('rate_limit_status', 'resource text, quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval', 'SETOF idemstore.rate_limit_verdict', 's', false),
	('rate_limit_reset', 'resource text', 'boolean', 'u', false),
	('adaptive_rate_limit_status', 'resource text', 'idemstore.rate_limit_split', 's', false),
	('set_cooldown', 'origin text, until timestamp with time zone', 'boolean', 'u', false),
	('cooldown_list', 'prefix text DEFAULT ''''::text, max_rows integer DEFAULT 100', 'TABLE(origin text, until timestamp with time zone)', 's', false),
	('rate_limit_list', 'prefix text DEFAULT ''''::text, max_rows integer DEFAULT 100', 'TABLE(resource text, policy text, quota bigint, remaining bigint, reset_at timestamp with time zone)', 's', false),
	('rate_limit_clear', 'prefix text', 'bigint', 'u', false),
	('refund', 'resource text, cost bigint, taken_at timestamp with time zone, priority text DEFAULT NULL::text, quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval', 'boolean', 'u', false),
	('acquire_many', 'resources text[], costs bigint[] DEFAULT NULL::bigint[], priorities text[] DEFAULT NULL::text[], quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval, origin text DEFAULT NULL::text',
		'boolean[]', 'u', false),
	('consume_many', 'resources text[], costs bigint[] DEFAULT NULL::bigint[], priorities text[] DEFAULT NULL::text[], quota bigint DEFAULT NULL::bigint, per interval DEFAULT NULL::interval, origin text DEFAULT NULL::text',
		'SETOF idemstore.rate_limit_resource_verdict', 'u', false),
	('get_cooldown', 'origin text', 'timestamp with time zone', 's', false),
	('clear_cooldown', 'origin text', 'boolean', 'u', false),
	('rate_limits_changed', '', 'trigger', 'u', false),
	('slots_handler', 'internal', 'table_am_handler', 'u', false);
SELECT is(count(p.oid)::int, 1, name || ' has the signature of the contract')
	FROM contract AS c LEFT JOIN pg_proc AS p ON p.proname = c.name
		AND p.pronamespace = 'idemstore'::regnamespace
		AND pg_get_function_arguments(p.oid) = c.arguments
		AND pg_get_function_result(p.oid) = c.result
		AND p.provolatile = 'v' AND p.proparallel::text = c.parallel AND NOT p.proisstrict
		AND p.prosecdef = c.is_definer
		AND p.proconfig IS NOT DISTINCT FROM CASE WHEN c.is_definer THEN '{"search_path=pg_catalog, pg_temp"}'::text[] END
	GROUP BY name ORDER BY name;
SELECT is(count(*)::int, 1, name || ' is not overloaded')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace GROUP BY name ORDER BY name;
SELECT ok(obj_description(p.oid, 'pg_proc') ~ 'Errors: .*22004.*54000', name || ' says its errors in its comment')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace
	WHERE name NOT IN ('rate_limits_changed', 'slots_handler') ORDER BY name;
SELECT ok(obj_description(p.oid, 'pg_proc') ~ 'ID428', name || ' says that it needs a limit')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace
	WHERE name IN ('acquire', 'consume', 'acquire_all', 'can_proceed', 'record_request', 'get_wait_time', 'rate_limit_status', 'adaptive_rate_limit_status', 'acquire_many', 'consume_many', 'refund') ORDER BY name;
SELECT ok(obj_description(p.oid, 'pg_proc') ~ '25006', name || ' says that it writes')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace
	WHERE parallel = 'u' AND name NOT IN ('rate_limits_changed', 'slots_handler') ORDER BY name;
SELECT is_empty(
	$$SELECT attrelid::regclass, name FROM columns
		WHERE attrelid IN ('idemstore.rate_limits'::regclass, 'idemstore.rate_limit_state'::regclass, 'idemstore.cooldowns'::regclass)
			AND col_description(attrelid, attnum) IS NULL$$,
	'every column has a comment');
SELECT is_empty(
	$$SELECT c FROM (VALUES (obj_description('idemstore.rate_limits'::regclass, 'pg_class')), (obj_description('idemstore.rate_limit_state'::regclass, 'pg_class')),
			(obj_description('idemstore.cooldowns'::regclass, 'pg_class')), (obj_description('idemstore.rate_limit_verdict'::regtype, 'pg_type')),
			(obj_description('idemstore.rate_limit_split'::regtype, 'pg_type')), (obj_description('idemstore.slots_handler'::regproc, 'pg_proc')),
			(obj_description('idemstore.rate_limits_changed'::regproc, 'pg_proc')),
			((SELECT obj_description(oid, 'pg_am') FROM pg_am WHERE amname = 'idemstore_slots'))) AS t (c) WHERE c IS NULL$$,
	'so have tables, types, the trigger''s function and the access method');

-- EXECUTE is the gate
SELECT ok(NOT has_function_privilege('public', p.oid, 'EXECUTE'), name || ' is closed to PUBLIC')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name;
CREATE ROLE idem_pgtap_application;
CREATE ROLE idem_pgtap_operator;
SELECT lives_ok($$SELECT idemstore.grant_usage('idem_pgtap_application'), idemstore.grant_usage('idem_pgtap_operator', 'operator')$$, 'roles can be let in');
SELECT results_eq(
	$$SELECT name, has_function_privilege('idem_pgtap_application', p.oid, 'EXECUTE'), has_function_privilege('idem_pgtap_operator', p.oid, 'EXECUTE')
		FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name COLLATE "C"$$,
	$$SELECT name, NOT is_definer AND name NOT IN ('rate_limits_changed', 'slots_handler', 'rate_limit_clear', 'rate_limit_list', 'cooldown_list'),
			name NOT IN ('rate_limits_changed', 'slots_handler') FROM contract ORDER BY name COLLATE "C"$$,
	'a program takes, an operator sets as well, and nobody is given the handler');
SELECT is_empty(
	$$SELECT r, c.oid::regclass FROM unnest('{public,idem_pgtap_application,idem_pgtap_operator}'::text[]) AS r, pg_class AS c
		WHERE c.relnamespace = 'idemstore'::regnamespace AND c.relkind = 'r'
			AND has_table_privilege(r, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')$$,
	'nobody is given the tables');

SELECT * FROM finish();
ROLLBACK;
