-- bad input of the rate limits: each its SQLSTATE, and nothing is written
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('r', 5, '1 min');

-- no limit: an error that says how to set one
\set VERBOSITY default
SELECT idemstore.acquire('none');
\set VERBOSITY terse
-- the messages
SELECT idemstore.acquire(NULL);
SELECT idemstore.acquire('');
SELECT idemstore.acquire(repeat('r', 1025));
SELECT idemstore.acquire('r', NULL);
SELECT idemstore.acquire('r', -1);
SELECT idemstore.acquire('r', priority => 'admin');
SELECT idemstore.acquire('r', quota => 1);
SELECT idemstore.acquire('r', quota => -1, per => '1 s');
SELECT idemstore.acquire('r', quota => 1, per => '0');
SELECT idemstore.acquire('r', quota => 1, per => '1 month');
SELECT idemstore.acquire('r', quota => 1, per => '367 days');
SELECT idemstore.acquire('r', priority => 'user', quota => 1, per => '1 day');
SELECT idemstore.acquire('r', origin => '');
SELECT idemstore.acquire('r', origin => repeat('o', 1025));
SELECT idemstore.set_rate_limit('r', NULL, '1 s');
SELECT idemstore.set_rate_limit('r', 1, NULL);
SELECT idemstore.set_rate_limit('r', 1, '1 s', 'leaky_bucket');
SELECT idemstore.set_rate_limit('r', 1, '1 min', time_zone => 'UTC');
SELECT idemstore.set_rate_limit('r', 1, '2 days', 'calendar_window');
SELECT idemstore.set_rate_limit('r', 1, '1 day', 'calendar_window', time_zone => 'Mars/Base');
SELECT idemstore.set_rate_limit('r', 1, '1 day', enforced => NULL);
SELECT idemstore.refund('r', 1, NULL);
SELECT idemstore.refund('r', -1, now());
SELECT idemstore.set_rate_limit('r', 1, '1 s', burst => 1);
SELECT idemstore.set_rate_limit('r', 1, '1 s', 'token_bucket', burst => 0);
SELECT idemstore.set_rate_limit('r', 1, '1 s', policy => '');
SELECT idemstore.set_rate_limit('r', 1, '1 s', policy => repeat('p', 64));
SELECT idemstore.set_adaptive_rate_limit('r', high_activity_threshold => 3);
SELECT idemstore.set_adaptive_rate_limit('r', max_user_scaling => 0);
SELECT idemstore.adaptive_rate_limit_status('r');
SELECT idemstore.acquire_all(NULL);
SELECT idemstore.acquire_all('{r}', '{1,2}');
SELECT idemstore.acquire_all('{r,NULL}');
SELECT idemstore.acquire_all('{{r},{r}}');
SELECT idemstore.set_cooldown('o', NULL);
SELECT idemstore.set_cooldown('o', 'infinity');
SELECT (SELECT count(*) FROM idemstore.rate_limit_state) AS states, (SELECT count(*) FROM idemstore.cooldowns) AS cooldowns, resource, algorithm, quota FROM idemstore.rate_limits;

