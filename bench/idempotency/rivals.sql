-- What a good engineer writes by hand: tables of the same shape, and PL/pgSQL
-- functions with the same rules and the same answers. They check less than
-- idemstore does (no bounds on names, bodies and intervals, no settings) and
-- leave out wait and unique_fingerprint.
--
-- Schema rival looks first and then writes. Schema writer writes first, and
-- looks only when that did nothing: cheaper for a new key and for a completion,
-- dearer for everything else.

CREATE SCHEMA rival;
CREATE SCHEMA writer;

-- LIKE copies columns, storage and indexes, but no storage parameters.
SELECT format('CREATE TABLE %I.idempotency_records (LIKE idemstore.idempotency_records INCLUDING ALL) WITH (%s)',
	schema, array_to_string(reloptions, ', '))
FROM pg_class, unnest('{rival,writer}'::text[]) AS schema
WHERE oid = 'idemstore.idempotency_records'::regclass
\gexec

CREATE FUNCTION rival.start_processing(
	p_key text,
	p_fingerprint text DEFAULT NULL,
	p_ttl interval DEFAULT '24 hours',
	p_scope text DEFAULT '',
	p_lease interval DEFAULT '5 minutes',
	p_owner text DEFAULT NULL,
	p_takeover boolean DEFAULT true,
	p_context json DEFAULT NULL
) RETURNS idemstore.idempotency_verdict
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	r record;
	instant timestamptz;
	next_fence bigint;
