-- many requests in one call, each decided by itself
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('r*', 2, '1 min'), idemstore.set_rate_limit('one', 1, '1 min', policy => 'p'), idemstore.set_adaptive_rate_limit('a', 10);
-- in the order given, repeated names one after the other
SELECT idemstore.acquire_many('{r1,one,r2,r1,one,r1,r3}');
SELECT idemstore.acquire_many('{r4,r4,r4,r4}', '{1,2,1,0}'), idemstore.acquire_many('{r5,r6}', '{3,2}');
SELECT resource, v.allowed, v.quota, v.remaining, v.reset_at, v.retry_after_ms, v.retry_after_seconds, v.policy, v.reason, v.decided_at FROM idemstore.consume_many('{r7,one,r7,r7,r8}', '{1,1,1,1,3}') AS v;
-- priorities, a limit of the call, an origin
SELECT idemstore.acquire_many('{a,a,a,a}', '{7,1,3,1}', '{background,NULL,user,user}');
SELECT idemstore.acquire_many('{x,y,x,x}', NULL, NULL, 2, '1 min'), idemstore.acquire_many('{r9,r9,r9}', origin => 'o'), idemstore.set_cooldown('o', '2030-01-01 00:01:00+00'), idemstore.acquire_many('{r1,r9}', origin => 'o');
SELECT resource, v.allowed, v.retry_after_seconds, v.reason FROM idemstore.consume_many('{r9,x}', quota => 9, per => '1 min', origin => 'o') AS v;
-- none
SELECT idemstore.acquire_many('{}'), idemstore.acquire_many('{}', '{}', '{}'), count(*) FROM idemstore.consume_many('{}');
-- the same as one after the other
TRUNCATE idemstore.rate_limit_state;
CREATE TEMP TABLE asked AS SELECT i, 'r' || i * 7919 % 60 AS name, i % 3 AS cost FROM generate_series(1, 500) AS i;
CREATE TEMP TABLE many AS SELECT t.i, t.taken FROM unnest(idemstore.acquire_many(ARRAY(SELECT name FROM asked ORDER BY i), ARRAY(SELECT cost FROM asked ORDER BY i))) WITH ORDINALITY AS t (taken, i);
TRUNCATE idemstore.rate_limit_state;
SELECT count(*), count(*) FILTER (WHERE m.taken) > 100 AS some, count(*) FILTER (WHERE m.taken <> s.taken) AS different
	FROM many AS m, (SELECT i, idemstore.acquire(name, cost) AS taken FROM (SELECT * FROM asked ORDER BY i OFFSET 0) AS a) AS s WHERE s.i = m.i;
-- an error in the middle: nothing is taken
TRUNCATE idemstore.rate_limit_state;
CREATE FUNCTION pg_temp.middle(name text, cost bigint, priority text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM idemstore.acquire_many(ARRAY(SELECT CASE WHEN i = 100 THEN name ELSE 'r' || i END FROM generate_series(1, 200) AS i), ARRAY(SELECT CASE WHEN i = 100 THEN cost ELSE 1 END FROM generate_series(1, 200) AS i), ARRAY(SELECT CASE WHEN i = 100 THEN priority END FROM generate_series(1, 200) AS i));
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
SELECT pg_temp.middle('unknown', 1) AS unknown, pg_temp.middle('', 1) AS empty, pg_temp.middle(repeat('r', 1025), 1) AS long, pg_temp.middle(NULL, 1) AS "null", pg_temp.middle('r', -1) AS negative, pg_temp.middle('r', NULL) AS no_cost, pg_temp.middle('r', 1, 'admin') AS priority;
SELECT count(*) AS taken FROM idemstore.rate_limit_state;
SELECT pg_temp.middle('r', 1, 'user') AS sound, count(*) AS taken FROM idemstore.rate_limit_state;
SELECT count(*) AS taken FROM idemstore.rate_limit_state;
-- in windows of the calendar: an unknown time zone is found before the first taking, too
SET idemstore.test_clock = '2030-01-31 23:59:59+00';
SELECT idemstore.set_rate_limit('cal/*', 1, '1 month', 'calendar_window', time_zone => 'UTC');
SELECT resource, allowed, remaining, reset_at FROM idemstore.consume_many('{cal/a,cal/b,cal/a}');
SET idemstore.test_clock = '2030-02-01 00:00:00+00';
SELECT resource, allowed, remaining, reset_at FROM idemstore.consume_many('{cal/a,cal/a}');
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
UPDATE idemstore.rate_limits SET time_zone = 'Nowhere/At_All' WHERE resource = 'cal/*';
SELECT idemstore.acquire_many('{rest,cal/a}');
SELECT count(*) AS taken FROM idemstore.rate_limit_state WHERE resource = 'rest';
-- arguments
SELECT idemstore.acquire_many(NULL);
SELECT idemstore.acquire_many('{{r}}');
SELECT idemstore.acquire_many('{r,r}', '{1}');
SELECT idemstore.acquire_many('{r}', '{1}', '{user,user}');
SELECT idemstore.acquire_many('{r}', NULL, '{user}', 1, '1 min');
SELECT idemstore.acquire_many('{r}', quota => 1);
SELECT cardinality(idemstore.acquire_many(array_agg('r' || i), quota => 1, per => '1 s')) FROM generate_series(1, 10000) AS i;
SELECT idemstore.acquire_many(array_agg('r' || i), quota => 1, per => '1 s') FROM generate_series(1, 10001) AS i;
SELECT idemstore.consume_many(array_agg('r' || i), quota => 1, per => '1 s') FROM generate_series(1, 10001) AS i;
-- not undone by ROLLBACK, refused where nothing may be written
BEGIN;
SELECT idemstore.acquire_many('{roll,roll}');
ROLLBACK;
SELECT idemstore.acquire_many('{roll}');
BEGIN READ ONLY;
SELECT idemstore.acquire_many('{roll}');
ROLLBACK;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
