-- What the timings with pgbench need: one row to update, all limits fresh and
-- known, room for the results.

CREATE TABLE bench.tps (
	round integer,
	clients integer,
	is_durable boolean,		-- with synchronous_commit on
	script text,
	tps double precision
);

CREATE TABLE bench.hot (
	n bigint
) WITH (fillfactor = 50);
INSERT INTO bench.hot VALUES (0);

TRUNCATE idemstore.rate_limit_state, counter.limits;
SELECT count(idemstore.acquire(resource)), count(counter.acquire(resource, quota, per))
FROM bench.cases, generate_series(0, 999) AS i, bench.resource(what, 0, i) AS resource
WHERE what IN ('keys', 'hot')
\g /dev/null
VACUUM ANALYZE counter.limits;
VACUUM ANALYZE bench.hot;
CHECKPOINT;

CREATE VIEW bench.wire_ratios AS
SELECT ours.script, is_durable, clients, theirs.script AS rival,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.tps / theirs.tps) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.tps) AS our_tps,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.tps) AS their_tps
FROM bench.tps AS ours
JOIN bench.tps AS theirs USING (round, clients, is_durable)
WHERE ours.script IN ('hot', 'keys')
	AND (theirs.script IN ('select1', 'update') OR theirs.script = ours.script || '-upsert'
		OR ours.script = 'keys' AND theirs.script = 'select-key')
GROUP BY ours.script, is_durable, clients, theirs.script;
