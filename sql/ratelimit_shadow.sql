-- limits in the shadow: they decide and take as if they were enforced, and deny nothing
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.stats_reset() IS NOT NULL AS reset;
-- alone: unlimited, and told what it would deny; half of what is asked for, not all of it
SELECT idemstore.set_rate_limit('s', 2, '1 min', enforced => false);
SELECT i, v.* FROM generate_series(1, 3) AS i, idemstore.consume('s', 1 + i - i) AS v;
SELECT idemstore.acquire('s'), idemstore.can_proceed('s'), idemstore.get_wait_time('s'), idemstore.can_proceed('s', 100);
SELECT * FROM idemstore.rate_limit_status('s');
SET idemstore.test_clock = '2030-01-01 00:01:00+00';
SELECT * FROM idemstore.rate_limit_status('s');
-- beside a limit that is enforced, which is told of first; what it denies takes nothing from the shadow
SELECT idemstore.set_rate_limit('b', 3, '1 min', policy => 'hard'), idemstore.set_rate_limit('b', 1, '1 min', policy => 'soft', enforced => false), idemstore.set_rate_limit('b', 9, '1 min', policy => 'wide', enforced => false);
SELECT i, v.allowed, v.quota, v.remaining, v.retry_after_ms, v.policy, v.reason FROM generate_series(1, 4) AS i, idemstore.consume('b', 1 + i - i) AS v;
SELECT allowed, quota, remaining, policy, reason FROM idemstore.rate_limit_status('b');
-- a cooldown denies, whatever is enforced
SELECT idemstore.set_cooldown('o', '2030-01-01 00:01:30+00');
SELECT v.allowed, v.remaining, v.retry_after_ms, v.reason FROM idemstore.consume('s', origin => 'o') AS v;
-- all or nothing, and many: passed by, and taken from
SELECT idemstore.acquire_all('{s,s,s}'), remaining FROM idemstore.rate_limit_status('s');
SELECT idemstore.acquire_many('{s,s,s,b}');
SELECT resource, allowed, remaining, reason FROM idemstore.consume_many('{s,s,b}');
-- counted as they pass, and once more
SELECT idemstore.record_request('s');
SELECT c.key, c.value FROM idemstore.stats AS s, jsonb_each(s.calls) AS c WHERE s.family = 'rate_limit' AND c.value <> '0' ORDER BY 1;
-- enforced from now on: what is counted counts
SELECT idemstore.set_rate_limit('b', 1, '1 min', policy => 'soft'), idemstore.set_rate_limit('b', 1, '1 min', policy => 'soft') AS again;
SELECT allowed, policy, reason FROM idemstore.consume('b');
SELECT idemstore.set_rate_limit('z', 0, '1 min', enforced => false);
SELECT v.allowed, v.quota, v.retry_after_ms, v.reason FROM idemstore.consume('z') AS v;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
