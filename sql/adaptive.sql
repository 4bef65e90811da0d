-- adaptive limits: every split, its reason, and what it lets in
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
\set VERBOSITY terse
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.at(clock interval) RETURNS void
LANGUAGE sql AS $$ SELECT set_config('idemstore.test_clock', to_char(timestamp '2030-01-01 00:00:00' + clock, 'YYYY-MM-DD HH24:MI:SS.US') || '+00', false) $$;
CREATE FUNCTION pg_temp.users(resource text, clock interval, n int) RETURNS void
LANGUAGE sql AS $$ SELECT pg_temp.at(clock); SELECT idemstore.record_request(resource, 1, 'user') FROM generate_series(1, n) $$;
CREATE FUNCTION pg_temp.split(resource text, clock interval) RETURNS idemstore.rate_limit_split
LANGUAGE sql AS $$ SELECT pg_temp.at(clock); SELECT idemstore.adaptive_rate_limit_status(resource) $$;

-- the defaults; nothing was ever recorded; asking fixes nothing
SELECT idemstore.set_adaptive_rate_limit('a');
SELECT * FROM pg_temp.split('a', '0');
SELECT idemstore.can_proceed('a', 140), idemstore.can_proceed('a', 141), idemstore.can_proceed('a', 60, 'user'), idemstore.can_proceed('a', 61, 'user'), idemstore.can_proceed('a', 140, 'background'), count(*) AS rows FROM idemstore.rate_limit_state;
-- the first request fixes the split until it is made again
SELECT idemstore.acquire('a');
SELECT * FROM pg_temp.split('a', '29.999999 s');
SELECT * FROM pg_temp.split('a', '30 s');
-- one user request: low; and each split holds for its time
SELECT pg_temp.users('a', '31 s', 1);
SELECT * FROM pg_temp.split('a', '60.999999 s');
SELECT * FROM pg_temp.split('a', '61 s');
-- moderate and increasing: 80 x 1.3 x 1.2
SELECT pg_temp.users('a', '62 s', 2);
SELECT * FROM pg_temp.split('a', '92 s');
-- moderate and stable, three and three: 80 x 1.6
SELECT pg_temp.users('a', '6 min', 3);
SELECT * FROM pg_temp.split('a', '6 min 31 s');
-- moderate and decreasing: 80 x 1.6 x 0.8
SELECT * FROM pg_temp.split('a', '11 min 1 s');
-- moderate, two thirds of the time silent: 80 x 1.3
SELECT * FROM pg_temp.split('a', '16 min 30 s');
-- none for 15 minutes; none for 30 minutes, none for longer
SELECT * FROM pg_temp.split('a', '20 min 59.999999 s');
SELECT * FROM pg_temp.split('a', '21 min');
SELECT * FROM pg_temp.split('a', '36 min');
SELECT * FROM pg_temp.split('a', '36 min 0.000001 s');
-- high and increasing: 0.9 of all, and background pauses
SELECT pg_temp.users('a', '40 min', 10);
SELECT * FROM pg_temp.split('a', '40 min 29.999999 s');
SELECT * FROM pg_temp.split('a', '40 min 30 s');
SELECT v.allowed, v.quota, v.remaining, v.retry_after_ms, v.retry_after_seconds, v.reason FROM idemstore.consume('a') AS v;
SELECT pg_temp.at('40 min 40 s'), idemstore.acquire('a', 0), idemstore.can_proceed('a'), idemstore.get_wait_time('a'), idemstore.get_wait_time('a', 201) IS NULL AS never, idemstore.acquire('a', 1, 'user'), idemstore.get_wait_time('a', 1, 'user');
SELECT allowed, remaining, retry_after_ms, retry_after_seconds, reason FROM idemstore.rate_limit_status('a');
-- high and stable, or no pausing, or less scaling
SELECT * FROM pg_temp.split('a', '46 min');
SELECT idemstore.can_proceed('a', 19), idemstore.can_proceed('a', 20);
SELECT idemstore.set_adaptive_rate_limit('calm', background_pause_on_increasing_trend => false, max_user_scaling => 1.5), pg_temp.users('calm', '50 min', 10);
SELECT * FROM pg_temp.split('calm', '51 min');
-- nobody at all for however long: all is for background until a user comes, or a reset
SELECT * FROM pg_temp.split('a', '2 h 10 min 40 s');
SELECT * FROM pg_temp.split('a', '300 d');
SELECT idemstore.acquire('a', 200), removed FROM idemstore.expire() WHERE relation = 'rate_limit_state'::name;
SELECT * FROM pg_temp.split('a', '600 d');
SELECT idemstore.acquire('a', 5, 'user'), reason FROM pg_temp.split('a', '600 d 31 s');
SELECT idemstore.rate_limit_reset('a');
SELECT * FROM pg_temp.split('a', '600 d 40 s');
-- a recorded request is counted before the first split is made
SELECT idemstore.record_request('a');
SELECT * FROM pg_temp.split('a', '600 d 41 s');
SELECT pg_temp.at('50 min');

