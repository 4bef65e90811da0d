-- windows of the calendar: where they begin and end, in whose time zone
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE FUNCTION pg_temp.at(instant timestamptz) RETURNS void
LANGUAGE sql AS $$ SELECT set_config('idemstore.test_clock', to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00', false) $$;
CREATE FUNCTION pg_temp.history(resource text, instants timestamptz[], resets boolean DEFAULT false) RETURNS TABLE (at timestamptz, taken boolean, remaining bigint, reset_at timestamptz, retry_after_seconds int)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	v idemstore.rate_limit_verdict;
BEGIN
	FOREACH at IN ARRAY instants LOOP
		PERFORM pg_temp.at(at);
		IF resets THEN
			PERFORM idemstore.rate_limit_reset(resource);
		END IF;
		v = idemstore.consume(resource);
		taken = v.allowed; remaining = v.remaining; reset_at = v.reset_at; retry_after_seconds = v.retry_after_seconds;
		RETURN NEXT;
	END LOOP;
END
$$;
-- a plan's thousand a month
SELECT idemstore.set_rate_limit('plan/*', 2, '1 month', 'calendar_window', time_zone => 'Europe/Berlin');
SELECT * FROM pg_temp.history('plan/a', '{2030-01-31 21:00+00,2030-01-31 22:59:59.999999+00,2030-01-31 22:59:59.999999+00,2030-01-31 23:00+00,2030-02-28 22:00+00,2030-02-28 22:30+00,2030-02-28 23:00+00}');
-- days of 23 and of 25 hours, weeks from Monday, quarters, years
SELECT idemstore.set_rate_limit(unit, 1, unit::interval, 'calendar_window', time_zone => 'America/New_York') FROM unnest('{1 min,1 hour,1 day,7 days,1 month,3 months,1 year}'::text[]) AS unit;
SELECT resource, policy, algorithm, period, time_zone, enforced FROM idemstore.rate_limits ORDER BY period, resource;
SELECT resource, array_agg(h.reset_at ORDER BY h.at) AS ends
	FROM idemstore.rate_limits, pg_temp.history(resource, '{2030-03-10 04:30+00,2030-03-10 06:59:59+00,2030-03-10 07:00:01+00,2030-11-03 03:30+00,2030-11-03 05:30+00,2030-11-03 06:30+00}', true) AS h
	WHERE resource <> 'plan/*' GROUP BY resource, period ORDER BY period;
-- a midnight that does not come, one that comes twice, half an hour, a day that was left out
SELECT idemstore.set_rate_limit(zone || '/' || unit, 1, unit::interval, 'calendar_window', time_zone => zone) AS new, zone, unit, h.at, h.reset_at
	FROM (VALUES ('America/Havana', '1 day', '{2012-03-31 12:00+00,2012-04-01 04:59:59+00,2012-04-01 05:00+00,2012-11-04 03:59:59+00,2012-11-04 04:00+00,2012-11-04 05:00+00}'::timestamptz[]),
		('Australia/Lord_Howe', '1 hour', '{2030-04-06 14:10+00,2030-04-06 14:40+00,2030-04-06 15:10+00,2030-10-05 15:10+00,2030-10-05 15:40+00}'),
		('Pacific/Apia', '1 day', '{2011-12-30 09:59:59+00,2011-12-30 10:00+00}')) AS t (zone, unit, instants), LATERAL pg_temp.history(CASE WHEN idemstore.set_rate_limit(zone || '/' || unit, 1, unit::interval, 'calendar_window', time_zone => zone) THEN zone || '/' || unit END, instants, true) AS h;
-- the zone is that of the session which sets it, and stays with it
SET timezone = 'Asia/Kathmandu';
SELECT idemstore.set_rate_limit('kathmandu', 1, '24 hours', 'calendar_window');
SET timezone = 'UTC';
SELECT time_zone FROM idemstore.rate_limits WHERE resource = 'kathmandu';
SELECT * FROM pg_temp.history('kathmandu', '{2030-05-01 18:14:59+00,2030-05-01 18:15:00+00,2030-05-01 18:16:00+00}');
SELECT idemstore.set_rate_limit('kathmandu', 1, '24 hours', 'calendar_window', time_zone => 'Asia/Kathmandu') AS changed;
-- what is counted stays when the window changes while it lasts, or the clock is set back
SELECT idemstore.set_rate_limit('kathmandu', 1, '1 month', 'calendar_window', time_zone => 'Asia/Kathmandu') AS changed;
SELECT * FROM pg_temp.history('kathmandu', '{2030-05-01 18:17:00+00,2030-04-01 00:00:00+00,2030-05-31 18:15+00}');
SELECT idemstore.set_rate_limit('kathmandu', 5, '1 day'), idemstore.set_rate_limit('kathmandu', 5, '7 days', 'fixed_window');
SELECT remaining, reset_at, extract(isodow FROM reset_at) AS weeks_on_the_clock_begin_on FROM pg_temp.history('kathmandu', '{2030-06-03 12:00+00}');

-- 2,000 instants in 40 zones, against date_trunc and what comes next by it
CREATE TEMP TABLE zones AS
	SELECT name, row_number() OVER () AS n FROM (SELECT name FROM pg_timezone_names WHERE name IN ('Pacific/Kiritimati', 'Pacific/Apia', 'Asia/Kolkata', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Australia/Adelaide', 'America/St_Johns', 'Pacific/Chatham', 'Asia/Tehran', 'Africa/Casablanca', 'Africa/Cairo', 'America/Sao_Paulo', 'America/New_York', 'America/Los_Angeles', 'America/Santiago', 'America/Caracas', 'America/Nuuk', 'Antarctica/Troll', 'Asia/Amman', 'Asia/Damascus', 'Asia/Dhaka', 'Asia/Gaza', 'Asia/Pyongyang', 'Asia/Seoul', 'Asia/Tokyo', 'Atlantic/Azores', 'Etc/GMT+12', 'Etc/GMT-14', 'Europe/Berlin', 'Europe/Dublin', 'Europe/Istanbul', 'Europe/Lisbon', 'Europe/London', 'Europe/Moscow', 'Europe/Volgograd', 'Indian/Maldives', 'Pacific/Easter', 'Pacific/Marquesas', 'Pacific/Norfolk', 'UTC') ORDER BY name COLLATE "C") AS z;
SELECT count(DISTINCT name) AS zones, count(idemstore.set_rate_limit('cal/' || name || '/' || unit, 1, unit::interval, 'calendar_window', time_zone => name)) AS limits
	FROM zones, unnest('{1 min,1 hour,1 day,7 days,1 month,3 months,1 year}'::text[]) AS unit;
CREATE FUNCTION pg_temp.window_end(at timestamptz, unit text, zone text, OUT truncated timestamptz, OUT ends timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
	name text = CASE unit WHEN '1 min' THEN 'minute' WHEN '1 hour' THEN 'hour' WHEN '1 day' THEN 'day' WHEN '7 days' THEN 'week' WHEN '1 month' THEN 'month' WHEN '3 months' THEN 'quarter' ELSE 'year' END;
BEGIN
	truncated = date_trunc(name, at, zone);
	-- the next one on the wall, as long as there is a wall clock for it
	ends = CASE WHEN name IN ('minute', 'hour') THEN truncated + unit::interval
		ELSE (SELECT max(g) FROM generate_series(date_trunc(name, at AT TIME ZONE zone), date_trunc(name, at AT TIME ZONE zone) + unit::interval, unit::interval) AS g) AT TIME ZONE zone END;
END
$$;
CREATE FUNCTION pg_temp.compare(n int, OUT compared int, OUT long_days int, OUT short_days int, OUT wrong text[])
LANGUAGE plpgsql AS $$
DECLARE
	at timestamptz;
	expected record;
	got timestamptz;
	zone text;
	unit text;
BEGIN
	compared = 0; long_days = 0; short_days = 0; wrong = '{}';
	FOR i IN 1..n LOOP
		-- any instants of the years 1990 to 2050, half of them near a change of the clocks
		at = timestamptz '1990-01-01 00:00+00' + (i * 7919::bigint * 104729 % 1893456000) * interval '1 s' + (i % 1000) * interval '1 us';
		SELECT name INTO zone FROM zones AS z WHERE z.n = i % 40 + 1;
		IF i % 2 = 0 THEN
			SELECT g + (i % 7200 - 3600) * interval '1 s' INTO at FROM generate_series(date_trunc('year', at), date_trunc('year', at) + '1 year', '1 day') AS g
				WHERE (g AT TIME ZONE zone) - ((g - interval '1 day') AT TIME ZONE zone) <> '1 day' ORDER BY g LIMIT 1;
			at = coalesce(at, timestamptz '2030-02-03 04:05:06+00');
		END IF;
		unit = (ARRAY['1 min', '1 hour', '1 day', '7 days', '1 month', '3 months', '1 year'])[i / 40 % 7 + 1];
		PERFORM pg_temp.at(at);
		PERFORM idemstore.rate_limit_reset('cal/' || zone || '/' || unit);
		got = (idemstore.consume('cal/' || zone || '/' || unit)).reset_at;
		expected = pg_temp.window_end(at, unit, zone);
		compared = compared + 1;
		long_days = long_days + (unit = '1 day' AND expected.ends - expected.truncated > '24 h')::int;
		short_days = short_days + (unit = '1 day' AND expected.ends - expected.truncated < '24 h')::int;
		IF got <> expected.ends THEN
			wrong = wrong || format('%s %s %s: %s instead of %s', at, zone, unit, got, expected.ends);
		END IF;
	END LOOP;
END
$$;
SELECT compared, long_days > 10 AS has_long_days, short_days > 10 AS has_short_days, cardinality(wrong) AS nwrong, wrong[1:10] AS wrong FROM pg_temp.compare(2000);

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
