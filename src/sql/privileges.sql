-- Privileges: EXECUTE is the gate, since direct access does not look at those
-- of the tables.

-- A function that is named nowhere here is an application's.
CREATE FUNCTION idemstore.usage_privileges(
	OUT level text,
	OUT kind text,
	OUT object text,
	OUT privilege text,
	OUT catalog oid,
	OUT id oid,
	OUT owner oid,
	OUT acl aclitem[]
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
			WHEN p.proname ~ '^stats_' AND p.proname <> 'stats_reset' THEN 'monitor'
			WHEN p.proname = ANY ('{expire,expire_all,schedule_expiry,unschedule_expiry,expiry_job,forget_scope,set_rate_limit,set_adaptive_rate_limit,drop_rate_limit,rate_limit_clear,rate_limit_list,cooldown_list,stats_reset,in_flight_claims,in_flight_by_key,usage_privileges}') THEN 'operator'
			ELSE 'application' END,
		'ROUTINE', p.oid::regprocedure::text, 'EXECUTE',
		'pg_proc'::regclass, p.oid, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
	FROM pg_proc AS p
	WHERE p.pronamespace = 'idemstore'::regnamespace
		AND p.proname <> ALL ('{grant_usage,revoke_usage}')
		-- what the server calls
		AND p.prorettype <> ALL ('{trigger,internal,table_am_handler}'::regtype[])
	UNION ALL
	SELECT CASE c.relname WHEN 'stats' THEN 'monitor' ELSE 'operator' END,
		'TABLE', c.oid::regclass::text, 'SELECT',
		'pg_class'::regclass, c.oid, c.relowner, coalesce(c.relacl, acldefault('r', c.relowner))
	FROM pg_class AS c
	WHERE c.relnamespace = 'idemstore'::regnamespace AND c.relkind = 'v'
	UNION ALL
	SELECT 'application', 'TYPE', t.oid::regtype::text, 'USAGE',
		'pg_type'::regclass, t.oid, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
	FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid
	WHERE t.typnamespace = 'idemstore'::regnamespace AND c.relkind = 'c'
	UNION ALL
	SELECT l.level, 'SCHEMA', n.oid::regnamespace::text, 'USAGE',
		'pg_namespace'::regclass, n.oid, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
	FROM pg_namespace AS n, unnest('{application,monitor,operator}'::text[]) AS l (level)
	WHERE n.oid = 'idemstore'::regnamespace
$$;
COMMENT ON FUNCTION idemstore.usage_privileges() IS
	'What is behind the view usage_levels: the privileges of each level, but for those of the levels that it contains, and who has them.';

CREATE VIEW idemstore.usage_levels AS
WITH held AS (
	SELECT a.grantee, p.level
	FROM idemstore.usage_privileges() AS p, LATERAL pg_catalog.aclexplode(p.acl) AS a
	WHERE a.privilege_type OPERATOR(pg_catalog.=) p.privilege AND a.grantee OPERATOR(pg_catalog.<>) p.owner
	GROUP BY a.grantee, p.level
	HAVING pg_catalog.count(DISTINCT p.object) OPERATOR(pg_catalog.=) (
		SELECT pg_catalog.count(*) FROM idemstore.usage_privileges() AS q WHERE q.level OPERATOR(pg_catalog.=) p.level)
), holder AS (
	SELECT h.grantee, pg_catalog.array_agg(h.level) AS levels FROM held AS h GROUP BY h.grantee
)
SELECT
	CASE h.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(h.grantee)::pg_catalog.text END AS role,
	l.level
FROM holder AS h, LATERAL pg_catalog.unnest(
	CASE WHEN h.levels OPERATOR(pg_catalog.@>) '{application,monitor,operator}' THEN '{operator}'
		ELSE pg_catalog.array_remove(h.levels, 'operator') END) AS l (level);
COMMENT ON VIEW idemstore.usage_levels IS
	'Which role has which level of grant_usage(), read from the privileges themselves: a row for each level of a role that no other of its levels contains. Not what it has as a member of another role, or as a superuser.';
COMMENT ON COLUMN idemstore.usage_levels.role IS 'name of the role, or PUBLIC';
COMMENT ON COLUMN idemstore.usage_levels.level IS 'application, operator or monitor; operator contains the other two';

-- Both run as the owner of the objects, so that there is one grantor.  One at a
-- time, to the end of the transaction: two GRANTs on one object at once are an
-- internal error of PostgreSQL.

CREATE FUNCTION idemstore.grant_usage(
	role regrole,
	level text DEFAULT 'application'
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing record;
	is_changed boolean := false;
BEGIN
	IF role IS NULL OR level IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'role and level must not be null';
	ELSIF level NOT IN ('application', 'operator', 'monitor') THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('unknown level "%s"', level),
			HINT = 'The levels are "application", "operator" and "monitor".';
	ELSIF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = role) THEN
		RAISE undefined_object USING
			MESSAGE = format('role with OID %s does not exist', role::oid);
	END IF;
	LOCK TABLE idemstore.rate_limits IN SHARE UPDATE EXCLUSIVE MODE;

	FOR missing IN
		SELECT DISTINCT p.kind, p.object, p.privilege
		FROM idemstore.usage_privileges() AS p
		WHERE (p.level = grant_usage.level OR grant_usage.level = 'operator')
			AND NOT EXISTS (
				SELECT FROM aclexplode(p.acl) AS a
				WHERE a.grantee = role AND a.grantor = p.owner AND a.privilege_type = p.privilege)
		ORDER BY 1, 2
	LOOP
		EXECUTE format('GRANT %s ON %s %s TO %s', missing.privilege, missing.kind, missing.object, role);
		is_changed := true;
	END LOOP;
	RETURN is_changed;
END
$$;
COMMENT ON FUNCTION idemstore.grant_usage(regrole, text) IS
	'Let a role call the extension. level application: every function that a program calls; monitor: the view stats, which shows no keys; operator: both, expire, expire_all and the functions that schedule it, forget_scope, stats_reset, the functions that set, drop, clear and list rate limits, cooldown_list, in_flight_by_key, and the views in_flight and usage_levels. True when it had not all of that. For the owner of the database and superusers. Two at once wait for each other. Errors: 22004, 22023 for an unknown level, 25006, 42704 no such role.';

CREATE FUNCTION idemstore.revoke_usage(
	role regrole,
	level text DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given record;
	is_operator boolean;
	is_changed boolean := false;
BEGIN
	IF current_setting('transaction_read_only')::boolean THEN
		RAISE read_only_sql_transaction USING
			MESSAGE = 'cannot execute revoke_usage() in a read-only transaction';
	ELSIF role IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'role must not be null';
	ELSIF level NOT IN ('application', 'operator', 'monitor') THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('unknown level "%s"', level),
			HINT = 'The levels are "application", "operator" and "monitor".';
	ELSIF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = role) THEN
		RAISE undefined_object USING
			MESSAGE = format('role with OID %s does not exist', role::oid);
	END IF;
	LOCK TABLE idemstore.rate_limits IN SHARE UPDATE EXCLUSIVE MODE;

	is_operator := EXISTS (
		SELECT FROM idemstore.usage_levels AS u
		WHERE u.role = pg_get_userbyid(revoke_usage.role) AND u.level = 'operator');
	FOR given IN
		SELECT p.kind, p.object, p.privilege
		FROM idemstore.usage_privileges() AS p
		WHERE (revoke_usage.level IS NULL OR p.level = revoke_usage.level OR (p.level = 'operator' AND is_operator))
			AND p.kind <> 'SCHEMA' AND p.owner <> role
			AND EXISTS (
				SELECT FROM aclexplode(p.acl) AS a
				WHERE a.grantee = role AND a.grantor = p.owner AND a.privilege_type = p.privilege)
		ORDER BY 1, 2
	LOOP
		EXECUTE format('REVOKE %s ON %s %s FROM %s CASCADE', given.privilege, given.kind, given.object, role);
		is_changed := true;
	END LOOP;

	-- Whoever has nothing else in the schema has no use for it.
	IF is_changed AND NOT EXISTS (
		SELECT FROM (
			SELECT p.proacl AS acl FROM pg_proc AS p WHERE p.pronamespace = 'idemstore'::regnamespace
			UNION ALL SELECT c.relacl FROM pg_class AS c WHERE c.relnamespace = 'idemstore'::regnamespace
			UNION ALL SELECT t.typacl FROM pg_type AS t WHERE t.typnamespace = 'idemstore'::regnamespace
			UNION ALL SELECT f.attacl FROM pg_attribute AS f JOIN pg_class AS c ON c.oid = f.attrelid
				WHERE c.relnamespace = 'idemstore'::regnamespace) AS o, LATERAL aclexplode(o.acl) AS a
		WHERE a.grantee = role)
	THEN
		EXECUTE format('REVOKE USAGE ON SCHEMA idemstore FROM %s CASCADE', role);
	END IF;
	RETURN is_changed;
END
$$;
COMMENT ON FUNCTION idemstore.revoke_usage(regrole, text) IS
	'Take a level of grant_usage() from a role, or all of them (NULL). operator leaves what it contains; application or monitor, of an operator, takes operator as well, and leaves the other. True when the role had any of it. For the owner of the database and superusers. Errors: 22004 for a NULL role, 22023 for an unknown level, 25006, 42704 no such role.';

-- What follows is for a new extension and for an update, which finds privileges
-- that were granted since.  An object that has been through here is known by its
-- row in pg_init_privs.
DO $$
DECLARE
	holders text[];
	todo record;
BEGIN
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

	-- Who had a level: every privilege of it on what was here before.
	SELECT array_agg(format('%L, %L', h.grantee, h.level)) INTO holders
	FROM (
		SELECT a.grantee::regrole, p.level
		FROM idemstore.usage_privileges() AS p
			JOIN pg_init_privs AS i ON i.classoid = p.catalog AND i.objoid = p.id AND i.objsubid = 0,
			LATERAL aclexplode(p.acl) AS a
		WHERE p.kind <> 'SCHEMA' AND a.privilege_type = p.privilege
			AND a.grantee <> ALL (ARRAY[0, p.owner, 'pg_database_owner'::regrole])
		GROUP BY a.grantee, p.level
		HAVING count(DISTINCT p.id) = (
			SELECT count(*)
			FROM idemstore.usage_privileges() AS q
				JOIN pg_init_privs AS i ON i.classoid = q.catalog AND i.objoid = q.id AND i.objsubid = 0
			WHERE q.kind <> 'SCHEMA' AND q.level = p.level)) AS h;

	-- What default privileges gave: on what is new all of it, on what is of an
	-- earlier version what it had at first and no level has.
	FOR todo IN
		WITH ours AS (
			SELECT 'ROUTINE' AS kind, p.oid::regprocedure::text AS object, 'pg_proc'::regclass AS catalog, p.oid AS id,
				p.proowner AS owner, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
			FROM pg_proc AS p
			WHERE p.pronamespace = 'idemstore'::regnamespace
			UNION ALL
			SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text, 'pg_class'::regclass, c.oid,
				c.relowner, coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner))
			FROM pg_class AS c
			WHERE c.relnamespace = 'idemstore'::regnamespace AND c.relkind IN ('r', 'v', 'S')
			UNION ALL
			-- pg_dump knows no initial privileges of the row types of tables
			SELECT 'TYPE', t.oid::regtype::text, 'pg_type'::regclass, t.oid,
				t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
			FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid
			WHERE t.typnamespace = 'idemstore'::regnamespace AND t.typelem = 0 AND c.relkind IS NOT DISTINCT FROM 'c'
		), given AS (
			SELECT o.kind, o.object, 'ALL' AS privilege, a.grantee
			FROM ours AS o, LATERAL aclexplode(o.acl) AS a
			WHERE a.grantee <> o.owner AND NOT EXISTS (
				SELECT FROM pg_init_privs AS i WHERE i.classoid = o.catalog AND i.objoid = o.id)
			UNION
			SELECT o.kind, o.object, a.privilege_type, a.grantee
			FROM ours AS o
				JOIN pg_init_privs AS i ON i.classoid = o.catalog AND i.objoid = o.id AND i.objsubid = 0,
				LATERAL aclexplode(i.initprivs) AS a
			WHERE a.grantee <> ALL (ARRAY[o.owner, 'pg_database_owner'::regrole])
				AND NOT EXISTS (
					SELECT FROM idemstore.usage_privileges() AS p
					WHERE p.catalog = o.catalog AND p.id = o.id AND p.privilege = a.privilege_type)
			UNION
			-- so that each of ours has its row in pg_init_privs from now on
			SELECT o.kind, o.object, 'ALL', 0
			FROM ours AS o
			WHERE NOT EXISTS (
				SELECT FROM pg_init_privs AS i WHERE i.classoid = o.catalog AND i.objoid = o.id)
			UNION
			SELECT 'SCHEMA', 'idemstore', a.privilege_type, a.grantee
			FROM pg_namespace AS n, LATERAL aclexplode(n.nspacl) AS a
			WHERE n.oid = 'idemstore'::regnamespace AND a.grantee <> n.nspowner AND a.privilege_type = 'CREATE'
		)
		SELECT g.kind, g.object, g.privilege, CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS grantee
		FROM given AS g
	LOOP
		EXECUTE format('REVOKE %s ON %s %s FROM %s CASCADE', todo.privilege, todo.kind, todo.object, todo.grantee);
	END LOOP;

	-- The database's owner has every level, grants them, and dumps and restores
	-- what a dump holds.  What was taken from him stays so.
	FOR todo IN
		SELECT DISTINCT o.kind, o.object, o.privilege
		FROM (
			SELECT p.kind, p.object, p.privilege, p.catalog, p.id FROM idemstore.usage_privileges() AS p
			UNION ALL
			SELECT 'ROUTINE', p.oid::regprocedure::text, 'EXECUTE', 'pg_proc'::regclass, p.oid
			FROM pg_proc AS p
			WHERE p.pronamespace = 'idemstore'::regnamespace AND p.proname IN ('grant_usage', 'revoke_usage')
			UNION ALL
			SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass::text,
				CASE c.relkind WHEN 'S' THEN 'SELECT, UPDATE' ELSE 'SELECT, INSERT' END, 'pg_class'::regclass, c.oid
			FROM pg_extension AS e JOIN pg_class AS c ON c.oid = ANY (e.extconfig)
			WHERE e.extname = 'idemstore') AS o
		WHERE NOT EXISTS (
			SELECT FROM pg_init_privs AS i, LATERAL aclexplode(i.initprivs) AS a
			WHERE i.classoid = o.catalog AND i.objoid = o.id AND a.grantee = 'pg_database_owner'::regrole)
	LOOP
		EXECUTE format('GRANT %s ON %s %s TO pg_database_owner', todo.privilege, todo.kind, todo.object);
	END LOOP;

	-- An update grants what is new to who had its level.
	IF holders IS NOT NULL THEN
		EXECUTE (SELECT string_agg(format('SELECT idemstore.grant_usage(%s)', h), ';') FROM unnest(holders) AS h);
	END IF;

	-- A script's grants count as initial, which pg_dump leaves out: those of roles
	-- that only this database knows are not.
	UPDATE pg_init_privs AS i SET initprivs = ARRAY(
		SELECT item FROM unnest(i.initprivs) AS item
		WHERE EXISTS (
			SELECT FROM aclexplode(ARRAY[item]) AS a
			WHERE a.grantee IN (a.grantor, 'pg_database_owner'::regrole)))
	WHERE (i.classoid, i.objoid) IN (
		SELECT 'pg_proc'::regclass::oid, p.oid FROM pg_proc AS p WHERE p.pronamespace = 'idemstore'::regnamespace
		UNION ALL SELECT 'pg_class'::regclass, c.oid FROM pg_class AS c WHERE c.relnamespace = 'idemstore'::regnamespace
		UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type AS t WHERE t.typnamespace = 'idemstore'::regnamespace
		UNION ALL SELECT 'pg_namespace'::regclass, 'idemstore'::regnamespace);
	-- PostgreSQL 17 notes these roles.
	DELETE FROM pg_shdepend AS d
	WHERE d.deptype = 'i' AND d.dbid = (SELECT b.oid FROM pg_database AS b WHERE b.datname = current_database())
		AND d.refclassid = 'pg_authid'::regclass AND d.refobjid <> 'pg_database_owner'::regrole
		AND EXISTS (
			SELECT FROM pg_init_privs AS i
			WHERE i.classoid = d.classid AND i.objoid = d.objid AND i.objsubid = d.objsubid
				AND NOT EXISTS (SELECT FROM aclexplode(i.initprivs) AS a WHERE a.grantee = d.refobjid))
		AND (d.classid, d.objid) IN (
			SELECT 'pg_proc'::regclass::oid, p.oid FROM pg_proc AS p WHERE p.pronamespace = 'idemstore'::regnamespace
			UNION ALL SELECT 'pg_class'::regclass, c.oid FROM pg_class AS c WHERE c.relnamespace = 'idemstore'::regnamespace
			UNION ALL SELECT 'pg_type'::regclass, t.oid FROM pg_type AS t WHERE t.typnamespace = 'idemstore'::regnamespace
			UNION ALL SELECT 'pg_namespace'::regclass, 'idemstore'::regnamespace);
END
$$;