-- the codes behind them, and of all that is alike
CREATE FUNCTION pg_temp.sqlstate_of(query text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
CREATE FUNCTION pg_temp.codes(functions text[], arguments text[]) RETURNS TABLE (arguments text, codes text)
LANGUAGE sql AS $$
	SELECT a, string_agg(DISTINCT pg_temp.sqlstate_of(format('SELECT idemstore.%s(%s)', f, a)) COLLATE "C", ' ')
	FROM unnest(arguments) WITH ORDINALITY AS t (a, n), unnest(functions) AS f GROUP BY n, a ORDER BY n
$$;
SELECT * FROM pg_temp.codes('{acquire,consume,can_proceed,record_request,get_wait_time}', ARRAY[
	$$NULL$$, $$''$$, $$repeat('r', 1025)$$, $$'none'$$, $$repeat('r', 1024)$$, $$'R'$$,
	$$'r', NULL$$, $$'r', -1$$, $$'r', -2147483648$$, $$'r', 0$$, $$'r', 1, NULL$$, $$'r', 1, ''$$, $$'r', 1, 'User'$$, $$'r', 1, 'user'$$, $$'r', 1, 'background'$$,
	$$'r', 1, NULL, 1$$, $$'r', 1, NULL, NULL, '1 s'$$, $$'r', 1, NULL, -1, '1 s'$$, $$'none', 1, NULL, 1, '1 s'$$, $$'none', 1, 'background', 1, '1 s'$$, $$'r', 9223372036854775807$$]);
-- a period, wherever it is given: more than nothing, no months, at most 366 days
SELECT * FROM pg_temp.codes('{rate_limit_status,set_rate_limit,set_adaptive_rate_limit}', ARRAY[
	$$'p', 1, '0'$$, $$'p', 1, '-1 s'$$, $$'p', 1, '1 day -24:00:01'$$, $$'p', 1, '1 day -24:00'$$, $$'p', 1, '1 month'$$, $$'p', 1, '1 year'$$, $$'p', 1, '1 month -30 days'$$,
	$$'p', 1, '3654 days'$$, $$'p', 1, '366 days 0.000001 s'$$, $$'p', 1, '11 years'$$, $$'p', 1, '100000 hours'$$, $$'p', 1, make_interval(days => 2147483647)$$, $$'p', 1, make_interval(secs => 9e12)$$,
	$$'p', 1, '-2147483648 days'$$, $$'p', 1, '1 us'$$, $$'p', 1, '366 days'$$, $$'p', 1, '8784 hours'$$, $$'p', 0, '1 s'$$, $$'p', -1, '1 s'$$, $$'p', 9223372036854775807, '366 days'$$]);
SELECT resource, algorithm, quota, period FROM idemstore.rate_limits ORDER BY resource;
SELECT * FROM pg_temp.codes('{set_rate_limit}', ARRAY[
	$$NULL, 1, '1 s'$$, $$'', 1, '1 s'$$, $$repeat('r', 1025), 1, '1 s'$$, $$'p', NULL, '1 s'$$, $$'p', 1, NULL$$,
	$$'p', 1, '1 s', NULL$$, $$'p', 1, '1 s', ''$$, $$'p', 1, '1 s', 'adaptive'$$, $$'p', 1, '1 s', 'Token_Bucket'$$, $$'p', 1, '1 s', repeat('a', 64)$$,
	$$'p', 1, '1 s', burst => 5$$, $$'p', 1, '1 s', 'fixed_window', 5$$, $$'p', 1, '1 s', 'token_bucket', 0$$, $$'p', 1, '1 s', 'token_bucket', -1$$,
	$$'p', 1, '1 s', policy => NULL$$, $$'p', 1, '1 s', policy => ''$$, $$'p', 1, '1 s', policy => repeat('p', 64)$$, $$'p', 1, '1 s', policy => repeat('p', 63)$$, $$repeat('r', 1024), 1, '1 s'$$]);
SELECT * FROM pg_temp.codes('{drop_rate_limit}', ARRAY[$$NULL$$, $$''$$, $$repeat('r', 1025)$$, $$'p', ''$$, $$'p', repeat('p', 64)$$, $$'p', repeat('p', 63)$$, $$'p', NULL$$, $$repeat('r', 1024)$$]);
SELECT * FROM pg_temp.codes('{set_adaptive_rate_limit}', ARRAY[
	$$NULL$$, $$''$$, $$repeat('r', 1025)$$, $$'a', NULL$$, $$'a', -1$$, $$'a', per => NULL$$,
	$$'a', high_activity_threshold => NULL$$, $$'a', high_activity_threshold => 0$$, $$'a', high_activity_threshold => 3$$, $$'a', high_activity_threshold => 2$$, $$'a', high_activity_threshold => 4$$,
	$$'a', moderate_activity_threshold => NULL$$, $$'a', moderate_activity_threshold => 0$$, $$'a', moderate_activity_threshold => -1$$, $$'a', moderate_activity_threshold => 10$$,
	$$'a', background_pause_on_increasing_trend => NULL$$, $$'a', min_user_reserved => NULL$$, $$'a', min_user_reserved => -1$$, $$'a', min_user_reserved => 0$$, $$'a', min_user_reserved => 2147483647$$,
	$$'a', max_user_scaling => NULL$$, $$'a', max_user_scaling => 0$$, $$'a', max_user_scaling => -1$$, $$'a', max_user_scaling => 'NaN'$$, $$'a', max_user_scaling => 'inf'$$, $$'a', max_user_scaling => 1e308$$, $$'a', 0$$]);
SELECT * FROM pg_temp.codes('{set_adaptive_rate_limit}', ARRAY(
	SELECT format('%L, %s => %s', 'a', setting, value)
	FROM unnest('{monitoring_window,recalculation_interval,sustained_inactivity_threshold}'::text[]) WITH ORDINALITY AS s (setting, i),
		unnest(ARRAY['NULL', $$'0'$$, $$'-1 s'$$, $$'1 month'$$, $$'11 years'$$, $$'1 us'$$]) WITH ORDINALITY AS v (value, j)
	ORDER BY i, j));
SELECT * FROM pg_temp.codes('{rate_limit_status,rate_limit_reset,adaptive_rate_limit_status,get_cooldown,clear_cooldown}', ARRAY[$$NULL$$, $$''$$, $$repeat('r', 1025)$$]);
SELECT * FROM pg_temp.codes('{adaptive_rate_limit_status,rate_limit_status}', ARRAY[$$'none'$$, $$'r'$$, $$'a'$$]);
SELECT * FROM pg_temp.codes('{set_cooldown}', ARRAY[$$NULL, 'now'$$, $$'', 'now'$$, $$repeat('o', 1025), 'now'$$, $$repeat('o', 1024), 'now'$$, $$'o', NULL$$, $$'o', 'infinity'$$, $$'o', '2040-01-01 00:00:00.000001+00'$$, $$'o', '2040-01-01 00:00+00'$$, $$'o', '-infinity'$$]);
-- a trigger function is not for calling
SELECT idemstore.rate_limits_changed();

-- the greatest that pass
SELECT idemstore.set_rate_limit('big', 9223372036854775807, '366 days', 'token_bucket', 9223372036854775807);
SELECT * FROM idemstore.consume('big', 2147483647);
SELECT * FROM idemstore.consume(repeat('r', 1024), 2147483647, quota => 9223372036854775807, per => '366 days');
SELECT idemstore.record_request(repeat('r', 1024), 2147483647, quota => 1, per => '366 days'), idemstore.get_wait_time(repeat('r', 1024), quota => 1, per => '366 days') BETWEEN '8784 h' AND '8784 h 1 s' AS a_year;
SELECT v.allowed, v.remaining, v.reset_at FROM idemstore.consume('us', quota => 1, per => '1 us') AS v;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
