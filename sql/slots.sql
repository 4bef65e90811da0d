-- the tables of slots: what SQL may do to them, and what it may not
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT relname, amname, relpersistence, age(relfrozenxid) < 10000 AS xid_is_new, mxid_age(relminmxid) < 10000 AS multi_is_new, reltoastrelid
	FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam WHERE amname = 'idemstore_slots' ORDER BY relname;
-- resources of which one to seven are taken
SELECT idemstore.set_rate_limit('r*', 9, '1 day');
SELECT count(idemstore.acquire('r' || i, 1 + i % 7)) AS rows FROM generate_series(1, 2000) AS i;
SELECT idemstore.set_cooldown('o', '2030-01-02 00:00:00+00');
CREATE FUNCTION pg_temp.kept(OUT rows bigint, OUT names bigint, OUT lost bigint, OUT cooldown timestamptz)
LANGUAGE sql AS $$
	SELECT (SELECT count(*) FROM idemstore.rate_limit_state), (SELECT count(DISTINCT resource) FROM idemstore.rate_limit_state),
		count(*) FILTER (WHERE 9 - s.remaining <> 1 + i % 7), idemstore.get_cooldown('o')
	FROM generate_series(1, 2000) AS i, idemstore.rate_limit_status('r' || i) AS s
$$;
SELECT * FROM pg_temp.kept();

-- whatever changes rows is refused
UPDATE idemstore.rate_limit_state SET expires_at = now();
UPDATE idemstore.cooldowns SET until = now();
DELETE FROM idemstore.rate_limit_state;
DELETE FROM idemstore.cooldowns WHERE origin = 'o';
MERGE INTO idemstore.rate_limit_state AS s USING (VALUES ('r1')) AS v (resource) ON s.resource = v.resource WHEN MATCHED THEN DELETE;
SELECT resource FROM idemstore.rate_limit_state FOR UPDATE;
SELECT origin FROM idemstore.cooldowns FOR KEY SHARE;
CREATE INDEX ON idemstore.rate_limit_state (resource);
CREATE UNIQUE INDEX ON idemstore.cooldowns (origin);
CREATE INDEX ON idemstore.rate_limit_state USING hash (resource);
ALTER TABLE idemstore.rate_limit_state ADD PRIMARY KEY (resource);
-- an INSERT is for filling the table again
INSERT INTO idemstore.rate_limit_state VALUES ('r1', '2030-01-02 00:00:00+00', 'x');
INSERT INTO idemstore.rate_limit_state VALUES ('r1', '2030-01-02 00:00:00+00', 'x') ON CONFLICT DO NOTHING;
INSERT INTO idemstore.rate_limit_state VALUES ('r1', '2030-01-02 00:00:00+00', 'x') ON CONFLICT (resource) DO NOTHING;
INSERT INTO idemstore.cooldowns VALUES ('o', '2030-01-03 00:00:00+00');
CREATE INDEX CONCURRENTLY invalid ON idemstore.cooldowns (until);
INSERT INTO idemstore.cooldowns VALUES ('p', '2030-01-03 00:00:00+00') ON CONFLICT DO NOTHING;
DROP INDEX idemstore.invalid;
CREATE TRIGGER t AFTER INSERT ON idemstore.cooldowns FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
INSERT INTO idemstore.cooldowns VALUES ('p', '2030-01-03 00:00:00+00');
DROP TRIGGER t ON idemstore.cooldowns;
INSERT INTO idemstore.rate_limit_state VALUES ('r1', NULL, 'x');
INSERT INTO idemstore.rate_limit_state VALUES ('r1', '2030-01-02 00:00:00+00', NULL);
INSERT INTO idemstore.rate_limit_state VALUES ('large', '2030-01-02 00:00:00+00', convert_to(repeat('x', 8100), 'UTF8'));
SELECT * FROM pg_temp.kept();
COPY idemstore.rate_limit_state FROM STDIN;
copied	2030-01-02 00:00:00+00	\\x00
r1	2030-01-02 00:00:00+00	\\x00
\.
SELECT idemstore.rate_limit_reset('copied');
CREATE TEMP TABLE saved AS SELECT * FROM idemstore.rate_limit_state;
TRUNCATE idemstore.rate_limit_state;
SELECT remaining FROM idemstore.rate_limit_status('r1');
INSERT INTO idemstore.rate_limit_state SELECT * FROM saved;
SELECT * FROM pg_temp.kept();

