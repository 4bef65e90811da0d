-- One script of calls, run against every schema, each call a transaction of
-- its own, so that what is timed afterwards is known to do the same work.

CREATE SCHEMA bench;

-- ours under the names of the rivals
CREATE FUNCTION bench.register_or_join(hash text, timeout interval) RETURNS idemstore.dedupe_registration
LANGUAGE sql
RETURN idemstore.dedupe_register_or_join(hash, timeout);

CREATE FUNCTION bench.complete(hash text, value json, job_id uuid DEFAULT NULL) RETURNS boolean
LANGUAGE sql
RETURN idemstore.dedupe_complete(hash, value, job_id);

CREATE FUNCTION bench.wait_for(hash text, timeout interval) RETURNS idemstore.dedupe_result
LANGUAGE sql
RETURN idemstore.dedupe_wait_for(hash, timeout);

CREATE TABLE bench.calls (
	step integer GENERATED ALWAYS AS IDENTITY,
	verb text,
	hash text,
	argument text,		-- a timeout, a value, or the length of a pause
	whose text			-- the job_id that goes with a value
);
INSERT INTO bench.calls (verb, hash, argument, whose) VALUES
	('register', 'a', '5 min', NULL),
	('register', 'a', '5 min', NULL),
	('wait_for', 'a', '0', NULL),
	('complete', 'a', '{"x": 1}', 'nobody'),
	('complete', 'a', '{"x": 1}', 'owner'),
	('complete', 'a', '{"x": 2}', 'owner'),
	('wait_for', 'a', '1 s', NULL),
	-- opened anew
	('register', 'a', '5 min', NULL),
	('wait_for', 'a', '0', NULL),
	('complete', 'a', 'null', NULL),
	('wait_for', 'a', '1 s', NULL),
	('complete', 'nothing', '1', NULL),
	('wait_for', 'nothing', '1 s', NULL),
	-- past its timeout, and taken over
	('register', 'b', '10 ms', NULL),
	('pause', NULL, '20 ms', NULL),
	('wait_for', 'b', '1 s', NULL),
	('register', 'b', '5 min', NULL),
	('register', 'b', '5 min', NULL),
	('complete', 'b', '[]', 'owner'),
	('wait_for', 'b', '1 s', NULL);

CREATE TABLE bench.answers (
	step integer,
	schema text,
	answer text,
	PRIMARY KEY (step, schema)
);

-- Which job_id it is differs from run to run: whether it is the former one is
-- an answer.
CREATE PROCEDURE bench.ask(schema text)
LANGUAGE plpgsql
AS $$
DECLARE
	functions text := CASE schema WHEN 'idemstore' THEN 'bench' ELSE schema END;
	call bench.calls;
	owner uuid;
	registered record;
	answer text;
BEGIN
	FOR call IN SELECT * FROM bench.calls ORDER BY step LOOP
		answer := NULL;
		IF call.verb = 'pause' THEN
			PERFORM pg_sleep_for(call.argument::interval);
		ELSIF call.verb = 'register' THEN
			EXECUTE format('SELECT job_id, is_owner FROM %I.register_or_join($1, $2)', functions)
				INTO registered USING call.hash, call.argument::interval;
			answer := format('is owner: %s, same job: %s', registered.is_owner, registered.job_id = owner);
			owner := registered.job_id;
		ELSIF call.verb = 'complete' THEN
			EXECUTE format('SELECT %I.complete($1, $2, $3)', functions) INTO answer
				USING call.hash, call.argument::json, CASE call.whose WHEN 'owner' THEN owner WHEN 'nobody' THEN gen_random_uuid() END;
		ELSE
			EXECUTE format('SELECT concat_ws('' '', outcome, value) FROM %I.wait_for($1, $2)', functions) INTO answer
				USING call.hash, call.argument::interval;
		END IF;
		INSERT INTO bench.answers VALUES (call.step, schema, answer);
		COMMIT;
	END LOOP;
END
$$;
CALL bench.ask('idemstore');
CALL bench.ask('rival');
CALL bench.ask('writer');

CREATE VIEW bench.differences AS
SELECT calls.*, theirs.schema, ours.answer AS our_answer, theirs.answer AS their_answer
FROM bench.answers AS ours
JOIN bench.answers AS theirs USING (step)
JOIN bench.calls USING (step)
WHERE ours.schema = 'idemstore' AND ours.answer IS DISTINCT FROM theirs.answer;
