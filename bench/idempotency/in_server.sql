-- Timings inside the server: loops of calls, each call a transaction of its
-- own, in many short rounds; the loops of a round follow in random order.
--
-- Variables: rounds, calls (per loop and round), seed (rows in each table before
-- the first timing).

SET synchronous_commit = off;

CREATE TABLE bench.keys (
	round integer,
	key text,
	print text
);

CREATE TABLE bench.timings (
	round integer,
	call text,
	side text,
	us double precision	-- a call
);

-- Round 0 fills the tables before the first timing, and is what is replayed.
INSERT INTO bench.keys
SELECT round, gen_random_uuid(), encode(sha256(gen_random_uuid()::text::bytea), 'hex')
FROM generate_series(0, :rounds) AS round,
	generate_series(1, CASE round WHEN 0 THEN :seed ELSE :calls END);
CREATE INDEX ON bench.keys (round);
VACUUM ANALYZE bench.keys;

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

-- Claim and complete one key after the other, as a session does: a page that
-- takes many claims before the first response has no room to update in place.
CREATE FUNCTION bench.work_source(side text, claim text, complete text)
RETURNS text
LANGUAGE sql
AS $$
	SELECT format($source$
		CREATE PROCEDURE bench.work_%1$s(this_round integer)
		LANGUAGE plpgsql
		AS $body$
		DECLARE
			headers json := '{"content-type": "application/json"}';
			body bytea := (SELECT string_agg(sha256(i::text::bytea), '') FROM generate_series(1, 32) AS i);
			keys text[];
			prints text[];
			n integer;
			verdict idemstore.idempotency_verdict;
			blank boolean;
			began timestamptz;
			ended timestamptz;
			claims interval[] := '{}';
			completes interval[] := '{}';
		BEGIN
			SELECT array_agg(key), array_agg(print), count(*) INTO keys, prints, n
			FROM (SELECT key, print FROM bench.keys WHERE round = this_round ORDER BY random()) AS k;
			COMMIT;
			FOR i IN 1 .. n LOOP
				began := clock_timestamp();
				%2$s;
				COMMIT;
				ended := clock_timestamp();
				claims[i] := ended - began;

				began := clock_timestamp();
				blank := %3$s IS NULL;
				COMMIT;
				ended := clock_timestamp();
				completes[i] := ended - began;
			END LOOP;
			INSERT INTO bench.timings VALUES
				(this_round, 'claim', %1$L, bench.typical_us(claims)),
				(this_round, 'complete', %1$L, bench.typical_us(completes));
		END
		$body$
	$source$, side, claim, complete)
$$;

CREATE FUNCTION bench.replay_source(side text, replay text)
RETURNS text
LANGUAGE sql
AS $$
	SELECT format($source$
		CREATE PROCEDURE bench.replay_%1$s(this_round integer, calls integer)
		LANGUAGE plpgsql
		AS $body$
		DECLARE
			keys text[];
			prints text[];
			n integer;
			n_right integer := 0;
			verdict idemstore.idempotency_verdict;
			blank boolean;
			began timestamptz;
			ended timestamptz;
			replays interval[] := '{}';
		BEGIN
			SELECT array_agg(key), array_agg(print), count(*) INTO keys, prints, n
			FROM (SELECT key, print FROM bench.keys WHERE round = 0 ORDER BY random() LIMIT calls) AS k;
			COMMIT;
			FOR i IN 1 .. n LOOP
				began := clock_timestamp();
				%2$s;
				COMMIT;
				ended := clock_timestamp();
				replays[i] := ended - began;
				IF length(verdict.response_body) = 1024 THEN
					n_right := n_right + 1;
				END IF;
			END LOOP;
			IF n_right < n AND %1$L <> 'nothing' THEN
				RAISE EXCEPTION '%% of %% replays came back', n_right, n;
			END IF;
			INSERT INTO bench.timings VALUES
				(this_round, 'replay', %1$L, bench.typical_us(replays));
		END
		$body$
	$source$, side, replay)
$$;

-- "nothing" is the same loop around a built-in function, to be subtracted.
SELECT bench.work_source('nothing', 'blank := textcat(keys[i], prints[i]) IS NULL', 'textcat(keys[i], prints[i])'),
	bench.replay_source('nothing', 'blank := textcat(keys[i], prints[i]) IS NULL')
UNION ALL
SELECT bench.work_source(side,
		format('verdict := %s.start_processing(keys[i], prints[i])', side),
		format('%s.complete(keys[i], 200, headers, body, verdict.fence)', side)),
	bench.replay_source(side,
		format('verdict := %s.start_processing(keys[i], prints[i])', side))
FROM unnest('{idemstore,rival,writer}'::text[]) AS side
\gexec

-- What is there before the first timing is the same everywhere, and analyzed:
-- the rivals' plans are those of a table in use.
INSERT INTO rival.idempotency_records
	(key, scope, fingerprint, status, fence, attempt, expires_at, created_at, completed_at, response_status, response_headers, response_body)
SELECT key, '', print, 'complete', 1, 1, now() + '1 day', now(), now(), 200, '{"content-type": "application/json"}',
	(SELECT string_agg(sha256((key || i)::bytea), '') FROM generate_series(1, 32) AS i)
FROM bench.keys
WHERE round = 0;
INSERT INTO writer.idempotency_records SELECT * FROM rival.idempotency_records ON CONFLICT DO NOTHING;
INSERT INTO idemstore.idempotency_records SELECT * FROM rival.idempotency_records ON CONFLICT DO NOTHING;
VACUUM ANALYZE idemstore.idempotency_records;
VACUUM ANALYZE rival.idempotency_records;
VACUUM ANALYZE writer.idempotency_records;
CHECKPOINT;

SELECT CASE call
		WHEN 'work' THEN format('CALL bench.work_%s(%s)', side, round)
		ELSE format('CALL bench.replay_%s(%s, %s)', side, round, :calls) END
FROM generate_series(1, :rounds) AS round,
	unnest('{work,replay}'::text[]) AS call,
	unnest('{idemstore,rival,writer,nothing}'::text[]) AS side
ORDER BY round, call, random()
\gexec

-- Each round against itself, so that a busy moment weighs on both.
CREATE VIEW bench.server_ratios AS
SELECT call, theirs.side AS rival,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY (ours.us - nothing.us) / (theirs.us - nothing.us)) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.us - nothing.us) AS our_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.us - nothing.us) AS their_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY nothing.us) AS nothing_us
FROM bench.timings AS ours
JOIN bench.timings AS theirs USING (round, call)
JOIN bench.timings AS nothing USING (round, call)
WHERE round > 0 AND ours.side = 'idemstore' AND theirs.side IN ('rival', 'writer') AND nothing.side = 'nothing'
GROUP BY call, theirs.side;
