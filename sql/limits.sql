-- which limit holds for a name, and how limits are set, changed and dropped
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
-- the quota says which one was found
CREATE FUNCTION pg_temp.found(VARIADIC resources text[]) RETURNS TABLE (resource text, quota text)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
BEGIN
	FOREACH resource IN ARRAY resources LOOP
		BEGIN
			SELECT string_agg(s.quota::text, ' ' ORDER BY s.quota) INTO quota FROM idemstore.rate_limit_status(resource) AS s;
		EXCEPTION WHEN SQLSTATE 'ID428' THEN
			quota = '-';
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT idemstore.set_rate_limit(resource, quota, '1 min')
	FROM (VALUES ('api/*', 1), ('api/users/*', 2), ('api/users/7', 3), ('api/users', 4), ('b*', 5)) AS t (resource, quota);
-- exact, then the longest prefix, which may be the whole name; else none
SELECT * FROM pg_temp.found('api/users/7', 'api/users/8', 'api/users/', 'api/users', 'api/user', 'api/users/77', 'api/', 'api', 'API/users/7', 'b', 'bb', 'a', 'c', ' b');
-- with a default
SELECT idemstore.set_rate_limit('*', 6, '1 min');
SELECT * FROM pg_temp.found('api/users/7', 'api', 'a', 'c', '*', '**');
SELECT quota FROM pg_temp.found(repeat('z', 1024));
-- patterns inside patterns: what begins a name lies among what does not
TRUNCATE idemstore.rate_limits;
SELECT idemstore.set_rate_limit(repeat('a', i) || '*', i, '1 min') FROM generate_series(1, 5) AS i;
SELECT idemstore.set_rate_limit(resource, quota, '1 min')
	FROM (VALUES ('aab*', 11), ('aabb*', 12), ('aaab', 13), ('ab*', 14), ('abc*', 15), ('abd*', 16), ('b*', 17)) AS t (resource, quota);
SELECT * FROM pg_temp.found('a', 'aa', 'aaa', 'aaaa', 'aaaaa', 'aaaaaa', 'aaab', 'aaabb', 'aab', 'aabb', 'aabc', 'aabbz', 'aac', 'ab', 'abb', 'abcd', 'abd', 'abe', 'ac', 'b', 'az', 'A', '0');
TRUNCATE idemstore.rate_limits;
-- found as a plain search finds it: all names of up to five letters of three
CREATE TEMP TABLE names AS
	WITH RECURSIVE n AS (
		SELECT ''::text AS name
		UNION ALL SELECT name || letter FROM n, unnest('{a,b,*}'::text[]) AS letter WHERE length(name) < 5
	)
	SELECT name, row_number() OVER (ORDER BY length(name), name COLLATE "C") AS n FROM n WHERE name <> '';
SELECT count(idemstore.set_rate_limit(name, n, '1 min')) FROM names WHERE n * 7919 % 11 < 3;
SELECT count(*) AS names, count(*) FILTER (WHERE f.quota = '-') AS none, count(*) FILTER (WHERE f.quota IS DISTINCT FROM coalesce(e.quota, '-')) AS wrong
	FROM names AS t,
		LATERAL (SELECT (SELECT quota::text FROM idemstore.rate_limits
			WHERE CASE WHEN right(resource, 1) = '*' THEN starts_with(t.name, left(resource, -1)) ELSE resource = t.name END
			ORDER BY right(resource, 1) = '*', length(resource) DESC LIMIT 1) AS quota) AS e,
		pg_temp.found(t.name) AS f;
TRUNCATE idemstore.rate_limits;

-- names are taken literally
SELECT idemstore.set_rate_limit(resource, quota, '1 min')
	FROM (VALUES ('a%', 1), ('a_c*', 2), ('d\*', 3), ('e.*', 4), ('**', 5), ('f*g', 6), (' ', 7), (E'n\nl*', 8), ('[x]*', 9)) AS t (resource, quota);
