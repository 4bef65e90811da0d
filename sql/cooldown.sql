-- cooldowns: who is to be left alone, and until when
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.get_cooldown('o'), idemstore.clear_cooldown('o');
SELECT idemstore.set_cooldown('o', '2030-01-01 00:10:00+00'), idemstore.get_cooldown('o'), idemstore.get_cooldown('O'), idemstore.get_cooldown('oo');
-- the last one wins, even if it is shorter
SELECT idemstore.set_cooldown('o', '2030-01-01 00:20:00+00'), idemstore.get_cooldown('o'), idemstore.set_cooldown('o', '2030-01-01 00:05:00+00'), idemstore.get_cooldown('o');
SELECT origin, until FROM idemstore.cooldowns;
-- gone when now >= until
SET idemstore.test_clock = '2030-01-01 00:04:59.999999+00';
SELECT idemstore.get_cooldown('o');
SET idemstore.test_clock = '2030-01-01 00:05:00+00';
SELECT idemstore.get_cooldown('o'), idemstore.clear_cooldown('o');
SELECT count(*) FROM idemstore.cooldowns;
-- cleared: once
SELECT idemstore.set_cooldown('o', '2030-01-01 00:10:00+00'), idemstore.set_cooldown('p', '2030-01-01 00:11:00+00'), idemstore.clear_cooldown('o'), idemstore.clear_cooldown('o'), idemstore.get_cooldown('o'), idemstore.get_cooldown('p');
-- one that is over is none, and ends the one before
SELECT idemstore.set_cooldown('p', '2030-01-01 00:05:00+00'), idemstore.get_cooldown('p'), idemstore.clear_cooldown('p');
SELECT idemstore.set_cooldown('p', '2030-01-01 00:06:00+00'), idemstore.set_cooldown('p', '-infinity'), idemstore.get_cooldown('p'), idemstore.set_cooldown('never', '2020-01-01 00:00+00');
SELECT count(*) FROM idemstore.cooldowns;
-- at most ten years
SELECT idemstore.set_cooldown('far', '2040-01-01 00:05:00+00'), idemstore.get_cooldown('far');
SELECT idemstore.set_cooldown('far', '2040-01-01 00:05:00.000001+00');
SELECT idemstore.set_cooldown('far', '2041-01-01 00:00:00+00');
SELECT idemstore.set_cooldown('far', 'infinity');
SELECT idemstore.get_cooldown('far'), idemstore.clear_cooldown('far');

-- acquire and consume with an origin that is in a cooldown: denied, nothing is taken
SELECT idemstore.set_rate_limit('r', 2, '1 min'), idemstore.set_cooldown('o', '2030-01-01 00:05:10+00');
SELECT idemstore.acquire('r', origin => 'o'), idemstore.acquire('r', 0, origin => 'o');
SELECT * FROM idemstore.consume('r', origin => 'o');
SELECT * FROM idemstore.consume('r', 0, origin => 'o');
SELECT count(*) AS rows FROM idemstore.rate_limit_state;
-- other origins, and calls without one, are not concerned; nor is who only asks
SELECT idemstore.acquire('r', origin => 'q'), idemstore.acquire('r', origin => NULL), idemstore.acquire('r'), idemstore.can_proceed('r'), idemstore.get_wait_time('r');
-- the wait is the longer one of both
SELECT allowed, remaining, retry_after_ms, retry_after_seconds, policy, reason FROM idemstore.consume('r', origin => 'o');
SELECT idemstore.set_cooldown('o', '2030-01-01 00:07:00+00');
SELECT allowed, remaining, retry_after_ms, retry_after_seconds, policy, reason FROM idemstore.consume('r', origin => 'o');
SELECT allowed, remaining, retry_after_ms, retry_after_seconds, policy, reason FROM idemstore.consume('r', origin => 'o', quota => 5, per => '1 s');
-- enough: at its end the call succeeds
SET idemstore.test_clock = '2030-01-01 00:06:59.999999+00';
SELECT idemstore.acquire('r', origin => 'o');
SELECT allowed, remaining, retry_after_ms, retry_after_seconds, reason FROM idemstore.consume('r', 2, origin => 'o');
SET idemstore.test_clock = '2030-01-01 00:07:00+00';
SELECT allowed, remaining, retry_after_ms, retry_after_seconds, reason FROM idemstore.consume('r', 2, origin => 'o');

-- untouched by a reset and by limits that come and go; reset leaves others alone
SELECT idemstore.set_cooldown('r', '2030-01-01 01:00:00+00'), idemstore.rate_limit_reset('r'), idemstore.drop_rate_limit('r'), idemstore.get_cooldown('r');
SELECT idemstore.acquire('r', origin => 'r');
SELECT idemstore.set_rate_limit('r', 2, '1 min'), idemstore.acquire('r', origin => 'r'), idemstore.acquire('r', 2), idemstore.clear_cooldown('r'), idemstore.acquire('r'), idemstore.rate_limit_reset('r'), idemstore.acquire('r', origin => 'r');
-- a denied adaptive request
SELECT idemstore.set_adaptive_rate_limit('a', 10), idemstore.set_cooldown('o', '2030-01-01 00:08:00+00');
SELECT v.allowed, v.remaining, v.retry_after_ms, v.retry_after_seconds, v.reason FROM idemstore.consume('a', 1, 'user', origin => 'p') AS v;
SELECT v.allowed, v.remaining, v.retry_after_ms, v.retry_after_seconds, v.reason FROM idemstore.consume('a', 1, 'user', origin => 'o') AS v;

-- many, of names as long as may be; a scan sees each once
SELECT count(idemstore.set_cooldown(CASE i % 2 WHEN 0 THEN rpad(i::text, 1024, 'x') ELSE i::text END, '2030-01-01 00:10:00+00')) FROM generate_series(1, 3000) AS i;
SELECT count(*), count(DISTINCT origin), count(*) FILTER (WHERE idemstore.get_cooldown(origin) = until) AS found FROM idemstore.cooldowns WHERE origin ~ '^\d';
SELECT count(*) FILTER (WHERE idemstore.clear_cooldown(i::text)) FROM generate_series(1, 3000) AS i;
SELECT count(*), count(DISTINCT origin), count(*) FILTER (WHERE idemstore.get_cooldown(origin) = until) AS found FROM idemstore.cooldowns WHERE origin ~ '^\d';
-- set anew: the space is used again
SELECT pg_relation_size('idemstore.cooldowns') AS size \gset
SELECT count(idemstore.set_cooldown(i::text, '2030-01-01 00:10:00+00')), count(*) FILTER (WHERE idemstore.clear_cooldown(i::text)) AS cleared FROM generate_series(1, 20) AS n, generate_series(1, 999, 2) AS i;
SELECT pg_relation_size('idemstore.cooldowns') <= :size * 1.1 AS no_larger;
-- brought by SQL, into a table that was rewritten when there was nothing in it
TRUNCATE idemstore.cooldowns;
VACUUM FULL idemstore.cooldowns;
COPY idemstore.cooldowns FROM STDIN;
p	2030-01-01 00:09:00+00
q	2030-01-01 00:10:00+00
\.
SELECT idemstore.get_cooldown('p'), idemstore.get_cooldown('q'), idemstore.get_cooldown('r');

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
