\echo Use "CREATE EXTENSION idemstore" to load this file. \quit

-- Created here and not by the control file, so that DROP EXTENSION removes it
-- and a schema that stood under this name before is an error.
CREATE SCHEMA idemstore;
COMMENT ON SCHEMA idemstore IS 'idempotency keys, dedupe, cache and rate limits';
-- Idempotency records

CREATE TABLE idemstore.idempotency_records (
	key text COLLATE "C" NOT NULL,
	scope text COLLATE "C" NOT NULL,
	fingerprint text COLLATE "C",
	status text COLLATE "C" NOT NULL,
	fence bigint NOT NULL,
	attempt integer NOT NULL,
	owner text COLLATE "C",
	lease_expires_at timestamp with time zone,
	expires_at timestamp with time zone NOT NULL,
	created_at timestamp with time zone NOT NULL,
	completed_at timestamp with time zone,
	response_status integer,
	response_headers json,
	response_body bytea,
	error json,
	context json,
	recovery_point text COLLATE "C",
	checkpoint json,
	CONSTRAINT idempotency_records_pkey PRIMARY KEY (key, scope)
) WITH (
	-- room on the page for the response, so that complete() stays HOT
	fillfactor = 60,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_insert_scale_factor = 0.05,
	autovacuum_analyze_scale_factor = 0.05
);

-- What a dirty read decides on must stand in the row itself.
ALTER TABLE idemstore.idempotency_records
	ALTER COLUMN key SET STORAGE MAIN,
	ALTER COLUMN scope SET STORAGE MAIN,
	ALTER COLUMN fingerprint SET STORAGE MAIN,
	ALTER COLUMN status SET STORAGE MAIN,
	ALTER COLUMN owner SET STORAGE MAIN;

CREATE INDEX idempotency_records_fingerprint_idx
	ON idemstore.idempotency_records (scope, fingerprint);
CREATE INDEX idempotency_records_expires_at_idx
	ON idemstore.idempotency_records (expires_at);

SELECT pg_catalog.pg_extension_config_dump('idemstore.idempotency_records', '');

COMMENT ON TABLE idemstore.idempotency_records IS
	'One row per key and scope; readable by SQL, written by the functions of the extension only. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.idempotency_records.key IS 'names one request within its scope, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.idempotency_records.scope IS 'namespace of keys, 0 to 255 bytes';
COMMENT ON COLUMN idemstore.idempotency_records.fingerprint IS 'hash of the request''s content, at most 1024 bytes, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.status IS 'processing, complete or failed';
COMMENT ON COLUMN idemstore.idempotency_records.fence IS 'number of the claim; grows with every claim of the key';
COMMENT ON COLUMN idemstore.idempotency_records.attempt IS 'which claim of this record, from 1';
COMMENT ON COLUMN idemstore.idempotency_records.owner IS 'who holds the claim, as the caller named himself, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.lease_expires_at IS 'until when the claim is held; NULL when no claim is: final, or failed retryably';
COMMENT ON COLUMN idemstore.idempotency_records.expires_at IS 'from when on the row counts as absent';
COMMENT ON COLUMN idemstore.idempotency_records.created_at IS 'when the key was first claimed';
COMMENT ON COLUMN idemstore.idempotency_records.completed_at IS 'when the record became final, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.response_status IS 'HTTP status or any number of the caller''s, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.response_headers IS 'JSON text exactly as it was given, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.response_body IS 'body byte for byte, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.error IS 'what fail() was given, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.context IS 'what start_processing() was given, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.recovery_point IS 'name of the last checkpoint, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.checkpoint IS 'state at the last checkpoint, or NULL';

CREATE TYPE idemstore.idempotency_record AS (
	key text,
	scope text,
	fingerprint text,
	status text,
	fence bigint,
	attempt integer,
	owner text,
	lease_expires_at timestamp with time zone,
	expires_at timestamp with time zone,
	created_at timestamp with time zone,
	completed_at timestamp with time zone,
	response_status integer,
	response_headers json,
	response_body bytea,
	error json,
	context json,
	recovery_point text,
	checkpoint json
);
COMMENT ON TYPE idemstore.idempotency_record IS
	'A record as get(), lookup() and wait() return it: the columns of idempotency_records in their order.';

CREATE TYPE idemstore.idempotency_verdict AS (
	outcome text,
	fence bigint,
	attempt integer,
	retry_after interval,
	conflicting_key text,
	response_status integer,
	response_headers json,
	response_body bytea,
	error json,
	recovery_point text,
	checkpoint json
);
COMMENT ON TYPE idemstore.idempotency_verdict IS
	'What start_processing() decided. outcome: started (fence, attempt, recovery_point, checkpoint), replay (response_status, response_headers, response_body), failed (error and response), in_progress (retry_after), mismatch, abandoned (as started, of the attempt whose lease is over), duplicate (conflicting_key). All other columns are NULL.';

CREATE TYPE idemstore.idempotency_match AS (
	by_key idemstore.idempotency_record,
	by_fingerprint idemstore.idempotency_record
);
COMMENT ON TYPE idemstore.idempotency_match IS
	'What lookup() found: the record of the key, and a record with the fingerprint.';

CREATE FUNCTION idemstore.start_processing_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_start_processing_support';
COMMENT ON FUNCTION idemstore.start_processing_support(internal) IS
	'Planner support of start_processing(); not to be called.';

CREATE FUNCTION idemstore.start_processing(
	key text,
	fingerprint text DEFAULT NULL,
	ttl interval DEFAULT NULL,
	scope text DEFAULT '',
	lease interval DEFAULT NULL,
	wait interval DEFAULT '0',
	owner text DEFAULT NULL,
	takeover boolean DEFAULT true,
	unique_fingerprint boolean DEFAULT false,
	context json DEFAULT NULL
) RETURNS idemstore.idempotency_verdict
LANGUAGE c VOLATILE PARALLEL UNSAFE
SUPPORT idemstore.start_processing_support
AS 'MODULE_PATHNAME', 'idemstore_start_processing';
COMMENT ON FUNCTION idemstore.start_processing(text, text, interval, text, interval, interval, text, boolean, boolean, json) IS
	'Claim a key, or say why not; call it in FROM, since (start_processing(...)).* would call it once a column. Exactly one of any number of callers gets outcome started, in one atomic call. ttl: how long the record lives (NULL: idemstore.default_ttl; <= 0: expired at once). lease: how long the claim is held, at most the ttl (NULL: idemstore.default_lease). wait: how long to wait for a claim in progress to end (default not at all). owner: starting again with the same owner is started again. takeover false: a claim whose lease is over is abandoned, not taken over. unique_fingerprint: another live key of the scope with this fingerprint is duplicate. context: kept with the record. Intervals are at most ten years; a bare number is seconds. Errors: 22004 for NULL, 22023 for a bad value, 54000 for a name that is too long, ID413 for a context above idemstore.max_body_size, 25006 in a read-only transaction. Serves startProcessing of idempot''s IdempotencyStore and the Idempotency-Key header.';

