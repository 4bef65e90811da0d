-- levels: what contains what, and what a call changes
\set SHOW_CONTEXT never
CREATE ROLE regress_usage_one;
CREATE ROLE regress_usage_two;
CREATE VIEW pg_temp.levels AS SELECT role, level FROM idemstore.usage_levels WHERE role LIKE 'regress_usage_%' ORDER BY role, level;
-- privileges that are left, in the schema and on it
CREATE FUNCTION pg_temp.left_of(role text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*)
	FROM (SELECT proacl FROM pg_proc WHERE pronamespace = 'idemstore'::regnamespace
		UNION ALL SELECT relacl FROM pg_class WHERE relnamespace = 'idemstore'::regnamespace
		UNION ALL SELECT typacl FROM pg_type WHERE typnamespace = 'idemstore'::regnamespace
		UNION ALL SELECT nspacl FROM pg_namespace WHERE nspname = 'idemstore') AS o (acl), aclexplode(acl) AS a
	WHERE a.grantee = role::regrole
$$;

-- each by itself, and again
SELECT idemstore.grant_usage('regress_usage_one'), idemstore.grant_usage('regress_usage_one') AS again;
SELECT idemstore.grant_usage('regress_usage_two', 'monitor'), idemstore.grant_usage('regress_usage_two', 'monitor') AS again;
TABLE pg_temp.levels;
SELECT idemstore.grant_usage('regress_usage_one', 'monitor');
TABLE pg_temp.levels;
SELECT idemstore.grant_usage('regress_usage_one', 'operator'), idemstore.grant_usage('regress_usage_one', 'operator') AS again, idemstore.grant_usage('regress_usage_one', 'application') AS contained;
TABLE pg_temp.levels;

-- operator leaves what it contains
SELECT idemstore.revoke_usage('regress_usage_one', 'operator'), idemstore.revoke_usage('regress_usage_one', 'operator') AS again;
TABLE pg_temp.levels;
-- what it contains takes it along, and leaves the other
SELECT idemstore.grant_usage('regress_usage_one', 'operator'), idemstore.revoke_usage('regress_usage_one', 'monitor');
TABLE pg_temp.levels;
SELECT idemstore.grant_usage('regress_usage_one', 'operator'), idemstore.revoke_usage('regress_usage_one', 'application');
TABLE pg_temp.levels;
-- and all at once, or the last one, leaves nothing
SELECT idemstore.revoke_usage('regress_usage_one', 'monitor'), idemstore.revoke_usage('regress_usage_one') AS again;
SELECT idemstore.revoke_usage('regress_usage_two'), pg_temp.left_of('regress_usage_one') AS one, pg_temp.left_of('regress_usage_two') AS two;
TABLE pg_temp.levels;

-- what was granted by hand is no level, stays, and is left when levels go
GRANT USAGE ON SCHEMA idemstore TO regress_usage_one;
GRANT SELECT (key) ON idemstore.idempotency_records TO regress_usage_one;
GRANT EXECUTE ON FUNCTION idemstore.expire, idemstore.fingerprint TO regress_usage_one;
TABLE pg_temp.levels;
SELECT idemstore.revoke_usage('regress_usage_one', 'application'), pg_temp.left_of('regress_usage_one') AS usage_and_expire;
SELECT idemstore.grant_usage('regress_usage_one', 'monitor'), idemstore.revoke_usage('regress_usage_one'), pg_temp.left_of('regress_usage_one') AS usage;
SELECT has_column_privilege('regress_usage_one', 'idemstore.idempotency_records', 'key', 'SELECT') AND has_schema_privilege('regress_usage_one', 'idemstore', 'USAGE') AS reads;
-- a privilege less is no level, and granting again mends it
SELECT idemstore.grant_usage('regress_usage_two', 'operator');
REVOKE EXECUTE ON FUNCTION idemstore.cache_get FROM regress_usage_two;
TABLE pg_temp.levels;
SELECT idemstore.grant_usage('regress_usage_two', 'operator');
TABLE pg_temp.levels;

-- the owner of the objects has all, and keeps it
SELECT idemstore.grant_usage(proowner, 'operator'), idemstore.revoke_usage(proowner) FROM pg_proc WHERE oid = 'idemstore.expire'::regproc;
-- the owner of the database has all
SELECT idemstore.grant_usage('pg_database_owner', 'operator');
SELECT role, level FROM idemstore.usage_levels WHERE role = 'pg_database_owner';

SELECT idemstore.grant_usage('regress_usage_one', 'owner');
SELECT idemstore.revoke_usage('regress_usage_one', 'owner');
SELECT idemstore.grant_usage(NULL);
SELECT idemstore.grant_usage('regress_usage_one', NULL);
SELECT idemstore.revoke_usage(NULL);
SELECT idemstore.grant_usage(0);
SELECT idemstore.revoke_usage(0);
SELECT idemstore.grant_usage('absent');
BEGIN READ ONLY;
SELECT idemstore.grant_usage('regress_usage_one');
ROLLBACK;

-- nobody has what would run as the owner of the extension
SELECT c.relname, a.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS a
	WHERE c.relnamespace = 'idemstore'::regnamespace AND a.grantee <> c.relowner AND c.relkind <> 'S' AND a.privilege_type NOT IN ('SELECT', 'INSERT');
DROP OWNED BY regress_usage_one, regress_usage_two;
DROP ROLE regress_usage_one, regress_usage_two;
