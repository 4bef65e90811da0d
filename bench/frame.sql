-- How the parts time what goes on inside the server: loops of calls, each call
-- a transaction of its own, in many short rounds.
--
-- A part says what is timed in bench.loops and bench.steps, executes what
-- bench.loop_sources and bench.schedule() give, and reads bench.server_ratios.
-- A loop that is another kind puts its times in bench.timings itself.

CREATE TABLE bench.timings (
	round integer,
	call text,
	side text,			-- idemstore, a rival, or nothing: the same without the call
	us double precision	-- a call
);

-- What a loop needs besides the number i of each pass and the number of calls.
CREATE TABLE bench.loops (
	loop text PRIMARY KEY,
	declarations text,	-- of variables
	before text			-- statements before each pass, which are not timed
);

-- What is timed: in each pass, one call of each step.
CREATE TABLE bench.steps (
	loop text REFERENCES bench.loops,
	step integer,
	call text,
	side text,
	statement text,
	expected text DEFAULT 'true',	-- what is true of a right answer
	PRIMARY KEY (loop, step, side)
);

CREATE VIEW bench.loop_sources AS
SELECT format($source$
	CREATE PROCEDURE bench.%1$s_%2$s(this_round integer, calls integer)
	LANGUAGE plpgsql
	AS $body$
	DECLARE
		%3$s
		began timestamptz;
		ended timestamptz;
		%5$s
	BEGIN
		COMMIT;
		FOR i IN 1 .. calls LOOP
			%4$s
			%6$s
		END LOOP;
		INSERT INTO bench.timings VALUES %7$s;
	END
	$body$
$source$, loop, side, declarations, before,
	string_agg(format('took_%s interval[];', call), ' '),
	string_agg(format($step$
			began := clock_timestamp();
			%2$s;
			COMMIT;
			ended := clock_timestamp();
			took_%1$s[i] := ended - began;
			ASSERT %3$s, 'a wrong answer to %1$s';
		$step$, call, statement, expected), '' ORDER BY step),
	string_agg(format('(this_round, %1$L, %2$L, bench.typical_us(took_%1$s))', call, side), ', '))
FROM bench.loops
JOIN bench.steps USING (loop)
GROUP BY loop, side;

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

-- Round 0 warms up. The sides of a loop follow in random order.
CREATE FUNCTION bench.schedule(rounds integer, calls integer)
RETURNS SETOF text
LANGUAGE sql
AS $$
	SELECT format('CALL bench.%s_%s(%s, %s)', loop, side, round, calls)
	FROM generate_series(0, rounds) AS round, (SELECT DISTINCT loop, side FROM bench.steps) AS procedures
	ORDER BY round, loop, random()
$$;

CREATE VIEW bench.net_timings AS
SELECT round, call, timings.side, timings.us - nothing.us AS us, timings.us AS gross_us, nothing.us AS nothing_us
FROM bench.timings
JOIN bench.timings AS nothing USING (round, call)
WHERE round > 0 AND timings.side <> 'nothing' AND nothing.side = 'nothing';

-- Each round against itself, so that a busy moment weighs on both.
CREATE VIEW bench.server_ratios AS
SELECT call, theirs.side AS rival,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.us / nullif(theirs.us, 0)) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.us) AS our_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.us) AS their_us,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.gross_us / theirs.gross_us) AS gross_ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.gross_us) AS our_gross_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.gross_us) AS their_gross_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.nothing_us) AS nothing_us
FROM bench.net_timings AS ours
JOIN bench.net_timings AS theirs USING (round, call)
WHERE ours.side = 'idemstore' AND theirs.side <> 'idemstore'
GROUP BY call, theirs.side;

-- How a report shows quartiles, in two columns.
CREATE FUNCTION bench.shown(ratio double precision[], digits integer DEFAULT 2)
RETURNS text
LANGUAGE sql
RETURN format('**%s** | %s to %s', round(ratio[2]::numeric, digits), round(ratio[1]::numeric, digits),
	round(ratio[3]::numeric, digits));

CREATE FUNCTION bench.shown(us double precision, digits integer DEFAULT 1)
RETURNS text
LANGUAGE sql
RETURN round(us::numeric, digits);
