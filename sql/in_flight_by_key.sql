-- who is at work on one key, without reading a table
TRUNCATE idemstore.idempotency_records, idemstore.dedupe_jobs, idemstore.cache_leases;
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null
SELECT outcome FROM idemstore.start_processing('k', lease => '1 min') UNION ALL SELECT outcome FROM idemstore.start_processing('k', scope => 's');
SELECT FROM idemstore.dedupe_register('k');
SELECT outcome FROM idemstore.cache_fetch('k', '1 min');
SET idemstore.test_clock = '2026-01-01 00:01:30.25+00';
-- of all families; jobs and leases have the empty scope
SELECT * FROM idemstore.in_flight_by_key('k');
SELECT * FROM idemstore.in_flight_by_key('k', 's');
SELECT * FROM idemstore.in_flight_by_key('k', scope => 'other') UNION ALL SELECT * FROM idemstore.in_flight_by_key('absent');
-- as the view
SELECT * FROM idemstore.in_flight EXCEPT (SELECT * FROM idemstore.in_flight_by_key('k') UNION ALL SELECT * FROM idemstore.in_flight_by_key('k', 's'));
-- not what is final, given up or expired
SELECT FROM idemstore.complete('k'), idemstore.fail('k', retryable => true, scope => 's'), idemstore.dedupe_complete('k', '1');
SELECT family FROM idemstore.in_flight_by_key('k') UNION ALL SELECT family FROM idemstore.in_flight_by_key('k', 's');
SET idemstore.test_clock = '2026-01-03 00:00:00+00';
SELECT family FROM idemstore.in_flight_by_key('k');
-- arguments
SELECT idemstore.in_flight_by_key(NULL);
SELECT idemstore.in_flight_by_key('k', NULL);
SELECT idemstore.in_flight_by_key('');
-- among 100,000: a bounded number of blocks, where the view reads the table
INSERT INTO idemstore.idempotency_records (key, scope, status, fence, attempt, lease_expires_at, expires_at, created_at)
SELECT 'many' || i, '', 'processing', i, 1, '2026-02-01', '2026-02-01', '2026-01-01' FROM generate_series(1, 100000) AS i;
CREATE FUNCTION pg_temp.blocks(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE query;
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING off, FORMAT json) ' || query INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::int + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::int;
END
$$;
SELECT pg_temp.blocks('SELECT * FROM idemstore.in_flight_by_key(''many70000'')') <= 30 AS is_cheap,
	pg_temp.blocks('SELECT * FROM idemstore.in_flight') > 1000 AS reads_the_table;

TRUNCATE idemstore.idempotency_records, idemstore.dedupe_jobs, idemstore.cache_leases;
