-- acquire_all: from all resources or from none
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('a', 10, '1 min'), idemstore.set_rate_limit('b', 5, '1 min', 'token_bucket'), idemstore.set_rate_limit('c', 2, '1 min', 'fixed_window'), idemstore.set_rate_limit('p*', 1, '1 min');
CREATE FUNCTION pg_temp.taken(VARIADIC resources text[]) RETURNS TABLE (resource text, taken bigint)
LANGUAGE sql AS $$ SELECT r, s.quota - s.remaining FROM unnest(resources) WITH ORDINALITY AS t (r, n), idemstore.rate_limit_status(r) AS s ORDER BY n $$;

-- one of each, or so many; a name that comes again adds its costs
SELECT idemstore.acquire_all('{a,b,c}');
SELECT * FROM pg_temp.taken('a', 'b', 'c');
SELECT idemstore.acquire_all('{b,a}', '{2,3}');
SELECT * FROM pg_temp.taken('a', 'b', 'c');
SELECT idemstore.acquire_all('{a,b,a,a}'), idemstore.acquire_all('{a,c,a}', '{1,0,1}');
SELECT * FROM pg_temp.taken('a', 'b', 'c');
-- refused: nothing is taken, wherever in the list the one stands
SELECT idemstore.acquire_all('{c,a,b}', '{2,1,1}'), idemstore.acquire_all('{a,c,b}', '{1,2,1}'), idemstore.acquire_all('{a,b,c}', '{1,1,2}'), idemstore.acquire_all('{a,c,c}'), idemstore.acquire_all('{b,b,a,c}'), idemstore.acquire_all('{c,a,a}');
SELECT * FROM pg_temp.taken('a', 'b', 'c');
SELECT idemstore.acquire_all('{b,a,c}'), idemstore.acquire_all('{a,b,c}', '{0,0,1}'), idemstore.acquire_all('{a,b,c}', '{0,0,0}');
SELECT * FROM pg_temp.taken('a', 'b', 'c');
-- above every quota, alone or added up beyond the range of an integer
SELECT idemstore.acquire_all('{a}', '{11}'), idemstore.acquire_all('{a,a,a}', '{2147483647,2147483647,2147483647}');
-- no names, no costs
SELECT idemstore.acquire_all('{}'), idemstore.acquire_all('{}', '{}'), idemstore.acquire_all('{a,c}', '{0,0}');
-- resources by a pattern are resources of their own; a first use makes rows
SELECT idemstore.acquire_all('{p1,p2,p3}'), idemstore.acquire_all('{p4,p1}'), idemstore.acquire_all('{p4,p5}', '{1,0}');
SELECT resource FROM idemstore.rate_limit_state ORDER BY resource;
-- several policies of each
SELECT idemstore.set_rate_limit('m', 3, '1 s', policy => 'second'), idemstore.set_rate_limit('m', 4, '1 min', policy => 'minute');
SELECT idemstore.acquire_all('{m,p6}', '{3,1}'), idemstore.acquire_all('{m,p7}');
SET idemstore.test_clock = '2030-01-01 00:00:01+00';
SELECT idemstore.acquire_all('{m,p7}', '{2,1}'), idemstore.acquire_all('{p7,m}');
SELECT quota - remaining AS taken, policy FROM idemstore.rate_limit_status('m');
-- an adaptive one counts as background
SELECT idemstore.set_adaptive_rate_limit('ad', 10, min_user_reserved => 2);
SELECT idemstore.acquire_all('{ad,p8}', '{8,1}'), idemstore.acquire_all('{ad,p9}', '{7,1}'), idemstore.acquire_all('{ad,p9}');
SELECT * FROM pg_temp.taken('ad', 'p8', 'p9');

-- 64 names, not 65; repeated ones count once
SELECT idemstore.set_rate_limit('n*', 100, '1 min');
SELECT idemstore.acquire_all(array_agg('n' || i)) FROM generate_series(1, 64) AS i;
SELECT count(*) AS rows FROM idemstore.rate_limit_state WHERE resource LIKE 'n%';
SELECT idemstore.acquire_all(array_agg('n' || i)) FROM generate_series(1, 65) AS i;
SELECT idemstore.acquire_all(array_agg('n' || i % 64), array_agg(i % 2)) FROM generate_series(1, 640) AS i;
SELECT * FROM pg_temp.taken('n1', 'n2', 'n64', 'n0');

-- bad input: nothing is taken
SELECT idemstore.rate_limit_reset('a'), idemstore.rate_limit_reset('b'), idemstore.rate_limit_reset('c');
CREATE FUNCTION pg_temp.sqlstate_of(query text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
SELECT arguments, pg_temp.sqlstate_of(format('SELECT idemstore.acquire_all(%s)', arguments)) AS code FROM unnest(ARRAY[
	$$NULL$$, $$NULL, '{1}'$$, $$'{NULL}'$$, $$'{a,NULL}'$$, $$'{a}', '{NULL}'$$, $$'{a,b}', '{1}'$$, $$'{a}', '{1,1}'$$, $$'{a}', '{}'$$, $$'{}', '{1}'$$, $$'{{a,b}}'$$, $$'{a,b}', '{{1,1}}'$$,
	$$'{a,""}'$$, $$ARRAY['a', repeat('r', 1025)]$$, $$'{a,b}', '{1,-1}'$$, $$'{a,a}', '{5,-1}'$$, $$'{a,x}'$$, $$'{x}', '{0}'$$, $$'[5:6]={a,b}', '[0:1]={0,0}'$$]) WITH ORDINALITY AS t (arguments, n) ORDER BY n;
SELECT * FROM pg_temp.taken('a', 'b', 'c');
SELECT idemstore.acquire_all('{a,x}');
SELECT idemstore.acquire_all('{a,b}', '{1,-1}');

-- undone by nothing, as every acquire
BEGIN;
SELECT idemstore.acquire_all('{n1,n2}', '{10,20}');
ROLLBACK;
SELECT * FROM pg_temp.taken('n1', 'n2');

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
