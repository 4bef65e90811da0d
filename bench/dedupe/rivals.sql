-- What a good engineer writes by hand: the same columns, unlogged, the same
-- fillfactor and indexes, and PL/pgSQL functions with the same answers.
--
-- Schema rival looks first and writes then; schema writer registers with one
-- upsert. Both poll every 100 ms in wait_for.

CREATE SCHEMA rival;
CREATE UNLOGGED TABLE rival.jobs (LIKE idemstore.dedupe_jobs INCLUDING ALL) WITH (fillfactor = 60);

-- the owner's job_id if there is one who is at it
CREATE FUNCTION rival.register_blindly(p_hash text, p_timeout interval, OUT job_id uuid, OUT is_owner boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	instant timestamptz;
BEGIN
	LOOP
		instant := clock_timestamp();
		INSERT INTO rival.jobs AS j (hash, job_id, status, lease_expires_at, expires_at, created_at)
		VALUES (p_hash, gen_random_uuid(), 'pending', instant + p_timeout, instant + p_timeout + interval '5 min', instant)
		ON CONFLICT (hash) DO UPDATE SET
			job_id = excluded.job_id,
			status = excluded.status,
			value = NULL,
			error = NULL,
			lease_expires_at = excluded.lease_expires_at,
			expires_at = excluded.expires_at,
			created_at = excluded.created_at,
			completed_at = NULL
		WHERE j.status <> 'pending' OR j.lease_expires_at <= instant OR j.expires_at <= instant
		RETURNING j.job_id INTO job_id;
		is_owner := FOUND;
		EXIT WHEN is_owner;

		SELECT j.job_id INTO job_id FROM rival.jobs AS j WHERE j.hash = p_hash AND j.status = 'pending';
		EXIT WHEN FOUND;
	END LOOP;
END
$$;

CREATE FUNCTION rival.register_or_join(p_hash text, p_timeout interval, OUT job_id uuid, OUT is_owner boolean)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
BEGIN
	SELECT j.job_id, false INTO job_id, is_owner
	FROM rival.jobs AS j
	WHERE j.hash = p_hash AND j.status = 'pending' AND j.lease_expires_at > clock_timestamp();
	IF NOT FOUND THEN
		SELECT r.job_id, r.is_owner INTO job_id, is_owner FROM rival.register_blindly(p_hash, p_timeout) AS r;
	END IF;
END
$$;

CREATE FUNCTION rival.complete(p_hash text, p_value json, p_job_id uuid DEFAULT NULL)
RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
BEGIN
	UPDATE rival.jobs
	SET status = 'completed', value = p_value, lease_expires_at = NULL, completed_at = clock_timestamp()
	WHERE hash = p_hash AND status = 'pending' AND expires_at > clock_timestamp()
		AND (p_job_id IS NULL OR job_id = p_job_id);
	RETURN FOUND;
END
$$;

CREATE FUNCTION rival.wait_for(p_hash text, p_timeout interval, OUT outcome text, OUT value json)
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	deadline timestamptz := clock_timestamp() + p_timeout;
	job record;
BEGIN
	LOOP
		SELECT j.status, j.value, j.lease_expires_at INTO job
		FROM rival.jobs AS j
		WHERE j.hash = p_hash AND j.expires_at > clock_timestamp();
		IF NOT FOUND THEN
			outcome := 'absent';
		ELSIF job.status <> 'pending' THEN
			outcome := job.status;
			value := job.value;
		ELSIF least(deadline, job.lease_expires_at) <= clock_timestamp() THEN
			outcome := 'timeout';
		END IF;
		EXIT WHEN outcome IS NOT NULL;
		PERFORM pg_sleep(0.1);
	END LOOP;
END
$$;

-- The writer is the same but for register_or_join.
CREATE SCHEMA writer;
CREATE UNLOGGED TABLE writer.jobs (LIKE rival.jobs INCLUDING ALL) WITH (fillfactor = 60);
SELECT replace(pg_get_functiondef(function), 'rival.', 'writer.')
FROM unnest('{rival.register_blindly,rival.complete,rival.wait_for}'::regproc[]) AS function
\gexec
ALTER FUNCTION writer.register_blindly RENAME TO register_or_join;
