-- The public contract of the statistics: what others build on.
BEGIN;
LOAD 'idemstore';
SELECT plan(52);

-- the views and their columns, in order
CREATE TEMP VIEW columns AS
	SELECT attrelid, attnum, attname::text COLLATE "default" AS name, format_type(atttypid, atttypmod) COLLATE "default" AS type
	FROM pg_attribute WHERE attnum > 0 AND NOT attisdropped;
SELECT has_view('idemstore', 'stats', 'the view of the counters is there');
SELECT has_view('idemstore', 'in_flight', 'the view of those at work is there');
SELECT results_eq(
	$$SELECT name, type FROM columns WHERE attrelid = 'idemstore.stats'::regclass ORDER BY attnum$$,
	$$VALUES ('family', 'text'), ('calls', 'jsonb'), ('live', 'bigint'), ('expired', 'bigint'),
		('oldest_in_progress', 'timestamp with time zone'), ('last_expiry', 'timestamp with time zone'), ('removed', 'bigint'),
		('table_size', 'bigint'), ('index_size', 'bigint'), ('reset_at', 'timestamp with time zone'),
		('marks', 'bigint'), ('longest_chain', 'integer'), ('backlog_since', 'timestamp with time zone')$$,
	'the columns of the counters');
SELECT results_eq(
	$$SELECT name, type FROM columns WHERE attrelid = 'idemstore.in_flight'::regclass ORDER BY attnum$$,
	$$VALUES ('family', 'text'), ('scope', 'text'), ('key', 'text'), ('state', 'text'), ('started_at', 'timestamp with time zone'),
		('age_seconds', 'double precision'), ('lease_expires_at', 'timestamp with time zone'), ('fence', 'bigint'), ('attempt', 'integer'), ('owner_pid', 'integer')$$,
	'the columns of those at work');
SELECT results_eq(
	'SELECT family FROM idemstore.stats',
	$$VALUES ('idempotency'), ('dedupe'), ('cache'), ('rate_limit')$$,
	'a row for each family');
SELECT set_eq(
	'SELECT family, jsonb_object_keys(calls) FROM idemstore.stats',
	$$VALUES ('idempotency', 'started'), ('idempotency', 'in_progress'), ('idempotency', 'replay'), ('idempotency', 'failed'), ('idempotency', 'mismatch'),
		('idempotency', 'abandoned'), ('idempotency', 'duplicate'), ('idempotency', 'exists'), ('idempotency', 'set'), ('idempotency', 'completed'), ('idempotency', 'given_up'),
		('idempotency', 'retryable'), ('idempotency', 'released'), ('idempotency', 'lost'),
		('dedupe', 'owner'), ('dedupe', 'joined'), ('dedupe', 'completed'), ('dedupe', 'failed'), ('dedupe', 'refused'),
		('dedupe', 'wait_completed'), ('dedupe', 'wait_failed'), ('dedupe', 'wait_timeout'), ('dedupe', 'wait_absent'),
		('cache', 'hit'), ('cache', 'stale'), ('cache', 'compute'), ('cache', 'in_progress'), ('cache', 'miss'), ('cache', 'set'), ('cache', 'refused'),
		('cache', 'touched'), ('cache', 'deleted'), ('cache', 'invalidated'),
		('rate_limit', 'allowed'), ('rate_limit', 'quota'), ('rate_limit', 'quota_zero'), ('rate_limit', 'cost_exceeds_quota'),
		('rate_limit', 'paused'), ('rate_limit', 'cooldown'), ('rate_limit', 'shadow'), ('rate_limit', 'recorded')$$,
	'every outcome is there, counted or not');

-- how the counters are kept, backup
SELECT results_eq(
	$$SELECT a.amname::text COLLATE "default", c.relpersistence::text COLLATE "default", c.oid = ANY (e.extconfig)
		FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam, pg_extension AS e
		WHERE c.oid = 'idemstore.stats_counters'::regclass AND e.extname = 'idemstore'$$,
	$$VALUES ('idemstore_slots', 'u', false)$$,
	'counters are changed in place, unlogged, and not dumped');
SELECT is_empty(
	$$SELECT o FROM (VALUES ('pg_class'::regclass, 'idemstore.stats'::regclass::oid), ('pg_class', 'idemstore.in_flight'::regclass), ('pg_class', 'idemstore.stats_counters'::regclass),
			('pg_proc', 'idemstore.stats_counts'::regproc), ('pg_proc', 'idemstore.stats_sizes'::regproc), ('pg_proc', 'idemstore.stats_reset'::regproc), ('pg_proc', 'idemstore.in_flight_claims'::regproc)) AS t (class, o)
		WHERE NOT EXISTS (SELECT 1 FROM pg_depend AS d WHERE d.classid = class AND d.objid = o AND d.deptype = 'e')$$,
	'all of it belongs to the extension');

