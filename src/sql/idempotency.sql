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

-- expires_at, so that a live one is found among any number of expired ones; it
-- has an index of its own, so complete() stays as HOT as it was.
CREATE INDEX idempotency_records_fingerprint_idx
	ON idemstore.idempotency_records (scope, fingerprint, expires_at);
CREATE INDEX idempotency_records_expires_at_idx
	ON idemstore.idempotency_records (expires_at);

SELECT pg_catalog.pg_extension_config_dump('idemstore.idempotency_records', '');

-- One number at a time, so that a later claim has the larger one.
CREATE SEQUENCE idemstore.fences CACHE 1;
SELECT pg_catalog.pg_extension_config_dump('idemstore.fences', '');
COMMENT ON SEQUENCE idemstore.fences IS
	'The last fence that was given, to a claim of a record or of a value of the cache; follows the clock in microseconds where it has fallen behind.';

COMMENT ON TABLE idemstore.idempotency_records IS
	'One row per key and scope; readable by SQL, written by the functions of the extension only. A row is live exactly while now < expires_at.';
COMMENT ON COLUMN idemstore.idempotency_records.key IS 'names one request within its scope, 1 to 1024 bytes';
COMMENT ON COLUMN idemstore.idempotency_records.scope IS 'namespace of keys, 0 to 255 bytes';
COMMENT ON COLUMN idemstore.idempotency_records.fingerprint IS 'hash of the request''s content, at most 1024 bytes, or NULL';
COMMENT ON COLUMN idemstore.idempotency_records.status IS 'processing, complete or failed';
COMMENT ON COLUMN idemstore.idempotency_records.fence IS 'number of the claim; grows with every claim of the key, and is never given again';
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
	'A record as get() and wait() return it: the columns of idempotency_records in their order. status: processing, abandoned (processing, but its lease is over, also after a retryable fail(), where error is not NULL), complete or failed.';

CREATE TYPE idemstore.idempotency_verdict AS (
	outcome text,
	fence bigint,
	attempt integer,
	retry_after_ms double precision,
	retry_after_seconds integer,
	conflicting_key text,
	response_status integer,
	response_headers json,
	response_body bytea,
	error json,
	recovery_point text,
	checkpoint json
);
COMMENT ON TYPE idemstore.idempotency_verdict IS
	'What start_processing() decided. outcome: started (fence, attempt, recovery_point, checkpoint), replay (response_status, response_headers, response_body), failed (error and response), in_progress (retry_after_ms, what is left of the lease in milliseconds, or 1000 where it is over and its transaction still open, and retry_after_seconds, the same rounded up), mismatch, abandoned (as started, of the attempt whose lease is over), duplicate (conflicting_key). All other columns are NULL.';