SELECT * FROM pg_temp.found('a%', 'abc', 'a_c', 'a_cd', 'axc', 'd\', 'd\x', 'd*', 'e.', 'exx', 'e.x', '*', '*x', 'f*g', 'fxg', 'f*', ' ', E'n\nlz', 'x', '[x]', '[x]y');
-- a resource may end in * itself: then only patterns are for it
SELECT idemstore.acquire('f*g'), idemstore.acquire('a_c*'), idemstore.acquire('a_c*'), idemstore.acquire('a_c*'), idemstore.acquire('a_cd');
-- what a pattern allows, it allows to each name alone
SELECT idemstore.acquire('a_c1', 2), idemstore.acquire('a_c1'), idemstore.acquire('a_c2', 2);
TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;

-- set again: replaced as a whole; other policies stay
SELECT idemstore.set_rate_limit('r', 5, '10 s', 'token_bucket', 9), idemstore.set_rate_limit('r', 7, '1 day', 'fixed_window', policy => 'daily');
SELECT resource, policy, algorithm, quota, period, burst, num_nulls(monitoring_window, high_activity_threshold, moderate_activity_threshold, recalculation_interval, sustained_inactivity_threshold, background_pause_on_increasing_trend, max_user_scaling, min_user_reserved) AS nulls FROM idemstore.rate_limits ORDER BY policy;
SELECT idemstore.set_adaptive_rate_limit('r', 100);
SELECT * FROM idemstore.rate_limits WHERE policy = 'default' \gx
SELECT idemstore.set_rate_limit('r', 6, '24:00:00');
SELECT resource, policy, algorithm, quota, period, burst, num_nulls(monitoring_window, high_activity_threshold, moderate_activity_threshold, recalculation_interval, sustained_inactivity_threshold, background_pause_on_increasing_trend, max_user_scaling, min_user_reserved) AS nulls FROM idemstore.rate_limits ORDER BY policy;
-- drop one, drop all
SELECT idemstore.drop_rate_limit('r', 'none'), idemstore.drop_rate_limit('R'), idemstore.drop_rate_limit('*'), idemstore.drop_rate_limit('r', 'daily'), idemstore.drop_rate_limit('r', 'daily');
SELECT idemstore.set_rate_limit('r', 1, '1 s', policy => 'a'), idemstore.set_rate_limit('r*', 2, '1 s'), idemstore.drop_rate_limit('r'), idemstore.drop_rate_limit('r');
SELECT * FROM pg_temp.found('r');
-- a limit that is dropped leaves its log: set again, it goes on
SELECT idemstore.acquire('r', 2), idemstore.drop_rate_limit('r*');
SELECT idemstore.acquire('r');
SELECT idemstore.set_rate_limit('r', 2, '1 s'), idemstore.acquire('r');

-- eight policies, not nine, each with a log of its own
SELECT idemstore.set_rate_limit('many', i, '1 min', policy => 'p' || i) FROM generate_series(1, 8) AS i;
SELECT idemstore.set_rate_limit('many', 9, '1 min', policy => 'p9');
SELECT idemstore.set_rate_limit('many', 10, '1 min', policy => 'p1');
SELECT * FROM pg_temp.found('many');
SELECT idemstore.acquire('many', 2), v.policy, v.remaining FROM idemstore.rate_limit_status('many') AS v;
SELECT idemstore.set_rate_limit('other', 1, '1 s'), idemstore.acquire('other');
-- even if they come by plain SQL, they are no harm to others
INSERT INTO idemstore.rate_limits (resource, policy, algorithm, quota, period) VALUES ('many', 'p9', 'sliding_window', 1, '1 s');
SELECT idemstore.can_proceed('other', 0);
SELECT idemstore.can_proceed('many', 0);
DELETE FROM idemstore.rate_limits WHERE policy = 'p9';

-- a change by plain SQL holds from the next call
UPDATE idemstore.rate_limits SET quota = 3, period = '1 day' WHERE resource = 'other';
SELECT quota, remaining FROM idemstore.rate_limit_status('other');
INSERT INTO idemstore.rate_limits (resource, policy, algorithm, quota, period, burst) VALUES ('by hand*', 'x', 'token_bucket', 4, '1 week 1 day', 6);
SELECT quota, remaining, policy FROM idemstore.rate_limit_status('by hand');
DELETE FROM idemstore.rate_limits WHERE policy = 'x';
SELECT * FROM pg_temp.found('by hand');
SET session_replication_role = replica;
UPDATE idemstore.rate_limits SET quota = 33 WHERE resource = 'other';
SELECT * FROM pg_temp.found('other');
RESET session_replication_role;
TRUNCATE idemstore.rate_limits;
SELECT * FROM pg_temp.found('other');

-- what makes no sense is kept out of the table
SELECT idemstore.set_rate_limit('plain', 5, '1 min'), idemstore.set_rate_limit('bucket', 5, '1 min', 'token_bucket', 5), idemstore.set_adaptive_rate_limit('adaptive');
CREATE FUNCTION pg_temp.update(resource text, change text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('UPDATE idemstore.rate_limits SET %s WHERE resource = %L', change, resource);
	RAISE SQLSTATE 'UND00';
EXCEPTION WHEN OTHERS THEN
	RETURN CASE sqlstate WHEN 'UND00' THEN 'no error' ELSE sqlstate END;
END
$$;
SELECT change, pg_temp.update('plain', change) FROM unnest('{resource = NULL,resource = '''',"resource = repeat(''r'', 1025)",policy = NULL,policy = '''',"policy = repeat(''p'', 64)",algorithm = NULL,algorithm = ''Sliding_Window'',algorithm = ''adaptive'',quota = NULL,quota = -1,quota = 0,period = NULL}'::text[]) AS change;
SELECT change, pg_temp.update('bucket', change) FROM unnest('{burst = 0,burst = -1,burst = NULL,burst = 9223372036854775807,monitoring_window = ''1 min'',max_user_scaling = 1}'::text[]) AS change;
SELECT change, pg_temp.update('adaptive', change) FROM unnest('{algorithm = ''sliding_window'',high_activity_threshold = 3,high_activity_threshold = NULL,moderate_activity_threshold = 0,moderate_activity_threshold = 10,moderate_activity_threshold = NULL,background_pause_on_increasing_trend = NULL,max_user_scaling = NULL,max_user_scaling = 0,max_user_scaling = -1,max_user_scaling = ''NaN'',max_user_scaling = ''inf'',min_user_reserved = NULL,min_user_reserved = -1,min_user_reserved = 0}'::text[]) AS change;
SELECT span, string_agg(pg_temp.update('adaptive', setting || ' = ' || span), ' ' ORDER BY i) AS codes
	FROM unnest('{period,monitoring_window,recalculation_interval,sustained_inactivity_threshold}'::text[]) WITH ORDINALITY AS t (setting, i),
		unnest('{''0'',''-1 s'',''1 month'',''1 year -364 days'',''11 years'',''4000 days'',''2147483647 days'',''213503982 days 28909.551616 s'',''9000000000 s'',''1 day -23:59:59.999999'',''3650 days''}'::text[]) WITH ORDINALITY AS u (span, j) GROUP BY j, span ORDER BY j;
-- nor used when the constraints are gone
BEGIN;
ALTER TABLE idemstore.rate_limits ALTER COLUMN quota DROP NOT NULL, DROP CONSTRAINT rate_limits_resource_check, DROP CONSTRAINT rate_limits_algorithm_check, DROP CONSTRAINT rate_limits_quota_check, DROP CONSTRAINT rate_limits_period_check, DROP CONSTRAINT rate_limits_adaptive_check, DROP CONSTRAINT rate_limits_monitoring_window_check, DROP CONSTRAINT rate_limits_recalculation_interval_check, DROP CONSTRAINT rate_limits_sustained_inactivity_check, DROP CONSTRAINT rate_limits_max_user_scaling_check;
INSERT INTO idemstore.rate_limits (resource, policy, algorithm, quota, period)
	SELECT concat_ws(' ', a, q, p), 'p', a, q, p FROM unnest('{sliding_window,token_bucket,fixed_window,adaptive,unknown}'::text[]) AS a, unnest('{1,-1,NULL}'::bigint[]) AS q, unnest('{1 s,0,-1 s,1 month,3654 days,2147483647 days}'::interval[]) AS p;
INSERT INTO idemstore.rate_limits (resource, policy, algorithm, quota, period) VALUES ('', 'p', 'sliding_window', 1, '1 s');
UPDATE idemstore.rate_limits SET max_user_scaling = -1 WHERE resource = 'adaptive';
SELECT l.resource, found.quota FROM idemstore.rate_limits AS l, pg_temp.found(l.resource) AS found WHERE l.resource <> '' AND found.quota <> '-' ORDER BY l.resource;
SELECT count(idemstore.record_request('adaptive', 1, 'user')) FROM generate_series(1, 10);
SET LOCAL idemstore.test_clock = '2030-01-01 00:00:30+00';
SELECT (idemstore.adaptive_rate_limit_status('adaptive')).*;
UPDATE idemstore.rate_limits SET recalculation_interval = '0' WHERE resource = 'adaptive';
SELECT * FROM pg_temp.found('adaptive');
ROLLBACK;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
