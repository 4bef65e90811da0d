-- Calls on one resource, in short rounds: the first fifth in peace, the rest
-- while another session is idle in a transaction with an old snapshot.
--
-- Variables: phase (peace or snapshot), calls (per round; four times as many of
-- ours, which are over before the caches are warm again after the rival's).

INSERT INTO bench.cases VALUES ('snapshot', 1000000000, '1 min') ON CONFLICT DO NOTHING;
SELECT idemstore.set_rate_limit(what || '-*', quota, per) FROM bench.cases WHERE what = 'snapshot'
\g /dev/null
CREATE TABLE IF NOT EXISTS bench.table_sizes (
	phase text,
	side text,
	bytes bigint
);

SELECT format('CALL bench.own_%s(%L, %s, %s)', side, 'snapshot', round,
	CASE side WHEN 'counter' THEN :calls ELSE 4 * :calls END)
FROM generate_series(1, 150) AS round, unnest('{loop,idemstore,counter}'::text[]) AS side
WHERE :'phase' = CASE WHEN round <= 30 THEN 'peace' ELSE 'snapshot' END
ORDER BY round, random()
\gexec

INSERT INTO bench.table_sizes VALUES
	(:'phase', 'idemstore', pg_total_relation_size('idemstore.rate_limit_state')),
	(:'phase', 'counter', pg_total_relation_size('counter.limits'));

-- Each of the twenty rounds up to a point against the last twenty in peace. The
-- machine is not as fast then as now, so a call is measured by its round's loop.
CREATE OR REPLACE VIEW bench.snapshot_ratios AS
WITH net AS (
	SELECT round, timings.side, timings.us - nothing.us AS us, timings.us / nothing.us - 1 AS loops
	FROM bench.timings
	JOIN bench.timings AS nothing USING (loop, what, round)
	WHERE what = 'snapshot' AND nothing.side = 'loop' AND timings.side <> 'loop'
), peace AS (
	SELECT side, percentile_cont(0.5) WITHIN GROUP (ORDER BY us) AS us,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY loops) AS loops
	FROM net
	WHERE round BETWEEN 11 AND 30
	GROUP BY side
)
SELECT side, rounds_later, peace.us AS us_before,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY net.us) AS us,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY net.loops / peace.loops) AS ratio
FROM net
JOIN peace USING (side),
	unnest('{40,80,120}'::integer[]) AS rounds_later
WHERE round BETWEEN 30 + rounds_later - 19 AND 30 + rounds_later
GROUP BY side, rounds_later, peace.us;