BEGIN
	LOOP
		SELECT t.fingerprint, t.status, t.fence, t.attempt, t.owner, t.lease_expires_at, t.expires_at,
			t.response_status, t.response_headers, t.response_body, t.error, t.recovery_point, t.checkpoint
		INTO r
		FROM rival.idempotency_records AS t
		WHERE t.key = p_key AND t.scope = p_scope;

		instant := clock_timestamp();
		IF NOT FOUND THEN
			next_fence := date_part('epoch', instant) * 1000000;
			INSERT INTO rival.idempotency_records
				(key, scope, fingerprint, status, fence, attempt, owner, lease_expires_at, expires_at, created_at, context)
			VALUES (p_key, p_scope, p_fingerprint, 'processing', next_fence, 1, p_owner,
				instant + least(p_lease, p_ttl), instant + p_ttl, instant, p_context)
			ON CONFLICT (key, scope) DO NOTHING;
			IF FOUND THEN
				RETURN ('started', next_fence, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::idemstore.idempotency_verdict;
			END IF;
			CONTINUE;
		END IF;

		IF instant >= r.expires_at THEN
			UPDATE rival.idempotency_records AS t SET
				fingerprint = p_fingerprint, status = 'processing', attempt = 1, owner = p_owner,
				fence = greatest((date_part('epoch', instant) * 1000000)::bigint, t.fence + 1),
				lease_expires_at = instant + least(p_lease, p_ttl), expires_at = instant + p_ttl, created_at = instant,
				completed_at = NULL, response_status = NULL, response_headers = NULL, response_body = NULL,
				error = NULL, context = p_context, recovery_point = NULL, checkpoint = NULL
			WHERE t.key = p_key AND t.scope = p_scope AND t.fence = r.fence AND t.expires_at <= instant
			RETURNING t.fence INTO next_fence;
			IF FOUND THEN
				RETURN ('started', next_fence, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::idemstore.idempotency_verdict;
			END IF;
			CONTINUE;
		END IF;

		IF p_fingerprint <> r.fingerprint THEN
			RETURN ('mismatch', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::idemstore.idempotency_verdict;
		ELSIF r.status = 'complete' THEN
			RETURN ('replay', NULL, NULL, NULL, NULL, NULL, r.response_status, r.response_headers, r.response_body, r.error, NULL, NULL)::idemstore.idempotency_verdict;
		ELSIF r.status = 'failed' THEN
			RETURN ('failed', NULL, NULL, NULL, NULL, NULL, r.response_status, r.response_headers, r.response_body, r.error, NULL, NULL)::idemstore.idempotency_verdict;
		ELSIF instant < r.lease_expires_at THEN
			IF p_owner = r.owner THEN
				RETURN ('started', r.fence, r.attempt, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.recovery_point, r.checkpoint)::idemstore.idempotency_verdict;
			END IF;
			RETURN ('in_progress', NULL, NULL, extract(epoch FROM r.lease_expires_at - instant) * 1000, ceil(extract(epoch FROM r.lease_expires_at - instant)), NULL, NULL, NULL, NULL, NULL, NULL, NULL)::idemstore.idempotency_verdict;
		ELSIF r.lease_expires_at IS NOT NULL AND NOT p_takeover THEN
			RETURN ('abandoned', r.fence, r.attempt, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.recovery_point, r.checkpoint)::idemstore.idempotency_verdict;
		END IF;

		UPDATE rival.idempotency_records AS t SET
			fingerprint = coalesce(p_fingerprint, t.fingerprint), attempt = t.attempt + 1, owner = p_owner,
			fence = greatest((date_part('epoch', instant) * 1000000)::bigint, t.fence + 1),
			lease_expires_at = instant + least(p_lease, p_ttl), expires_at = instant + p_ttl,
			response_status = NULL, response_headers = NULL, response_body = NULL,
			error = NULL, context = coalesce(p_context, t.context)
		WHERE t.key = p_key AND t.scope = p_scope AND t.fence = r.fence AND t.status = 'processing'
			AND t.lease_expires_at IS NOT DISTINCT FROM r.lease_expires_at
		RETURNING t.fence INTO next_fence;
		IF FOUND THEN
			RETURN ('started', next_fence, r.attempt + 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, r.recovery_point, r.checkpoint)::idemstore.idempotency_verdict;
		END IF;
	END LOOP;
END
$$;

CREATE FUNCTION rival.complete(
	p_key text,
	p_response_status integer DEFAULT NULL,
	p_response_headers json DEFAULT NULL,
	p_response_text text DEFAULT NULL,
	p_fence bigint DEFAULT NULL,
	p_scope text DEFAULT '',
	p_ttl interval DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	r record;
	instant timestamptz;
BEGIN
	SELECT t.status, t.fence, t.expires_at, t.response_status, t.response_headers, t.response_body, t.error
	INTO r
	FROM rival.idempotency_records AS t
	WHERE t.key = p_key AND t.scope = p_scope
	FOR UPDATE;

	instant := clock_timestamp();
	IF NOT FOUND OR instant >= r.expires_at THEN
		RAISE EXCEPTION 'no live record for key "%"', p_key USING ERRCODE = 'ID404';
	ELSIF p_fence <> r.fence THEN
		RAISE EXCEPTION 'the claim on key "%" is lost', p_key USING ERRCODE = 'ID412';
	ELSIF r.status <> 'processing' THEN
		IF r.status = 'complete'
			AND r.response_status IS NOT DISTINCT FROM p_response_status
			AND r.response_headers::text IS NOT DISTINCT FROM p_response_headers::text
			AND r.response_body IS NOT DISTINCT FROM convert_to(p_response_text, 'UTF8')
			AND r.error IS NULL THEN
			RETURN false;
		END IF;
		RAISE EXCEPTION 'the record for key "%" is final', p_key USING ERRCODE = 'ID425';
	END IF;

	UPDATE rival.idempotency_records AS t SET
		status = 'complete', completed_at = instant, lease_expires_at = NULL,
		expires_at = coalesce(instant + p_ttl, t.expires_at),
		response_status = p_response_status, response_headers = p_response_headers,
		response_body = convert_to(p_response_text, 'UTF8'), error = NULL
	WHERE t.key = p_key AND t.scope = p_scope;
	RETURN true;
END
$$;

-- The same, writing first. What is left to decide when that did nothing is as
-- in schema rival, on the other table.
SELECT replace(pg_get_functiondef(oid), 'rival.', 'writer.')
FROM pg_proc
WHERE pronamespace = 'rival'::regnamespace
\gexec
ALTER FUNCTION writer.start_processing RENAME TO start_looking;
ALTER FUNCTION writer.complete RENAME TO complete_looking;

CREATE FUNCTION writer.start_processing(
	p_key text,
	p_fingerprint text DEFAULT NULL,
	p_ttl interval DEFAULT '24 hours',
	p_scope text DEFAULT '',
	p_lease interval DEFAULT '5 minutes',
	p_owner text DEFAULT NULL,
	p_takeover boolean DEFAULT true,
	p_context json DEFAULT NULL
) RETURNS idemstore.idempotency_verdict
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	instant timestamptz := clock_timestamp();
	next_fence bigint := date_part('epoch', instant) * 1000000;
BEGIN
	INSERT INTO writer.idempotency_records
		(key, scope, fingerprint, status, fence, attempt, owner, lease_expires_at, expires_at, created_at, context)
	VALUES (p_key, p_scope, p_fingerprint, 'processing', next_fence, 1, p_owner,
		instant + least(p_lease, p_ttl), instant + p_ttl, instant, p_context)
	ON CONFLICT (key, scope) DO NOTHING;
	IF FOUND THEN
		RETURN ('started', next_fence, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::idemstore.idempotency_verdict;
	END IF;
	RETURN writer.start_looking(p_key, p_fingerprint, p_ttl, p_scope, p_lease, p_owner, p_takeover, p_context);
END
$$;

CREATE FUNCTION writer.complete(
	p_key text,
	p_response_status integer DEFAULT NULL,
	p_response_headers json DEFAULT NULL,
	p_response_text text DEFAULT NULL,
	p_fence bigint DEFAULT NULL,
	p_scope text DEFAULT '',
	p_ttl interval DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	instant timestamptz := clock_timestamp();
BEGIN
	UPDATE writer.idempotency_records AS t SET
		status = 'complete', completed_at = instant, lease_expires_at = NULL,
		expires_at = coalesce(instant + p_ttl, t.expires_at),
		response_status = p_response_status, response_headers = p_response_headers,
		response_body = convert_to(p_response_text, 'UTF8'), error = NULL
	WHERE t.key = p_key AND t.scope = p_scope AND t.status = 'processing'
		AND (p_fence IS NULL OR t.fence = p_fence) AND t.expires_at > instant;
	IF NOT FOUND THEN
		RETURN writer.complete_looking(p_key, p_response_status, p_response_headers, p_response_text, p_fence, p_scope, p_ttl);
	END IF;
	RETURN true;
END
$$;
