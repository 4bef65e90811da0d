-- The public contract of the expiry that pg_cron drives: what others build on.
BEGIN;
SELECT plan(15);

-- every function: arguments with names and defaults, result, volatility
CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text, parallel text);
INSERT INTO contract VALUES
	('schedule_expiry', 'schedule text DEFAULT ''* * * * *''::text', 'bigint', 'v', 'u'),
	('unschedule_expiry', '', 'boolean', 'v', 'u'),
	('expiry_job', 'OUT job_name text, OUT cron_database text', 'record', 's', 's');
CREATE TEMP VIEW functions AS
	SELECT p.* FROM pg_proc AS p
	WHERE p.pronamespace = 'idemstore'::regnamespace AND p.proname ~ '_expiry$|^expiry_';
SELECT is(count(*), 1::bigint, name || ' has its signature')
	FROM contract AS c LEFT JOIN functions AS p ON p.proname = c.name
		AND pg_get_function_arguments(p.oid) = c.arguments
		AND pg_get_function_result(p.oid) = c.result
		AND p.provolatile::text = c.volatility
		AND p.proparallel::text = c.parallel
	WHERE p.oid IS NOT NULL
	GROUP BY name ORDER BY name;
SELECT bag_eq(
	'SELECT proname::text COLLATE "default" FROM functions',
	'SELECT name FROM contract',
	'there is no other function, and no name is overloaded');
SELECT ok(obj_description(oid, 'pg_proc') ~ 'Errors: (none|.*[0-9I][0-9D][0-9]{3})', proname || ' says its errors in its comment')
	FROM functions ORDER BY proname;
SELECT is_empty(
	$$SELECT proname FROM functions WHERE proconfig::text IS DISTINCT FROM '{"search_path=pg_catalog, pg_temp"}'$$,
	'all have a search_path of their own');
SELECT results_eq(
	'SELECT proname::text COLLATE "default" FROM functions WHERE prosecdef',
	$$VALUES ('expiry_job')$$,
	'the job is the caller''s own: only where it is comes with the owner''s rights');

-- EXECUTE is the gate
SELECT ok(NOT has_function_privilege('public', oid, 'EXECUTE'), proname || ' is closed to PUBLIC')
	FROM functions ORDER BY proname;
CREATE ROLE idem_schedule_application;
CREATE ROLE idem_schedule_operator;
SELECT lives_ok($$SELECT idemstore.grant_usage('idem_schedule_application'), idemstore.grant_usage('idem_schedule_operator', 'operator')$$, 'grant_usage');
SELECT is_empty($$SELECT proname FROM functions WHERE has_function_privilege('idem_schedule_application', oid, 'EXECUTE')$$, 'a program may call none of them');
SELECT is_empty($$SELECT proname FROM functions WHERE NOT has_function_privilege('idem_schedule_operator', oid, 'EXECUTE')$$, 'an operator all of them');

SELECT * FROM finish();
ROLLBACK;
