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
	operator_functions CONSTANT text[] := '{expire,expire_all,schedule_expiry,unschedule_expiry,expiry_job,forget_scope,set_rate_limit,set_adaptive_rate_limit,drop_rate_limit,stats_counts,stats_sizes,stats_live,stats_expired,stats_oldest_in_progress,stats_backlog_since,stats_marks,stats_longest_chain,stats_table,stats_reset,in_flight_claims}';
	operator_views CONSTANT text[] := '{stats,in_flight}';
	owner_functions CONSTANT text[] := '{grant_usage,slots_handler,rate_limits_changed,start_processing_support}';
	routine regprocedure;
	view_name text;
	result regtype;
BEGIN
	IF role IS NULL OR level IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'role and level must not be null';
	ELSIF level NOT IN ('application', 'operator') THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('unknown level "%s"', level),
			HINT = 'The levels are "application" and "operator".';
	ELSIF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = role) THEN
		RAISE undefined_object USING
			MESSAGE = format('role with OID %s does not exist', role::oid);
	END IF;

	-- One at a time, to the end of the transaction: two GRANTs on one object at
	-- once are an internal error of PostgreSQL.
	LOCK TABLE idemstore.rate_limits IN SHARE UPDATE EXCLUSIVE MODE;

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
	FOR result IN
		SELECT t.oid
		FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid
		WHERE t.typnamespace = 'idemstore'::regnamespace AND c.relkind = 'c'
		ORDER BY 1
	LOOP
		EXECUTE format('GRANT USAGE ON TYPE %s TO %s', result, role);
	END LOOP;
	IF level = 'operator' THEN
		FOREACH view_name IN ARRAY operator_views
		LOOP
			EXECUTE format('GRANT SELECT ON TABLE idemstore.%I TO %s', view_name, role);
		END LOOP;
	END IF;
END
$$;
COMMENT ON FUNCTION idemstore.grant_usage(regrole, text) IS
	'Let a role call the extension. level application: every function a program calls; operator: expire, expire_all and the functions that schedule it, forget_scope, stats_reset, the functions that set and drop rate limits, and the views stats and in_flight. Either may use the types that functions return. Only the extension''s owner may call it. Two at once wait for each other. Errors: 22004, 22023 for an unknown level, 25006, 42704 no such role.';

-- Everything that has not been through here.  What an update finds has: to
-- revoke from it would take away what was granted since, and make part of the
-- extension what is left of that, so that pg_dump leaves it out.
DO $$
DECLARE
	object text;
BEGIN
	FOR object IN
		SELECT pg_catalog.concat('ROUTINE ', p.oid::pg_catalog.regprocedure)
		FROM pg_catalog.pg_proc AS p
		WHERE p.pronamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_init_privs AS i
				WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
					AND i.objoid OPERATOR(pg_catalog.=) p.oid)
		UNION ALL
		SELECT pg_catalog.concat('TABLE ', c.oid::pg_catalog.regclass)
		FROM pg_catalog.pg_class AS c
		WHERE c.relnamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v}')
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_init_privs AS i
				WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
					AND i.objoid OPERATOR(pg_catalog.=) c.oid)
		UNION ALL
		SELECT pg_catalog.concat('TYPE ', t.oid::pg_catalog.regtype)
		FROM pg_catalog.pg_type AS t
		WHERE t.typnamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND t.typtype OPERATOR(pg_catalog.=) 'c'
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_init_privs AS i
				WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
					AND i.objoid OPERATOR(pg_catalog.=) t.oid)
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', object);
	END LOOP;
END
$$;