SELECT count(*) FROM idemstore.rate_limit_state AS a JOIN idemstore.rate_limit_state AS b ON a.ctid = b.ctid AND a.resource = b.resource;
SELECT count(*) FROM idemstore.rate_limit_state TABLESAMPLE SYSTEM (100);

-- care keeps every limit; there is no index to cluster by
VACUUM idemstore.rate_limit_state, idemstore.cooldowns;
VACUUM (FREEZE) idemstore.rate_limit_state;
ANALYZE idemstore.rate_limit_state;
SELECT reltuples FROM pg_class WHERE oid = 'idemstore.rate_limit_state'::regclass;
SELECT * FROM pg_temp.kept();
VACUUM FULL idemstore.rate_limit_state, idemstore.cooldowns;
SELECT * FROM pg_temp.kept();
CLUSTER idemstore.rate_limit_state;
SELECT relname, age(relfrozenxid) < 10000 AS xid_is_new, mxid_age(relminmxid) < 10000 AS multi_is_new FROM pg_class WHERE relname IN ('rate_limit_state', 'cooldowns') ORDER BY relname;
ALTER TABLE idemstore.rate_limit_state SET LOGGED;
ALTER TABLE idemstore.cooldowns SET LOGGED;
SELECT * FROM pg_temp.kept();
SELECT idemstore.acquire('r0', 9), idemstore.acquire('r0'), idemstore.acquire('r1', 8), idemstore.rate_limit_reset('r0'), idemstore.set_cooldown('o', '2030-01-03 00:00:00+00');
-- VACUUM counts, and moves the horizon on
VACUUM idemstore.rate_limit_state;
SELECT reltuples, relpages = pg_relation_size(oid) / current_setting('block_size')::int AS pages, age(relfrozenxid) < 100 AS xid_is_new, mxid_age(relminmxid) < 100 AS multi_is_new FROM pg_class WHERE oid = 'idemstore.rate_limit_state'::regclass;
VACUUM FULL idemstore.rate_limit_state;
SELECT * FROM pg_temp.kept();
ALTER TABLE idemstore.rate_limit_state SET UNLOGGED;
ALTER TABLE idemstore.cooldowns SET UNLOGGED;
SELECT * FROM pg_temp.kept();
-- idle rows stay behind
SELECT count(idemstore.acquire('i' || i, quota => 1, per => '1 s')) FROM generate_series(1, 500) AS i;
SET idemstore.test_clock = '2030-01-01 00:00:01+00';
VACUUM FULL idemstore.rate_limit_state;
SELECT * FROM pg_temp.kept();

-- a cursor on the table while its rows grow, go, and the table is gone over
BEGIN;
DECLARE c CURSOR FOR SELECT resource FROM idemstore.rate_limit_state WHERE resource = 'r1000' OR resource < 'r2';
FETCH 1 FROM c \gset first_
SELECT count(idemstore.acquire(resource, 1, quota => 100, per => n * interval '1 min')) FROM (SELECT resource FROM saved) AS t, generate_series(1, 3) AS n;
SELECT bool_and(idemstore.rate_limit_reset('r' || i)) FROM generate_series(1001, 2000) AS i;
MOVE ALL FROM c;
CLOSE c;
COMMIT;
SELECT count(*), count(DISTINCT resource), max(octet_length(state)) > 200 AS has_grown FROM idemstore.rate_limit_state;
VACUUM FULL idemstore.rate_limit_state;
SELECT count(*) FILTER (WHERE 9 - s.remaining <> 1 + i % 7) AS lost FROM generate_series(1, 1000) AS i, idemstore.rate_limit_status('r' || i) AS s;
-- truncated, also in a transaction that is undone
BEGIN;
TRUNCATE idemstore.rate_limit_state;
SELECT idemstore.acquire('r1', 9), idemstore.acquire('r1');
TRUNCATE idemstore.rate_limit_state;
SELECT idemstore.acquire('r1', 9), idemstore.acquire('r1');
ROLLBACK;
SELECT remaining FROM idemstore.rate_limit_status('r1');
TRUNCATE idemstore.rate_limit_state;
SELECT idemstore.acquire('r1', 9), idemstore.acquire('r1');
SELECT count(*) FROM idemstore.rate_limit_state;

