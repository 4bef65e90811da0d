-- giving back what was taken and not used
\set VERBOSITY terse
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('llm', 1000, '1 min');
-- reserve an estimate, and settle the difference
SELECT v.decided_at AS taken_at FROM idemstore.consume('llm', 800) AS v \gset
SET idemstore.test_clock = '2030-01-01 00:00:20+00';
SELECT idemstore.refund('llm', 500, :'taken_at'), remaining, reset_at FROM idemstore.rate_limit_status('llm');
SELECT remaining FROM idemstore.rate_limit_status('llm');
-- the oldest go first: what others used since stays
SELECT idemstore.acquire('llm', 700), idemstore.refund('llm', 200, :'taken_at');
SET idemstore.test_clock = '2030-01-01 00:01:00+00';
SELECT remaining FROM idemstore.rate_limit_status('llm');
-- what has left the window gives nothing, nor does nothing, nor what nobody took
SELECT idemstore.refund('llm', 100, :'taken_at'), idemstore.refund('llm', 0, now()), idemstore.refund('nobody', 1, now(), quota => 5, per => '1 min');
SELECT idemstore.refund('llm', 100, '2030-01-01 00:00:00.000001+00'), remaining FROM idemstore.rate_limit_status('llm');
-- an instant ahead of the clock is now; more than there is gives what there is
SELECT idemstore.refund('llm', 9223372036854775807, 'infinity'), idemstore.refund('llm', 1, 'infinity'), idemstore.refund('llm', 1, '-infinity');
SELECT remaining FROM idemstore.rate_limit_status('llm');
-- every policy, each by its window
SELECT idemstore.set_rate_limit('p', 10, '10 s', policy => 'short'), idemstore.set_rate_limit('p', 100, '1 h', policy => 'long'), idemstore.set_rate_limit('p', 50, '1 day', 'calendar_window', policy => 'day', time_zone => 'UTC'), idemstore.set_rate_limit('p', 60, '1 min', 'token_bucket', policy => 'bucket'), idemstore.set_rate_limit('p', 70, '1 min', 'fixed_window', policy => 'minute');
SELECT idemstore.acquire('p', 10);
SET idemstore.test_clock = '2030-01-01 00:01:10+00';
SELECT idemstore.refund('p', 6, '2030-01-01 00:01:00+00');
SELECT policy, quota - remaining AS used FROM idemstore.rate_limit_status('p') ORDER BY policy;
SET idemstore.test_clock = '2030-01-01 00:02:00+00';
SELECT idemstore.acquire('p', 5), idemstore.refund('p', 5, '2030-01-01 00:01:59.999999+00');
SELECT policy, quota - remaining AS used FROM idemstore.rate_limit_status('p') ORDER BY policy;
-- a limit of the call, and a priority
SELECT idemstore.acquire('c', 3, quota => 3, per => '1 min'), idemstore.refund('c', 2, '2030-01-01 00:02:00+00', quota => 3, per => '1 min'), idemstore.acquire('c', 2, quota => 3, per => '1 min');
SELECT idemstore.set_adaptive_rate_limit('a', 10), idemstore.acquire('a', 5), idemstore.acquire('a', 5, 'user'), idemstore.acquire('a'), idemstore.refund('a', 1, '2030-01-01 00:02:00+00', 'user'), idemstore.acquire('a'), idemstore.refund('a', 1, '2030-01-01 00:02:00+00'), idemstore.acquire('a');
-- not undone by ROLLBACK
BEGIN;
SELECT idemstore.refund('a', 2, '2030-01-01 00:02:00+00');
ROLLBACK;
SELECT idemstore.acquire('a', 2), idemstore.acquire('a');
BEGIN READ ONLY;
SELECT idemstore.refund('a', 2, '2030-01-01 00:02:00+00');
ROLLBACK;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
