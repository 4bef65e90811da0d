-- the view stats: calls by outcome, and how the tables stand
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
-- ahead of every clock, fences count by one
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null
-- whoever was here before has added what he counted when he is gone
DO $$
BEGIN
	WHILE EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'pg_regress/%' AND pid <> pg_backend_pid()) LOOP
		PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
	END LOOP;
END
$$;
CREATE FUNCTION pg_temp.calls() RETURNS TABLE (family text, calls text)
LANGUAGE sql AS $$
	SELECT s.family, string_agg(c.key || ' ' || c.value, ', ' ORDER BY c.key COLLATE "C")
	FROM idemstore.stats AS s LEFT JOIN jsonb_each(s.calls) AS c ON c.value <> '0' GROUP BY 1 ORDER BY 1
$$;
SELECT idemstore.stats_reset() IS NOT NULL AS is_reset;
SELECT * FROM pg_temp.calls();
SELECT family, last_expiry, removed, reset_at FROM idemstore.stats;

-- idempotency: every outcome, and another number of each
SELECT outcome FROM unnest('{1,2,3,4,5}'::text[]) AS k, idemstore.start_processing(k, 'fp ' || k, lease => '1 min') AS s;
SELECT (idemstore.start_processing('1')).outcome FROM generate_series(1, 2);
SELECT idemstore.complete('1', 200), idemstore.complete('1', 200), idemstore.success('2', '2'), idemstore.fail('3'), idemstore.fail('4', retryable => true), idemstore.fail('4', retryable => true);
SELECT (idemstore.start_processing('1')).outcome FROM generate_series(1, 3);
SELECT (idemstore.start_processing('3')).outcome FROM generate_series(1, 4);
SELECT (idemstore.start_processing('1', 'other')).outcome FROM generate_series(1, 6);
SELECT (idemstore.start_processing('6', 'fp 1', unique_fingerprint => true)).outcome FROM generate_series(1, 7);
SELECT idemstore.set_nx('7', 'v'), idemstore.set_nx('7', 'v'), idemstore.initiate('7');
SELECT idemstore.set_value('9', 'v'), idemstore.set_value('9', 'w'), idemstore.set_value('9', 'x');
SELECT idemstore.release('5'), idemstore.release('5');
-- a lost claim is an error, and counted
SELECT outcome FROM idemstore.start_processing('8');
SELECT idemstore.extend_lease('8', 1);
SELECT idemstore.complete('8', fence => 1);
SELECT idemstore.assert_owner('8', 1);
-- any other error is not
SELECT idemstore.complete('absent');
SELECT idemstore.start_processing('');
SET idemstore.test_clock = '2026-01-01 00:05:00+00';
SELECT (idemstore.start_processing('8', takeover => false)).outcome FROM generate_series(1, 9);
-- what only reads is not, nor what sets aside
SELECT idemstore.get('1') IS NULL AS get, idemstore.lookup('1') IS NULL AS lookup, idemstore.get_value('7'), idemstore.wait('1') IS NULL AS wait, idemstore.forget('7');
SELECT * FROM pg_temp.calls();

-- dedupe
SELECT idemstore.dedupe_register('a') IS NOT NULL AS a, idemstore.dedupe_register('b') IS NOT NULL AS b, idemstore.dedupe_register('c') IS NOT NULL AS c;
SELECT (idemstore.dedupe_register_or_join('a')).is_owner FROM generate_series(1, 2);
SELECT (idemstore.dedupe_wait_for('a', '0')).outcome FROM generate_series(1, 4);
SELECT idemstore.dedupe_complete('a', '1'), idemstore.dedupe_complete('b', '1'), idemstore.dedupe_fail('c'), idemstore.dedupe_fail('c'), idemstore.dedupe_complete('absent', '1');
SELECT (idemstore.dedupe_wait_for('a')).outcome FROM generate_series(1, 5);
SELECT (idemstore.dedupe_wait_for('c')).outcome FROM generate_series(1, 6);
SELECT (idemstore.dedupe_wait_for('absent')).outcome FROM generate_series(1, 7);
SELECT idemstore.dedupe_is_in_progress('a');
SELECT * FROM pg_temp.calls() WHERE family = 'dedupe';

