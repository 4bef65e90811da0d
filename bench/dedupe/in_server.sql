-- Timings inside the server: loops of calls, each call a transaction of its
-- own, in many short rounds; the loops of a round follow in random order.
--
-- Variables: rounds, calls (per loop and round), seed (rows in each table before
-- the first timing).

SET synchronous_commit = off;

CREATE TABLE bench.timings (
	round integer,
	call text,
	side text,
	us double precision	-- a call
);

-- The slowest tenth is left out: that is where the machine did something else.
CREATE FUNCTION bench.typical_us(took interval[])
RETURNS double precision
LANGUAGE sql
AS $$
	SELECT avg(us) FROM (
		SELECT extract(epoch FROM t) * 1000000 AS us
		FROM unnest(took) AS t
		ORDER BY us
		LIMIT cardinality(took) * 9 / 10
	) AS fastest
$$;

-- Register, join and complete one new job after the other.
CREATE FUNCTION bench.work_source(side text, register text, complete text)
RETURNS text
LANGUAGE sql
AS $$
	SELECT format($source$
		CREATE PROCEDURE bench.work_%1$s(this_round integer, calls integer)
		LANGUAGE plpgsql
		AS $body$
		DECLARE
			answer json := json_build_object('rows', (SELECT array_agg(md5(i::text)) FROM generate_series(1, 28) AS i));
			hashes text[] := (SELECT array_agg(gen_random_uuid()) FROM generate_series(1, calls));
			job idemstore.dedupe_registration;
			is_done boolean;
			n_right integer := 0;
			began timestamptz;
			ended timestamptz;
			registers interval[] := '{}';
			joins interval[] := '{}';
			completes interval[] := '{}';
		BEGIN
			COMMIT;
			FOR i IN 1 .. calls LOOP
				began := clock_timestamp();
				%2$s;
				COMMIT;
				ended := clock_timestamp();
				registers[i] := ended - began;
				n_right := n_right + job.is_owner::integer;

				began := clock_timestamp();
				%2$s;
				COMMIT;
				ended := clock_timestamp();
				joins[i] := ended - began;
				n_right := n_right + (NOT job.is_owner)::integer;

				began := clock_timestamp();
				is_done := %3$s;
				COMMIT;
				ended := clock_timestamp();
				completes[i] := ended - began;
				n_right := n_right + is_done::integer;
			END LOOP;
			IF n_right < 3 * calls AND %1$L <> 'nothing' THEN
				RAISE EXCEPTION '%% of %% answers are right', n_right, 3 * calls;
			END IF;
			INSERT INTO bench.timings VALUES
				(this_round, 'register', %1$L, bench.typical_us(registers)),
				(this_round, 'join', %1$L, bench.typical_us(joins)),
				(this_round, 'complete', %1$L, bench.typical_us(completes));
		END
		$body$
	$source$, side, register, complete)
$$;

-- "nothing" is the same loop around a built-in function, to be subtracted.
SELECT bench.work_source('nothing', 'is_done := textcat(hashes[i], hashes[i]) IS NULL', 'textcat(hashes[i], hashes[i]) IS NULL')
UNION ALL
SELECT bench.work_source(side, format('job := %s(hashes[i], interval ''5 min'')', register), format('%s(hashes[i], answer, job.job_id)', complete))
FROM (VALUES
		('idemstore', 'idemstore.dedupe_register_or_join', 'idemstore.dedupe_complete'),
		('rival', 'rival.register_or_join', 'rival.complete'),
		('writer', 'writer.register_or_join', 'writer.complete')) AS sides (side, register, complete)
\gexec

-- What is there before the first timing is the same everywhere, and analyzed:
-- the rivals' plans are those of a table in use.
INSERT INTO rival.jobs (hash, job_id, status, value, expires_at, created_at, completed_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'completed', to_json(md5(i::text)), now() + interval '1 hour', now(), now()
FROM generate_series(1, :seed) AS i;
INSERT INTO writer.jobs SELECT * FROM rival.jobs ON CONFLICT DO NOTHING;
INSERT INTO idemstore.dedupe_jobs SELECT * FROM rival.jobs ON CONFLICT DO NOTHING;
VACUUM ANALYZE idemstore.dedupe_jobs;
VACUUM ANALYZE rival.jobs;
VACUUM ANALYZE writer.jobs;
CHECKPOINT;

SELECT format('CALL bench.work_%s(%s, %s)', side, round, :calls)
FROM generate_series(0, :rounds) AS round, unnest('{idemstore,rival,writer,nothing}'::text[]) AS side
ORDER BY round, random()
\gexec

-- Each round against itself, so that a busy moment weighs on both. Round 0
-- warmed up.
CREATE VIEW bench.server_ratios AS
WITH net AS (
	SELECT round, t.call, t.side, t.us - nothing.us AS us
	FROM bench.timings AS t
	JOIN bench.timings AS nothing USING (round, call)
	WHERE nothing.side = 'nothing' AND round > 0
), steps AS (
	TABLE net
	UNION ALL
	SELECT round, 'both', side, sum(us)
	FROM net
	WHERE call IN ('register', 'complete')
	GROUP BY round, side
)
SELECT call, theirs.side AS rival,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.us / theirs.us) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.us) AS our_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.us) AS their_us
FROM steps AS ours
JOIN steps AS theirs USING (round, call)
WHERE ours.side = 'idemstore' AND theirs.side IN ('rival', 'writer')
GROUP BY call, theirs.side;
