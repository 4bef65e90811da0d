-- a sliding window, row by row of the store contract
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('r', 3, '1 min');

-- nothing happened: all is left, and asking makes no row
SELECT * FROM idemstore.rate_limit_status('r');
SELECT idemstore.can_proceed('r'), idemstore.can_proceed('r', 3), idemstore.get_wait_time('r'), idemstore.rate_limit_reset('r');
SELECT idemstore.acquire('r', 0), * FROM idemstore.consume('r', 0);
SELECT idemstore.record_request('r', 0);
SELECT count(*) AS rows FROM idemstore.rate_limit_state;

-- taking makes one; remaining is what is left afterwards
SELECT * FROM idemstore.consume('r');
SET idemstore.test_clock = '2030-01-01 00:00:10+00';
SELECT * FROM idemstore.consume('r');
SELECT idemstore.can_proceed('r'), idemstore.can_proceed('r', 2), idemstore.get_wait_time('r', 2);
SET idemstore.test_clock = '2030-01-01 00:00:20+00';
SELECT idemstore.acquire('r'), idemstore.acquire('r');
SELECT * FROM idemstore.consume('r');
SELECT * FROM idemstore.consume('r', 2);
SELECT * FROM idemstore.consume('r', 3);
SELECT * FROM idemstore.consume('r', 4);
SELECT * FROM idemstore.consume('r', 0);
SELECT * FROM idemstore.rate_limit_status('r');
SELECT idemstore.can_proceed('r'), idemstore.can_proceed('r', 0), idemstore.get_wait_time('r'), idemstore.get_wait_time('r', 4) IS NULL AS never;
SELECT resource, expires_at FROM idemstore.rate_limit_state;

-- a request counts in (now - W, now]: its place is free at exactly t + W
SET idemstore.test_clock = '2030-01-01 00:00:59.999999+00';
SELECT idemstore.acquire('r'), idemstore.can_proceed('r'), idemstore.get_wait_time('r');
SET idemstore.test_clock = '2030-01-01 00:01:00+00';
SELECT idemstore.can_proceed('r'), idemstore.get_wait_time('r'), idemstore.can_proceed('r', 2), idemstore.get_wait_time('r', 2);
SELECT * FROM idemstore.rate_limit_status('r');
SELECT idemstore.acquire('r'), idemstore.acquire('r');
-- reset_at is the instant at which the whole quota is back, and not before
SELECT reset_at FROM idemstore.rate_limit_status('r');
SET idemstore.test_clock = '2030-01-01 00:01:59.999999+00';
SELECT idemstore.can_proceed('r', 3), idemstore.get_wait_time('r', 3);
SET idemstore.test_clock = '2030-01-01 00:02:00+00';
SELECT * FROM idemstore.rate_limit_status('r');
SELECT idemstore.acquire('r', 3), idemstore.acquire('r');

-- a recorded request counts, allowed or not; the wait is long enough for all
SET idemstore.test_clock = '2030-01-01 00:02:10+00';
SELECT idemstore.record_request('r');
SET idemstore.test_clock = '2030-01-01 00:02:20+00';
SELECT idemstore.record_request('r', 2);
SELECT * FROM idemstore.rate_limit_status('r');
SELECT idemstore.get_wait_time('r', 0), idemstore.get_wait_time('r', 1), idemstore.get_wait_time('r', 3);
-- over the limit, the oldest to leave is not enough
SET idemstore.test_clock = '2030-01-01 00:03:00+00';
SELECT idemstore.can_proceed('r'), idemstore.get_wait_time('r'), remaining FROM idemstore.rate_limit_status('r');
SET idemstore.test_clock = '2030-01-01 00:03:10+00';
SELECT idemstore.can_proceed('r'), idemstore.get_wait_time('r'), remaining FROM idemstore.rate_limit_status('r');
-- a wait is never 0 while the call is denied
SELECT idemstore.record_request('r', 2147483647);
SET idemstore.test_clock = '2030-01-01 00:04:09.999999+00';
SELECT idemstore.can_proceed('r', 0), idemstore.get_wait_time('r', 0), idemstore.can_proceed('r', 1), idemstore.get_wait_time('r', 1);
SET idemstore.test_clock = '2030-01-01 00:04:10+00';
SELECT * FROM idemstore.rate_limit_status('r');

-- reset drops the log, and not the configuration
SELECT idemstore.acquire('r', 3), idemstore.acquire('r');
SELECT idemstore.rate_limit_reset('r'), idemstore.rate_limit_reset('r');
SELECT * FROM idemstore.rate_limit_status('r');
SELECT count(*) AS limits FROM idemstore.rate_limits;
-- a log that is over is none, although its row is there
SELECT idemstore.acquire('r');
SET idemstore.test_clock = '2030-01-01 00:05:10+00';
SELECT count(*) AS rows, idemstore.rate_limit_reset('r') FROM idemstore.rate_limit_state;
-- resources know nothing of each other
SELECT idemstore.set_rate_limit('s', 1, '1 min'), idemstore.acquire('s'), idemstore.acquire('s'), idemstore.acquire('r');
SELECT idemstore.rate_limit_reset('s'), remaining FROM idemstore.rate_limit_status('r');

-- quota 0 denies always; the wait is the period
SELECT idemstore.set_rate_limit('zero', 0, '90 s');
SELECT * FROM idemstore.consume('zero');
SELECT * FROM idemstore.consume('zero', 0);
SELECT idemstore.acquire('zero'), idemstore.can_proceed('zero'), idemstore.get_wait_time('zero');
SELECT * FROM idemstore.rate_limit_status('zero');
SELECT count(*) AS rows FROM idemstore.rate_limit_state WHERE resource = 'zero';

-- a priority means nothing to a plain limit
SELECT idemstore.set_rate_limit('p', 2, '1 min');
SELECT idemstore.acquire('p', priority => 'user'), idemstore.acquire('p', priority => 'background'), idemstore.acquire('p', priority => 'user');

-- limits in the call win over all, need none set, and have a log for each period
SELECT * FROM idemstore.consume('c', quota => 1, per => '1 s');
SELECT * FROM idemstore.consume('c', quota => 1, per => '1 s');
SELECT * FROM idemstore.consume('c', quota => 2, per => '1 min');
SELECT * FROM idemstore.consume('c', quota => 2, per => '60 s');
SELECT * FROM idemstore.consume('c', quota => 2, per => '1 min');
-- another quota and the same period: the same log
SELECT remaining FROM idemstore.rate_limit_status('c', 7, '1 min');
SELECT idemstore.can_proceed('c', 1, NULL, 3, '1 min'), idemstore.get_wait_time('c', 2, NULL, 3, '1 min'), idemstore.record_request('c', 1, NULL, 3, '1 min');
SELECT idemstore.acquire('c', quota => 3, per => '1 min');
-- what is configured has a log of its own
SELECT idemstore.set_rate_limit('c', 1, '1 min'), idemstore.acquire('c'), idemstore.acquire('c');
SELECT * FROM idemstore.rate_limit_status('c', 9223372036854775807, '1 min');
SELECT * FROM idemstore.rate_limit_status('c', 0, '1 min');
SELECT idemstore.rate_limit_reset('c'), idemstore.can_proceed('c'), idemstore.can_proceed('c', 3, NULL, 3, '1 min');

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
