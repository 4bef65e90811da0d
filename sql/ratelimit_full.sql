-- a row that is full: nobody's call fails for what others asked of the same name
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('full', 2, '1 day'), idemstore.acquire('full');
-- each of a thousand periods a second after the one before it
CREATE FUNCTION pg_temp.fill(name text, n int) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
	taken bigint = 0;
BEGIN
	FOR i IN 1..n LOOP
		PERFORM set_config('idemstore.test_clock', (timestamptz '2030-01-01 00:00:00+00' + i * interval '1 s')::text, false);
		taken = taken + idemstore.acquire(name, quota => 1, per => '1 day' + i * interval '1 h')::int;
	END LOOP;
	RETURN taken;
END
$$;
SELECT pg_temp.fill('full', 1000);
SELECT octet_length(state) > 6000 AS is_full FROM idemstore.rate_limit_state;
-- what is configured has kept its place, and keeps it
SELECT idemstore.acquire('full'), idemstore.acquire('full');
SELECT policy, remaining FROM idemstore.rate_limit_status('full');
SELECT idemstore.acquire_all('{full}', '{1}'), idemstore.can_proceed('full'), idemstore.get_wait_time('full') > '0' AS waits;
-- of the others, those used last are remembered, a hundred or so
SELECT count(*) BETWEEN 60 AND 200 AS some, max(i) AS newest, min(i) = 1001 - count(*) AS in_order
	FROM generate_series(1, 1000) AS i WHERE NOT idemstore.can_proceed('full', quota => 1, per => '1 day' + i * interval '1 h');
-- one that comes again begins empty, and takes the place of the oldest
SELECT idemstore.acquire('full', quota => 1, per => '25 h'), idemstore.acquire('full', quota => 1, per => '25 h');
SELECT policy, remaining FROM idemstore.rate_limit_status('full');
SELECT idemstore.rate_limit_reset('full');

-- as many policies as there may be, with long names and full logs, and a thousand periods
SELECT idemstore.set_adaptive_rate_limit('most', 1000000);
SELECT count(idemstore.set_rate_limit('most', 1000000, i * '1 h'::interval, policy => repeat('p', 62) || i)) FROM generate_series(1, 7) AS i;
CREATE FUNCTION pg_temp.use(name text, cost bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..64 LOOP
		PERFORM set_config('idemstore.test_clock', (timestamptz '2030-01-02 00:00:00+00' + i * interval '50 s')::text, false);
		PERFORM idemstore.record_request(name, cost::int, CASE WHEN i % 2 = 0 THEN 'user' END);
	END LOOP;
END
$$;
SELECT pg_temp.use('most', 1);
SELECT remaining FROM idemstore.rate_limit_status('most') WHERE policy ~ '[1-7]$';
SELECT pg_temp.fill('most', 100);
SELECT pg_temp.use('most', 1);
SELECT idemstore.acquire('most'), idemstore.acquire('most', quota => 1, per => '9 h'), idemstore.acquire('most', quota => 1, per => '9 h');
SELECT remaining FROM idemstore.rate_limit_status('most') WHERE policy ~ '[1-7]$';
-- counts so large that not even those fit: the logs become coarser, and lose nothing
SELECT idemstore.rate_limit_reset('most'), count(idemstore.set_rate_limit('most', 1000000000000, i * '1 h'::interval, policy => repeat('p', 62) || i)) FROM generate_series(1, 7) AS i;
DO $$
BEGIN
	FOR i IN 1..640 LOOP
		PERFORM set_config('idemstore.test_clock', (timestamptz '2030-01-03 00:00:00+00' + i / 10 * interval '50 s')::text, false);
		PERFORM idemstore.record_request('most', 1000000000, CASE WHEN i % 2 = 0 THEN 'user' END);
	END LOOP;
END
$$;
SELECT octet_length(state) <= 6800 AS fits FROM idemstore.rate_limit_state;
SELECT remaining FROM idemstore.rate_limit_status('most') WHERE policy ~ '[1-7]$';
SELECT idemstore.acquire('most'), idemstore.acquire('most', quota => 1, per => '9 h'), idemstore.acquire('most', quota => 1, per => '9 h');

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
