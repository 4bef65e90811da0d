-- a clock that steps: back blocks nobody for longer than one window, forward
-- lets no more in than the clock allows
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.at(clock text) RETURNS text
LANGUAGE sql AS $$ SELECT set_config('idemstore.test_clock', '2030-01-01 ' || clock || '+00', false) $$;
CREATE FUNCTION pg_temp.acquire_at(clock text, resource text) RETURNS boolean
LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_temp.at(clock); RETURN idemstore.acquire(resource); END $$;
CREATE FUNCTION pg_temp.history(resource text, clocks text[]) RETURNS TABLE (clock text, taken boolean, wait interval, remaining bigint, reset_at timestamptz)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
	FOREACH clock IN ARRAY clocks LOOP
		taken = pg_temp.acquire_at(clock, resource);
		wait = idemstore.get_wait_time(resource);
		SELECT s.remaining, s.reset_at INTO remaining, reset_at FROM idemstore.rate_limit_status(resource) AS s;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT idemstore.set_rate_limit('w', 3, '1 min'), idemstore.set_rate_limit('b', 3, '1 min', 'token_bucket'), idemstore.set_rate_limit('f', 3, '1 min', 'fixed_window'), idemstore.set_rate_limit('two', 2, '1 s', policy => 'second'), idemstore.set_rate_limit('two', 3, '1 min', policy => 'minute');

-- an hour back: the whole log goes along
SELECT * FROM pg_temp.history('w', '{12:00:00,12:00:20,12:00:40,11:00:40,11:00:50,11:00:59.999999,11:01:00,11:01:20,11:01:40}');
SELECT expires_at FROM idemstore.rate_limit_state WHERE resource = 'w';
SELECT * FROM pg_temp.history('b', '{12:00:10,12:00:10,12:00:10,11:00:10,11:00:29.999999,11:00:30,11:00:30,11:00:50}');
SELECT * FROM pg_temp.history('f', '{12:00:10,12:00:20,12:00:30,11:00:10,11:00:59.999999,11:01:00,11:01:00}');
SELECT * FROM pg_temp.history('two', '{12:00:10,12:00:10,11:00:10,11:00:10.999999,11:00:11,11:00:12,11:01:09.999999,11:01:10}');
-- by a little, again and again: no request is forgotten or counted twice
SELECT idemstore.rate_limit_reset('w');
SELECT * FROM pg_temp.history('w', '{12:00:10,12:00:09,12:00:08,12:00:07,12:01:06.999999,12:01:07,12:01:07,12:01:07,12:01:07}');
-- by less than the unit that a longer period counts in: nothing has to go along
SELECT pg_temp.at('14:00:00'), idemstore.set_rate_limit('unit', 3, '1 s'), idemstore.acquire('unit', 2);
SELECT pg_temp.at('13:59:59.99999'), idemstore.set_rate_limit('unit', 3, '1 day'), idemstore.acquire('unit'), idemstore.acquire('unit');
SELECT pg_temp.at('14:00:00'), idemstore.acquire('unit'), remaining, reset_at FROM idemstore.rate_limit_status('unit');
-- what was apart in a short period may be one instant in a long one
SELECT idemstore.rate_limit_reset('unit'), idemstore.set_rate_limit('unit', 9, '1 s');
SELECT pg_temp.acquire_at('14:00:00' || fraction, 'unit') FROM unnest('{.1,.2,.3,.4}'::text[]) AS fraction;
SELECT idemstore.set_rate_limit('unit', 9, '365 days'), idemstore.acquire('unit', 5), idemstore.acquire('unit'), remaining FROM idemstore.rate_limit_status('unit');
-- what was asked, recorded or refused together follows the clock as well
SELECT pg_temp.at('15:00:00'), idemstore.rate_limit_reset('w'), idemstore.record_request('w', 3);
SELECT pg_temp.at('14:00:00'), idemstore.can_proceed('w'), idemstore.get_wait_time('w'), idemstore.can_proceed('w', 0);
SELECT idemstore.record_request('w'), idemstore.get_wait_time('w'), reset_at FROM idemstore.rate_limit_status('w');
SELECT pg_temp.at('14:01:00'), idemstore.acquire('w', 3);
SELECT idemstore.set_rate_limit('all', 1, '1 min'), pg_temp.at('15:00:00'), idemstore.acquire_all('{all}');
SELECT pg_temp.at('14:00:00'), idemstore.acquire_all('{all}');
SELECT pg_temp.at('14:00:59.999999'), idemstore.acquire_all('{all}');
SELECT pg_temp.at('14:01:00'), idemstore.acquire_all('{all}');
-- of an adaptive limit the split too
SELECT idemstore.set_adaptive_rate_limit('a', 10, '1 min', min_user_reserved => 0), pg_temp.at('12:00:00'), idemstore.acquire('a', 7), idemstore.acquire('a'), idemstore.acquire('a', 3, 'user'), idemstore.acquire('a', 1, 'user');
SELECT pg_temp.at('11:00:00'), idemstore.acquire('a'), idemstore.acquire('a', 1, 'user'), idemstore.get_wait_time('a'), (idemstore.adaptive_rate_limit_status('a')).*;
SELECT pg_temp.at('11:00:29.999999'), idemstore.acquire('a'), (idemstore.adaptive_rate_limit_status('a')).*;
SELECT pg_temp.at('11:00:30'), idemstore.acquire('a'), (idemstore.adaptive_rate_limit_status('a')).*;
SELECT pg_temp.at('11:00:59.999999'), idemstore.acquire('a'), idemstore.acquire('a', 1, 'user');
SELECT pg_temp.at('11:01:00'), idemstore.acquire('a'), idemstore.acquire('a', 1, 'user');

-- an hour forward, and back again: by either clock never above the quota
TRUNCATE idemstore.rate_limit_state;
SELECT * FROM pg_temp.history('w', '{12:00:00,12:00:00,12:00:00,13:00:00,13:00:00,13:00:00,13:00:00,12:00:30,12:01:29.999999,12:01:30}');
SELECT * FROM pg_temp.history('b', '{12:00:00,12:00:00,12:00:00,13:00:00,13:00:00,13:00:00,13:00:00,12:00:30,12:00:49.999999,12:00:50}');
SELECT * FROM pg_temp.history('f', '{12:00:00,12:00:00,12:00:00,13:00:00,13:00:00,13:00:00,13:00:00,12:00:30,12:00:59.999999,12:01:00}');
-- to the ends of time
SELECT set_config('idemstore.test_clock', '0001-01-01 00:00:00+00', false), idemstore.acquire('w'), idemstore.acquire('b'), idemstore.acquire('f'), idemstore.acquire('a');
SELECT set_config('idemstore.test_clock', '290000-01-01 00:00:00+00', false), idemstore.acquire('w', 3), idemstore.acquire('b', 3), idemstore.acquire('f', 3), idemstore.acquire('a');
SELECT pg_temp.at('12:00:00'), idemstore.acquire('w'), idemstore.get_wait_time('w'), idemstore.acquire('b'), idemstore.get_wait_time('b'), idemstore.acquire('f'), idemstore.get_wait_time('f'), idemstore.acquire('a', 7), idemstore.get_wait_time('a', 7);

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
