-- Timings inside the server, in many short rounds; the loops of a round follow
-- in random order.
--
--	own	a PL/pgSQL loop of calls, each call a transaction of its own
--	rows	one query that calls the function for every row
--
-- In both, side "loop" is the same without a call, and "empty" calls a C
-- function that does nothing. A row that one transaction changes again and again
-- only gets slower, so the rivals are timed in "own" alone.
--
-- Variables: rounds, calls and rows (per loop and round), module (with empty.c).

SET synchronous_commit = off;

CREATE FUNCTION bench.empty(
	resource text,
	cost integer DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS :'module', 'empty';

CREATE TABLE bench.timings (
	loop text,
	what text,
	round integer,
	side text,
	us double precision	-- a call
);

-- hot: one resource, always allowed; keys: a thousand, always allowed; denied:
-- one a round, 99 of 100 calls denied.
CREATE TABLE bench.cases (
	what text PRIMARY KEY,
	quota bigint,
	per interval
);
INSERT INTO bench.cases VALUES
	('hot', 1000000000, '1 min'),
	('keys', 1000000, '1 hour'),
	('denied', :calls / 100, '1 hour');
SELECT idemstore.set_rate_limit(what || '-*', quota, per) FROM bench.cases
\g /dev/null

-- the resource of call i
CREATE FUNCTION bench.resource(what text, round integer, i integer)
RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE what
	WHEN 'keys' THEN 'keys-' || i % 1000
	WHEN 'denied' THEN 'denied-' || round
	ELSE what || '-1' END;

CREATE FUNCTION bench.own_source(side text, call text)
RETURNS text
LANGUAGE sql
AS $$
	SELECT format($source$
		CREATE PROCEDURE bench.own_%1$s(this_what text, this_round integer, calls integer)
		LANGUAGE plpgsql
		AS $body$
		DECLARE
			quota bigint;
			per interval;
			names text[];
			is_allowed boolean;
			n_allowed integer := 0;
			n_right integer;
			began timestamptz;
			ended timestamptz;
		BEGIN
			SELECT c.quota, c.per INTO quota, per FROM bench.cases AS c WHERE what = this_what;
			SELECT array_agg(bench.resource(this_what, this_round, i) ORDER BY random()) INTO names
			FROM generate_series(this_round * calls, (this_round + 1) * calls - 1) AS i;
			COMMIT;
			began := clock_timestamp();
			FOR i IN 1 .. calls LOOP
				is_allowed := %2$s;
				COMMIT;
				IF is_allowed THEN
					n_allowed := n_allowed + 1;
				END IF;
			END LOOP;
			ended := clock_timestamp();
			n_right := CASE WHEN this_what = 'denied' AND %1$L NOT IN ('loop', 'empty') THEN quota ELSE calls END;
			IF n_allowed <> n_right THEN
				RAISE EXCEPTION '%%: %% of %% calls allowed', this_what, n_allowed, calls;
			END IF;
			INSERT INTO bench.timings
			VALUES ('own', this_what, this_round, %1$L, extract(epoch FROM ended - began) * 1000000 / calls);
		END
		$body$
	$source$, side, call)
$$;

SELECT bench.own_source('loop', 'names[i] IS NOT NULL')
UNION ALL
SELECT bench.own_source('empty', 'bench.empty(names[i])')
UNION ALL
SELECT bench.own_source('idemstore', 'idemstore.acquire(names[i])')
UNION ALL
SELECT bench.own_source(rival, format('%I.acquire(names[i], quota, per)', rival))
FROM unnest('{counter,looker,exact_log}'::text[]) AS rival
\gexec

CREATE FUNCTION bench.rows_source(side text, condition text, what text, name text)
RETURNS text
LANGUAGE sql
AS $$
	SELECT format($source$
		CREATE PROCEDURE bench.rows_%1$s_%2$s(this_round integer, calls integer)
		LANGUAGE plpgsql
		AS $body$
		DECLARE
			began timestamptz := clock_timestamp();
			ended timestamptz;
		BEGIN
			PERFORM count(*) FROM generate_series(1, calls) AS i WHERE %3$s;
			ended := clock_timestamp();
			INSERT INTO bench.timings
			VALUES ('rows', %2$L, this_round, %1$L, extract(epoch FROM ended - began) * 1000000 / calls);
		END
		$body$
	$source$, side, what, format(condition, name))
$$;

SELECT bench.rows_source(side, condition, what, name)
FROM (VALUES
		('loop', '%s IS NOT NULL'),
		('empty', 'bench.empty(%s)'),
		('idemstore', 'idemstore.acquire(%s)')) AS sides (side, condition),
	(VALUES
		('hot', $$'hot-1'$$),
		('keys', $$('keys-' || i % 1000)$$),
		('denied', $$'denied-0'$$)) AS names (what, name)
\gexec

-- Every key is there, and the rivals' plans are those of a table in use. Round
-- 0 warms up.
SELECT count(idemstore.acquire(resource)), count(counter.acquire(resource, quota, per)),
	count(looker.acquire(resource, quota, per)), count(exact_log.acquire(resource, quota, per))
FROM bench.cases, generate_series(0, 999) AS i, bench.resource(what, 0, i) AS resource
WHERE what = 'keys'
\g /dev/null
VACUUM ANALYZE counter.limits;
VACUUM ANALYZE looker.limits;
VACUUM ANALYZE exact_log.limits;
CHECKPOINT;

-- The exact log of a hot resource would have no bound.
SELECT CASE loop
		WHEN 'own' THEN format('CALL bench.own_%s(%L, %s, %s)', side, what, round, :calls)
		ELSE format('CALL bench.rows_%s_%s(%s, %s)', side, what, round, :rows) END
FROM generate_series(0, :rounds) AS round, bench.cases,
	unnest('{own,rows}'::text[]) AS loop,
	unnest('{loop,empty,idemstore,counter,looker,exact_log}'::text[]) AS side
WHERE (loop = 'own' OR side IN ('loop', 'empty', 'idemstore'))
	AND NOT (what = 'hot' AND side = 'exact_log')
ORDER BY round, loop, what, random()
\gexec

-- Each round against itself, so that a busy moment weighs on both.
CREATE VIEW bench.server_ratios AS
SELECT loop, what, theirs.side AS rival,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY (ours.us - nothing.us) / nullif(theirs.us - nothing.us, 0)) AS net,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.us / theirs.us) AS gross,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.us) AS our_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.us) AS their_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY nothing.us) AS loop_us
FROM bench.timings AS ours
JOIN bench.timings AS theirs USING (loop, what, round)
JOIN bench.timings AS nothing USING (loop, what, round)
WHERE round > 0 AND what IN ('hot', 'keys', 'denied') AND ours.side = 'idemstore'
	AND theirs.side NOT IN ('idemstore', 'loop') AND nothing.side = 'loop'
GROUP BY loop, what, theirs.side;