-- cache: entries, and not calls
SELECT idemstore.cache_set('a', '1', '1 min', '{t}'), idemstore.cache_set_bytes('b', 'b'), idemstore.cache_set_many('{c,d,e}', '{3,4,5}', '1 min', '{t,u}'), idemstore.cache_increment('n');
SELECT idemstore.cache_get('a'), idemstore.cache_get('absent'), idemstore.cache_get_bytes('b'), idemstore.cache_get('absent');
SELECT key FROM idemstore.cache_get_many('{a,absent,c}');
SELECT (idemstore.cache_fetch('a')).outcome FROM generate_series(1, 2);
SELECT outcome, fence FROM idemstore.cache_fetch('f') \gset
SELECT (idemstore.cache_fetch('f')).outcome FROM generate_series(1, 3);
SELECT idemstore.cache_set('f', '1', fence => :fence), idemstore.cache_set('f', '2', fence => :fence), idemstore.cache_set('f', '2', fence => :fence);
SELECT idemstore.cache_touch('a', '1 min'), idemstore.cache_touch('absent', '1 min'), idemstore.cache_ttl('a');
SELECT idemstore.invalidate_by_tag('u'), idemstore.invalidate_by_tags('{t,u}'), idemstore.invalidate_by_tag('u');
SELECT idemstore.cache_delete('b'), idemstore.cache_delete('b'), idemstore.cache_delete_many('{absent,n}'), idemstore.cache_set('z1', '1'), idemstore.cache_set('z2', '1', '1 s'), idemstore.cache_clear('z');
SELECT idemstore.cache_set('s', '1', '1 s');
SET idemstore.test_clock = '2026-01-01 00:05:02+00';
SELECT outcome FROM idemstore.cache_fetch('s', stale => '1 min');
SELECT outcome FROM idemstore.cache_fetch('s', stale => '1 min');
SELECT * FROM pg_temp.calls() WHERE family = 'cache';

-- rate limits: what takes, by the reason of the denial
SELECT idemstore.set_rate_limit('plain', 3, '1 day'), idemstore.set_rate_limit('zero', 0, '1 day'), idemstore.set_adaptive_rate_limit('adaptive');
SELECT idemstore.set_cooldown('o', '2026-01-02 00:00:00+00');
SELECT idemstore.acquire('plain'), idemstore.acquire('plain', 4), (idemstore.consume('plain')).reason;
SELECT idemstore.acquire('plain', origin => 'o'), (idemstore.consume('plain', origin => 'o')).reason, idemstore.acquire('plain', origin => 'o');
SELECT idemstore.acquire_all('{plain,zero}'), idemstore.acquire_all('{plain}');
SELECT idemstore.acquire('plain'), idemstore.acquire('plain'), idemstore.acquire('plain'), (idemstore.consume('plain')).reason, idemstore.acquire_all('{plain,zero}');
SELECT idemstore.acquire('zero'), idemstore.record_request('plain');
-- many users, and more of them all the time: background pauses
SELECT count(*) FROM generate_series(1, 10) AS i WHERE idemstore.acquire('adaptive', i - i + 1, 'user');
SET idemstore.test_clock = '2026-01-01 00:05:42+00';
SELECT (idemstore.consume('adaptive')).reason FROM generate_series(1, 2);
SELECT idemstore.acquire('plain', 0), idemstore.can_proceed('plain'), idemstore.get_wait_time('zero'), (idemstore.rate_limit_status('plain')).allowed;
SELECT * FROM pg_temp.calls() WHERE family = 'rate_limit';