-- all splits beside the rules: requests in the thirds of the window, the newest first
CREATE FUNCTION pg_temp.expected(l numeric, r int, p int, q int, scaling numeric, OUT user_reserved numeric, OUT paused boolean, OUT reason text)
LANGUAGE plpgsql AS $$
DECLARE
	trend int = (r > 1.5 * p)::int - (r < 0.5 * p)::int;
	recent int = r + p + q;
BEGIN
	paused = recent >= 10 AND trend > 0;
	reason = CASE WHEN recent >= 10 THEN 'high' WHEN recent >= 3 THEN 'moderate' ELSE 'low' END || '_user_activity';
	user_reserved = CASE WHEN recent >= 10 THEN least(0.9 * l, floor(0.5 * l * scaling))
		WHEN recent >= 3 THEN least(0.7 * l, floor(0.4 * l) * greatest(least(scaling, 1 + recent / 10.0) * (1 + 0.2 * trend), 1))
		ELSE greatest(floor(0.3 * l), 2) END;
	user_reserved = greatest(least(floor(user_reserved), l), 0);
END
$$;
CREATE FUNCTION pg_temp.compare(l int, scaling numeric, OUT splits int, OUT wrong int, OUT broken int)
LANGUAGE plpgsql AS $$
DECLARE
	thirds int[];
	s idemstore.rate_limit_split;
	e record;
BEGIN
	splits = 0; wrong = 0; broken = 0;
	PERFORM idemstore.set_adaptive_rate_limit('c', l, recalculation_interval => '1 us', max_user_scaling => scaling, min_user_reserved => 2);
	FOR thirds IN SELECT ARRAY[r, p, q] FROM unnest('{0,1,2,3,4,5}'::int[]) AS r, unnest('{0,1,2,3,4,8}'::int[]) AS p, unnest('{0,1,3,9}'::int[]) AS q WHERE r + p + q > 0 LOOP
		PERFORM idemstore.rate_limit_reset('c');
		PERFORM pg_temp.users('c', '1 us', thirds[3]), pg_temp.users('c', '5 min 1 us', thirds[2]), pg_temp.users('c', '10 min 1 us', thirds[1]);
		s = pg_temp.split('c', '15 min');
		e = pg_temp.expected(l, thirds[1], thirds[2], thirds[3], scaling);
		splits = splits + 1;
		wrong = wrong + ((s.user_reserved, s.background_paused, s.reason, s.recent_user_activity) IS DISTINCT FROM (e.user_reserved::bigint, e.paused, e.reason, (thirds[1] + thirds[2] + thirds[3])::bigint))::int;
		broken = broken + (s.user_reserved + s.background_max <> l OR s.user_reserved NOT BETWEEN 0 AND l)::int;
	END LOOP;
END
$$;
SELECT l, scaling, c.* FROM unnest('{1,3,10,33,200,1000003}'::int[]) AS l, unnest('{0.5,1,2,3.7}'::numeric[]) AS scaling, pg_temp.compare(l, scaling) AS c ORDER BY l, scaling;
-- thirds of a number of requests: 3 x 4/3 is 4; small and large quotas
SELECT idemstore.set_adaptive_rate_limit('t', 8, high_activity_threshold => 3, moderate_activity_threshold => 1), pg_temp.users('t', '0', 1);
SELECT * FROM pg_temp.split('t', '14 min');
SELECT count(idemstore.set_adaptive_rate_limit('q' || i, i)) FROM unnest('{0,1,4,5,6,17}'::bigint[] || 9223372036854775807) AS i;
SELECT i, s.user_reserved, s.background_max FROM unnest('{0,1,4,5,6,17}'::bigint[] || 9223372036854775807) AS i, idemstore.adaptive_rate_limit_status('q' || i) AS s ORDER BY i;

-- both pools together never let in more than the quota
SELECT idemstore.set_adaptive_rate_limit('b', 10, min_user_reserved => 0), pg_temp.at('0'), idemstore.acquire('b', 7), idemstore.acquire('b'), idemstore.acquire('b', 1, 'user'), idemstore.acquire('b', 1, 'user');
SELECT * FROM pg_temp.split('b', '30 s');
SELECT idemstore.acquire('b', 1, 'user'), idemstore.set_adaptive_rate_limit('b', 10, min_user_reserved => 9), (pg_temp.split('b', '60 s')).*;
SELECT pg_temp.at('60 s'), idemstore.acquire('b', 1, 'user'), idemstore.get_wait_time('b', 1, 'user'), idemstore.get_wait_time('b', 4, 'user'), idemstore.get_wait_time('b'), v.remaining, v.reset_at FROM idemstore.rate_limit_status('b') AS v;
-- the first users after a long time are let in, by what is reserved at least
SELECT idemstore.set_adaptive_rate_limit('back', 10, monitoring_window => '1 min', sustained_inactivity_threshold => '10 min', min_user_reserved => 4), pg_temp.users('back', '0', 1);
SELECT s.*, idemstore.can_proceed('back', 3, 'user') AS three, idemstore.can_proceed('back', 4, 'user') AS four FROM pg_temp.split('back', '10 min 1 us') AS s;
CREATE FUNCTION pg_temp.most(l int, OUT most bigint, OUT user_most bigint, OUT background_most bigint)
LANGUAGE plpgsql AS $$
DECLARE
	seconds int = 0;
	is_user boolean;
