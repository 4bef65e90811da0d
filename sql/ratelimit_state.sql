-- bytes that make no sense are taken for none, or for some: no error, no crash
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('w', 3, '1 min'), idemstore.set_rate_limit('b', 3, '1 min', 'token_bucket'), idemstore.set_rate_limit('f', 3, '1 min', 'fixed_window'), idemstore.set_adaptive_rate_limit('a', 10);
SELECT idemstore.acquire('w'), idemstore.acquire('b'), idemstore.acquire('f'), idemstore.acquire('a', 1, 'user');
CREATE TEMP TABLE sound AS SELECT resource, state FROM idemstore.rate_limit_state;
CREATE FUNCTION pg_temp.poke(name text, bytes bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM idemstore.rate_limit_reset(name);
	INSERT INTO idemstore.rate_limit_state VALUES (name, '2035-01-01 00:00:00+00', bytes);
	PERFORM idemstore.rate_limit_status(name), idemstore.consume(name), idemstore.consume(name, 2147483647, 'user'), idemstore.record_request(name, 2147483647), idemstore.acquire_all(ARRAY[name]), idemstore.rate_limit_status(name);
	RETURN idemstore.rate_limit_reset(name);
END
$$;
SELECT resource, bool_and(pg_temp.poke(resource, substr(state, 1, n))) AS cut FROM sound, generate_series(0, 250) AS n GROUP BY resource ORDER BY resource;
SELECT resource, bool_and(pg_temp.poke(resource, set_byte(state, n, value))) AS changed FROM sound, unnest('{0,1,127,128,255}'::int[]) AS value, generate_series(0, octet_length(state) - 1) AS n GROUP BY resource ORDER BY resource;
SELECT resource, bool_and(pg_temp.poke(resource, overlay(state PLACING value FROM n))) AS changed FROM sound, unnest('{"\\xffffffffffffffff","\\xffffffffffffff7f","\\x0000000000000080"}'::bytea[]) AS value, generate_series(1, octet_length(state) - 7) AS n GROUP BY resource ORDER BY resource;
-- the size, the kind and the size of the name, with every byte that there is
SELECT resource, bool_and(pg_temp.poke(resource, set_byte(state, n, value))) AS changed FROM sound, generate_series(8, 11) AS n, generate_series(0, 255) AS value GROUP BY resource ORDER BY resource;

-- what rows leave behind as they grow is cleared away, and nothing is lost
SELECT pg_relation_size('idemstore.rate_limit_state') AS size \gset
DO $$
BEGIN
	FOR i IN 1..59 LOOP
		PERFORM set_config('idemstore.test_clock', format('2030-01-01 00:%s:00+00', i), false);
		PERFORM idemstore.acquire('grows', quota => 60, per => '1 h');
	END LOOP;
END
$$;
SELECT octet_length(state) > 500 AS has_grown, pg_relation_size('idemstore.rate_limit_state') > :size AS takes_more FROM idemstore.rate_limit_state WHERE resource = 'grows';
SELECT idemstore.acquire('grows', quota => 60, per => '1 h'), idemstore.acquire('grows', quota => 60, per => '1 h');

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
