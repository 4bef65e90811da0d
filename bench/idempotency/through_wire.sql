-- What the timings with pgbench need: records to replay, room for the results.
--
-- Variables: seed (records to replay).

CREATE TABLE bench.tps (
	round integer,
	clients integer,
	call text,
	side text,
	tps double precision
);

INSERT INTO rival.idempotency_records
	(key, scope, fingerprint, status, fence, attempt, expires_at, created_at, completed_at, response_status, response_headers, response_body)
SELECT 'seed-' || k, '', 'print-' || k, 'complete', 1, 1, now() + '1 day', now(), now(), 200, '{"content-type": "application/json"}',
	(SELECT string_agg(sha256((k || '-' || i)::bytea), '') FROM generate_series(1, 32) AS i)
FROM generate_series(1, :seed) AS k;
INSERT INTO idemstore.idempotency_records
SELECT * FROM rival.idempotency_records WHERE key LIKE 'seed-%';

VACUUM ANALYZE idemstore.idempotency_records;
VACUUM ANALYZE rival.idempotency_records;
CHECKPOINT;

CREATE VIEW bench.wire_ratios AS
SELECT call, clients,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.tps / theirs.tps) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.tps) AS our_tps,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.tps) AS their_tps
FROM bench.tps AS ours
JOIN bench.tps AS theirs USING (round, clients, call)
WHERE ours.side = 'idemstore' AND theirs.side = 'rival'
GROUP BY call, clients;
