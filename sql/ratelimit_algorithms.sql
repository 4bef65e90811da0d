-- token buckets, fixed windows, several policies at once, and changes of a limit
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
CREATE VIEW pg_temp.limits AS
	SELECT resource, v.* FROM (SELECT DISTINCT resource FROM idemstore.rate_limits) AS r, idemstore.rate_limit_status(resource) AS v;

-- a bucket: the burst at once, then the quota over each period, a little at a time
SELECT idemstore.set_rate_limit('b', 2, '10 s', 'token_bucket', burst => 5);
SELECT * FROM pg_temp.limits;
SELECT * FROM idemstore.consume('b', 4);
SELECT * FROM idemstore.consume('b', 2);
SELECT * FROM idemstore.consume('b', 1);
SELECT * FROM idemstore.consume('b', 5);
SELECT * FROM idemstore.consume('b', 6);
SET idemstore.test_clock = '2030-01-01 00:00:04.999999+00';
SELECT * FROM idemstore.consume('b');
SET idemstore.test_clock = '2030-01-01 00:00:05+00';
SELECT * FROM idemstore.consume('b');
SELECT idemstore.record_request('b', 4), idemstore.get_wait_time('b'), idemstore.get_wait_time('b', 0);
SET idemstore.test_clock = '2030-01-01 00:00:50+00';
SELECT * FROM pg_temp.limits;
-- without a burst it is the quota
SELECT idemstore.set_rate_limit('b', 3, '7 s', 'token_bucket');
SELECT idemstore.rate_limit_reset('b'), idemstore.acquire('b', 3), idemstore.acquire('b'), idemstore.get_wait_time('b'), idemstore.get_wait_time('b', 4) IS NULL AS never;
TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;

-- a fixed window goes by the clock
SET idemstore.test_clock = '2030-01-01 00:00:50+00';
SELECT idemstore.set_rate_limit('f', 2, '1 min', 'fixed_window');
SELECT * FROM idemstore.consume('f');
SELECT * FROM idemstore.consume('f', 2);
SELECT idemstore.acquire('f'), idemstore.acquire('f'), idemstore.get_wait_time('f'), idemstore.record_request('f', 5);
SELECT * FROM pg_temp.limits;
SET idemstore.test_clock = '2030-01-01 00:01:00+00';
SELECT * FROM pg_temp.limits;
SELECT idemstore.acquire('f', 2), idemstore.acquire('f'), idemstore.get_wait_time('f');
SET idemstore.test_clock = '1969-12-31 23:59:57+00';
SELECT period, v.reset_at FROM unnest('{1 min,1 h,1 day,7 s,7 days}'::interval[]) WITH ORDINALITY AS p (period, n),
	LATERAL (SELECT idemstore.set_rate_limit('old' || n, 2, period, 'fixed_window'), idemstore.acquire('old' || n)) AS a, idemstore.consume('old' || n) AS v;
TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;

-- 10 a second and 25 a minute: both or none
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('m', 25, '1 min', policy => 'minute'), idemstore.set_rate_limit('m', 10, '1 s', policy => 'second');
SELECT * FROM idemstore.consume('m', 9);
SELECT * FROM idemstore.consume('m', 2);
SELECT * FROM idemstore.consume('m', 11);
SELECT * FROM idemstore.consume('m', 26);
SELECT idemstore.acquire('m'), idemstore.acquire('m');
SELECT * FROM pg_temp.limits;
SET idemstore.test_clock = '2030-01-01 00:00:01+00';
SELECT * FROM pg_temp.limits;
SELECT * FROM idemstore.consume('m', 10);
SET idemstore.test_clock = '2030-01-01 00:00:02+00';
SELECT * FROM pg_temp.limits;
SELECT * FROM idemstore.consume('m', 7);
SELECT * FROM idemstore.consume('m', 5);
-- both deny: the wait is long enough for both
SELECT * FROM idemstore.consume('m', 6);
SELECT idemstore.get_wait_time('m'), idemstore.can_proceed('m', 0), idemstore.record_request('m');
SELECT * FROM pg_temp.limits;
SET idemstore.test_clock = '2030-01-01 00:01:00+00';
SELECT * FROM pg_temp.limits;
-- as tight as each other: the one that is back later comes first, then by name
SET idemstore.test_clock = '2030-01-01 00:10:00+00';
SELECT idemstore.drop_rate_limit('m'), idemstore.set_rate_limit('m', 5, '1 s', policy => 'b'), idemstore.set_rate_limit('m', 5, '2 s', policy => 'c'), idemstore.set_rate_limit('m', 5, '1 s', policy => 'a');
SELECT remaining, reset_at, policy FROM pg_temp.limits;
SELECT idemstore.acquire('m');
SELECT remaining, reset_at, policy FROM pg_temp.limits;
TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;

