-- Expiry by pg_cron

-- Only who may read all settings may see pg_cron's.
CREATE FUNCTION idemstore.expiry_job(
	OUT job_name text,
	OUT cron_database text
) RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	job_name := 'idemstore_expiry';
	cron_database := current_setting('cron.database_name', true);
	IF cron_database <> current_database() THEN
		-- It stands beside those of other databases, and is cut off at 63 bytes.
		job_name := concat_ws('_', job_name,
			CASE WHEN octet_length(current_database()) > 63 - octet_length('idemstore_expiry_')
				THEN md5(current_database()) ELSE current_database() END);
	END IF;
END
$$;
COMMENT ON FUNCTION idemstore.expiry_job() IS
	'The name of this database''s expiry job in pg_cron, and the database where pg_cron keeps its jobs, NULL when this server does not run it. Errors: none.';

CREATE FUNCTION idemstore.schedule_expiry(
	schedule text DEFAULT '* * * * *'
) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job CONSTANT record := idemstore.expiry_job();
	minutes CONSTANT integer := substring(schedule FROM '^\s*\*/([1-9][0-9]?)\s');
	-- the least time between two runs, or less
	seconds CONSTANT integer := CASE
		WHEN schedule ~ '^\s*[0-9]{1,2}\s+seconds?\s*$' THEN substring(schedule FROM '[0-9]+')::integer
		WHEN minutes IS NOT NULL THEN 60 * least(minutes, nullif(60 % minutes, 0))
		WHEN schedule ~ '^\s*([0-9]+\s|@)' THEN 3600
		ELSE 60 END;
	command CONSTANT text := format('CALL idemstore.expire_all(max_duration => %L)', trim_scale(0.9 * seconds) || ' s');
	call CONSTANT text := format('SELECT cron.schedule(%L, %L, %L);', job.job_name, schedule, command);
	call_for_role CONSTANT text := format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
		job.job_name, schedule, command, current_database(), current_user);
BEGIN
	IF schedule IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'schedule must not be null';
	ELSIF job.cron_database IS NULL THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'this server does not run pg_cron',
			DETAIL = 'pg_cron is not in shared_preload_libraries.',
			HINT = format('Add it, with this database in cron.database_name, restart the server, and run in database %I: CREATE EXTENSION pg_cron; %s Or let anything else that runs SQL do: %s;',
				current_database(), call, command);
	ELSIF job.cron_database <> current_database() THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'pg_cron keeps its jobs in another database',
			DETAIL = format('cron.database_name is %I.', job.cron_database),
			HINT = format('As a superuser, run in database %I: %s', job.cron_database, call_for_role);
	ELSIF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'extension "pg_cron" does not exist in this database',
			HINT = format('Run in database %I: CREATE EXTENSION pg_cron; %s', current_database(), call);
	ELSIF NOT has_schema_privilege('cron', 'USAGE') THEN
		RAISE insufficient_privilege USING
			MESSAGE = 'permission denied for schema cron',
			HINT = format('As a superuser, run in database %I: GRANT USAGE ON SCHEMA cron TO %I; or: %s',
				current_database(), current_user, call_for_role);
	END IF;

	-- A job that is scheduled again keeps its database, port and whether it is
	-- active.
	PERFORM idemstore.unschedule_expiry();
	RETURN cron.schedule(job.job_name, schedule, command);
END
$$;
COMMENT ON FUNCTION idemstore.schedule_expiry(text) IS
	'Have pg_cron call expire_all() on a schedule, in the form that cron takes (every minute by default; pg_cron 1.5 also takes ''10 seconds''), for nine tenths of the time between two runs at most. Replaces the caller''s former job. The job runs as the caller, who must be allowed to log in and to call expire_all(). Returns the job''s id. Errors: 22004, 22023 for a bad schedule, 25006; 55000 when pg_cron is not there or keeps its jobs in another database and 42501 without USAGE on schema cron, both with a hint that says what to run where.';

CREATE FUNCTION idemstore.unschedule_expiry() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job CONSTANT record := idemstore.expiry_job();
	call CONSTANT text := format('SELECT cron.unschedule(%L);', job.job_name);
BEGIN
	IF job.cron_database <> current_database() THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'pg_cron keeps its jobs in another database',
			DETAIL = format('cron.database_name is %I.', job.cron_database),
			HINT = format('Run in database %I, as role %I: %s', job.cron_database, current_user, call);
	ELSIF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RETURN false;
	ELSIF NOT has_schema_privilege('cron', 'USAGE') THEN
		RAISE insufficient_privilege USING
			MESSAGE = 'permission denied for schema cron',
			HINT = format('As a superuser, run in database %I: GRANT USAGE ON SCHEMA cron TO %I; or: DELETE FROM cron.job WHERE jobname = %L AND username = %L;',
				current_database(), current_user, job.job_name, current_user);
	ELSIF NOT EXISTS (SELECT FROM cron.job WHERE jobname = job.job_name AND username = current_user) THEN
		RETURN false;
	END IF;
	RETURN cron.unschedule(job.job_name);
END
$$;
COMMENT ON FUNCTION idemstore.unschedule_expiry() IS
	'Remove the caller''s own job of schedule_expiry(). True if there was one. Errors: 25006; 55000 when pg_cron keeps its jobs in another database and 42501 without USAGE on schema cron, both with a hint that says what to run where.';
