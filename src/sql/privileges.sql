-- Privileges: EXECUTE is the gate, since direct access does not look at those
-- of the tables.

CREATE FUNCTION idemstore.grant_usage(
	role regrole,
	level text DEFAULT 'application'
) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	operator_functions CONSTANT text[] := '{expire,expire_all,forget_scope,set_rate_limit,set_adaptive_rate_limit,drop_rate_limit}';
	owner_functions CONSTANT text[] := '{grant_usage,slots_handler,rate_limits_changed}';
	routine regprocedure;
BEGIN
	IF role IS NULL OR level IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'role and level must not be null';
	ELSIF level NOT IN ('application', 'operator') THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('unknown level "%s"', level),
			HINT = 'The levels are "application" and "operator".';
	END IF;

	EXECUTE format('GRANT USAGE ON SCHEMA idemstore TO %s', role);
	FOR routine IN
		SELECT p.oid::regprocedure
		FROM pg_proc AS p
		WHERE p.pronamespace = 'idemstore'::regnamespace
			AND p.proname <> ALL (owner_functions)
			AND (p.proname = ANY (operator_functions)) = (level = 'operator')
		ORDER BY 1
	LOOP
		EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', routine, role);
	END LOOP;
END
$$;
COMMENT ON FUNCTION idemstore.grant_usage(regrole, text) IS
	'Let a role call the extension. level application: every function a program calls; operator: expire, expire_all, forget_scope, and the functions that set and drop rate limits. Only the extension''s owner may call it. Errors: 22004, 22023 for an unknown level.';

REVOKE ALL ON ALL ROUTINES IN SCHEMA idemstore FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA idemstore FROM PUBLIC;
