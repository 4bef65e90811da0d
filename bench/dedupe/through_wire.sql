-- What the timings with pgbench need: room for the results.

CREATE TABLE bench.tps (
	round integer,
	clients integer,
	side text,
	tps double precision
);

CREATE VIEW bench.wire_ratios AS
SELECT clients, theirs.side AS rival,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.tps / theirs.tps) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.tps) AS our_tps,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.tps) AS their_tps
FROM bench.tps AS ours
JOIN bench.tps AS theirs USING (round, clients)
WHERE ours.side = 'idemstore' AND theirs.side <> 'idemstore'
GROUP BY clients, theirs.side;
