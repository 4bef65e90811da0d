-- The public contract of privileges: what others build on.
BEGIN;
SELECT plan(19);

-- every function: arguments with names and defaults, result, volatility
CREATE TEMP TABLE contract (name text, arguments text, result text, volatility text, parallel text, is_definer boolean);
INSERT INTO contract VALUES
	('grant_usage', 'role regrole, level text DEFAULT ''application''::text', 'boolean', 'v', 'u', true),
	('revoke_usage', 'role regrole, level text DEFAULT NULL::text', 'boolean', 'v', 'u', true),
	('usage_privileges', 'OUT level text, OUT kind text, OUT object text, OUT privilege text, OUT catalog oid, OUT id oid, OUT owner oid, OUT acl aclitem[]', 'SETOF record', 's', 's', false);
CREATE TEMP VIEW functions AS
	SELECT p.* FROM pg_proc AS p WHERE p.pronamespace = 'idemstore'::regnamespace AND p.proname ~ '_usage$|^usage_';
SELECT is(count(p.oid), 1::bigint, name || ' has its signature')
	FROM contract AS c LEFT JOIN functions AS p ON p.proname = c.name
		AND pg_get_function_arguments(p.oid) = c.arguments
		AND pg_get_function_result(p.oid) = c.result
		AND p.provolatile::text = c.volatility AND p.proparallel::text = c.parallel AND p.prosecdef = c.is_definer
	GROUP BY name ORDER BY name;
SELECT bag_eq('SELECT proname::text COLLATE "default" FROM functions', 'SELECT name FROM contract', 'there is no other function, and no name is overloaded');
SELECT is_empty(
	$$SELECT proname FROM functions WHERE proconfig::text IS DISTINCT FROM '{"search_path=pg_catalog, pg_temp"}'$$,
	'all have a search_path of their own');
SELECT ok(obj_description(oid, 'pg_proc') ~ 'Errors: .*[0-9I][0-9D][0-9]{3}', proname || ' says its errors in its comment')
	FROM functions WHERE proname ~ '_usage$' ORDER BY proname;
SELECT ok(obj_description('idemstore.usage_privileges'::regproc, 'pg_proc') IS NOT NULL, 'the other one has a comment');
SELECT results_eq(
	$$SELECT attname::text COLLATE "default", format_type(atttypid, atttypmod) COLLATE "default", col_description(attrelid, attnum) IS NOT NULL
		FROM pg_attribute WHERE attrelid = 'idemstore.usage_levels'::regclass AND attnum > 0 ORDER BY attnum$$,
	$$VALUES ('role', 'text', true), ('level', 'text', true)$$,
	'the columns of the view, with comments');
SELECT ok(obj_description('idemstore.usage_levels'::regclass, 'pg_class') IS NOT NULL, 'so has the view');

-- no function that a program calls returns nothing
SELECT is_empty(
	$$SELECT proname FROM pg_proc WHERE pronamespace = 'idemstore'::regnamespace AND prorettype = 'void'::regtype
		AND proname = ANY ('{grant_usage,revoke_usage,stats_reset}')$$,
	'grants and resets say whether they changed anything');

-- EXECUTE is the gate
SELECT ok(NOT has_function_privilege('public', oid, 'EXECUTE'), proname || ' is closed to PUBLIC') FROM functions ORDER BY proname;
CREATE ROLE idem_pgtap_operator;
SELECT ok(idemstore.grant_usage('idem_pgtap_operator', 'operator'), 'an operator is made');
SELECT set_eq(
	$$SELECT proname::text COLLATE "default" FROM functions WHERE has_function_privilege('idem_pgtap_operator', oid, 'EXECUTE')$$,
	$$VALUES ('usage_privileges')$$,
	'who sees who may do what, and grants nothing');
SELECT set_eq(
	$$SELECT proname::text COLLATE "default" FROM functions WHERE has_function_privilege('pg_database_owner', oid, 'EXECUTE')$$,
	'SELECT name FROM contract',
	'the owner of the database does');
SELECT is_empty(
	$$SELECT c.relname, a.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS a
		WHERE c.relnamespace = 'idemstore'::regnamespace AND a.grantee <> c.relowner
			AND a.privilege_type <> 'SELECT'
			AND NOT (a.grantee = 'pg_database_owner'::regrole AND (c.relkind, a.privilege_type) IN (('r', 'INSERT'), ('S', 'UPDATE')))$$,
	'nobody writes to a table, but who restores a dump, and nobody may attach a trigger or a foreign key');
SELECT set_eq(
	$$SELECT c.relname::text COLLATE "default" FROM pg_class AS c, aclexplode(c.relacl) AS a
		WHERE c.relnamespace = 'idemstore'::regnamespace AND a.grantee <> c.relowner AND a.privilege_type = 'INSERT'$$,
	$$VALUES ('idempotency_records'), ('rate_limits')$$,
	'to the tables that a dump has');

SELECT * FROM finish();
ROLLBACK;
