-- One script of calls, run against every schema, each call a transaction of
-- its own, so that what is timed afterwards is known to do the same work.

CREATE SCHEMA bench;

CREATE TABLE bench.answers (
	step integer,
	schema text,
	call text,
	answer text,
	PRIMARY KEY (step, schema)
);

-- Fences and spans differ from run to run: only how they compare is an answer.
CREATE FUNCTION bench.answer(former_fence bigint, verdict idemstore.idempotency_verdict)
RETURNS text
LANGUAGE sql
AS $$
	SELECT jsonb_build_object(
		'outcome', verdict.outcome,
		'fence', CASE
			WHEN verdict.fence > former_fence THEN 'larger'
			WHEN verdict.fence = former_fence THEN 'same'
			ELSE verdict.fence::text END,
		'attempt', verdict.attempt,
		'retry_after', verdict.retry_after_seconds BETWEEN 240 AND 300 AND verdict.retry_after_ms BETWEEN 240000 AND 300000,
		'response_status', verdict.response_status,
		'response_headers', verdict.response_headers::text,
		'response_body', verdict.response_body,
		'error', verdict.error::text,
		'recovery_point', verdict.recovery_point,
		'checkpoint', verdict.checkpoint::text)::text
$$;

CREATE FUNCTION bench.fence(records regclass, key text)
RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE format('SELECT fence FROM %s WHERE key = $1', records) INTO result USING key;
	RETURN result;
END
$$;

-- In a call, % is the schema and fence('k') is what its record has now.
CREATE PROCEDURE bench.ask(schema text, step integer, call text)
LANGUAGE plpgsql
AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		EXECUTE 'SELECT ' || replace(replace(call, 'fence(', format('bench.fence(%L, ', schema || '.idempotency_records')),
			'%', schema) INTO result;
	EXCEPTION WHEN OTHERS THEN
		result := SQLSTATE;
	END;
	INSERT INTO bench.answers VALUES (step, schema, call, result);
END
$$;

CREATE TABLE bench.calls (
	step integer GENERATED ALWAYS AS IDENTITY,
	call text
);
INSERT INTO bench.calls (call) VALUES
	($$bench.answer(0, %.start_processing('a', 'print'))$$),
	($$bench.answer(0, %.start_processing('a', 'print'))$$),
	($$bench.answer(0, %.start_processing('a'))$$),
	($$bench.answer(0, %.start_processing('a', 'other'))$$),
	($$bench.answer(0, %.start_processing('a', 'print', p_scope => 'elsewhere'))$$),
	($$%.complete('a', 200, '{"x": 1}', 'C:\dir', fence('a') - 1)$$),
	($$%.complete('a', 200, '{"x": 1}', 'C:\dir', fence('a'))$$),
	($$%.complete('a', 200, '{"x": 1}', 'C:\dir', fence('a'))$$),
	($$%.complete('a', 200, '{"x": 1}', 'C:\dir')$$),
	($$%.complete('a', 201, '{"x": 1}', 'C:\dir', fence('a'))$$),
	($$%.complete('a', 200, '{"x":1}', 'C:\dir', fence('a'))$$),
	($$%.complete('a', 200, '{"x": 1}', NULL, fence('a'))$$),
	($$%.complete('a', 200, '{"x": 1}', 'C:\dir', fence('a') + 1)$$),
	($$bench.answer(0, %.start_processing('a', 'print'))$$),
	($$bench.answer(0, %.start_processing('a'))$$),
	($$bench.answer(0, %.start_processing('a', 'other'))$$),
	($$%.complete('nothing', 200)$$),
	-- a lease that is over at once
	($$bench.answer(0, %.start_processing('b', 'print', p_lease => '0', p_owner => 'first'))$$),
	($$bench.answer(fence('b'), %.start_processing('b', 'print', p_takeover => false))$$),
	($$bench.answer(fence('b'), %.start_processing('b', p_owner => 'second'))$$),
	($$bench.answer(fence('b'), %.start_processing('b', 'print', p_owner => 'second'))$$),
	($$bench.answer(fence('b'), %.start_processing('b', 'print', p_owner => 'third'))$$),
	($$bench.answer(fence('b'), %.start_processing('b', 'other', p_owner => 'second'))$$),
	($$%.complete('b', 200, NULL, '', fence('b') - 1)$$),
	($$%.complete('b', 200, NULL, '', fence('b'), p_ttl => '1 hour')$$),
	($$bench.answer(0, %.start_processing('b'))$$),
	-- completed after its lease, and not taken over
	($$bench.answer(0, %.start_processing('c', 'print', p_lease => '0'))$$),
	($$%.complete('c', NULL, NULL, NULL, fence('c'))$$),
	($$bench.answer(0, %.start_processing('c', 'print'))$$),
	-- expired as soon as it is complete
	($$bench.answer(0, %.start_processing('d', 'print'))$$),
	($$%.complete('d', 200, NULL, NULL, fence('d'), p_ttl => '0')$$),
	($$%.complete('d', 200, NULL, NULL, fence('d'), p_ttl => '0')$$),
	($$bench.answer(fence('d'), %.start_processing('d', 'other'))$$),
	($$bench.answer(fence('d'), %.start_processing('d', 'other'))$$);

-- The parameters of the rivals have a prefix against the names of columns.
SELECT format('CALL bench.ask(%L, %s, %L)', schema, step,
	CASE schema WHEN 'idemstore' THEN replace(call, 'p_', '') ELSE call END)
FROM bench.calls, unnest('{idemstore,rival,writer}'::text[]) AS schema
ORDER BY schema, step
\gexec

-- And what is in the tables afterwards.
SELECT format(
	$$INSERT INTO bench.answers
		SELECT 1000 + row_number() OVER (ORDER BY key, scope), %L, key || ' ' || scope,
			concat_ws(' ', fingerprint, status, attempt, owner, lease_expires_at > created_at, expires_at > created_at,
				completed_at >= created_at, response_status, response_headers, response_body, error, context)
		FROM %I.idempotency_records$$, schema, schema)
FROM unnest('{idemstore,rival,writer}'::text[]) AS schema
\gexec

CREATE VIEW bench.differences AS
SELECT coalesce(ours.call, theirs.call) AS call, theirs.schema, ours.answer AS our_answer, theirs.answer AS their_answer
FROM (
	SELECT step, rival AS schema, call, answer
	FROM bench.answers, unnest('{rival,writer}'::text[]) AS rival
	WHERE schema = 'idemstore'
) AS ours
FULL JOIN (SELECT * FROM bench.answers WHERE schema <> 'idemstore') AS theirs USING (step, schema)
WHERE ours.answer IS DISTINCT FROM theirs.answer;
