-- the tables of slots: whatever reads them by SQL, and rows of any length
SET debug_discard_caches = 0;
\set VERBOSITY terse
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT count(idemstore.acquire('r' || i, 1 + i % 7, quota => 9, per => '1 day')) AS rows FROM generate_series(1, 2000) AS i;
SELECT count(*), count(DISTINCT resource) FROM idemstore.rate_limit_state;
SELECT count(*), count(DISTINCT resource) FROM idemstore.rate_limit_state TABLESAMPLE SYSTEM (100);
SELECT count(*), count(DISTINCT resource) FROM idemstore.rate_limit_state TABLESAMPLE BERNOULLI (100) WHERE ctid >= '(1,1)';
-- read by workers too; backward not
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT count(*), count(DISTINCT length(state)) > 0 AS has_state FROM idemstore.rate_limit_state;
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT FROM idemstore.rate_limit_state;
FETCH 2 FROM c;
FETCH PRIOR FROM c;
ROLLBACK;
-- one row by its place, again and again
SELECT count(*) FROM (SELECT ctid AS place, resource FROM idemstore.rate_limit_state OFFSET 0) AS s, LATERAL (SELECT FROM idemstore.rate_limit_state AS t WHERE t.ctid = s.place AND t.resource = s.resource OFFSET 0) AS t;
SELECT count(*) FROM idemstore.rate_limit_state WHERE ctid IN ('(0,1)', '(1,0)', '(1,290)');
-- what is gone is not read
SELECT count(*) FILTER (WHERE idemstore.rate_limit_reset('r' || i)) FROM generate_series(1, 1000) AS i;
SELECT count(*), count(DISTINCT resource) FROM idemstore.rate_limit_state;
SELECT count(*) FROM idemstore.rate_limit_state TABLESAMPLE SYSTEM (100);
SELECT count(*) FROM (SELECT ctid AS place FROM idemstore.rate_limit_state OFFSET 0) AS s JOIN idemstore.rate_limit_state AS t ON t.ctid = s.place;
ANALYZE idemstore.rate_limit_state;
SELECT reltuples FROM pg_class WHERE oid = 'idemstore.rate_limit_state'::regclass;
VACUUM idemstore.rate_limit_state;
SELECT reltuples FROM pg_class WHERE oid = 'idemstore.rate_limit_state'::regclass;
-- a cursor that is read twice, and one under which the table doubles
BEGIN;
DECLARE twice NO SCROLL CURSOR FOR SELECT s.resource FROM (VALUES (1), (2)) AS v (n), LATERAL (SELECT resource FROM idemstore.rate_limit_state WHERE n > 0 OFFSET 0) AS s;
MOVE ALL FROM twice;
DECLARE growing CURSOR WITH HOLD FOR SELECT count(*), count(DISTINCT resource), count(*) FILTER (WHERE resource LIKE 'r%') AS old FROM (SELECT resource, idemstore.acquire('new ' || resource, quota => 9, per => '1 day') FROM idemstore.rate_limit_state WHERE resource LIKE 'r%' OFFSET 0) AS s;
COMMIT;
FETCH ALL FROM growing;

-- rows as long as the functions make them come through every rewrite
TRUNCATE idemstore.rate_limit_state;
INSERT INTO idemstore.rate_limit_state SELECT rpad(i::text, 1024, 'l'), '2031-01-01 00:00:00+00', convert_to(repeat('s', 6800), 'UTF8') FROM generate_series(1, 20) AS i;
CREATE FUNCTION pg_temp.long() RETURNS text LANGUAGE sql AS $$ SELECT count(*) || ' ' || min(octet_length(resource)) || ' ' || min(octet_length(state)) FROM idemstore.rate_limit_state WHERE octet_length(resource) = 1024 $$;
BEGIN;
ALTER TABLE idemstore.rate_limit_state SET LOGGED;
SELECT pg_temp.long();
ALTER TABLE idemstore.rate_limit_state SET ACCESS METHOD heap;
ALTER TABLE idemstore.rate_limit_state SET ACCESS METHOD idemstore_slots;
SELECT pg_temp.long();
CREATE TEMP TABLE long_ones ON COMMIT DROP AS SELECT * FROM idemstore.rate_limit_state;
TRUNCATE idemstore.rate_limit_state;
INSERT INTO idemstore.rate_limit_state SELECT * FROM long_ones;
SELECT pg_temp.long();
ROLLBACK;

TRUNCATE idemstore.rate_limit_state;
