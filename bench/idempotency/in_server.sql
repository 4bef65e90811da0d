-- Claims, completions and replays.
--
-- Variables: rounds, calls (per loop and round), seed (rows in each table before
-- the first timing).

-- What is there before the first timing, and replayed.
CREATE TABLE bench.seeds AS
SELECT gen_random_uuid()::text AS key FROM generate_series(1, :seed);

INSERT INTO bench.loops
SELECT loop, format($$
		headers json := '{"content-type": "application/json"}';
		body text := (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32) AS i);
		keys text[] := (%s);
		prints text[] := (SELECT array_agg(encode(sha256(key::bytea), 'hex')) FROM unnest(keys) AS key);
		verdict idemstore.idempotency_verdict;
		blank boolean;
	$$, keys)
FROM (VALUES
		('work', 'SELECT array_agg(gen_random_uuid()) FROM generate_series(1, calls)'),
		('replay', 'SELECT array_agg(key) FROM (SELECT key FROM bench.seeds ORDER BY random() LIMIT calls) AS seeds')
	) AS loops (loop, keys);

-- Claim and complete one key after the other, as a session does: a page that
-- takes many claims before the first response has no room to update in place.
INSERT INTO bench.steps
SELECT loop, step, call, side, replace(statement, '%', side), expected
FROM unnest('{idemstore,rival,writer}'::text[]) AS side,
	(VALUES
		('work', 1, 'claim', 'verdict := %.start_processing(keys[i], prints[i])', $$verdict.outcome = 'started'$$),
		('work', 2, 'complete', 'blank := %.complete(keys[i], 200, headers, body, verdict.fence) IS NULL', 'true'),
		('replay', 1, 'replay', 'verdict := %.start_processing(keys[i], prints[i])', 'length(verdict.response_body) = 1024')
	) AS steps (loop, step, call, statement, expected);
-- the same loops around a built-in function, to be subtracted
INSERT INTO bench.steps
SELECT DISTINCT loop, step, call, 'nothing', 'blank := textcat(keys[i], prints[i]) IS NULL' FROM bench.steps;
TABLE bench.loop_sources
\gexec

-- What is there before the first timing is the same everywhere, and analyzed:
-- the rivals' plans are those of a table in use.
INSERT INTO rival.idempotency_records
	(key, scope, fingerprint, status, fence, attempt, expires_at, created_at, completed_at, response_status, response_headers, response_body)
SELECT key, '', encode(sha256(key::bytea), 'hex'), 'complete', 1, 1, now() + '1 day', now(), now(), 200, '{"content-type": "application/json"}',
	(SELECT string_agg(sha256((key || i)::bytea), '') FROM generate_series(1, 32) AS i)
FROM bench.seeds;
INSERT INTO writer.idempotency_records SELECT * FROM rival.idempotency_records ON CONFLICT DO NOTHING;
INSERT INTO idemstore.idempotency_records SELECT * FROM rival.idempotency_records ON CONFLICT DO NOTHING;
VACUUM ANALYZE idemstore.idempotency_records;
VACUUM ANALYZE rival.idempotency_records;
VACUUM ANALYZE writer.idempotency_records;
CHECKPOINT;

SELECT bench.schedule(:rounds, :calls)
\gexec
