-- fences: every claim has its own, and the later one the larger
TRUNCATE idemstore.idempotency_records;
-- which claim had which fence; a row is true when its fence is larger than all before it
CREATE TEMP TABLE seen (n serial, what text, fence bigint);
CREATE FUNCTION pg_temp.see(text, text DEFAULT 'k') RETURNS text LANGUAGE sql AS $$
	INSERT INTO seen (what, fence) SELECT $1, fence FROM idemstore.start_processing($2, lease => '0') RETURNING what
$$;
CREATE FUNCTION pg_temp.grows() RETURNS TABLE (what text, grows boolean) LANGUAGE sql AS $$
	SELECT what, fence > max(fence) OVER (ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) FROM seen ORDER BY n
$$;

-- the clock stands still, as if it had been set back: it is behind what was given
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
SELECT pg_temp.see('first');
SELECT pg_temp.see('taken over'), idemstore.release('k'), pg_temp.see('released'),
	idemstore.forget('k'), pg_temp.see('forgotten'), idemstore.forget_scope(''), pg_temp.see('scope forgotten');
SELECT FROM idemstore.set_value('k', 'value');
INSERT INTO seen (what, fence) SELECT 'set', fence FROM idemstore.get('k');
SELECT idemstore.forget('k'), idemstore.set_nx('k', 'value', '1 s');
INSERT INTO seen (what, fence) SELECT 'set anew', fence FROM idemstore.get('k');
SET idemstore.test_clock = '2026-01-01 00:01:00+00';
SELECT pg_temp.see('expired');
SET idemstore.test_clock = '2026-01-03 00:00:00+00';
SELECT removed FROM idemstore.expire() WHERE relation = 'idempotency_records';
SELECT pg_temp.see('purged');
BEGIN;
SELECT pg_temp.see('another key', 'other');
ROLLBACK;
SELECT pg_temp.see('after a rollback');
TRUNCATE idemstore.idempotency_records;
SELECT pg_temp.see('truncated');
INSERT INTO seen (what, fence) SELECT 'leased', fence FROM idemstore.cache_fetch('fences', '1 ms');
SELECT pg_temp.see('after a lease');
SELECT * FROM pg_temp.grows();
SELECT max(fence) - min(fence) < 100 AS counts_by_one FROM seen;
-- and so it does from session to session
SELECT max(fence) AS fence FROM seen \gset
\c -
SELECT fence > :fence AS grows, fence < :fence + 100 AS counts_by_one FROM idemstore.start_processing('k 2');

-- a record whose fence is ahead of all, as one that was copied into the table
UPDATE idemstore.idempotency_records SET fence = 9100000000000000, lease_expires_at = '2026-01-01' WHERE key = 'k 2';
SELECT fence FROM idemstore.start_processing('k 2');
SELECT idemstore.release('k 2'), fence FROM idemstore.start_processing('k 3');

-- where it has fallen behind, it follows the clock, and not that of tests
SELECT setval('idemstore.fences', 1) \g /dev/null
SET idemstore.test_clock = '2126-01-01 00:00:00+00';
SELECT fence > extract(epoch FROM statement_timestamp()) * 1000000 AS is_now, fence < extract(epoch FROM timestamptz '2126-01-01') * 1000000 AS is_real
FROM idemstore.start_processing('behind');
SELECT setval('idemstore.fences', (extract(epoch FROM clock_timestamp() - interval '1 min') * 1000000)::bigint) \g /dev/null
SELECT fence > extract(epoch FROM statement_timestamp()) * 1000000 AS is_now
FROM idemstore.start_processing('a minute behind');
RESET idemstore.test_clock;

-- many at once
SELECT count(DISTINCT fence) FROM generate_series(1, 1000) AS i, idemstore.start_processing('many ' || i);
-- no number that an application has drawn of its own is in the way
CREATE TEMP SEQUENCE mine;
SELECT nextval('mine');
SELECT outcome FROM idemstore.start_processing('mine');
SELECT lastval();
-- what writes nothing draws none; jobs have none
SELECT last_value AS last FROM idemstore.fences \gset
SELECT outcome, idemstore.dedupe_register('mine') IS NULL AS is_null FROM idemstore.start_processing('mine');
SELECT last_value = :last AS is_the_same FROM idemstore.fences;

TRUNCATE idemstore.idempotency_records, idemstore.dedupe_jobs, idemstore.cache_leases;