-- what is rolled back is counted, and what a session has not added yet is in
-- what it sees itself
BEGIN;
SELECT idemstore.cache_get('a');
SAVEPOINT s;
SELECT idemstore.acquire('zero');
ROLLBACK TO s;
ROLLBACK;
BEGIN READ ONLY;
SELECT idemstore.cache_get('a');
SELECT * FROM pg_temp.calls() WHERE family IN ('cache', 'rate_limit');
SELECT count(*) AS locks FROM pg_locks WHERE relation = 'idemstore.stats_counters'::regclass;
ROLLBACK;

-- how the tables stand: rows, backlog, the oldest at work, and what expire does
SELECT family, live, expired, oldest_in_progress FROM idemstore.stats;
SET idemstore.test_clock = '2026-01-01 12:00:00+00';
SELECT family, live, expired, oldest_in_progress FROM idemstore.stats;
SELECT * FROM idemstore.expire() WHERE removed > 0;
SELECT family, live, expired, oldest_in_progress, last_expiry, removed, reset_at FROM idemstore.stats;
SET idemstore.test_clock = '2026-01-03 12:00:00+00';
SELECT * FROM idemstore.expire() WHERE removed > 0;
SELECT family, live, expired, oldest_in_progress, last_expiry, removed, reset_at FROM idemstore.stats;
SELECT family, table_size = (SELECT sum(pg_table_size(r::regclass)) FROM unnest(relations) AS r) AS table_size, index_size = (SELECT sum(pg_indexes_size(r::regclass)) FROM unnest(relations) AS r) AS index_size
	FROM idemstore.stats JOIN (VALUES ('idempotency', '{idemstore.idempotency_records}'::text[]), ('dedupe', '{idemstore.dedupe_jobs}'), ('cache', '{idemstore.cache_entries,idemstore.cache_leases,idemstore.cache_invalidations}'), ('rate_limit', '{idemstore.rate_limits,idemstore.rate_limit_state,idemstore.cooldowns}')) AS t (family, relations) USING (family) ORDER BY 1;

-- what costs a scan, costs nothing when it is not selected
EXPLAIN (VERBOSE, COSTS OFF) SELECT family, calls, last_expiry, removed, reset_at FROM idemstore.stats;
EXPLAIN (VERBOSE, COSTS OFF) SELECT family, table_size FROM idemstore.stats;

-- an empty table is zeros, and nothing counted yet
TRUNCATE idemstore.stats_counters;
SELECT family, jsonb_path_query_array(calls, '$.*') AS calls, last_expiry, removed, reset_at FROM idemstore.stats;
-- a row that somebody has put there is no number, and is no obstacle
INSERT INTO idemstore.stats_counters VALUES ('cache.miss', 'infinity', '\x01'), ('nothing', 'infinity', '');
SELECT idemstore.cache_get('absent');
SELECT calls -> 'miss' AS misses, reset_at FROM idemstore.stats WHERE family = 'cache';
-- reset writes
BEGIN READ ONLY;
SELECT idemstore.stats_reset();
ROLLBACK;
BEGIN;
SELECT idemstore.stats_reset();
ROLLBACK;
SELECT calls -> 'miss' AS misses, reset_at FROM idemstore.stats WHERE family = 'cache';

-- under care: the counters stay
SELECT idemstore.cache_get('absent');
VACUUM FULL idemstore.stats_counters;
ALTER TABLE idemstore.stats_counters SET LOGGED;
SELECT idemstore.cache_get('absent');
SELECT calls -> 'miss' AS misses, pg_current_xact_id_if_assigned() IS NULL AS has_no_xid FROM idemstore.stats WHERE family = 'cache';
ALTER TABLE idemstore.stats_counters SET UNLOGGED;
SELECT idemstore.cache_get('absent');
SELECT calls -> 'miss' AS misses FROM idemstore.stats WHERE family = 'cache';

TRUNCATE idemstore.idempotency_records, idemstore.dedupe_jobs, idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations, idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns, idemstore.stats_counters;
