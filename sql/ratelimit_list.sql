-- listing and clearing by the beginnings of names
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('t/*', 5, '1 min'), idemstore.set_rate_limit('t/*', 100, '1 h', policy => 'hour'), idemstore.set_rate_limit('u', 3, '1 min', enforced => false);
SELECT idemstore.acquire_many('{t/a,t/a,t/b,u,t/a_c,t/axc,t}', '{1,1,4,2,1,1,0}', quota => NULL) FROM (SELECT idemstore.set_rate_limit('t', 1, '1 min')) AS s;
SELECT idemstore.acquire('given/1', quota => 5, per => '1 min'), idemstore.acquire('t/given', 2, quota => 5, per => '1 min');
-- the least remaining first; those whose limit came with the call last
SELECT * FROM idemstore.rate_limit_list();
SELECT * FROM idemstore.rate_limit_list('t/a');
-- literally
SELECT resource FROM idemstore.rate_limit_list('t/a_');
SELECT resource, policy FROM idemstore.rate_limit_list('T/');
SELECT resource, policy FROM idemstore.rate_limit_list('', 3);
SELECT count(*) FROM idemstore.rate_limit_list('', 0);
-- what is over is not there
SET idemstore.test_clock = '2030-01-01 00:01:00+00';
SELECT resource, policy, remaining FROM idemstore.rate_limit_list();
SELECT idemstore.rate_limit_clear('t/a'), idemstore.rate_limit_clear('t/a'), idemstore.rate_limit_clear('u');
SELECT resource, policy, remaining FROM idemstore.rate_limit_list();
SELECT idemstore.acquire_many(array_agg('many/' || i), quota => 5, per => '1 min') IS NOT NULL FROM generate_series(1, 3000) AS i;
SELECT idemstore.rate_limit_clear('many/1'), idemstore.rate_limit_clear('many/'), idemstore.rate_limit_clear('');
SELECT count(*) FROM idemstore.rate_limit_list();
-- a bounded number of rows out of many, each the right ones
SELECT idemstore.set_rate_limit('n*', 1000000, '1 min');
SELECT cardinality(idemstore.acquire_many(array_agg('n' || i), array_agg(i * 7919::bigint % 5003))) FROM generate_series(1, 5002) AS i;
SELECT array_agg(1000000 - remaining) = ARRAY(SELECT generate_series(5002, 4803, -1)::bigint) AS are_the_least FROM idemstore.rate_limit_list('n', 200);
SELECT count(*), count(DISTINCT resource) FROM idemstore.rate_limit_list('n', 100000);
-- cooldowns
SELECT idemstore.set_cooldown(o, '2030-01-01 00:01:00+00'::timestamptz + length(o) * interval '1 min') FROM unnest('{a,bb,ab,over,ba}'::text[]) AS o;
SELECT * FROM idemstore.cooldown_list();
SELECT * FROM idemstore.cooldown_list('a');
SELECT * FROM idemstore.cooldown_list('', 1);
SET idemstore.test_clock = '2030-01-01 00:03:00+00';
SELECT origin FROM idemstore.cooldown_list();
-- arguments
SELECT * FROM idemstore.rate_limit_list(NULL);
SELECT * FROM idemstore.rate_limit_list('', -1);
SELECT * FROM idemstore.rate_limit_list('', NULL);
SELECT * FROM idemstore.rate_limit_list(repeat('p', 1025));
SELECT * FROM idemstore.cooldown_list(NULL);
SELECT * FROM idemstore.cooldown_list('', -1);
SELECT idemstore.rate_limit_clear(NULL);
BEGIN READ ONLY;
SELECT count(*) > 0 AS reads FROM idemstore.cooldown_list();
SELECT idemstore.rate_limit_clear('');
ROLLBACK;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