-- the functions
CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text, parallel text);
INSERT INTO contract VALUES
	('stats_counts', 'OUT family text, OUT calls jsonb, OUT last_expiry timestamp with time zone, OUT removed bigint, OUT reset_at timestamp with time zone, OUT as_of timestamp with time zone', 'SETOF record', 'v', 'u'),
	('stats_sizes', 'family text, OUT table_size bigint, OUT index_size bigint', 'record', 's', 's'),
	('stats_live', 'family text, as_of timestamp with time zone', 'bigint', 's', 's'),
	('stats_expired', 'family text, as_of timestamp with time zone', 'bigint', 's', 's'),
	('stats_oldest_in_progress', 'family text, as_of timestamp with time zone', 'timestamp with time zone', 's', 's'),
	('stats_backlog_since', 'family text, as_of timestamp with time zone', 'timestamp with time zone', 's', 's'),
	('stats_marks', '', 'bigint', 's', 'r'),
	('stats_longest_chain', '', 'integer', 's', 'r'),
	('stats_table', 'family text', 'text', 's', 's'),
	('stats_reset', '', 'boolean', 'v', 'u'),
	('in_flight_claims', 'OUT family text, OUT scope text, OUT key text, OUT state text, OUT started_at timestamp with time zone, OUT age_seconds double precision, OUT lease_expires_at timestamp with time zone, OUT fence bigint, OUT attempt integer, OUT owner_pid integer', 'SETOF record', 'v', 'u'),
	('in_flight_by_key', 'key text, scope text DEFAULT ''''::text', 'SETOF idemstore.in_flight', 'v', 'u');
SELECT is(count(p.oid)::int, 1, name || ' has the signature of the contract')
	FROM contract AS c LEFT JOIN pg_proc AS p ON p.proname = c.name
		AND p.pronamespace = 'idemstore'::regnamespace
		AND pg_get_function_arguments(p.oid) = c.arguments
		AND pg_get_function_result(p.oid) = c.result
		AND p.provolatile::text = c.volatility AND p.proparallel::text = c.parallel
		AND p.prosecdef = (name ~ '_(live|expired|oldest_in_progress|backlog_since)$')
	GROUP BY name ORDER BY name;
SELECT bag_eq(
	$$SELECT proname::text COLLATE "default" FROM pg_proc
		WHERE pronamespace = 'idemstore'::regnamespace AND proname ~ '^(stats|in_flight)_'$$,
	'SELECT name FROM contract',
	'there is no other function, and no name is overloaded');
SELECT ok(obj_description(p.oid, 'pg_proc') IS NOT NULL, name || ' has a comment')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name;
SELECT is_empty(
	$$SELECT attrelid::regclass, name FROM columns
		WHERE attrelid IN ('idemstore.stats'::regclass, 'idemstore.in_flight'::regclass, 'idemstore.stats_counters'::regclass)
			AND (col_description(attrelid, attnum) IS NULL OR obj_description(attrelid, 'pg_class') IS NULL)$$,
	'views, table and columns have comments');
SELECT is_empty(
	$$SELECT key FROM idemstore.stats, jsonb_object_keys(calls) AS key
		WHERE key !~ '^wait_' AND col_description('idemstore.stats'::regclass, 2) !~ ('\m' || key || '\M')
			AND key NOT IN ('in_progress', 'replay', 'mismatch', 'abandoned', 'duplicate', 'stale', 'compute', 'quota', 'quota_zero', 'cost_exceeds_quota', 'paused', 'cooldown', 'shadow')$$,
	'the comment names every outcome that a function does not return');

-- EXECUTE on the functions and SELECT on the views are the gate
SELECT ok(NOT has_function_privilege('public', p.oid, 'EXECUTE'), name || ' is closed to PUBLIC')
	FROM contract AS c JOIN pg_proc AS p ON p.proname = c.name AND p.pronamespace = 'idemstore'::regnamespace ORDER BY name;
CREATE ROLE idem_pgtap_application;
CREATE ROLE idem_pgtap_operator;
SELECT idemstore.grant_usage('idem_pgtap_application'), idemstore.grant_usage('idem_pgtap_operator', 'operator') \g /dev/null
SELECT results_eq(
	$$SELECT r, v FROM unnest('{public,idem_pgtap_application,idem_pgtap_operator}'::text[]) AS r, unnest('{idemstore.stats,idemstore.in_flight}'::text[]) AS v
		WHERE has_table_privilege(r, v, 'SELECT')$$,
	$$VALUES ('idem_pgtap_operator', 'idemstore.stats'), ('idem_pgtap_operator', 'idemstore.in_flight')$$,
	'an operator may read the views, and nobody else');
SELECT is_empty(
	$$SELECT r, v FROM unnest('{public,idem_pgtap_application,idem_pgtap_operator}'::text[]) AS r, unnest('{idemstore.stats,idemstore.in_flight,idemstore.stats_counters}'::text[]) AS v
		WHERE has_table_privilege(r, v, 'INSERT, UPDATE, DELETE, TRUNCATE') OR (v ~ 'counters' AND has_table_privilege(r, v, 'SELECT'))$$,
	'nobody may write, or read what is behind them');
SELECT is_empty(
	$$SELECT name FROM contract JOIN pg_proc ON proname = name AND pronamespace = 'idemstore'::regnamespace
		WHERE has_function_privilege('idem_pgtap_application', pg_proc.oid, 'EXECUTE')
			OR NOT has_function_privilege('idem_pgtap_operator', pg_proc.oid, 'EXECUTE')$$,
	'the functions are the operator''s');
SET ROLE idem_pgtap_operator;
SELECT lives_ok('SELECT * FROM idemstore.stats', 'he can read the counters');
SELECT lives_ok('SELECT * FROM idemstore.in_flight', 'and who is at work');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
