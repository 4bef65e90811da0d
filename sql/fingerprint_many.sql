-- 100,000 records with one fingerprint: finding one reads a bounded number of blocks
TRUNCATE idemstore.idempotency_records;
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
CREATE FUNCTION pg_temp.fill(n int, first_expires timestamptz, step interval) RETURNS bigint LANGUAGE sql AS $$
	WITH filled AS (
		INSERT INTO idemstore.idempotency_records (key, scope, fingerprint, status, fence, attempt, lease_expires_at, expires_at, created_at)
		SELECT 'k' || i, '', 'same', 'processing', i, 1, first_expires + i * step, first_expires + i * step, first_expires
		FROM generate_series(1, n) AS i RETURNING 1)
	SELECT count(*) FROM filled
$$;
-- what a statement answers, and whether it reads few blocks; the first run looks
-- the catalogs up
CREATE FUNCTION pg_temp.undone(query text, OUT result text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query INTO result;
	RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
END
$$;
CREATE FUNCTION pg_temp.found(query text, OUT answer text, OUT is_cheap boolean) LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	answer := pg_temp.undone(query);
	plan := pg_temp.undone('EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) ' || query);
	is_cheap := (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::int + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::int <= 30;
END
$$;
CREATE FUNCTION pg_temp.look() RETURNS TABLE (what text, answer text, is_cheap boolean) LANGUAGE sql AS $$
	SELECT 'lookup', (pg_temp.found('SELECT string_agg(concat_ws('' '', matched, key), '', '') FROM idemstore.lookup(''absent'', ''same'')')).*
	UNION ALL SELECT 'own key', (pg_temp.found('SELECT string_agg(concat_ws('' '', matched, key), '', '') FROM idemstore.lookup(''k70000'', ''same'')')).*
	UNION ALL SELECT 'start', (pg_temp.found('SELECT concat_ws('' '', outcome, conflicting_key) FROM idemstore.start_processing(''new'', ''same'', unique_fingerprint => true)')).*
	UNION ALL SELECT 'reclaim', (pg_temp.found('SELECT concat_ws('' '', outcome, conflicting_key) FROM idemstore.start_processing(''k1'', ''same'', unique_fingerprint => true)')).*
$$;
-- all live
SELECT pg_temp.fill(100000, '2026-01-02 00:00:00+00', '1 ms');
SELECT * FROM pg_temp.look();
-- all expired
TRUNCATE idemstore.idempotency_records;
SELECT pg_temp.fill(100000, '2025-01-02 00:00:00+00', '1 ms');
SELECT * FROM pg_temp.look();
-- one of them live: the first, the last, one in between
UPDATE idemstore.idempotency_records SET expires_at = '2026-01-02 00:00:00+00' WHERE key = 'k1';
SELECT * FROM pg_temp.look();
UPDATE idemstore.idempotency_records SET expires_at = '2025-01-01 00:00:00+00' WHERE key = 'k1';
UPDATE idemstore.idempotency_records SET expires_at = '2026-01-02 00:00:00+00' WHERE key = 'k100000';
SELECT * FROM pg_temp.look();
UPDATE idemstore.idempotency_records SET expires_at = '2025-01-01 00:00:00+00' WHERE key = 'k100000';
UPDATE idemstore.idempotency_records SET expires_at = '2026-01-02 00:00:00+00' WHERE key = 'k70000';
SELECT * FROM pg_temp.look();
-- another scope, another fingerprint
SELECT count(*) FROM idemstore.lookup('absent', 'same', 'other') UNION ALL SELECT count(*) FROM idemstore.lookup('absent', 'another');

TRUNCATE idemstore.idempotency_records;