-- not for tables elsewhere, nor of other columns
CREATE TABLE public.other (a text NOT NULL, b timestamptz NOT NULL) USING idemstore_slots;
CREATE TABLE idemstore.other (a int) USING idemstore_slots;
CREATE TABLE idemstore.other (a text NOT NULL, b timestamptz) USING idemstore_slots;
CREATE TABLE idemstore.other (a text NOT NULL, b timestamptz NOT NULL, c bytea NOT NULL, d int) USING idemstore_slots;
CREATE TABLE idemstore.other (a text PRIMARY KEY, b timestamptz NOT NULL) USING idemstore_slots;
CREATE MATERIALIZED VIEW public.other USING idemstore_slots AS SELECT 'a'::text AS a, now() AS b;
-- a table that is no longer what it was is refused, and works again afterwards
CREATE FUNCTION pg_temp.after(change text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE change;
	PERFORM idemstore.acquire('r_after');
	RAISE SQLSTATE 'UND00';
EXCEPTION WHEN OTHERS THEN
	RETURN CASE sqlstate WHEN 'UND00' THEN 'works' ELSE sqlstate || ' ' || sqlerrm END;
END
$$;
CREATE FUNCTION pg_temp.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
SELECT change, pg_temp.after('ALTER TABLE idemstore.rate_limit_state ' || change) FROM unnest(ARRAY['ADD COLUMN x int', 'DROP COLUMN state', 'RENAME COLUMN state TO s', 'ALTER COLUMN state SET STORAGE EXTERNAL',
	'ALTER COLUMN resource TYPE text COLLATE "POSIX"', 'SET ACCESS METHOD heap', 'ENABLE ROW LEVEL SECURITY', 'RENAME TO x', 'SET SCHEMA public', 'SET (fillfactor = 50)', 'SET LOGGED']) AS change;
SELECT pg_temp.after('CREATE TRIGGER t BEFORE INSERT ON idemstore.rate_limit_state FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing()');
SELECT pg_temp.after('CREATE RULE r AS ON INSERT TO idemstore.rate_limit_state DO INSTEAD NOTHING');
SELECT pg_temp.after('CREATE TABLE public.child () INHERITS (idemstore.rate_limit_state)');
SELECT pg_temp.after('DROP TABLE idemstore.rate_limit_state CASCADE');
SELECT pg_temp.after('DROP EXTENSION idemstore; CREATE EXTENSION idemstore; SELECT idemstore.set_rate_limit($$r*$$, 1, $$1 s$$)');
SELECT idemstore.acquire('r2', 5), idemstore.acquire('r2', 5), pg_temp.after('SELECT 1');
BEGIN;
ALTER TABLE idemstore.rate_limit_state ADD COLUMN x int;
ALTER TABLE idemstore.rate_limit_state DROP COLUMN x;
SELECT idemstore.acquire('r2', 4), idemstore.acquire('r2'), idemstore.acquire('r3', 9), idemstore.acquire('r3');
SELECT resource FROM idemstore.rate_limit_state ORDER BY resource;
ROLLBACK;
SELECT idemstore.acquire('r3');

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
