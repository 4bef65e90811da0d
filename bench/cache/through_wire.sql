-- What the timings with pgbench need: entries with tags, room for the results.

SELECT count(idemstore.cache_set('tagged-' || k, bench.json(k), '1 hour', ARRAY['tenant-' || k % 100, 'user-' || k % 1000, 'page-' || k]))
FROM generate_series(0, 999) AS k
\g /dev/null
SELECT count(tagged.cache_set('tagged-' || k, bench.json(k), '1 hour', ARRAY['tenant-' || k % 100, 'user-' || k % 1000, 'page-' || k]))
FROM generate_series(0, 999) AS k
\g /dev/null
VACUUM ANALYZE idemstore.cache_entries;
VACUUM ANALYZE tagged.json_entries;
VACUUM ANALYZE tagged.tags;

CREATE TABLE bench.tps (
	round integer,
	clients integer,
	call text,
	side text,
	tps double precision
);

CREATE VIEW bench.wire_ratios AS
SELECT clients, call, theirs.side AS rival,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.tps / theirs.tps) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.tps) AS our_tps,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.tps) AS their_tps
FROM bench.tps AS ours
JOIN bench.tps AS theirs USING (round, clients, call)
WHERE ours.side = 'idemstore' AND theirs.side <> 'idemstore'
GROUP BY clients, call, theirs.side;
