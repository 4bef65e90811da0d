-- Register, join and complete one new job after the other.
--
-- Variables: rounds, calls (per loop and round), seed (rows in each table before
-- the first timing).

INSERT INTO bench.loops VALUES ('work', $$
	answer json := json_build_object('rows', (SELECT array_agg(md5(i::text)) FROM generate_series(1, 28) AS i));
	hashes text[] := (SELECT array_agg(gen_random_uuid()) FROM generate_series(1, calls));
	job idemstore.dedupe_registration;
	is_done boolean;
$$);
INSERT INTO bench.steps
SELECT 'work', step, call, side, statement, expected
FROM (VALUES
		('idemstore', 'idemstore.dedupe_register_or_join', 'idemstore.dedupe_complete'),
		('rival', 'rival.register_or_join', 'rival.complete'),
		('writer', 'writer.register_or_join', 'writer.complete')
	) AS sides (side, register, complete),
	LATERAL (VALUES
		(1, 'register', format('job := %s(hashes[i], interval ''5 min'')', register), 'job.is_owner'),
		(2, 'join', format('job := %s(hashes[i], interval ''5 min'')', register), 'NOT job.is_owner'),
		(3, 'complete', format('is_done := %s(hashes[i], answer, job.job_id)', complete), 'is_done')
	) AS steps (step, call, statement, expected);
-- the same loop around a built-in function, to be subtracted
INSERT INTO bench.steps
SELECT DISTINCT loop, step, call, 'nothing', 'is_done := textcat(hashes[i], hashes[i]) IS NULL' FROM bench.steps;
TABLE bench.loop_sources
\gexec

-- What is there before the first timing is the same everywhere, and analyzed:
-- the rivals' plans are those of a table in use.
INSERT INTO rival.jobs (hash, job_id, status, value, expires_at, created_at, completed_at)
SELECT gen_random_uuid(), gen_random_uuid(), 'completed', to_json(md5(i::text)), now() + interval '1 hour', now(), now()
FROM generate_series(1, :seed) AS i;
INSERT INTO writer.jobs SELECT * FROM rival.jobs ON CONFLICT DO NOTHING;
INSERT INTO idemstore.dedupe_jobs SELECT * FROM rival.jobs ON CONFLICT DO NOTHING;
VACUUM ANALYZE idemstore.dedupe_jobs;
VACUUM ANALYZE rival.jobs;
VACUUM ANALYZE writer.jobs;
CHECKPOINT;

SELECT bench.schedule(:rounds, :calls)
\gexec

-- What the owner's calls take together.
INSERT INTO bench.timings
SELECT round, 'both', side, sum(us)
FROM bench.timings
WHERE call IN ('register', 'complete')
GROUP BY round, side;