-- a change keeps the log: quota and period of a window
SELECT idemstore.set_rate_limit('w', 3, '1 min'), idemstore.acquire('w', 2);
SET idemstore.test_clock = '2030-01-01 00:10:30+00';
SELECT idemstore.acquire('w');
SELECT idemstore.set_rate_limit('w', 1, '1 min'), idemstore.acquire('w'), idemstore.get_wait_time('w');
SELECT * FROM pg_temp.limits;
SELECT idemstore.set_rate_limit('w', 5, '1 min'), idemstore.acquire('w', 3), idemstore.acquire('w', 2), idemstore.acquire('w');
SELECT idemstore.set_rate_limit('w', 5, '20 s'), idemstore.get_wait_time('w', 3);
SELECT idemstore.set_rate_limit('w', 5, '10 min'), idemstore.get_wait_time('w'), idemstore.get_wait_time('w', 3);
SELECT idemstore.set_rate_limit('w', 0, '10 min'), idemstore.acquire('w'), idemstore.set_rate_limit('w', 6, '10 min'), idemstore.acquire('w'), idemstore.acquire('w');
-- of a bucket: the tokens that are missing; of a fixed window: the count
SELECT idemstore.set_rate_limit('b', 10, '10 s', 'token_bucket'), idemstore.acquire('b', 8);
SELECT idemstore.set_rate_limit('b', 10, '10 s', 'token_bucket', burst => 9);
SELECT remaining, idemstore.get_wait_time('b', 2), reset_at FROM idemstore.rate_limit_status('b');
SELECT idemstore.set_rate_limit('b', 20, '100 s', 'token_bucket'), idemstore.get_wait_time('b', 13);
SELECT idemstore.set_rate_limit('f', 10, '1 min', 'fixed_window'), idemstore.acquire('f', 8);
SELECT idemstore.set_rate_limit('f', 9, '1 h', 'fixed_window'), idemstore.acquire('f', 2), idemstore.acquire('f');
SELECT idemstore.set_rate_limit('f', 10, '15 s', 'fixed_window'), idemstore.acquire('f', 2), idemstore.acquire('f'), idemstore.get_wait_time('f');

-- and from one algorithm to each other one nothing is forgotten
CREATE FUNCTION pg_temp.convert(a text, b text, OUT remaining bigint, OUT four boolean, OUT three boolean, OUT one boolean, OUT wait interval)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	resource text = a || b;
BEGIN
	PERFORM idemstore.set_rate_limit(resource, 10, '1 min', a), idemstore.acquire(resource, 7), idemstore.set_rate_limit(resource, 10, '1 min', b);
	remaining = v.remaining FROM idemstore.rate_limit_status(resource) AS v;
	four = idemstore.acquire(resource, 4);
	three = idemstore.acquire(resource, 3);
	one = idemstore.acquire(resource, 1);
	wait = idemstore.get_wait_time(resource, 1);
END
$$;
SELECT a, b, c.* FROM unnest('{sliding_window,token_bucket,fixed_window}'::text[]) AS a, unnest('{sliding_window,token_bucket,fixed_window}'::text[]) AS b, pg_temp.convert(a, b) AS c
	ORDER BY a, b;
-- what a denial converts stays converted: it does not begin anew with every call
SET idemstore.test_clock = '2030-01-01 00:20:00+00';
SELECT idemstore.set_rate_limit('d', 2, '1 min', 'fixed_window'), idemstore.acquire('d', 2), idemstore.set_rate_limit('d', 2, '1 min');
SELECT idemstore.acquire('d'), idemstore.get_wait_time('d');
SET idemstore.test_clock = '2030-01-01 00:20:30+00';
SELECT idemstore.acquire('d'), idemstore.get_wait_time('d');

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
