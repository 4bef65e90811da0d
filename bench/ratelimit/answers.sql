-- One script of calls, run against every schema, each call a transaction of
-- its own, so that what is timed afterwards is known to do the same work.

CREATE SCHEMA bench;

-- ours with the arguments of the rivals
CREATE FUNCTION bench.acquire(resource text, quota bigint, per interval, cost integer DEFAULT 1)
RETURNS boolean
LANGUAGE sql
RETURN idemstore.acquire(resource, cost, quota => quota, per => per);

CREATE TABLE bench.calls (
	step integer GENERATED ALWAYS AS IDENTITY,
	resource text,
	quota bigint,
	per interval,
	cost integer,
	pause double precision DEFAULT 0	-- before it, in seconds
);
INSERT INTO bench.calls (resource, quota, per, cost)
SELECT 'a', 3, '1 hour', 1 FROM generate_series(1, 5);
INSERT INTO bench.calls (resource, quota, per, cost) VALUES
	('b', 3, '1 hour', 1),
	('b', 3, '1 hour', 2),
	('b', 3, '1 hour', 1),
	('c', 3, '1 hour', 4),
	('c', 3, '1 hour', 3),
	('c', 3, '1 hour', 1),
	('d', 0, '1 hour', 1),
	-- a larger quota keeps what has been taken
	('a', 4, '1 hour', 1),
	('a', 4, '1 hour', 1);
INSERT INTO bench.calls (resource, quota, per, cost, pause) VALUES
	('e', 2, '300 ms', 2, 0),
	('e', 2, '300 ms', 2, 0.35),
	('e', 2, '300 ms', 1, 0.35),
	('e', 2, '300 ms', 1, 0.35);
INSERT INTO bench.calls (resource, quota, per, cost)
SELECT 'f', 100, '1 hour', 1 FROM generate_series(1, 105);

CREATE TABLE bench.answers (
	step integer,
	schema text,
	answer boolean,
	PRIMARY KEY (step, schema)
);

CREATE PROCEDURE bench.ask(schema text)
LANGUAGE plpgsql
AS $$
DECLARE
	call bench.calls;
	result boolean;
BEGIN
	FOR call IN SELECT * FROM bench.calls ORDER BY step LOOP
		PERFORM pg_sleep(call.pause);
		EXECUTE format('SELECT %I.acquire($1, $2, $3, $4)', CASE schema WHEN 'idemstore' THEN 'bench' ELSE schema END)
			INTO result USING call.resource, call.quota, call.per, call.cost;
		INSERT INTO bench.answers VALUES (call.step, schema, result);
		COMMIT;
	END LOOP;
END
$$;
CALL bench.ask('idemstore');
CALL bench.ask('counter');
CALL bench.ask('looker');
CALL bench.ask('exact_log');

CREATE VIEW bench.differences AS
SELECT calls.*, theirs.schema, ours.answer AS our_answer, theirs.answer AS their_answer
FROM bench.answers AS ours
JOIN bench.answers AS theirs USING (step)
JOIN bench.calls USING (step)
WHERE ours.schema = 'idemstore' AND ours.answer IS DISTINCT FROM theirs.answer;
