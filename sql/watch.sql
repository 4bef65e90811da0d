-- what a watch asks the view stats for: nothing of it reads a table
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
-- the pages that a query reads, catalogs left aside: it has run once before
CREATE FUNCTION pg_temp.pages(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE query;
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || query INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END
$$;

-- nothing is there yet
TRUNCATE idemstore.cache_invalidations, idemstore.stats_counters;
SELECT pg_stat_force_next_flush();
SELECT family, marks, longest_chain IS NULL AS no_sweep, backlog_since FROM idemstore.stats;

-- much is, and none of it was analyzed
SELECT count(idemstore.start_processing('k' || i, ttl => i * interval '1 s')), count(idemstore.dedupe_register('j' || i, i * interval '1 s')),
	count(idemstore.cache_set('c' || i, '1', i * interval '1 s', '{t}')), count(idemstore.acquire(rpad('r' || i, 500, '.'), quota => 1, per => i * interval '1 s'))
	FROM generate_series(1, 10000) AS i;
SELECT family, backlog_since FROM idemstore.stats;
SET idemstore.test_clock = '2026-01-01 00:01:00+00';
SELECT family, backlog_since FROM idemstore.stats;
SET idemstore.test_clock = '2026-01-01 02:00:00+00';
SELECT family, backlog_since FROM idemstore.stats;
SELECT pg_temp.pages('SELECT count(*), max(calls ->> ''hit''), max(removed), max(last_expiry), max(marks), max(longest_chain), max(backlog_since), max(table_size), max(index_size), max(reset_at) FROM idemstore.stats') < 400 AS watched;
SELECT pg_temp.pages('SELECT max(live) FROM idemstore.stats') > 1000 AS counted;

-- a sweep tells how long chains are, expiry works the backlog off
SELECT sum(removed) > 0 AS swept FROM idemstore.expire(100);
SELECT family, backlog_since FROM idemstore.stats;
CALL idemstore.expire_all();
SELECT family, backlog_since FROM idemstore.stats;
SELECT family, longest_chain > 0 AS is_known FROM idemstore.stats WHERE longest_chain IS NOT NULL;
-- no counter, so it is not reset
SELECT idemstore.stats_reset(), idemstore.stats_reset() AS again;
SELECT family, longest_chain > 0 AS is_known FROM idemstore.stats WHERE longest_chain IS NOT NULL;

-- marks arrive when the session is idle
SELECT count(idemstore.invalidate_by_tag('m' || i)) FROM generate_series(1, 100) AS i;
SELECT pg_stat_force_next_flush();
SELECT family, marks BETWEEN 100 AND 102 AS marks FROM idemstore.stats WHERE marks IS NOT NULL;
TRUNCATE idemstore.cache_invalidations;
SELECT pg_stat_force_next_flush();
SELECT marks FROM idemstore.stats WHERE marks IS NOT NULL;
TRUNCATE idemstore.idempotency_records, idemstore.dedupe_jobs, idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations, idemstore.rate_limit_state, idemstore.stats_counters;