CREATE FUNCTION idemstore.complete(
	key text,
	response_status integer DEFAULT NULL,
	response_headers json DEFAULT NULL,
	response_body bytea DEFAULT NULL,
	fence bigint DEFAULT NULL,
	scope text DEFAULT '',
	ttl interval DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_complete';
COMMENT ON FUNCTION idemstore.complete(text, integer, json, bytea, bigint, text, interval) IS
	'Store the response and make the record final; all who wait for it are woken at commit. fence: as start_processing() returned it; NULL skips the check. ttl: from now; NULL keeps expires_at. Repeating it with the same content succeeds. Errors: ID404 no live record, ID412 the fence is stale, ID425 final already with other content, ID413 headers or body above idemstore.max_body_size, 22004, 22023, 54000, 25006. Serves complete of idempot''s IdempotencyStore.';

CREATE FUNCTION idemstore.fail(
	key text,
	error json DEFAULT NULL,
	retryable boolean DEFAULT false,
	response_status integer DEFAULT NULL,
	response_headers json DEFAULT NULL,
	response_body bytea DEFAULT NULL,
	fence bigint DEFAULT NULL,
	scope text DEFAULT '',
	ttl interval DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_fail';
COMMENT ON FUNCTION idemstore.fail(text, json, boolean, integer, json, bytea, bigint, text, interval) IS
	'End the attempt with an error. retryable: the next start owns the key, as attempt + 1; otherwise the failure is final and replayed as outcome failed. fence and ttl as in complete(). Repeating it with the same content succeeds. Errors: ID404 no live record, ID412 the fence is stale, ID425 final already with other content, ID413 error, headers or body above idemstore.max_body_size, 22004, 22023, 54000, 25006. Serves fail of litert''s IManager.';

CREATE FUNCTION idemstore.release(
	key text,
	fence bigint DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_release';
COMMENT ON FUNCTION idemstore.release(text, bigint, text) IS
	'Give the claim back as if it never was. False when there was no live record. Errors: ID412 the fence is stale, ID425 the record is final, 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.extend_lease(
	key text,
	fence bigint,
	lease interval DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS timestamp with time zone
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_extend_lease';
COMMENT ON FUNCTION idemstore.extend_lease(text, bigint, interval, text) IS
	'Hold the claim for another lease from now (NULL: idemstore.default_lease), cut to the record''s expires_at; returns the end of the lease. Errors: 22004 fence is NULL, ID404 no live record, ID412 the fence is stale or the attempt was given up, ID425 the record is final, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.lookup(
	key text,
	fingerprint text DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS idemstore.idempotency_match
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_lookup';
COMMENT ON FUNCTION idemstore.lookup(text, text, text) IS
	'The live record of the key, and a live record of the scope with the fingerprint (the key''s own if it has it, else the newest); NULL where there is none. Writes nothing, works in a read-only transaction and on a standby, and sees what the statement''s snapshot sees. Errors: 22004, 22023, 54000. Serves lookup of idempot''s IdempotencyStore.';

CREATE FUNCTION idemstore.get(
	key text,
	scope text DEFAULT ''
) RETURNS idemstore.idempotency_record
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get';
COMMENT ON FUNCTION idemstore.get(text, text) IS
	'The live record of the key, or NULL (one row of NULLs in FROM). Writes nothing, works in a read-only transaction and on a standby, and sees what the statement''s snapshot sees. Errors: 22004, 22023, 54000. Serves get of litert''s IManager.';

CREATE FUNCTION idemstore.wait(
	key text,
	timeout interval DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS idemstore.idempotency_record
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_wait';
COMMENT ON FUNCTION idemstore.wait(text, interval, text) IS
	'Wait until the record is final and return it; NULL at once when there is none, or when it goes away. It sees what others commit while it waits, whatever the isolation level. timeout: NULL is idemstore.default_wait. Overrides lock_timeout, obeys statement_timeout. Errors: ID408 at the timeout, or at once when the claim is the own transaction''s; 22004, 22023, 54000; deadlock_detected as for any lock. Serves wait of litert''s IManager.';

CREATE FUNCTION idemstore.checkpoint(
	key text,
	recovery_point text,
	state json DEFAULT NULL,
	fence bigint DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_checkpoint';
COMMENT ON FUNCTION idemstore.checkpoint(text, text, json, bigint, text) IS
	'Note how far the work has come: recovery_point (a name of at most 255 bytes) and state are given to the next attempt, should this one die. fence: NULL skips the check. Errors: 22004 recovery_point is NULL, ID404 no live record, ID412 the fence is stale or the attempt was given up, ID425 the record is final, ID413, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.assert_owner(
	key text,
	fence bigint,
	scope text DEFAULT ''
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_assert_owner';
COMMENT ON FUNCTION idemstore.assert_owner(text, bigint, text) IS
	'Make sure that the caller still owns the claim, and that nobody can take it over before the transaction ends: what it writes is fenced. Waits for an open takeover as UPDATE does; extend_lease() and checkpoint() of others are not held off. Errors: 22004 fence is NULL, ID404 no live record, ID412 the fence is stale or the attempt was given up, ID425 the record is final, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.set_nx(
	key text,
	value bytea,
	ttl interval DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_set_nx';
COMMENT ON FUNCTION idemstore.set_nx(text, bytea, interval, text) IS
	'Store a value unless the key has a live record, in any state, committed or not: true if stored. False also when another transaction holds an expired record of the key. The record is complete at once, its response_body is the value. Never waits. ttl: NULL is idemstore.default_ttl. Errors: 22004 value is NULL, ID413, 22023, 54000, 25006. Serves SetNX of Go''s IdempotencyStore.';

CREATE FUNCTION idemstore.set_value(
	key text,
	value bytea,
	ttl interval DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_set_value';
COMMENT ON FUNCTION idemstore.set_value(text, bytea, interval, text) IS
	'Store a value whatever stood there, a final record and a claim in progress too; the record gets a new fence, so that a former owner is told ID412. Waits for another transaction''s open change as UPDATE does. ttl: NULL is idemstore.default_ttl. Errors: 22004 value is NULL, ID413, 22023, 54000, 25006. Serves Set of Go''s IdempotencyStore.';

CREATE FUNCTION idemstore.get_value(
	key text,
	scope text DEFAULT ''
) RETURNS bytea
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_value';
COMMENT ON FUNCTION idemstore.get_value(text, text) IS
	'The value of a live complete record, or NULL for a miss; an empty value is a hit. Writes nothing, works in a read-only transaction and on a standby. Errors: 22004, 22023, 54000. Serves Get of Go''s IdempotencyStore.';

CREATE FUNCTION idemstore.initiate(
	key text,
	context json DEFAULT NULL,
	ttl interval DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_initiate';
COMMENT ON FUNCTION idemstore.initiate(text, json, interval, text) IS
	'Create a record in processing unless the key has a live one, in any state, committed or not: true if created. False also when another transaction holds an expired record of the key. The claim is held until the record expires and is never taken over. Never waits. ttl: NULL is idemstore.default_ttl. Errors: 22004, 22023, 54000, ID413, 25006. Serves initiate of litert''s IManager.';

CREATE FUNCTION idemstore.success(
	key text,
	result json,
	fence bigint DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_success';
COMMENT ON FUNCTION idemstore.success(text, json, bigint, text) IS
	'complete() with the text of result as response_body, in the database''s encoding. Errors: as complete(): ID404, ID412, ID413, ID425, 22004, 22023, 54000, 25006. Serves success of litert''s IManager.';

CREATE FUNCTION idemstore.forget(
	key text,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_forget';
COMMENT ON FUNCTION idemstore.forget(text, text) IS
	'Remove the record of the key in any state, a claim in progress too: its owner is told ID404. False when there was no live one. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.forget_scope(
	scope text
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_forget_scope';
COMMENT ON FUNCTION idemstore.forget_scope(text) IS
	'Remove all committed records of a scope in any state; how many of them were live. Waits for open changes of them as DELETE does; who waits for one of them notices within a second. Errors: 22004, 54000, 25006.';

CREATE FUNCTION idemstore.fingerprint(
	payload jsonb,
	exclude text[] DEFAULT '{}'
) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_fingerprint';
COMMENT ON FUNCTION idemstore.fingerprint(jsonb, text[]) IS
	'SHA-256 in hexadecimal over the payload as canonical JSON: keys sorted by their bytes, numbers as plain decimals without trailing zeroes, no white space, UTF-8. exclude: top-level keys that do not count. The same on every version of PostgreSQL. NULL of NULL. Errors: 22004 exclude contains NULL, 22021 a string that is not UTF-8, in a SQL_ASCII database.';
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
	'Become the owner of the work, or join who owns it; never waits. A finished job is opened anew, one past its timeout is taken over by exactly one caller. timeout: NULL for idemstore.default_job_timeout. Serves http-client-toolkit, DedupeStore.registerOrJoin. Errors: 22004, 22023, 25006, 54000.';

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
	timeout interval DEFAULT NULL
) RETURNS idemstore.dedupe_result
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_wait_for';
COMMENT ON FUNCTION idemstore.dedupe_wait_for(text, interval) IS
	'Wait for the end of a job, woken by its commit. outcome: completed, failed, absent, or timeout: of the wait (NULL: idemstore.default_wait) or of the job, at once when that is over or is this transaction''s own. Raises for none of them. Obeys statement_timeout. Serves http-client-toolkit, DedupeStore.waitFor. Errors: 22004, 22023, 54000, 57014.';

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
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_dedupe_clear';
COMMENT ON FUNCTION idemstore.dedupe_clear(text) IS
	'Remove all jobs whose hash begins with the prefix, byte for byte; an empty one is all. Returns how many of them were live. Who waits for them gets absent. Errors: 22004, 25006, 54000, 40001 under SERIALIZABLE, as SELECT.';
-- The cache

CREATE UNLOGGED TABLE idemstore.cache_entries (
	key text COLLATE "C" NOT NULL,
	value bytea NOT NULL,
	is_json boolean NOT NULL,
	tags text[] COLLATE "C",
	expires_at timestamp with time zone,
	expires_bucket integer,
	written_at timestamp with time zone NOT NULL,
	written_by xid8 NOT NULL,
	CONSTRAINT cache_entries_pkey PRIMARY KEY (key)
) WITH (
	-- room on the page for the next version, so that overwriting is HOT
	fillfactor = 80,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_vacuum_insert_scale_factor = 0.05,
	autovacuum_analyze_scale_factor = 0.05
);

CREATE INDEX cache_entries_tags_idx ON idemstore.cache_entries USING gin (tags) WITH (fastupdate = off) WHERE tags IS NOT NULL;
CREATE INDEX cache_entries_expires_bucket_idx ON idemstore.cache_entries (expires_bucket);

COMMENT ON TABLE idemstore.cache_entries IS
	'One row per cached value; written by the functions of the extension only. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.cache_entries.key IS 'names the value, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.cache_entries.value IS 'the JSON text exactly as it was given, or the bytes';
COMMENT ON COLUMN idemstore.cache_entries.is_json IS 'whether it was stored as json';
COMMENT ON COLUMN idemstore.cache_entries.tags IS 'what the value depends on, sorted, at most 64 of 1 to 255 bytes; NULL or empty for nothing';
COMMENT ON COLUMN idemstore.cache_entries.expires_at IS 'from when on the row counts as absent; NULL for never';
COMMENT ON COLUMN idemstore.cache_entries.expires_bucket IS 'expires_at in hours, by which expire() finds the row';
COMMENT ON COLUMN idemstore.cache_entries.written_at IS 'when the value was stored';
COMMENT ON COLUMN idemstore.cache_entries.written_by IS 'the transaction that stored it';

CREATE UNLOGGED TABLE idemstore.cache_leases (
	key text COLLATE "C" NOT NULL,
	fence bigint NOT NULL,
	snapshot pg_snapshot NOT NULL,
	lease_expires_at timestamp with time zone NOT NULL,
	expires_at timestamp with time zone NOT NULL,
	created_at timestamp with time zone NOT NULL,
	CONSTRAINT cache_leases_pkey PRIMARY KEY (key)
) WITH (
	fillfactor = 60,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_analyze_scale_factor = 0.05
);
COMMENT ON TABLE idemstore.cache_leases IS
	'Who computes which value. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.cache_leases.key IS 'the key of the value';
COMMENT ON COLUMN idemstore.cache_leases.fence IS 'number of the lease, which cache_set() is given';
COMMENT ON COLUMN idemstore.cache_leases.snapshot IS 'as of when the value is computed';
COMMENT ON COLUMN idemstore.cache_leases.lease_expires_at IS 'from when on the next caller computes';
COMMENT ON COLUMN idemstore.cache_leases.expires_at IS 'from when on the value is not taken any more';
COMMENT ON COLUMN idemstore.cache_leases.created_at IS 'when the key was first leased';

CREATE UNLOGGED TABLE idemstore.cache_invalidations (
	name text COLLATE "C" NOT NULL,
	xid xid8 NOT NULL,
	seen_at timestamp with time zone,
	CONSTRAINT cache_invalidations_pkey PRIMARY KEY (name)
) WITH (
	fillfactor = 60,
	autovacuum_vacuum_scale_factor = 0.02,
	autovacuum_analyze_scale_factor = 0.05
);
COMMENT ON TABLE idemstore.cache_invalidations IS
	'Which transaction last invalidated a name; kept until no lease can be from before that.';
COMMENT ON COLUMN idemstore.cache_invalidations.name IS 'k and a key, t and a tag, or * for everything';
COMMENT ON COLUMN idemstore.cache_invalidations.xid IS 'the transaction';
COMMENT ON COLUMN idemstore.cache_invalidations.seen_at IS 'when expire() first saw the row, or NULL';

CREATE TYPE idemstore.cache_fetched AS (
	outcome text,
	value json,
	fence bigint,
	expires_at timestamp with time zone
);
COMMENT ON TYPE idemstore.cache_fetched IS
	'What cache_fetch() found. outcome: hit (value, expires_at), stale (value, expires_at, which is past), compute (fence: compute the value and call cache_set() with it) or in_progress (somebody else computes it). expires_at is NULL for never.';

CREATE FUNCTION idemstore.cache_get(
	key text
) RETURNS json
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_get';
COMMENT ON FUNCTION idemstore.cache_get(text) IS
	'The value, exactly as it was stored, or NULL on a miss; a JSON null is a hit. Sees what SELECT would see. Serves http-client-toolkit, CacheStore.get. Errors: 22004, 22023, 54000, 42804 for an entry that holds bytes.';

CREATE FUNCTION idemstore.cache_get_bytes(
	key text
) RETURNS bytea
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_get_bytes';
COMMENT ON FUNCTION idemstore.cache_get_bytes(text) IS
	'The value byte for byte, that of a json entry as its text, or NULL on a miss. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.cache_set(
	key text,
	value json,
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL,
	fence bigint DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_set';
COMMENT ON FUNCTION idemstore.cache_set(text, json, interval, text[], bigint) IS
	'Store a value, exactly as it is given; true if stored. ttl: above 0 expires, 0 never, below 0 is expired already, so that the entry is gone. tags: NULL keeps those of a live entry, an empty array clears them, else they are replaced; at most 64. fence: of cache_fetch(); then false, and nothing is stored, when the value could be older than an invalidation of the key or of a tag, or the lease is lost. Commits or rolls back with the transaction; waits for another one that writes the key. Serves http-client-toolkit, CacheStore.set and setWithTags. Errors: 22004, 22023, 54000, 25006, ID413 above idemstore.cache_max_entry_size.';

CREATE FUNCTION idemstore.cache_set_bytes(
	key text,
	value bytea,
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL,
	fence bigint DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_set_bytes';
COMMENT ON FUNCTION idemstore.cache_set_bytes(text, bytea, interval, text[], bigint) IS
	'As cache_set(), for bytes. Errors: 22004, 22023, 54000, 25006, ID413.';

CREATE FUNCTION idemstore.cache_delete(
	key text
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_delete';
COMMENT ON FUNCTION idemstore.cache_delete(text) IS
	'Remove an entry, and refuse every value for it that is being computed. True if there was a live one. Waits for another transaction that writes the key. Serves http-client-toolkit, CacheStore.delete. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_clear(
	prefix text DEFAULT ''
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_cache_clear';
COMMENT ON FUNCTION idemstore.cache_clear(text) IS
	'Remove all entries whose key begins with the prefix, byte for byte; an empty one is all. Returns how many of them were live. Refuses every value that is being computed; waits for entries that are being stored with a fence, not for others. Serves http-client-toolkit, CacheStore.clear. Errors: 22004, 25006, 54000, 40001 under SERIALIZABLE, as SELECT.';

CREATE FUNCTION idemstore.invalidate_by_tag(
	tag text
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_invalidate_by_tag';
COMMENT ON FUNCTION idemstore.invalidate_by_tag(text) IS
	'Remove all entries with this tag, and refuse every value with it that is being computed. Returns how many of them were live. Another session sees it exactly at commit; waits for transactions that are storing or invalidating under the tag. Serves http-client-toolkit, CacheStore.invalidateByTag. Errors: 22004, 22023, 54000, 25006, 40001 under SERIALIZABLE, as SELECT.';

CREATE FUNCTION idemstore.invalidate_by_tags(
	tags text[]
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_invalidate_by_tags';
COMMENT ON FUNCTION idemstore.invalidate_by_tags(text[]) IS
	'As invalidate_by_tag(), for all entries with any of the tags, each counted once. Serves http-client-toolkit, CacheStore.invalidateByTags. Errors: 22004, 22023, 54000, 25006, 40001 under SERIALIZABLE, as SELECT.';

CREATE FUNCTION idemstore.cache_touch(
	key text,
	ttl interval
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_touch';
COMMENT ON FUNCTION idemstore.cache_touch(text, interval) IS
	'Give a live entry another ttl, from now on; 0 is never, below 0 removes it. True if there was one. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_ttl(
	key text
) RETURNS interval
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_ttl';
COMMENT ON FUNCTION idemstore.cache_ttl(text) IS
	'How long the entry still lives, 0 for one that never expires, NULL when there is none. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.cache_increment(
	key text,
	delta bigint DEFAULT 1,
	ttl interval DEFAULT NULL
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_increment';
COMMENT ON FUNCTION idemstore.cache_increment(text, bigint, interval) IS
	'Add delta to the integer in the entry, or to 0, and return the sum; no increment is lost. ttl is that of an entry that begins so (NULL: never expires), a live one keeps its own, and its tags. Waits for another transaction that writes the key. Errors: 22004, 22023, 54000, 22P02 when it is not an integer, 42804 when it is bytes, 22003, 25006.';

CREATE FUNCTION idemstore.cache_get_many(
	keys text[]
) RETURNS TABLE (key text, value json)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_get_many';
COMMENT ON FUNCTION idemstore.cache_get_many(text[]) IS
	'cache_get() of every key: one row each, in their order, value NULL on a miss. Errors: 22004, 22023, 54000, 42804.';

CREATE FUNCTION idemstore.cache_set_many(
	keys text[],
	items json[],
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_set_many';
COMMENT ON FUNCTION idemstore.cache_set_many(text[], json[], interval, text[]) IS
	'cache_set() of every key and its item; returns how many. All or nothing, with the transaction. Errors: 22004, 22023, 54000, 25006, ID413.';

CREATE FUNCTION idemstore.cache_delete_many(
	keys text[]
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_delete_many';
COMMENT ON FUNCTION idemstore.cache_delete_many(text[]) IS
	'cache_delete() of every key; returns how many were live. Errors: 22004, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.cache_fetch(
	key text,
	lease interval DEFAULT '10 s',
	stale interval DEFAULT '0',
	wait interval DEFAULT '0'
) RETURNS idemstore.cache_fetched
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_fetch';
COMMENT ON FUNCTION idemstore.cache_fetch(text, interval, interval, interval) IS
	'Get a value, and if there is none make one caller compute it: compute with a fence for him, held for lease (at most an hour), while the others get stale (expired for less than stale, as long as idemstore.cache_keep_stale keeps it), or wait as long as wait for the value, or are told in_progress. When the lease is over, the next caller computes. Sees what is committed now, whatever the isolation level. Errors: 22004, 22023, 54000, 25006, 42804.';
-- Rate limits

CREATE FUNCTION idemstore.slots_handler(internal) RETURNS table_am_handler
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_slots_handler';
COMMENT ON FUNCTION idemstore.slots_handler(internal) IS
	'Handler of the access method idemstore_slots; not to be called.';

CREATE ACCESS METHOD idemstore_slots TYPE TABLE HANDLER idemstore.slots_handler;
COMMENT ON ACCESS METHOD idemstore_slots IS
	'one row a key, found by hash and changed in place; for tables of idemstore only';

CREATE TABLE idemstore.rate_limits (
	resource text COLLATE "C" NOT NULL,
	policy text COLLATE "C" NOT NULL,
	algorithm text COLLATE "C" NOT NULL,
	quota bigint NOT NULL,
	period interval NOT NULL,
	burst bigint,
	monitoring_window interval,
	high_activity_threshold integer,
	moderate_activity_threshold integer,
	recalculation_interval interval,
	sustained_inactivity_threshold interval,
	background_pause_on_increasing_trend boolean,
	max_user_scaling double precision,
	min_user_reserved integer,
	CONSTRAINT rate_limits_pkey PRIMARY KEY (resource, policy),
	CONSTRAINT rate_limits_resource_check
		CHECK (pg_catalog.octet_length(resource) OPERATOR(pg_catalog.>=) 1 AND pg_catalog.octet_length(resource) OPERATOR(pg_catalog.<=) 1024),
	CONSTRAINT rate_limits_policy_check
		CHECK (pg_catalog.octet_length(policy) OPERATOR(pg_catalog.>=) 1 AND pg_catalog.octet_length(policy) OPERATOR(pg_catalog.<=) 63),
	CONSTRAINT rate_limits_algorithm_check
		CHECK (algorithm OPERATOR(pg_catalog.=) ANY ('{sliding_window,token_bucket,fixed_window,adaptive}'::pg_catalog.text[])),
	CONSTRAINT rate_limits_quota_check
		CHECK (quota OPERATOR(pg_catalog.>=) 0),
	CONSTRAINT rate_limits_burst_check
		CHECK (burst OPERATOR(pg_catalog.>) 0),
	-- a length that is the same at all times
	CONSTRAINT rate_limits_period_check
		CHECK (period OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND period OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND pg_catalog.date_trunc('month', period) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval),
	CONSTRAINT rate_limits_adaptive_check
		CHECK (pg_catalog.num_nonnulls(monitoring_window, high_activity_threshold, moderate_activity_threshold, recalculation_interval,
			sustained_inactivity_threshold, background_pause_on_increasing_trend, max_user_scaling, min_user_reserved)
			OPERATOR(pg_catalog.=) CASE WHEN algorithm OPERATOR(pg_catalog.=) 'adaptive' THEN 8 ELSE 0 END),
	CONSTRAINT rate_limits_monitoring_window_check
		CHECK (monitoring_window OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND monitoring_window OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND pg_catalog.date_trunc('month', monitoring_window) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval),
	CONSTRAINT rate_limits_recalculation_interval_check
		CHECK (recalculation_interval OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND recalculation_interval OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND pg_catalog.date_trunc('month', recalculation_interval) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval),
	CONSTRAINT rate_limits_sustained_inactivity_check
		CHECK (sustained_inactivity_threshold OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND sustained_inactivity_threshold OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND pg_catalog.date_trunc('month', sustained_inactivity_threshold) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval),
	CONSTRAINT rate_limits_max_user_scaling_check
		CHECK (max_user_scaling OPERATOR(pg_catalog.>) 0 AND max_user_scaling OPERATOR(pg_catalog.<) 'Infinity'::pg_catalog.float8),
	CONSTRAINT rate_limits_min_user_reserved_check
		CHECK (min_user_reserved OPERATOR(pg_catalog.>=) 0),
	CONSTRAINT rate_limits_thresholds_check
		CHECK (moderate_activity_threshold OPERATOR(pg_catalog.>) 0 AND high_activity_threshold OPERATOR(pg_catalog.>) moderate_activity_threshold)
);

SELECT pg_catalog.pg_extension_config_dump('idemstore.rate_limits', '');

COMMENT ON TABLE idemstore.rate_limits IS
	'Configured rate limits, one row per resource and policy; readable by SQL, set by set_rate_limit(), set_adaptive_rate_limit() and drop_rate_limit().';
COMMENT ON COLUMN idemstore.rate_limits.resource IS 'a name, or a prefix followed by *, which stands for every name that begins so';
COMMENT ON COLUMN idemstore.rate_limits.policy IS 'names one of several limits of a resource; all of them hold';
COMMENT ON COLUMN idemstore.rate_limits.algorithm IS 'sliding_window, token_bucket, fixed_window or adaptive';
COMMENT ON COLUMN idemstore.rate_limits.quota IS 'requests, or units of cost, a period';
COMMENT ON COLUMN idemstore.rate_limits.period IS 'length of the window, a day being 24 hours';
COMMENT ON COLUMN idemstore.rate_limits.burst IS 'size of the token bucket; NULL for the quota';
COMMENT ON COLUMN idemstore.rate_limits.monitoring_window IS 'adaptive: in which user requests are counted';
COMMENT ON COLUMN idemstore.rate_limits.high_activity_threshold IS 'adaptive: so many user requests are high activity';
COMMENT ON COLUMN idemstore.rate_limits.moderate_activity_threshold IS 'adaptive: so many are moderate activity';
COMMENT ON COLUMN idemstore.rate_limits.recalculation_interval IS 'adaptive: for which a split of the quota holds';
COMMENT ON COLUMN idemstore.rate_limits.sustained_inactivity_threshold IS 'adaptive: without a user request for so long, background gets everything';
COMMENT ON COLUMN idemstore.rate_limits.background_pause_on_increasing_trend IS 'adaptive: whether high and increasing user activity pauses background';
COMMENT ON COLUMN idemstore.rate_limits.max_user_scaling IS 'adaptive: the largest factor on the share of users';
COMMENT ON COLUMN idemstore.rate_limits.min_user_reserved IS 'adaptive: the least reserved for users while activity is low';

CREATE FUNCTION idemstore.rate_limits_changed() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limits_changed';
COMMENT ON FUNCTION idemstore.rate_limits_changed() IS
	'Trigger of rate_limits: has every session read it again, once the change commits.';

-- For each row, since logical replication fires no others.
CREATE TRIGGER rate_limits_changed
	AFTER INSERT OR UPDATE OR DELETE ON idemstore.rate_limits
	FOR EACH ROW EXECUTE FUNCTION idemstore.rate_limits_changed();
CREATE TRIGGER rate_limits_truncated
	AFTER TRUNCATE ON idemstore.rate_limits
	FOR EACH STATEMENT EXECUTE FUNCTION idemstore.rate_limits_changed();
ALTER TABLE idemstore.rate_limits
	ENABLE ALWAYS TRIGGER rate_limits_changed,
	ENABLE ALWAYS TRIGGER rate_limits_truncated;

CREATE UNLOGGED TABLE idemstore.rate_limit_state (
	resource text COLLATE "C" NOT NULL,
	expires_at timestamp with time zone NOT NULL,
	state bytea NOT NULL
) USING idemstore_slots;
ALTER TABLE idemstore.rate_limit_state
	ALTER COLUMN resource SET STORAGE PLAIN,
	ALTER COLUMN state SET STORAGE PLAIN;
COMMENT ON TABLE idemstore.rate_limit_state IS
	'What rate limits remember, one row per resource, changed in place: seen by all at once, not undone by ROLLBACK. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.rate_limit_state.resource IS 'what the limit is on, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.rate_limit_state.expires_at IS 'from when on the row means nothing';
COMMENT ON COLUMN idemstore.rate_limit_state.state IS 'the past requests, in a form of the extension''s own';

CREATE UNLOGGED TABLE idemstore.cooldowns (
	origin text COLLATE "C" NOT NULL,
	until timestamp with time zone NOT NULL
) USING idemstore_slots;
ALTER TABLE idemstore.cooldowns ALTER COLUMN origin SET STORAGE PLAIN;
COMMENT ON TABLE idemstore.cooldowns IS
	'Origins to be left alone, changed in place like rate_limit_state. A row is live exactly while now < until.';
COMMENT ON COLUMN idemstore.cooldowns.origin IS 'who is to be left alone, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.cooldowns.until IS 'until when';

CREATE TYPE idemstore.rate_limit_verdict AS (
	allowed boolean,
	quota bigint,
	remaining bigint,
	reset_at timestamp with time zone,
	retry_after interval,
	policy text,
	reason text
);
COMMENT ON TYPE idemstore.rate_limit_verdict IS
	'What a limit says. quota and what remains of it, reset_at: when all of it is back, retry_after: 0 if allowed, else how long until the same call succeeds when nobody else comes, NULL if it never can; policy: which one says so, NULL for a limit given in the call; reason: ok, quota, quota_zero, cost_exceeds_quota, cooldown or paused.';

CREATE TYPE idemstore.rate_limit_split AS (
	user_reserved bigint,
	background_max bigint,
	background_paused boolean,
	recent_user_activity bigint,
	reason text
);
COMMENT ON TYPE idemstore.rate_limit_split IS
	'How an adaptive limit is split between users and background. recent_user_activity: user requests in the monitoring window; reason: initial, no_user_activity_yet, sustained_inactivity, recent_inactivity, low_user_activity, moderate_user_activity or high_user_activity.';

CREATE FUNCTION idemstore.set_rate_limit(
	resource text,
	quota bigint,
	per interval,
	algorithm text DEFAULT 'sliding_window',
	burst bigint DEFAULT NULL,
	policy text DEFAULT 'default'
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_set_rate_limit';
COMMENT ON FUNCTION idemstore.set_rate_limit(text, bigint, interval, text, bigint, text) IS
	'Set a limit of quota a period on a resource, or on all whose names begin with the part before a final *; an exact name wins, then the longest prefix. algorithm: sliding_window, never more than quota in any window of that length; token_bucket, burst at once and quota a period; fixed_window, quota in every window on the clock. Several policies of one resource all hold, at most 8. Holds for every session from its next call on, and keeps what is remembered. Two that set the same policy at once wait for each other. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.set_adaptive_rate_limit(
	resource text,
	quota bigint DEFAULT 200,
	per interval DEFAULT '1 hour',
	monitoring_window interval DEFAULT '15 minutes',
	high_activity_threshold integer DEFAULT 10,
	moderate_activity_threshold integer DEFAULT 3,
	recalculation_interval interval DEFAULT '30 seconds',
	sustained_inactivity_threshold interval DEFAULT '30 minutes',
	background_pause_on_increasing_trend boolean DEFAULT true,
	max_user_scaling double precision DEFAULT 2.0,
	min_user_reserved integer DEFAULT 5
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_set_adaptive_rate_limit';
COMMENT ON FUNCTION idemstore.set_adaptive_rate_limit(text, bigint, interval, interval, integer, integer, interval, interval, boolean, double precision, integer) IS
	'Set a limit whose quota is split between priorities user and background by how active users are, made anew every recalculation_interval. After a long inactivity nothing is reserved for users, but as many as min_user_reserved are let in. It is the policy "default" of the resource. For http-client-toolkit, AdaptiveRateLimitStore. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.drop_rate_limit(
	resource text,
	policy text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_drop_rate_limit';
COMMENT ON FUNCTION idemstore.drop_rate_limit(text, text) IS
	'Drop one policy of a resource or pattern, or all of them (NULL). True if there was one. What is remembered of requests stays. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.acquire(
	resource text,
	cost integer DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire';
COMMENT ON FUNCTION idemstore.acquire(text, integer, text, bigint, interval, text) IS
	'Take cost from every limit of the resource if all of them allow it, else take nothing. True if taken. Never waits for a transaction, is seen by all at once and not undone by ROLLBACK. quota and per, given together, are the limit instead of what is configured, a sliding window with a log for each per. priority: user or background (the default), for adaptive limits. False also while origin is in a cooldown. cost 0 only asks. Serves http-client-toolkit, RateLimitStore.acquire. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes or limits that do not fit into one row, ID428 when no limit is set.';

CREATE FUNCTION idemstore.consume(
	resource text,
	cost integer DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS idemstore.rate_limit_verdict
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_consume';
COMMENT ON FUNCTION idemstore.consume(text, integer, text, bigint, interval, text) IS
	'As acquire(), and says why: the policy that denied, or the one of which the least remains. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes or limits that do not fit into one row, ID428 when no limit is set.';

CREATE FUNCTION idemstore.acquire_all(
	resources text[],
	costs integer[] DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire_all';
COMMENT ON FUNCTION idemstore.acquire_all(text[], integer[]) IS
	'Take from the configured limits of all resources, or from none. costs: one a resource, 1 each for NULL; a name that comes twice adds its costs. At most 64 resources. True if taken. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes or limits that do not fit into one row, ID428 when no limit is set.';

CREATE FUNCTION idemstore.can_proceed(
	resource text,
	cost integer DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_can_proceed';
COMMENT ON FUNCTION idemstore.can_proceed(text, integer, text, bigint, interval) IS
	'Would acquire() take it now? Takes nothing. Works in a read-only transaction, and on a standby if rate_limit_state is logged. Serves http-client-toolkit, RateLimitStore.canProceed. Errors: 22004, 22023, 54000 for a resource above 1024 bytes or limits that do not fit into one row, ID428 when no limit is set.';

CREATE FUNCTION idemstore.record_request(
	resource text,
	cost integer DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_record_request';
COMMENT ON FUNCTION idemstore.record_request(text, integer, text, bigint, interval) IS
	'Count a request that was made, allowed or not. Serves http-client-toolkit, RateLimitStore.record. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes or limits that do not fit into one row, ID428 when no limit is set.';

CREATE FUNCTION idemstore.get_wait_time(
	resource text,
	cost integer DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS interval
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_wait_time';
COMMENT ON FUNCTION idemstore.get_wait_time(text, integer, text, bigint, interval) IS
	'How long until acquire() would take it if nobody else came: 0 if now, NULL if never. Serves http-client-toolkit, RateLimitStore.getWaitTime. Errors: 22004, 22023, 54000 for a resource above 1024 bytes or limits that do not fit into one row, ID428 when no limit is set.';

CREATE FUNCTION idemstore.rate_limit_status(
	resource text,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS SETOF idemstore.rate_limit_verdict
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_status';
COMMENT ON FUNCTION idemstore.rate_limit_status(text, bigint, interval) IS
	'What every policy of the resource says of a request of cost 1, the tightest first. Takes nothing. Serves http-client-toolkit, RateLimitStore.getStatus. Errors: 22004, 22023, 54000 for a resource above 1024 bytes or limits that do not fit into one row, ID428 when no limit is set.';

CREATE FUNCTION idemstore.adaptive_rate_limit_status(
	resource text
) RETURNS idemstore.rate_limit_split
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_adaptive_rate_limit_status';
COMMENT ON FUNCTION idemstore.adaptive_rate_limit_status(text) IS
	'How the adaptive limit of the resource is split now. Errors: 22004, 22023, 54000, ID428 when it has none.';

CREATE FUNCTION idemstore.rate_limit_reset(
	resource text
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_reset';
COMMENT ON FUNCTION idemstore.rate_limit_reset(text) IS
	'Forget all requests on the resource; configuration and cooldowns stay. True if there were any. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.set_cooldown(
	origin text,
	until timestamp with time zone
) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_set_cooldown';
COMMENT ON FUNCTION idemstore.set_cooldown(text, timestamp with time zone) IS
	'Deny acquire() and consume() with this origin until then. The last one set wins, even if it is shorter; one that is over is none. At most ten years ahead. Seen by all at once, not undone by ROLLBACK. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.get_cooldown(
	origin text
) RETURNS timestamp with time zone
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_cooldown';
COMMENT ON FUNCTION idemstore.get_cooldown(text) IS
	'Until when the origin is in a cooldown, NULL if it is not. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.clear_cooldown(
	origin text
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_clear_cooldown';
COMMENT ON FUNCTION idemstore.clear_cooldown(text) IS
	'End the cooldown of the origin. True if there was one. Errors: 22004, 22023, 25006, 54000.';
-- Expiry

-- Where many rows have come and no ANALYZE yet, the planner would sort all of
-- them for every batch.
CREATE FUNCTION idemstore.expire(
	max_rows integer DEFAULT 10000,
	OUT relation text,
	OUT removed bigint
) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_sort = off
AS 'MODULE_PATHNAME', 'idemstore_expire';
COMMENT ON FUNCTION idemstore.expire(integer) IS
	'Remove at most max_rows expired rows of every table; one row of result a table. Rows that others have locked are skipped. Space only: an expired row is absent for every function anyway. Errors: 22004, 22023, 25006.';

CREATE PROCEDURE idemstore.expire_all(
	batch_size integer DEFAULT 10000,
	max_duration interval DEFAULT NULL
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'idemstore_expire_all';
COMMENT ON PROCEDURE idemstore.expire_all(integer, interval) IS
	'Call expire(batch_size) and commit, until nothing expired is left or max_duration is over, which it looks at after every batch (NULL: no limit). One at a time in a database: a second one ends at once with a NOTICE. Cannot run inside a transaction block. Errors: 22004, 22023, 25006, 2D000.';
-- Expiry by pg_cron

-- Only who may read all settings may see pg_cron's.
CREATE FUNCTION idemstore.expiry_job(
	OUT job_name text,
	OUT cron_database text
) RETURNS record
LANGUAGE plpgsql STABLE PARALLEL SAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	job_name := 'idemstore_expiry';
	cron_database := current_setting('cron.database_name', true);
	IF cron_database <> current_database() THEN
		-- It stands beside those of other databases, and is cut off at 63 bytes.
		job_name := concat_ws('_', job_name,
			CASE WHEN octet_length(current_database()) > 63 - octet_length('idemstore_expiry_')
				THEN md5(current_database()) ELSE current_database() END);
	END IF;
END
$$;
COMMENT ON FUNCTION idemstore.expiry_job() IS
	'The name of this database''s expiry job in pg_cron, and the database where pg_cron keeps its jobs, NULL when this server does not run it. Errors: none.';

CREATE FUNCTION idemstore.schedule_expiry(
	schedule text DEFAULT '* * * * *'
) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job CONSTANT record := idemstore.expiry_job();
	minutes CONSTANT integer := substring(schedule FROM '^\s*\*/([1-9][0-9]?)\s');
	-- the least time between two runs, or less
	seconds CONSTANT integer := CASE
		WHEN schedule ~ '^\s*[0-9]{1,2}\s+seconds?\s*$' THEN substring(schedule FROM '[0-9]+')::integer
		WHEN minutes IS NOT NULL THEN 60 * least(minutes, nullif(60 % minutes, 0))
		WHEN schedule ~ '^\s*([0-9]+\s|@)' THEN 3600
		ELSE 60 END;
	command CONSTANT text := format('CALL idemstore.expire_all(max_duration => %L)', trim_scale(0.9 * seconds) || ' s');
	call CONSTANT text := format('SELECT cron.schedule(%L, %L, %L);', job.job_name, schedule, command);
	call_for_role CONSTANT text := format('SELECT cron.schedule_in_database(%L, %L, %L, %L, %L);',
		job.job_name, schedule, command, current_database(), current_user);
BEGIN
	IF schedule IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'schedule must not be null';
	ELSIF job.cron_database IS NULL THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'this server does not run pg_cron',
			DETAIL = 'pg_cron is not in shared_preload_libraries.',
			HINT = format('Add it, with this database in cron.database_name, restart the server, and run in database %I: CREATE EXTENSION pg_cron; %s Or let anything else that runs SQL do: %s;',
				current_database(), call, command);
	ELSIF job.cron_database <> current_database() THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'pg_cron keeps its jobs in another database',
			DETAIL = format('cron.database_name is %I.', job.cron_database),
			HINT = format('As a superuser, run in database %I: %s', job.cron_database, call_for_role);
	ELSIF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'extension "pg_cron" does not exist in this database',
			HINT = format('Run in database %I: CREATE EXTENSION pg_cron; %s', current_database(), call);
	ELSIF NOT has_schema_privilege('cron', 'USAGE') THEN
		RAISE insufficient_privilege USING
			MESSAGE = 'permission denied for schema cron',
			HINT = format('As a superuser, run in database %I: GRANT USAGE ON SCHEMA cron TO %I; or: %s',
				current_database(), current_user, call_for_role);
	END IF;

	-- A job that is scheduled again keeps its database, port and whether it is
	-- active.
	PERFORM idemstore.unschedule_expiry();
	RETURN cron.schedule(job.job_name, schedule, command);
END
$$;
COMMENT ON FUNCTION idemstore.schedule_expiry(text) IS
	'Have pg_cron call expire_all() on a schedule, in the form that cron takes (every minute by default; pg_cron 1.5 also takes ''10 seconds''), for nine tenths of the time between two runs at most. Replaces the caller''s former job. The job runs as the caller, who must be allowed to log in and to call expire_all(). Returns the job''s id. Errors: 22004, 22023 for a bad schedule, 25006; 55000 when pg_cron is not there or keeps its jobs in another database and 42501 without USAGE on schema cron, both with a hint that says what to run where.';

CREATE FUNCTION idemstore.unschedule_expiry() RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job CONSTANT record := idemstore.expiry_job();
	call CONSTANT text := format('SELECT cron.unschedule(%L);', job.job_name);
BEGIN
	IF job.cron_database <> current_database() THEN
		RAISE object_not_in_prerequisite_state USING
			MESSAGE = 'pg_cron keeps its jobs in another database',
			DETAIL = format('cron.database_name is %I.', job.cron_database),
			HINT = format('Run in database %I, as role %I: %s', job.cron_database, current_user, call);
	ELSIF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') THEN
		RETURN false;
	ELSIF NOT has_schema_privilege('cron', 'USAGE') THEN
		RAISE insufficient_privilege USING
			MESSAGE = 'permission denied for schema cron',
			HINT = format('As a superuser, run in database %I: GRANT USAGE ON SCHEMA cron TO %I; or: DELETE FROM cron.job WHERE jobname = %L AND username = %L;',
				current_database(), current_user, job.job_name, current_user);
	ELSIF NOT EXISTS (SELECT FROM cron.job WHERE jobname = job.job_name AND username = current_user) THEN
		RETURN false;
	END IF;
	RETURN cron.unschedule(job.job_name);
END
$$;
COMMENT ON FUNCTION idemstore.unschedule_expiry() IS
	'Remove the caller''s own job of schedule_expiry(). True if there was one. Errors: 25006; 55000 when pg_cron keeps its jobs in another database and 42501 without USAGE on schema cron, both with a hint that says what to run where.';
-- Statistics

CREATE UNLOGGED TABLE idemstore.stats_counters (
	name text COLLATE "C" NOT NULL,
	expires_at timestamp with time zone NOT NULL,
	value bytea NOT NULL
) USING idemstore_slots;
ALTER TABLE idemstore.stats_counters
	ALTER COLUMN name SET STORAGE PLAIN,
	ALTER COLUMN value SET STORAGE PLAIN;
COMMENT ON TABLE idemstore.stats_counters IS
	'What the view stats adds up, changed in place like rate_limit_state; empty after a crash.';
COMMENT ON COLUMN idemstore.stats_counters.name IS 'a family and an outcome';
COMMENT ON COLUMN idemstore.stats_counters.expires_at IS 'infinity: no row means nothing ever';
COMMENT ON COLUMN idemstore.stats_counters.value IS 'a number, in a form of the extension''s own';

CREATE FUNCTION idemstore.stats_counts(
	OUT family text,
	OUT calls jsonb,
	OUT last_expiry timestamp with time zone,
	OUT removed bigint,
	OUT reset_at timestamp with time zone,
	OUT as_of timestamp with time zone
) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 4
AS 'MODULE_PATHNAME', 'idemstore_stats_counts';
COMMENT ON FUNCTION idemstore.stats_counts() IS
	'What is behind the view stats: the counters. Errors: 0A000 on a standby, unless stats_counters is logged.';

-- Stable, though what it calls is volatile: a view leaves out such a column
-- when nobody asks for it.
CREATE FUNCTION idemstore.stats_sizes(
	family text,
	OUT table_size bigint,
	OUT index_size bigint
)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sum(pg_table_size(c.oid))::bigint, sum(pg_indexes_size(c.oid))::bigint
	FROM pg_class AS c
	WHERE c.relnamespace = 'idemstore'::regnamespace
		AND c.relkind = 'r'
		AND c.relname = ANY (CASE family
			WHEN 'idempotency' THEN '{idempotency_records}'::text[]
			WHEN 'dedupe' THEN '{dedupe_jobs}'
			WHEN 'cache' THEN '{cache_entries,cache_leases,cache_invalidations}'
			WHEN 'rate_limit' THEN '{rate_limits,rate_limit_state,cooldowns}'
		END)
$$;
COMMENT ON FUNCTION idemstore.stats_sizes(text) IS
	'What is behind the view stats: bytes of the tables of a family, and of their indexes. NULL for any other family.';

CREATE VIEW idemstore.stats AS
SELECT
	c.family,
	c.calls,
	CASE
		WHEN c.family OPERATOR(pg_catalog.=) 'idempotency' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.idempotency_records AS r
			WHERE r.expires_at OPERATOR(pg_catalog.>) c.as_of)
		WHEN c.family OPERATOR(pg_catalog.=) 'dedupe' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.dedupe_jobs AS r
			WHERE r.expires_at OPERATOR(pg_catalog.>) c.as_of)
		WHEN c.family OPERATOR(pg_catalog.=) 'cache' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.cache_entries AS r
			WHERE r.expires_at OPERATOR(pg_catalog.>) c.as_of OR r.expires_at IS NULL)
		WHEN c.family OPERATOR(pg_catalog.=) 'rate_limit' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.rate_limit_state AS r
			WHERE r.expires_at OPERATOR(pg_catalog.>) c.as_of)
	END AS live,
	CASE
		WHEN c.family OPERATOR(pg_catalog.=) 'idempotency' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.idempotency_records AS r
			WHERE r.expires_at OPERATOR(pg_catalog.<=) c.as_of)
		WHEN c.family OPERATOR(pg_catalog.=) 'dedupe' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.dedupe_jobs AS r
			WHERE r.expires_at OPERATOR(pg_catalog.<=) c.as_of)
		WHEN c.family OPERATOR(pg_catalog.=) 'cache' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.cache_entries AS r
			WHERE r.expires_bucket OPERATOR(pg_catalog.<=) (pg_catalog.date_part('epoch', c.as_of) OPERATOR(pg_catalog./) 3600)::pg_catalog.int4
				AND r.expires_at OPERATOR(pg_catalog.<=) c.as_of)
		WHEN c.family OPERATOR(pg_catalog.=) 'rate_limit' THEN (
			SELECT pg_catalog.count(*) FROM idemstore.rate_limit_state AS r
			WHERE r.expires_at OPERATOR(pg_catalog.<=) c.as_of)
	END AS expired,
	CASE
		WHEN c.family OPERATOR(pg_catalog.=) 'idempotency' THEN (
			SELECT pg_catalog.min(r.created_at) FROM idemstore.idempotency_records AS r
			WHERE r.lease_expires_at IS NOT NULL AND r.expires_at OPERATOR(pg_catalog.>) c.as_of)
		WHEN c.family OPERATOR(pg_catalog.=) 'dedupe' THEN (
			SELECT pg_catalog.min(r.created_at) FROM idemstore.dedupe_jobs AS r
			WHERE r.lease_expires_at IS NOT NULL AND r.expires_at OPERATOR(pg_catalog.>) c.as_of)
		WHEN c.family OPERATOR(pg_catalog.=) 'cache' THEN (
			SELECT pg_catalog.min(r.created_at) FROM idemstore.cache_leases AS r
			WHERE r.expires_at OPERATOR(pg_catalog.>) c.as_of)
	END AS oldest_in_progress,
	c.last_expiry,
	c.removed,
	(idemstore.stats_sizes(c.family)).table_size,
	(idemstore.stats_sizes(c.family)).index_size,
	c.reset_at
FROM idemstore.stats_counts() AS c;
COMMENT ON VIEW idemstore.stats IS
	'One row per family: what its calls came to since reset_at, and how its tables stand. live, expired and oldest_in_progress read a whole table, and nothing when they are not selected. Every session adds what it has counted about once a second, at its next call, and when it ends. Calls are counted even if their transaction rolls back; those that raise an error and those of parallel workers are not. Counters are empty after a crash.';
COMMENT ON COLUMN idemstore.stats.family IS 'idempotency, dedupe, cache or rate_limit';
COMMENT ON COLUMN idemstore.stats.calls IS
	'calls by outcome; of the cache entries by outcome. idempotency: the outcomes of start_processing(), where started is also of set_nx() and initiate(), and exists those of a key that is there; completed, given_up (fail()), retryable (fail(retryable => true)), released; lost: a stale fence, though that is an error. dedupe: owner, joined; completed, failed, or refused (false) of dedupe_complete() and dedupe_fail(); wait_* of dedupe_wait_for(). cache: hit, miss, the outcomes of cache_fetch(), set, refused (false of a set with a fence), touched, and of live entries deleted and invalidated. rate_limit: allowed or the reason of the denial of acquire(), consume() and acquire_all(), but for a cost of 0; recorded';
COMMENT ON COLUMN idemstore.stats.live IS 'rows that are live, a rate limit''s one for each resource; reads the whole table';
COMMENT ON COLUMN idemstore.stats.expired IS 'expired rows that expire() has not removed yet; reads the whole table or an index of it';
COMMENT ON COLUMN idemstore.stats.oldest_in_progress IS
	'when the oldest work that is in progress and committed was first claimed, or NULL; reads the whole table. in_flight has them all';
COMMENT ON COLUMN idemstore.stats.last_expiry IS 'when expire() last came by since reset_at, or NULL';
COMMENT ON COLUMN idemstore.stats.removed IS 'rows that expire() has removed since reset_at';
COMMENT ON COLUMN idemstore.stats.table_size IS 'bytes of the tables of the family';
COMMENT ON COLUMN idemstore.stats.index_size IS 'bytes of their indexes';
COMMENT ON COLUMN idemstore.stats.reset_at IS 'since when it counts: stats_reset(), or the first call ever or after a crash; NULL before that';

CREATE FUNCTION idemstore.stats_reset() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_stats_reset';
COMMENT ON FUNCTION idemstore.stats_reset() IS
	'Set all counters of the view stats to zero. Seen by all at once, not undone by ROLLBACK. What other sessions have counted in the last second is added afterwards. Errors: 25006.';

CREATE FUNCTION idemstore.in_flight_claims(
	OUT family text,
	OUT scope text,
	OUT key text,
	OUT state text,
	OUT started_at timestamp with time zone,
	OUT age interval,
	OUT lease_expires_at timestamp with time zone,
	OUT fence bigint,
	OUT attempt integer,
	OUT owner_pid integer
) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_in_flight_claims';
COMMENT ON FUNCTION idemstore.in_flight_claims() IS
	'What is behind the view in_flight.';

CREATE VIEW idemstore.in_flight AS
SELECT f.family, f.scope, f.key, f.state, f.started_at, f.age, f.lease_expires_at, f.fence, f.attempt, f.owner_pid
FROM idemstore.in_flight_claims() AS f;
COMMENT ON VIEW idemstore.in_flight IS
	'Who is at work: claims, jobs and cache leases that are in progress, before their transaction commits as well. Reads three tables whole; waits for no transaction and writes nothing. A row that changes meanwhile may be missing. On a standby it has what is in logged tables.';
COMMENT ON COLUMN idemstore.in_flight.family IS 'idempotency, dedupe or cache';
COMMENT ON COLUMN idemstore.in_flight.scope IS 'namespace of the key; NULL but for idempotency';
COMMENT ON COLUMN idemstore.in_flight.key IS 'the key of the record, the hash of the job or the key of the value';
COMMENT ON COLUMN idemstore.in_flight.state IS
	'open: the transaction that claims, changes or ends it has not ended; claimed: committed, and its lease runs; abandoned: its lease is over, and the next caller may take it over';
COMMENT ON COLUMN idemstore.in_flight.started_at IS 'when the work was first claimed; a takeover does not change it';
COMMENT ON COLUMN idemstore.in_flight.age IS 'how long ago that is';
COMMENT ON COLUMN idemstore.in_flight.lease_expires_at IS 'until when the claim is held, the timeout of a job; NULL when it is just being completed';
COMMENT ON COLUMN idemstore.in_flight.fence IS 'number of the claim; NULL for jobs';
COMMENT ON COLUMN idemstore.in_flight.attempt IS 'which claim of the record this is, from 1; NULL but for idempotency';
COMMENT ON COLUMN idemstore.in_flight.owner_pid IS 'of what is open: the process that has the transaction, NULL if that is prepared or on the primary';
-- Privileges: EXECUTE is the gate, since direct access does not look at those
-- of the tables.

CREATE FUNCTION idemstore.grant_usage(
	role regrole,
	level text DEFAULT 'application'
) RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	operator_functions CONSTANT text[] := '{expire,expire_all,schedule_expiry,unschedule_expiry,expiry_job,forget_scope,set_rate_limit,set_adaptive_rate_limit,drop_rate_limit,stats_counts,stats_sizes,stats_reset,in_flight_claims}';
	operator_views CONSTANT text[] := '{stats,in_flight}';
	owner_functions CONSTANT text[] := '{grant_usage,slots_handler,rate_limits_changed,start_processing_support}';
	routine regprocedure;
	view_name text;
	result regtype;
BEGIN
	IF role IS NULL OR level IS NULL THEN
		RAISE null_value_not_allowed USING
			MESSAGE = 'role and level must not be null';
	ELSIF level NOT IN ('application', 'operator') THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('unknown level "%s"', level),
			HINT = 'The levels are "application" and "operator".';
	ELSIF NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.oid = role) THEN
		RAISE undefined_object USING
			MESSAGE = format('role with OID %s does not exist', role::oid);
	END IF;

	-- One at a time, to the end of the transaction: two GRANTs on one object at
	-- once are an internal error of PostgreSQL.
	LOCK TABLE idemstore.rate_limits IN SHARE UPDATE EXCLUSIVE MODE;

	EXECUTE format('GRANT USAGE ON SCHEMA idemstore TO %s', role);
	FOR routine IN
		SELECT p.oid::regprocedure
		FROM pg_proc AS p
		WHERE p.pronamespace = 'idemstore'::regnamespace
			AND p.proname <> ALL (owner_functions)
			AND (p.proname = ANY (operator_functions)) = (level = 'operator')
		ORDER BY 1
	LOOP
		EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %s', routine, role);
	END LOOP;
	FOR result IN
		SELECT t.oid
		FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid
		WHERE t.typnamespace = 'idemstore'::regnamespace AND c.relkind = 'c'
		ORDER BY 1
	LOOP
		EXECUTE format('GRANT USAGE ON TYPE %s TO %s', result, role);
	END LOOP;
	IF level = 'operator' THEN
		FOREACH view_name IN ARRAY operator_views
		LOOP
			EXECUTE format('GRANT SELECT ON TABLE idemstore.%I TO %s', view_name, role);
		END LOOP;
	END IF;
END
$$;
COMMENT ON FUNCTION idemstore.grant_usage(regrole, text) IS
	'Let a role call the extension. level application: every function a program calls; operator: expire, expire_all and the functions that schedule it, forget_scope, stats_reset, the functions that set and drop rate limits, and the views stats and in_flight. Either may use the types that functions return. Only the extension''s owner may call it. Two at once wait for each other. Errors: 22004, 22023 for an unknown level, 25006, 42704 no such role.';

-- Everything that has not been through here.  What an update finds has: to
-- revoke from it would take away what was granted since, and make part of the
-- extension what is left of that, so that pg_dump leaves it out.
DO $$
DECLARE
	object text;
BEGIN
	FOR object IN
		SELECT pg_catalog.concat('ROUTINE ', p.oid::pg_catalog.regprocedure)
		FROM pg_catalog.pg_proc AS p
		WHERE p.pronamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_init_privs AS i
				WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
					AND i.objoid OPERATOR(pg_catalog.=) p.oid)
		UNION ALL
		SELECT pg_catalog.concat('TABLE ', c.oid::pg_catalog.regclass)
		FROM pg_catalog.pg_class AS c
		WHERE c.relnamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v}')
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_init_privs AS i
				WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
					AND i.objoid OPERATOR(pg_catalog.=) c.oid)
		UNION ALL
		SELECT pg_catalog.concat('TYPE ', t.oid::pg_catalog.regtype)
		FROM pg_catalog.pg_type AS t
		WHERE t.typnamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND t.typtype OPERATOR(pg_catalog.=) 'c'
			AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_init_privs AS i
				WHERE i.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
					AND i.objoid OPERATOR(pg_catalog.=) t.oid)
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON %s FROM PUBLIC', object);
	END LOOP;
END
$$;
