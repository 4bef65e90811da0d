-- Dedupe

CREATE UNLOGGED TABLE idemstore.dedupe_jobs (
	hash text COLLATE "C" NOT NULL,
	job_id uuid NOT NULL,
	status text COLLATE "C" NOT NULL,
	value json,
	error json,
	lease_expires_at timestamp with time zone,
	expires_at timestamp with time zone NOT NULL,
	created_at timestamp with time zone NOT NULL,
	completed_at timestamp with time zone,
	CONSTRAINT dedupe_jobs_pkey PRIMARY KEY (hash)
) WITH (
	-- room on the page for the value, so that the end of a job stays HOT
	fillfactor = 60,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_insert_scale_factor = 0.05,
	autovacuum_analyze_scale_factor = 0.05
);

-- What a dirty read decides on must stand in the row itself.
ALTER TABLE idemstore.dedupe_jobs
	ALTER COLUMN hash SET STORAGE MAIN,
	ALTER COLUMN status SET STORAGE MAIN;

CREATE INDEX dedupe_jobs_expires_at_idx ON idemstore.dedupe_jobs (expires_at);

COMMENT ON TABLE idemstore.dedupe_jobs IS
	'One row per piece of work in flight or just finished; written by the functions of the extension only. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.dedupe_jobs.hash IS 'names the work, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.dedupe_jobs.job_id IS 'names the claim; another one with every owner';
COMMENT ON COLUMN idemstore.dedupe_jobs.status IS 'pending, completed or failed';
COMMENT ON COLUMN idemstore.dedupe_jobs.value IS 'JSON text exactly as dedupe_complete() was given it, or NULL';
COMMENT ON COLUMN idemstore.dedupe_jobs.error IS 'what dedupe_fail() was given, or NULL';
COMMENT ON COLUMN idemstore.dedupe_jobs.lease_expires_at IS 'when the timeout of a pending job is over; NULL when it is finished';
COMMENT ON COLUMN idemstore.dedupe_jobs.expires_at IS 'from when on the row counts as absent';
COMMENT ON COLUMN idemstore.dedupe_jobs.created_at IS 'when the job was opened';
COMMENT ON COLUMN idemstore.dedupe_jobs.completed_at IS 'when it was finished, or NULL';

CREATE TYPE idemstore.dedupe_registration AS (
	job_id uuid,
	is_owner boolean
);
COMMENT ON TYPE idemstore.dedupe_registration IS
	'Whose job it is: is_owner true for the one caller who has to do the work, job_id the owner''s for everybody.';

CREATE TYPE idemstore.dedupe_result AS (
	outcome text,
	value json,
	error json
);
COMMENT ON TYPE idemstore.dedupe_result IS
	'What dedupe_wait_for() saw. outcome: completed (value), failed (error), timeout or absent.';

CREATE FUNCTION idemstore.dedupe_register_or_join(
	hash text,
	timeout interval DEFAULT NULL
) RETURNS idemstore.dedupe_registration
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_register_or_join';
COMMENT ON FUNCTION idemstore.dedupe_register_or_join(text, interval) IS
	'Become the owner of the work, or join who owns it; never waits. A finished job is opened anew, one past its timeout is taken over by exactly one caller. timeout: at most 31 days; NULL is idemstore.default_job_timeout. Serves http-client-toolkit, DedupeStore.registerOrJoin. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.dedupe_register(
	hash text,
	timeout interval DEFAULT NULL
) RETURNS uuid
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_register';
COMMENT ON FUNCTION idemstore.dedupe_register(text, interval) IS
	'The job_id of dedupe_register_or_join(). Serves http-client-toolkit, DedupeStore.register. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.dedupe_complete(
	hash text,
	value json,
	job_id uuid DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_complete';
COMMENT ON FUNCTION idemstore.dedupe_complete(text, json, uuid) IS
	'Finish a pending job with its value, and wake who waits for it once the transaction commits. False, and nothing is changed, when there is no such job, when it is finished, or when job_id is given and is no longer the owner''s. Waits for another transaction that is changing the job. Serves http-client-toolkit, DedupeStore.complete. Errors: 22004, 22023, 25006, 54000, ID413.';

CREATE FUNCTION idemstore.dedupe_fail(
	hash text,
	error json DEFAULT NULL,
	job_id uuid DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_fail';
COMMENT ON FUNCTION idemstore.dedupe_fail(text, json, uuid) IS
	'Finish a pending job without a value: who waits for it gets failed and the error. False as in dedupe_complete(). Serves http-client-toolkit, DedupeStore.fail. Errors: 22004, 22023, 25006, 54000, ID413.';

CREATE FUNCTION idemstore.dedupe_wait_for(
	hash text,
	timeout interval DEFAULT NULL,
	job_id uuid DEFAULT NULL
) RETURNS idemstore.dedupe_result
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_wait_for';
COMMENT ON FUNCTION idemstore.dedupe_wait_for(text, interval, uuid) IS
	'Wait for the end of a job, woken by its commit. job_id: which one, as dedupe_register_or_join() returned it; NULL: the one that is there, or, while one is being opened anew, that. outcome: completed, failed, absent (there is no such job, or another has taken its place), or timeout: of the wait (at most a day; NULL: idemstore.default_wait) or of the job, at once when that is over or is this transaction''s own. Never the result of another job. Raises for none of them. Obeys statement_timeout. Serves http-client-toolkit, DedupeStore.waitFor. Errors: 22004, 22023, 54000, 57014.';

CREATE FUNCTION idemstore.dedupe_is_in_progress(
	hash text
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_is_in_progress';
COMMENT ON FUNCTION idemstore.dedupe_is_in_progress(text) IS
	'Is the job pending and not past its timeout? Sees a claim before its transaction commits. Serves http-client-toolkit, DedupeStore.isInProgress. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.dedupe_clear(
	prefix text DEFAULT ''
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_clear';
COMMENT ON FUNCTION idemstore.dedupe_clear(text) IS
	'Remove all committed jobs whose hash begins with the prefix, byte for byte; an empty one is all. Waits for open changes of them as DELETE does. Returns how many of them were live. Who waits for them gets absent. Errors: 22004, 25006, 54000.';

CREATE FUNCTION idemstore.dedupe_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100,
	after text DEFAULT ''
) RETURNS TABLE (hash text, job_id uuid, status text, expires_at timestamp with time zone)
LANGUAGE c STABLE PARALLEL SAFE ROWS 100
AS 'MODULE_PATHNAME', 'idemstore_dedupe_list';
COMMENT ON FUNCTION idemstore.dedupe_list(text, integer, text) IS
	'The live jobs whose hash begins with the prefix and is greater than after, both byte for byte: at most max_rows, in the order of their hashes. For the next page pass the last hash as after. status: pending (past its timeout or not), completed or failed. expires_at: from when on it counts as absent. Sees what SELECT would see. Errors: 22004, 22023, 54000.';
