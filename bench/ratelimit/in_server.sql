-- Calls of acquire(). One takes hardly longer than a look at the clock, so the
-- clock is looked at before and after a whole loop, of which there are two:
--
--	own	a PL/pgSQL loop of calls, each call a transaction of its own
--	rows	one query that calls the function for every row
--	many	a hundred names at once: one call, or a hundred rows of calls
--
-- In all of them, side "nothing" is the same without a call, and "empty" calls a C
-- function that does nothing. A row that one transaction changes again and again
-- only gets slower, so the rivals are timed in "own" alone.
--
-- Variables: rounds, calls and rows (per loop and round), module (with empty.c).

CREATE FUNCTION bench.empty(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS :'module', 'empty';

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
		n_right := CASE WHEN this_what = 'denied' AND %1$L NOT IN ('nothing', 'empty') THEN quota ELSE calls END;
		IF n_allowed <> n_right THEN
			RAISE EXCEPTION '%%: %% of %% calls allowed', this_what, n_allowed, calls;
		END IF;
		INSERT INTO bench.timings
		VALUES (this_round, 'own ' || this_what, %1$L, extract(epoch FROM ended - began) * 1000000 / calls);
	END
	$body$
$source$, side, call)
FROM (VALUES
		('nothing', 'names[i] IS NOT NULL'),
		('empty', 'bench.empty(names[i])'),
		('idemstore', 'idemstore.acquire(names[i])'),
		('counter', 'counter.acquire(names[i], quota, per)'),
		('looker', 'looker.acquire(names[i], quota, per)'),
		('exact_log', 'exact_log.acquire(names[i], quota, per)')) AS sides (side, call)
\gexec

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
		VALUES (this_round, 'rows %2$s', %1$L, extract(epoch FROM ended - began) * 1000000 / calls);
	END
	$body$
$source$, side, what, format(condition, name))
FROM (VALUES
		('nothing', '%s IS NOT NULL'),
		('empty', 'bench.empty(%s)'),
		('idemstore', 'idemstore.acquire(%s)')) AS sides (side, condition),
	(VALUES
		('hot', $$'hot-1'$$),
		('keys', $$('keys-' || i % 1000)$$),
		('denied', $$'denied-0'$$)) AS names (what, name)
\gexec

SELECT format($source$
	CREATE PROCEDURE bench.many_%1$s(this_round integer, calls integer)
	LANGUAGE plpgsql
	AS $body$
	DECLARE
		names text[];
		began timestamptz;
		ended timestamptz;
	BEGIN
		SELECT array_agg('keys-' || i %% 1000 ORDER BY random()) INTO names FROM generate_series(1, calls) AS i;
		COMMIT;
		began := clock_timestamp();
		FOR i IN 0 .. calls / 100 - 1 LOOP
			PERFORM %2$s;
			COMMIT;
		END LOOP;
		ended := clock_timestamp();
		INSERT INTO bench.timings
		VALUES (this_round, 'many keys', %1$L, extract(epoch FROM ended - began) * 1000000 / calls);
	END
	$body$
$source$, side, call)
FROM (VALUES
		('nothing', 'cardinality(names[i * 100 + 1 : i * 100 + 100])'),
		('idemstore', 'idemstore.acquire_many(names[i * 100 + 1 : i * 100 + 100])'),
		('rows', 'count(idemstore.acquire(name)) FROM unnest(names[i * 100 + 1 : i * 100 + 100]) AS name')) AS sides (side, call)
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
	unnest('{nothing,empty,idemstore,counter,looker,exact_log}'::text[]) AS side
WHERE (loop = 'own' OR side IN ('nothing', 'empty', 'idemstore'))
	AND NOT (what = 'hot' AND side = 'exact_log')
ORDER BY round, loop, what, random()
\gexec
SELECT format('CALL bench.many_%s(%s, %s)', side, round, :rows)
FROM generate_series(0, :rounds) AS round, unnest('{nothing,idemstore,rows}'::text[]) AS side
ORDER BY round, random()
\gexec