BEGIN
	PERFORM idemstore.set_adaptive_rate_limit('m', l, '1 min', '1 min', recalculation_interval => '5 s', sustained_inactivity_threshold => '2 min', min_user_reserved => 1);
	CREATE TEMP TABLE taken (at int, is_user boolean);
	FOR i IN 1..3000 LOOP
		seconds = seconds + i * 7919 % 3;
		is_user = i * 104729 % 1000 < 500 + 450 * sin(seconds / 100.0);
		PERFORM pg_temp.at(seconds * interval '1 s');
		IF idemstore.acquire('m', 1, CASE WHEN is_user THEN 'user' END) THEN
			INSERT INTO taken VALUES (seconds, is_user);
		END IF;
	END LOOP;
	SELECT max(n), max(u), max(n - u) INTO most, user_most, background_most FROM (
		SELECT count(*) OVER w AS n, count(*) FILTER (WHERE t.is_user) OVER w AS u FROM taken AS t WINDOW w AS (ORDER BY at RANGE BETWEEN 59 PRECEDING AND CURRENT ROW)) AS x;
	DROP TABLE taken;
END
$$;
SELECT l, m.most = l AS full, m.user_most > 0.5 * l AS users, m.background_most > 0.5 * l AS background FROM unnest('{20,40}'::int[]) AS l, pg_temp.most(l) AS m;

-- a quota holds at once, the other settings from the next split on
SELECT idemstore.set_adaptive_rate_limit('s', 100), pg_temp.users('s', '0', 2), idemstore.acquire('s', 70), idemstore.acquire('s');
SELECT idemstore.set_adaptive_rate_limit('s', 120, min_user_reserved => 50), (pg_temp.split('s', '1 s')).*;
SELECT idemstore.acquire('s'), idemstore.set_adaptive_rate_limit('s', 120, min_user_reserved => 60), (pg_temp.split('s', '2 s')).*;
SELECT * FROM pg_temp.split('s', '31 s');
-- a refused request fixes the split too
SELECT idemstore.set_adaptive_rate_limit('x', 10), pg_temp.at('0'), idemstore.acquire('x', 6);
SELECT idemstore.set_adaptive_rate_limit('x', 10, min_user_reserved => 8), (pg_temp.split('x', '29 s')).user_reserved, (pg_temp.split('x', '30 s')).user_reserved;

-- from a plain limit and back: what was taken counts, first as background
SELECT pg_temp.at('0'), idemstore.set_rate_limit('p', 10, '1 h'), idemstore.acquire('p', 6), idemstore.set_adaptive_rate_limit('p', 10), (idemstore.adaptive_rate_limit_status('p')).*;
SELECT idemstore.acquire('p'), idemstore.acquire('p', 4, 'user'), idemstore.acquire('p', 1, 'user');
SELECT remaining FROM idemstore.rate_limit_status('p');
SELECT pg_temp.at('1 min'), idemstore.set_rate_limit('p', 11, '1 h'), idemstore.acquire('p'), idemstore.acquire('p');
SELECT idemstore.adaptive_rate_limit_status('p');
SELECT idemstore.set_rate_limit('p', 11, '1 h', 'token_bucket'), idemstore.acquire('p'), idemstore.set_adaptive_rate_limit('p', 12), idemstore.acquire('p', 2), idemstore.acquire('p', 1, 'user');
-- by a pattern, and beside another policy that holds as well
SELECT idemstore.set_adaptive_rate_limit('api/*', 10), idemstore.set_rate_limit('api/*', 2, '1 s', policy => 'second'), idemstore.acquire('api/1', 2), idemstore.acquire('api/1', 1, 'user'), idemstore.acquire('api/2', 3), idemstore.acquire('api/2', 2);
SELECT policy, allowed, remaining, reason FROM idemstore.rate_limit_status('api/1');
SELECT * FROM idemstore.adaptive_rate_limit_status('api/1');
SELECT pg_temp.at('61 s'), idemstore.acquire('api/1', 2), idemstore.acquire('api/1', 2), v.reason, v.policy FROM idemstore.consume('api/1', 4) AS v;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