CREATE TYPE idemstore.idempotency_match AS (
	matched text,
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
COMMENT ON TYPE idemstore.idempotency_match IS
	'A record that lookup() found. matched: by what, key or fingerprint. The rest is as in idempotency_record.';

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
AS 'MODULE_PATHNAME', 'idemstore_start_processing_0_3';
COMMENT ON FUNCTION idemstore.start_processing(text, text, interval, text, interval, interval, text, boolean, boolean, json) IS
	'Claim a key, or say why not; call it in FROM, since (start_processing(...)).* would call it once a column. Exactly one of any number of callers gets outcome started, in one atomic call. ttl: how long the record lives (NULL: idemstore.default_ttl; <= 0: expired at once). lease: how long the claim is held, at most the ttl and 31 days (NULL: idemstore.default_lease). wait: how long to wait for a claim in progress to end, at most a day (default not at all); that overrides lock_timeout, obeys statement_timeout, and may end in deadlock_detected. owner: starting again with the same owner is started again, and the lease becomes at least what is asked for now. takeover false: a claim whose lease is over is abandoned, not taken over. unique_fingerprint: another live key of the scope with this fingerprint is duplicate. context: kept with the record. A ttl is at most ten years; a bare number is seconds. Errors: 22004 for NULL, 22023 for a bad value, 54000 for a name that is too long, ID413 for a context above idemstore.max_body_size, 25006 in a read-only transaction. Serves startProcessing of idempot''s IdempotencyStore and the Idempotency-Key header.';

CREATE FUNCTION idemstore.complete(
	key text,
	response_status integer DEFAULT NULL,
	response_headers json DEFAULT NULL,
	response_text text DEFAULT NULL,
	fence bigint DEFAULT NULL,
	scope text DEFAULT '',
	ttl interval DEFAULT NULL,
	response_body bytea DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_complete_0_3';
COMMENT ON FUNCTION idemstore.complete(text, integer, json, text, bigint, text, interval, bytea) IS
	'Store the response and make the record final; all who wait for it are woken at commit. True; false when it was complete already, with the same content. response_headers: a JSON object or an array of pairs. The body is response_text, kept as its UTF-8 bytes, or response_body, but not both. fence: as start_processing() returned it; NULL skips the check. ttl: from now, at most ten years; NULL keeps expires_at. Errors: ID404 no live record, ID412 the fence is stale, ID425 final already with other content, ID413 headers or body above idemstore.max_body_size, 22021 response_text is not UTF-8, in a SQL_ASCII database, 22004, 22023, 54000, 25006. Serves complete of idempot''s IdempotencyStore.';

CREATE FUNCTION idemstore.fail(
	key text,
	error json DEFAULT NULL,
	retryable boolean DEFAULT false,
	response_status integer DEFAULT NULL,
	response_headers json DEFAULT NULL,
	response_text text DEFAULT NULL,
	fence bigint DEFAULT NULL,
	scope text DEFAULT '',
	ttl interval DEFAULT NULL,
	response_body bytea DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_fail_0_3';
COMMENT ON FUNCTION idemstore.fail(text, json, boolean, integer, json, text, bigint, text, interval, bytea) IS
	'End the attempt with an error. True; false when it had failed so already, with the same content. retryable: the next start owns the key, as attempt + 1; otherwise the failure is final and replayed as outcome failed. The response, fence and ttl as in complete(). Errors: ID404 no live record, ID412 the fence is stale, ID425 final already with other content, ID413 error, headers or body above idemstore.max_body_size, 22021 as complete(), 22004, 22023, 54000, 25006. Serves fail of litert''s IManager.';

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
	'Hold the claim at least for another lease from now (at most 31 days; NULL: idemstore.default_lease), cut to the record''s expires_at; returns the end of the lease. Errors: 22004 fence is NULL, ID404 no live record, ID412 the fence is stale or the attempt was given up, ID425 the record is final, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.lookup(
	key text,
	fingerprint text DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS SETOF idemstore.idempotency_match
LANGUAGE c STABLE PARALLEL SAFE ROWS 2
AS 'MODULE_PATHNAME', 'idemstore_lookup_0_3';
COMMENT ON FUNCTION idemstore.lookup(text, text, text) IS
	'At most two rows: the live record of the key (matched key), then a live record of the scope with the fingerprint (matched fingerprint; the key''s own if it has it, else that which lives longest). A record that is found both ways comes twice. status as in get(). Writes nothing, works in a read-only transaction and on a standby, and sees what the statement''s snapshot sees. Errors: 22004, 22023, 54000. Serves lookup of idempot''s IdempotencyStore.';

CREATE FUNCTION idemstore.get(
	key text,
	scope text DEFAULT ''
) RETURNS idemstore.idempotency_record
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get';
COMMENT ON FUNCTION idemstore.get(text, text) IS
	'The live record of the key, or NULL (one row of NULLs in FROM). A claim whose lease is over has status abandoned: the next start owns it, unless it says takeover => false. Writes nothing, works in a read-only transaction and on a standby, and sees what the statement''s snapshot sees. Errors: 22004, 22023, 54000. Serves get of litert''s IManager.';

CREATE FUNCTION idemstore.wait(
	key text,
	timeout interval DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS idemstore.idempotency_record
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_wait';
COMMENT ON FUNCTION idemstore.wait(text, interval, text) IS
	'Wait until the record is final and return it; NULL at once when there is none, or when it goes away. It sees what others commit while it waits, whatever the isolation level. timeout: at most a day; NULL is idemstore.default_wait. Overrides lock_timeout, obeys statement_timeout. Errors: ID408 at the timeout, or at once when the claim is the own transaction''s; 22004, 22023, 54000; deadlock_detected as for any lock. Serves wait of litert''s IManager.';

CREATE FUNCTION idemstore.checkpoint(
	key text,
	recovery_point text,
	state json DEFAULT NULL,
	fence bigint DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_checkpoint_0_3';
COMMENT ON FUNCTION idemstore.checkpoint(text, text, json, bigint, text) IS
	'Note how far the work has come: recovery_point (a name of at most 255 bytes) and state are given to the next attempt, should this one die. True; false when both stood so already. fence: NULL skips the check. Errors: 22004 recovery_point is NULL, ID404 no live record, ID412 the fence is stale or the attempt was given up, ID425 the record is final, ID413, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.assert_owner(
	key text,
	fence bigint,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_assert_owner_0_3';
COMMENT ON FUNCTION idemstore.assert_owner(text, bigint, text) IS
	'Make sure that the caller still owns the claim, and that nobody can take it over before the transaction ends: what it writes is fenced. True, or an error. Waits for an open takeover as UPDATE does; extend_lease() and checkpoint() of others are not held off. Errors: 22004 fence is NULL, ID404 no live record, ID412 the fence is stale or the attempt was given up, ID425 the record is final, 22023, 54000, 25006.';

CREATE FUNCTION idemstore.set_nx(
	key text,
	value_text text DEFAULT NULL,
	ttl interval DEFAULT NULL,
	scope text DEFAULT '',
	value bytea DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_set_nx_0_3';
COMMENT ON FUNCTION idemstore.set_nx(text, text, interval, text, bytea) IS
	'Store a value unless the key has a live record, in any state, committed or not: true if stored. The record is complete at once, its response_body is the value: value_text, kept as its UTF-8 bytes, or value, but not both. Waits for another transaction that removes an expired record of the key, or has it locked, as INSERT ... ON CONFLICT does. ttl: NULL is idemstore.default_ttl. Errors: 22004 there is no value, 22021 value_text is not UTF-8, in a SQL_ASCII database, ID413, 22023, 54000, 25006. Serves SetNX of Go''s IdempotencyStore.';

CREATE FUNCTION idemstore.set_value(
	key text,
	value_text text DEFAULT NULL,
	ttl interval DEFAULT NULL,
	scope text DEFAULT '',
	value bytea DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_set_value_0_3';
COMMENT ON FUNCTION idemstore.set_value(text, text, interval, text, bytea) IS
	'Store a value, given as in set_nx(), whatever stood there, a final record and a claim in progress too; the record gets a new fence, so that a former owner is told ID412. True when there was no live record. Waits for another transaction''s open change as UPDATE does. ttl: NULL is idemstore.default_ttl. Errors: 22004 there is no value, 22021 value_text is not UTF-8, in a SQL_ASCII database, ID413, 22023, 54000, 25006. Serves Set of Go''s IdempotencyStore.';

CREATE FUNCTION idemstore.get_value(
	key text,
	scope text DEFAULT ''
) RETURNS bytea
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_value';
COMMENT ON FUNCTION idemstore.get_value(text, text) IS
	'The value of a live complete record, or NULL for a miss; an empty value is a hit. Writes nothing, works in a read-only transaction and on a standby. Errors: 22004, 22023, 54000. Serves Get of Go''s IdempotencyStore.';

CREATE FUNCTION idemstore.get_value_text(
	key text,
	scope text DEFAULT ''
) RETURNS text
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_value_text';
COMMENT ON FUNCTION idemstore.get_value_text(text, text) IS
	'get_value() as the text whose UTF-8 bytes it is. Errors: 22021 it is not UTF-8, 22P05 it has a character that the database''s encoding has not, 22004, 22023, 54000.';

CREATE FUNCTION idemstore.initiate(
	key text,
	context json DEFAULT NULL,
	ttl interval DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_initiate';
COMMENT ON FUNCTION idemstore.initiate(text, json, interval, text) IS
	'Create a record in processing unless the key has a live one, in any state, committed or not: true if created. The claim is held until the record expires and is never taken over. Waits as set_nx() does. ttl: NULL is idemstore.default_ttl. Errors: 22004, 22023, 54000, ID413, 25006. Serves initiate of litert''s IManager.';

CREATE FUNCTION idemstore.success(
	key text,
	result json,
	fence bigint DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_success_0_3';
COMMENT ON FUNCTION idemstore.success(text, json, bigint, text) IS
	'complete() with the text of result as response_text. Errors: as complete(): ID404, ID412, ID413, ID425, 22004, 22021, 22023, 54000, 25006. Serves success of litert''s IManager.';

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
AS 'MODULE_PATHNAME', 'idemstore_forget_scope';
COMMENT ON FUNCTION idemstore.forget_scope(text) IS
	'Remove all committed records of a scope in any state; how many of them were live. Waits for open changes of them as DELETE does; who waits for one of them is woken at commit. Errors: 22004, 54000, 25006.';

CREATE FUNCTION idemstore.fingerprint(
	payload json,
	exclude text[] DEFAULT '{}'
) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_fingerprint_0_3';
COMMENT ON FUNCTION idemstore.fingerprint(json, text[]) IS
	'SHA-256 in hexadecimal over the payload as canonical JSON: of equal keys the last, keys sorted by their bytes, numbers as plain decimals without trailing zeroes, or as 1.5e1000 where that takes more than 1,000 digits, no white space, UTF-8. Takes all JSON, also what jsonb refuses, in time that grows as the payload does. exclude: top-level keys that do not count. The same on every version of PostgreSQL and in every encoding. NULL of NULL. Errors: 22004 exclude contains NULL, 22021 a string that is not UTF-8, in a SQL_ASCII database, 22P05 a character that UTF-8 has not.';
