-- durations: bounds that catch other units, and how long a day and a month are
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
CREATE FUNCTION pg_temp.error_of(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' ', sqlstate, message, '(' || substring(hint, '^A bare number is seconds') || ')');
END
$$;
-- so that what is within bounds is let through
SELECT count(*) FROM unnest('{c,f,x}'::text[]) AS k, idemstore.start_processing(k);

-- what each takes, at its bound, and beyond it on either side
CREATE TEMP TABLE durations (call text, most text);
INSERT INTO durations VALUES
	('start_processing(gen_random_uuid()::text, lease => %L)', '31 days'),
	('start_processing(gen_random_uuid()::text, wait => %L)', '1 day'),
	('start_processing(gen_random_uuid()::text, ttl => %L)', '10 years'),
	('extend_lease(''x'', (idemstore.get(''x'')).fence, %L)', '31 days'),
	('wait(''nothing'', %L)', '1 day'),
	('complete(''c'', ttl => %L)', '10 years'),
	('fail(''f'', ttl => %L)', '10 years'),
	('initiate(gen_random_uuid()::text, ttl => %L)', '10 years'),
	('set_nx(gen_random_uuid()::text, ''v'', %L)', '10 years'),
	('set_value(''v'', ''v'', %L)', '10 years'),
	('dedupe_register(''j'', %L)', '31 days'),
	('dedupe_register_or_join(''j'', %L)', '31 days'),
	('dedupe_wait_for(''nothing'', %L)', '1 day'),
	('cache_set(''k'', ''1'', %L)', '10 years'),
	('cache_set_many(''{k}'', ARRAY[''1'']::json[], %L)', '10 years'),
	('cache_touch(''k'', %L)', '10 years'),
	('cache_increment(''i'', 1, %L)', '10 years'),
	('cache_fetch(''k'', lease => %L)', '1 hour'),
	('cache_fetch(''k'', stale => %L)', '10 years'),
	('cache_fetch(''k'', wait => %L)', '1 day');
SELECT split_part(call, '(', 1) AS function, substring(call, '(\w+) => %L') AS argument, most,
	pg_temp.error_of(format('SELECT idemstore.' || call, most)) AS at_most,
	pg_temp.error_of(format('SELECT idemstore.' || call, most::interval + '1 s')) AS above
FROM durations;
-- nanoseconds of a language with a type for durations, above the bound: 3 ms in a lease, 316 ms in a ttl
SELECT DISTINCT pg_temp.error_of(format('SELECT idemstore.' || call, '2700000'))
FROM durations WHERE most IN ('31 days', '1 day', '1 hour') ORDER BY 1;
SELECT DISTINCT pg_temp.error_of(format('SELECT idemstore.' || call, '316000000'))
FROM durations ORDER BY 1;
-- Go's 24 h in nanoseconds: make_interval() on 15 wraps it without an error, to what comes next; later ones raise
SELECT DISTINCT pg_temp.error_of(format('SELECT idemstore.' || replace(call, '%L', 'make_interval(secs => 86400e9)')))
	~ '^(22023 .* must be at most .* .A bare number|22008 interval out of range)' AS is_refused
FROM durations ORDER BY 1;
SELECT DISTINCT pg_temp.error_of(format('SELECT idemstore.' || call, '-2562047788 hours -54.775808 s')) AS backwards
FROM durations ORDER BY 1;
SELECT DISTINCT pg_temp.error_of(format('SELECT idemstore.' || call, '-1 s')) AS negative
FROM durations WHERE NOT call ~ 'cache_fetch.*lease' AND call !~ 'ttl|^set_|cache_(set|touch|incr)' ORDER BY 1;
CALL idemstore.expire_all(max_duration => '11 years');
CALL idemstore.expire_all(max_duration => '-11 years');
SELECT idemstore.start_processing('ns', lease => make_interval(secs => 100e6));
SELECT idemstore.set_cooldown('origin', to_timestamp(1767225600000));

-- the settings have the same bounds
\set VERBOSITY sqlstate
SET idemstore.default_lease = '32 d';
SET idemstore.default_job_timeout = '32 d';
SET idemstore.default_wait = '25 h';
\set VERBOSITY terse
SET idemstore.default_lease = '31 d';
SET idemstore.default_job_timeout = '31 d';
SET idemstore.default_wait = '24 h';
RESET ALL;

-- a day is 24 hours, where the clocks go forward, too
SET timezone = 'Europe/Berlin';
SET idemstore.test_clock = '2026-03-28 12:00:00+01';
SELECT outcome FROM idemstore.start_processing('day', ttl => '1 day', lease => '1 day');
SELECT expires_at, lease_expires_at FROM idemstore.get('day');
SELECT idemstore.cache_set('day', '1', '1 day');
SELECT idemstore.cache_ttl('day');
SET idemstore.test_clock = '2026-03-29 12:30:00+02';
SELECT outcome AS after_23_and_a_half_hours FROM idemstore.start_processing('day');
-- a month is one of the calendar in UTC: there it is the 30th still
SET idemstore.test_clock = '2026-01-31 00:30:00+01';
SELECT outcome FROM idemstore.start_processing('month', ttl => '1 month');
SELECT outcome FROM idemstore.start_processing('all', ttl => '1 year 1 month 1 day 1 s');
SET timezone = 'UTC';
SELECT outcome FROM idemstore.start_processing('month there', ttl => '1 month');
SELECT key, expires_at FROM idemstore.idempotency_records WHERE key IN ('month', 'month there', 'all') ORDER BY key;
SET idemstore.test_clock = '2026-01-31 00:00:00+00';
SELECT idemstore.set_nx('end of month', 'v', '1 month');
SELECT expires_at FROM idemstore.get('end of month');

TRUNCATE idemstore.idempotency_records, idemstore.dedupe_jobs, idemstore.cache_entries, idemstore.cache_leases;
SELECT idemstore.clear_cooldown('origin');
