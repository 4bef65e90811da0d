\echo Use "CREATE EXTENSION idemstore" to load this file. \quit

-- Created here and not by the control file, so that DROP EXTENSION removes it
-- and a schema that stood under this name before is an error.
CREATE SCHEMA idemstore;
COMMENT ON SCHEMA idemstore IS 'idempotency keys, dedupe, cache and rate limits';

-- Default privileges are no one's idea of who may use it.
DO $$
DECLARE
	grantee text;
BEGIN
	FOR grantee IN
		SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::pg_catalog.regrole::text END
		FROM pg_catalog.pg_namespace AS n, LATERAL pg_catalog.aclexplode(n.nspacl) AS a
		WHERE n.nspname OPERATOR(pg_catalog.=) 'idemstore' AND a.grantee OPERATOR(pg_catalog.<>) n.nspowner
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON SCHEMA idemstore FROM %s CASCADE', grantee);
	END LOOP;
END
$$;
