\echo Use "ALTER EXTENSION idemstore UPDATE TO '0.3.0'" to load this file. \quit

-- expiry
ALTER FUNCTION idemstore.expire(integer) SECURITY INVOKER RESET ALL;
COMMENT ON FUNCTION idemstore.expire(integer) IS
	'Remove at most max_rows expired rows of every table, of rate_limit_state and cooldowns from where the run before ended, in 1,000 pages; one row of result a table. Rows that others have locked are skipped; no lock on a table is waited for. What fails in a table is a WARNING that names it, and its removed is NULL. Space only: an expired row is absent for every function anyway. Errors: 22004, 22023, 25006.';
-- idempotency
DROP FUNCTION idemstore.start_processing(text, text, interval, text, interval, interval, text, boolean, boolean, json);
DROP FUNCTION idemstore.complete(text, integer, json, bytea, bigint, text, interval);
DROP FUNCTION idemstore.fail(text, json, boolean, integer, json, bytea, bigint, text, interval);
DROP FUNCTION idemstore.lookup(text, text, text);
DROP FUNCTION idemstore.checkpoint(text, text, json, bigint, text);
DROP FUNCTION idemstore.assert_owner(text, bigint, text);
DROP FUNCTION idemstore.set_nx(text, bytea, interval, text);
DROP FUNCTION idemstore.set_value(text, bytea, interval, text);
DROP FUNCTION idemstore.success(text, json, bigint, text);
DROP TYPE idemstore.idempotency_verdict;
DROP TYPE idemstore.idempotency_match;

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

CREATE FUNCTION idemstore.lookup(
	key text,
	fingerprint text DEFAULT NULL,
	scope text DEFAULT ''
) RETURNS SETOF idemstore.idempotency_match
LANGUAGE c STABLE PARALLEL SAFE ROWS 2
AS 'MODULE_PATHNAME', 'idemstore_lookup_0_3';
COMMENT ON FUNCTION idemstore.lookup(text, text, text) IS
	'At most two rows: the live record of the key (matched key), then a live record of the scope with the fingerprint (matched fingerprint; the key''s own if it has it, else that which lives longest). A record that is found both ways comes twice. status as in get(). Writes nothing, works in a read-only transaction and on a standby, and sees what the statement''s snapshot sees. Errors: 22004, 22023, 54000. Serves lookup of idempot''s IdempotencyStore.';

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

CREATE FUNCTION idemstore.get_value_text(
	key text,
	scope text DEFAULT ''
) RETURNS text
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_value_text';
COMMENT ON FUNCTION idemstore.get_value_text(text, text) IS
	'get_value() as the text whose UTF-8 bytes it is. Errors: 22021 it is not UTF-8, 22P05 it has a character that the database''s encoding has not, 22004, 22023, 54000.';

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

COMMENT ON TYPE idemstore.idempotency_record IS
	'A record as get() and wait() return it: the columns of idempotency_records in their order. status: processing, abandoned (processing, but its lease is over, also after a retryable fail(), where error is not NULL), complete or failed.';

COMMENT ON FUNCTION idemstore.extend_lease(text, bigint, interval, text) IS
	'Hold the claim at least for another lease from now (at most 31 days; NULL: idemstore.default_lease), cut to the record''s expires_at; returns the end of the lease. Errors: 22004 fence is NULL, ID404 no live record, ID412 the fence is stale or the attempt was given up, ID425 the record is final, 22023, 54000, 25006.';

COMMENT ON FUNCTION idemstore.get(text, text) IS
	'The live record of the key, or NULL (one row of NULLs in FROM). A claim whose lease is over has status abandoned: the next start owns it, unless it says takeover => false. Writes nothing, works in a read-only transaction and on a standby, and sees what the statement''s snapshot sees. Errors: 22004, 22023, 54000. Serves get of litert''s IManager.';

COMMENT ON FUNCTION idemstore.wait(text, interval, text) IS
	'Wait until the record is final and return it; NULL at once when there is none, or when it goes away. It sees what others commit while it waits, whatever the isolation level. timeout: at most a day; NULL is idemstore.default_wait. Overrides lock_timeout, obeys statement_timeout. Errors: ID408 at the timeout, or at once when the claim is the own transaction''s; 22004, 22023, 54000; deadlock_detected as for any lock. Serves wait of litert''s IManager.';


-- stats: stats_view.sql creates them anew.
DROP VIEW idemstore.stats;
DROP FUNCTION idemstore.stats_reset();
COMMENT ON FUNCTION idemstore.stats_counts() IS
	'What is behind the view stats: the counters. On a standby NULL but for family and as_of, unless stats_counters is logged.';
DROP VIEW idemstore.in_flight;
DROP FUNCTION idemstore.in_flight_claims();
CREATE FUNCTION idemstore.in_flight_claims(
	OUT family text,
	OUT scope text,
	OUT key text,
	OUT state text,
	OUT started_at timestamp with time zone,
	OUT age_seconds double precision,
	OUT lease_expires_at timestamp with time zone,
	OUT fence bigint,
	OUT attempt integer,
	OUT owner_pid integer
) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_in_flight_claims_0_3';
COMMENT ON FUNCTION idemstore.in_flight_claims() IS
	'What is behind the view in_flight.';

CREATE VIEW idemstore.in_flight AS
SELECT f.family, f.scope, f.key, f.state, f.started_at, f.age_seconds, f.lease_expires_at, f.fence, f.attempt, f.owner_pid
FROM idemstore.in_flight_claims() AS f;
COMMENT ON VIEW idemstore.in_flight IS
	'Who is at work: claims, jobs and cache leases that are in progress, before their transaction commits as well. Reads three tables whole, where in_flight_by_key() reads none; waits for no transaction and writes nothing. A row that changes meanwhile may be missing. On a standby it has what is in logged tables.';
COMMENT ON COLUMN idemstore.in_flight.family IS 'idempotency, dedupe or cache';
COMMENT ON COLUMN idemstore.in_flight.scope IS 'namespace of the key; the empty one of jobs and leases';
COMMENT ON COLUMN idemstore.in_flight.key IS 'the key of the record, the hash of the job or the key of the value';
COMMENT ON COLUMN idemstore.in_flight.state IS
	'open: the transaction that claims, changes or ends it has not ended; claimed: committed, and its lease runs; abandoned: its lease is over, and the next caller may take it over';
COMMENT ON COLUMN idemstore.in_flight.started_at IS 'when the work was first claimed; a takeover does not change it';
COMMENT ON COLUMN idemstore.in_flight.age_seconds IS 'how long ago that is';
COMMENT ON COLUMN idemstore.in_flight.lease_expires_at IS 'until when the claim is held, the timeout of a job; NULL when it is just being completed';
COMMENT ON COLUMN idemstore.in_flight.fence IS 'number of the claim; NULL for jobs';
COMMENT ON COLUMN idemstore.in_flight.attempt IS 'which claim of the record this is, from 1; NULL but for idempotency';
COMMENT ON COLUMN idemstore.in_flight.owner_pid IS 'of what is open: the process that has the transaction, NULL if that is prepared or on the primary';

CREATE FUNCTION idemstore.in_flight_by_key(
	key text,
	scope text DEFAULT ''
) RETURNS SETOF idemstore.in_flight
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
AS 'MODULE_PATHNAME', 'idemstore_in_flight_by_key';
COMMENT ON FUNCTION idemstore.in_flight_by_key(text, text) IS
	'The rows of the view in_flight with this key and scope: a record, and, in the empty scope, a job and a cache lease. Reads no table whole, waits for no transaction and writes nothing. On a standby it has what is in logged tables. Errors: 22004, 22023, 54000.';

-- privileges: privileges.sql creates it anew.
DROP FUNCTION idemstore.grant_usage(regrole, text);

-- idempotency
DROP INDEX idemstore.idempotency_records_fingerprint_idx;
CREATE INDEX idempotency_records_fingerprint_idx
	ON idemstore.idempotency_records (scope, fingerprint, expires_at);
CREATE SEQUENCE idemstore.fences CACHE 1;
SELECT pg_catalog.pg_extension_config_dump('idemstore.fences', '');
COMMENT ON SEQUENCE idemstore.fences IS
	'The last fence that was given, to a claim of a record or of a value of the cache; follows the clock in microseconds where it has fallen behind.';
COMMENT ON COLUMN idemstore.idempotency_records.fence IS 'number of the claim; grows with every claim of the key, and is never given again';
SELECT FROM (
	SELECT pg_catalog.max(fence) AS last FROM (
		SELECT fence FROM idemstore.idempotency_records
		UNION ALL SELECT fence FROM idemstore.cache_leases) AS f) AS given,
	LATERAL pg_catalog.setval('idemstore.fences', last)
WHERE last IS NOT NULL;
COMMENT ON FUNCTION idemstore.initiate(text, json, interval, text) IS
	'Create a record in processing unless the key has a live one, in any state, committed or not: true if created. The claim is held until the record expires and is never taken over. Waits as set_nx() does. ttl: NULL is idemstore.default_ttl. Errors: 22004, 22023, 54000, ID413, 25006. Serves initiate of litert''s IManager.';
ALTER FUNCTION idemstore.forget_scope(text) SECURITY INVOKER RESET search_path;
COMMENT ON FUNCTION idemstore.forget_scope(text) IS
	'Remove all committed records of a scope in any state; how many of them were live. Waits for open changes of them as DELETE does; who waits for one of them is woken at commit. Errors: 22004, 54000, 25006.';

-- dedupe
COMMENT ON FUNCTION idemstore.dedupe_register_or_join(text, interval) IS
	'Become the owner of the work, or join who owns it; never waits. A finished job is opened anew, one past its timeout is taken over by exactly one caller. timeout: at most 31 days; NULL is idemstore.default_job_timeout. Serves http-client-toolkit, DedupeStore.registerOrJoin. Errors: 22004, 22023, 25006, 54000.';
DROP FUNCTION idemstore.dedupe_wait_for(text, interval);
CREATE FUNCTION idemstore.dedupe_wait_for(
	hash text,
	timeout interval DEFAULT NULL,
	job_id uuid DEFAULT NULL
) RETURNS idemstore.dedupe_result
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_dedupe_wait_for';
COMMENT ON FUNCTION idemstore.dedupe_wait_for(text, interval, uuid) IS
	'Wait for the end of a job, woken by its commit. job_id: which one, as dedupe_register_or_join() returned it; NULL: the one that is there, or, while one is being opened anew, that. outcome: completed, failed, absent (there is no such job, or another has taken its place), or timeout: of the wait (at most a day; NULL: idemstore.default_wait) or of the job, at once when that is over or is this transaction''s own. Never the result of another job. Raises for none of them. Obeys statement_timeout. Serves http-client-toolkit, DedupeStore.waitFor. Errors: 22004, 22023, 54000, 57014.';
ALTER FUNCTION idemstore.dedupe_clear(text) SECURITY INVOKER RESET search_path;
COMMENT ON FUNCTION idemstore.dedupe_clear(text) IS
	'Remove all committed jobs whose hash begins with the prefix, byte for byte; an empty one is all. Waits for open changes of them as DELETE does. Returns how many of them were live. Who waits for them gets absent. Errors: 22004, 25006, 54000.';
-- limits
ALTER TABLE idemstore.rate_limits
	ADD COLUMN enforced boolean DEFAULT true NOT NULL,
	ADD COLUMN time_zone text COLLATE "C",
	DROP CONSTRAINT rate_limits_algorithm_check,
	ADD CONSTRAINT rate_limits_algorithm_check
		CHECK (algorithm OPERATOR(pg_catalog.=) ANY ('{sliding_window,token_bucket,fixed_window,calendar_window,adaptive}'::pg_catalog.text[])),
	DROP CONSTRAINT rate_limits_period_check,
	ADD CONSTRAINT rate_limits_period_check
		CHECK (period OPERATOR(pg_catalog.>) '0'::pg_catalog.interval AND period OPERATOR(pg_catalog.<=) '3653 days'::pg_catalog.interval AND (algorithm OPERATOR(pg_catalog.=) 'calendar_window' OR pg_catalog.date_trunc('month', period) OPERATOR(pg_catalog.=) '0'::pg_catalog.interval)),
	ADD CONSTRAINT rate_limits_time_zone_check
		CHECK ((time_zone IS NOT NULL) OPERATOR(pg_catalog.=) (algorithm OPERATOR(pg_catalog.=) 'calendar_window'));
-- All of them are kept in each session; of the other names there may be many.
CREATE INDEX rate_limits_pattern_idx ON idemstore.rate_limits (resource, policy)
	WHERE resource OPERATOR(pg_catalog.~~) '%*';
COMMENT ON COLUMN idemstore.rate_limits.algorithm IS 'sliding_window, token_bucket, fixed_window, calendar_window or adaptive';
COMMENT ON COLUMN idemstore.rate_limits.period IS 'length of the window, a day being 24 hours; of a calendar_window a minute, hour, day, week, month, quarter or year';
COMMENT ON COLUMN idemstore.rate_limits.enforced IS 'false for a limit in the shadow, which denies nothing and tells what it would have denied';
COMMENT ON COLUMN idemstore.rate_limits.time_zone IS 'calendar_window: in whose calendar';

DROP FUNCTION idemstore.set_rate_limit(text, bigint, interval, text, bigint, text);
DROP FUNCTION idemstore.set_adaptive_rate_limit(text, bigint, interval, interval, integer, integer, interval, interval, boolean, double precision, integer);
DROP FUNCTION idemstore.acquire(text, integer, text, bigint, interval, text);
DROP FUNCTION idemstore.consume(text, integer, text, bigint, interval, text);
DROP FUNCTION idemstore.acquire_all(text[], integer[]);
DROP FUNCTION idemstore.can_proceed(text, integer, text, bigint, interval);
DROP FUNCTION idemstore.record_request(text, integer, text, bigint, interval);
DROP FUNCTION idemstore.get_wait_time(text, integer, text, bigint, interval);
DROP FUNCTION idemstore.rate_limit_status(text, bigint, interval);
DROP FUNCTION idemstore.set_cooldown(text, timestamp with time zone);
DROP TYPE idemstore.rate_limit_verdict;

CREATE TYPE idemstore.rate_limit_verdict AS (
	allowed boolean,
	quota bigint,
	remaining bigint,
	reset_at timestamp with time zone,
	retry_after_ms double precision,
	retry_after_seconds integer,
	policy text,
	reason text,
	decided_at timestamp with time zone
);
COMMENT ON TYPE idemstore.rate_limit_verdict IS
	'What a limit says. quota and what remains of it; reset_at: when all of it is back; retry_after_ms, retry_after_seconds (rounded up): 0 if allowed, else how long until the same call succeeds when nobody else comes, NULL if it never can; policy: which one says so, NULL for a limit given in the call; reason: ok, shadow (allowed, but a limit that is not enforced would deny), quota, quota_zero, cost_exceeds_quota, cooldown or paused; decided_at: for refund().';

CREATE TYPE idemstore.rate_limit_resource_verdict AS (
	resource text,
	allowed boolean,
	quota bigint,
	remaining bigint,
	reset_at timestamp with time zone,
	retry_after_ms double precision,
	retry_after_seconds integer,
	policy text,
	reason text,
	decided_at timestamp with time zone
);
COMMENT ON TYPE idemstore.rate_limit_resource_verdict IS
	'What a limit says of one of many resources; the columns behind it are those of rate_limit_verdict.';

CREATE FUNCTION idemstore.set_rate_limit(
	resource text,
	quota bigint,
	per interval,
	algorithm text DEFAULT 'sliding_window',
	burst bigint DEFAULT NULL,
	policy text DEFAULT 'default',
	enforced boolean DEFAULT true,
	time_zone text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_set_rate_limit_0_3';
COMMENT ON FUNCTION idemstore.set_rate_limit(text, bigint, interval, text, bigint, text, boolean, text) IS
	'Set a limit of quota a period on a resource, or on all whose names begin with the part before a final *; an exact name wins, then the longest prefix. algorithm: sliding_window, never more than quota in any window of that length; token_bucket, burst at once and quota a period; fixed_window, quota in every window on the clock, which counts weeks from Thursdays; calendar_window, quota in every minute, hour, day, week from Monday, month, quarter or year of the calendar in time_zone, by default the setting TimeZone of now, kept with it. per: at most 366 days, months for a calendar_window only. enforced false is a limit in the shadow: it decides and takes as if it were enforced, each such policy for itself, but denies nothing; consume() and stats tell what it would deny. Several policies of one resource all hold, at most 8. Any number of exact names, and at most 500 with a *. Holds for every session from its next call on, and keeps what is remembered. Two that set the same policy at once wait for each other. True if it is new or changed; what stands already is not written. Errors: 22004, 22023, 25006, 54000.';

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
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'idemstore_set_adaptive_rate_limit_0_3';
COMMENT ON FUNCTION idemstore.set_adaptive_rate_limit(text, bigint, interval, interval, integer, integer, interval, interval, boolean, double precision, integer) IS
	'Set a limit whose quota is split between priorities user and background by how active users are, made anew every recalculation_interval. After a long inactivity nothing is reserved for users, but as many as min_user_reserved are let in; that lasts until a user comes. It is the policy "default" of the resource, and enforced. Periods and windows: at most 366 days. True if it is new or changed; what stands already is not written. For http-client-toolkit, AdaptiveRateLimitStore. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.acquire(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire_0_3';
COMMENT ON FUNCTION idemstore.acquire(text, bigint, text, bigint, interval, text) IS
	'Take cost from every limit of the resource if all that are enforced allow it, else take nothing. True if taken. Never waits for a transaction, is seen by all at once and not undone by ROLLBACK. quota and per, given together, are the limit instead of what is configured, a sliding window with a log for each per, of at most 366 days. priority: user or background (the default), for adaptive limits; not with quota and per. False also while origin is in a cooldown. cost 0 only asks. Serves http-client-toolkit, RateLimitStore.acquire. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.consume(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS idemstore.rate_limit_verdict
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_consume_0_3';
COMMENT ON FUNCTION idemstore.consume(text, bigint, text, bigint, interval, text) IS
	'As acquire(), and says why: the policy that denied, or one in the shadow that would have, or the one of which the least remains. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.acquire_all(
	resources text[],
	costs bigint[] DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire_all_0_3';
COMMENT ON FUNCTION idemstore.acquire_all(text[], bigint[]) IS
	'Take from the configured limits of all resources, or from none. costs: one a resource, 1 each for NULL; a name that comes twice adds its costs. At most 64 resources. True if taken. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set, 54000 for too many.';

CREATE FUNCTION idemstore.acquire_many(
	resources text[],
	costs bigint[] DEFAULT NULL,
	priorities text[] DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS boolean[]
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_acquire_many';
COMMENT ON FUNCTION idemstore.acquire_many(text[], bigint[], text[], bigint, interval, text) IS
	'As acquire() of each resource by itself, in one call: whether it was taken, in the order given; requests of one resource follow each other. costs and priorities: one a resource, 1 and background each for NULL; a priority may be NULL. At most 10,000 resources. All arguments are checked and all limits found before anything is taken; an error after that, such as a cancel, keeps what was taken before it. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set, 54000 for too many.';

CREATE FUNCTION idemstore.consume_many(
	resources text[],
	costs bigint[] DEFAULT NULL,
	priorities text[] DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL,
	origin text DEFAULT NULL
) RETURNS SETOF idemstore.rate_limit_resource_verdict
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_consume_many';
COMMENT ON FUNCTION idemstore.consume_many(text[], bigint[], text[], bigint, interval, text) IS
	'As acquire_many(), and says why, a row a resource in the order given. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set, 54000 for too many.';

CREATE FUNCTION idemstore.refund(
	resource text,
	cost bigint,
	taken_at timestamp with time zone,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_refund';
COMMENT ON FUNCTION idemstore.refund(text, bigint, timestamp with time zone, text, bigint, interval) IS
	'Give back cost that was taken at taken_at and not used: decided_at of the verdict, or the clock of the server just before acquire(). The other arguments are those of that call. Every policy whose window still holds taken_at gives back at most what is counted in it: a sliding window its oldest requests, so that what others used stays; a token bucket what it has not refilled since. A taken_at ahead of the clock is now. True if something was given. Seen by all at once, not undone by ROLLBACK. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.can_proceed(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_can_proceed_0_3';
COMMENT ON FUNCTION idemstore.can_proceed(text, bigint, text, bigint, interval) IS
	'Would acquire() take it now? Takes nothing. Works in a read-only transaction, and on a standby if rate_limit_state is logged. Serves http-client-toolkit, RateLimitStore.canProceed. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.record_request(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_record_request_0_3';
COMMENT ON FUNCTION idemstore.record_request(text, bigint, text, bigint, interval) IS
	'Count a request that was made, allowed or not. True. Serves http-client-toolkit, RateLimitStore.record. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.get_wait_time(
	resource text,
	cost bigint DEFAULT 1,
	priority text DEFAULT NULL,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS interval
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_get_wait_time_0_3';
COMMENT ON FUNCTION idemstore.get_wait_time(text, bigint, text, bigint, interval) IS
	'How long until acquire() would take it if nobody else came: 0 if now, NULL if never. Serves http-client-toolkit, RateLimitStore.getWaitTime. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.rate_limit_status(
	resource text,
	quota bigint DEFAULT NULL,
	per interval DEFAULT NULL
) RETURNS SETOF idemstore.rate_limit_verdict
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_status_0_3';
COMMENT ON FUNCTION idemstore.rate_limit_status(text, bigint, interval) IS
	'What every policy of the resource says of a request of cost 1, the tightest first. Takes nothing. Serves http-client-toolkit, RateLimitStore.getStatus. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';

CREATE FUNCTION idemstore.rate_limit_clear(
	prefix text
) RETURNS bigint
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_clear';
COMMENT ON FUNCTION idemstore.rate_limit_clear(text) IS
	'Forget all requests on resources whose names begin with the prefix, byte for byte; an empty one is all. Configuration and cooldowns stay. Returns on how many there were any. Errors: 22004, 25006, 54000.';

CREATE FUNCTION idemstore.rate_limit_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100
) RETURNS TABLE (
	resource text,
	policy text,
	quota bigint,
	remaining bigint,
	reset_at timestamp with time zone
)
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_rate_limit_list';
COMMENT ON FUNCTION idemstore.rate_limit_list(text, integer) IS
	'The resources whose names begin with the prefix, byte for byte, and of which requests are remembered: a row a policy, the least remaining first, and last, with NULLs, those whose limit comes with the call. At most max_rows. Reads the whole table, and locks nothing for longer than a look. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.set_cooldown(
	origin text,
	until timestamp with time zone
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_set_cooldown_0_3';
COMMENT ON FUNCTION idemstore.set_cooldown(text, timestamp with time zone) IS
	'Deny acquire() and consume() with this origin until then. The last one set wins, even if it is shorter; one that is over is none. At most ten years ahead. True if that changes anything. Seen by all at once, not undone by ROLLBACK. Errors: 22004, 22023, 25006, 54000.';

CREATE FUNCTION idemstore.cooldown_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100
) RETURNS TABLE (
	origin text,
	until timestamp with time zone
)
LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cooldown_list';
COMMENT ON FUNCTION idemstore.cooldown_list(text, integer) IS
	'The origins whose names begin with the prefix, byte for byte, and that are in a cooldown, the longest first. At most max_rows. Errors: 22004, 22023, 54000.';

DROP FUNCTION idemstore.fingerprint(jsonb, text[]);
CREATE FUNCTION idemstore.fingerprint(
	payload json,
	exclude text[] DEFAULT '{}'
) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_fingerprint_0_3';
COMMENT ON FUNCTION idemstore.fingerprint(json, text[]) IS
	'SHA-256 in hexadecimal over the payload as canonical JSON: of equal keys the last, keys sorted by their bytes, numbers as plain decimals without trailing zeroes, or as 1.5e1000 where that takes more than 1,000 digits, no white space, UTF-8. Takes all JSON, also what jsonb refuses, in time that grows as the payload does. exclude: top-level keys that do not count. The same on every version of PostgreSQL and in every encoding. NULL of NULL. Errors: 22004 exclude contains NULL, 22021 a string that is not UTF-8, in a SQL_ASCII database, 22P05 a character that UTF-8 has not.';

-- The tables of slots, whose pages have another form now: a way to the heap and
-- back writes one anew. What a crash would empty begins anew, but for cooldowns.
DO LANGUAGE plpgsql $update$
DECLARE
	slots record;
BEGIN
	FOR slots IN
		SELECT c.relname AS name, c.relname OPERATOR(pg_catalog.=) 'cooldowns' OR c.relpersistence OPERATOR(pg_catalog.=) 'p' AS is_kept
		FROM pg_catalog.pg_class AS c
		WHERE c.relnamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND c.relname OPERATOR(pg_catalog.=) ANY ('{rate_limit_state,cooldowns,stats_counters}'::pg_catalog.name[])
	LOOP
		IF slots.is_kept THEN
			EXECUTE pg_catalog.format('ALTER TABLE idemstore.%I SET ACCESS METHOD heap', slots.name);
			EXECUTE pg_catalog.format('ALTER TABLE idemstore.%I SET ACCESS METHOD idemstore_slots', slots.name);
		ELSE
			EXECUTE pg_catalog.format('TRUNCATE idemstore.%I', slots.name);
		END IF;
	END LOOP;
END
$update$;

-- dedupe
COMMENT ON FUNCTION idemstore.dedupe_register_or_join(text, interval) IS
	'Become the owner of the work, or join who owns it; never waits. A finished job is opened anew, one past its timeout is taken over by exactly one caller. timeout: at most 31 days; NULL is idemstore.default_job_timeout. Serves http-client-toolkit, DedupeStore.registerOrJoin. Errors: 22004, 22023, 25006, 54000.';
CREATE FUNCTION idemstore.dedupe_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100,
	after text DEFAULT ''
) RETURNS TABLE (hash text, job_id uuid, status text, expires_at timestamp with time zone)
LANGUAGE c STABLE PARALLEL SAFE ROWS 100
AS 'MODULE_PATHNAME', 'idemstore_dedupe_list';
COMMENT ON FUNCTION idemstore.dedupe_list(text, integer, text) IS
	'The live jobs whose hash begins with the prefix and is greater than after, both byte for byte: at most max_rows, in the order of their hashes. For the next page pass the last hash as after. status: pending (past its timeout or not), completed or failed. expires_at: from when on it counts as absent. Sees what SELECT would see. Errors: 22004, 22023, 54000.';

-- cache
DROP FUNCTION idemstore.cache_set_bytes(text, bytea, interval, text[], bigint);
DROP FUNCTION idemstore.cache_get_many(text[]);
DROP FUNCTION idemstore.cache_fetch(text, interval, interval, interval);
DROP TYPE idemstore.cache_fetched;

CREATE TYPE idemstore.cache_fetched AS (
	outcome text,
	value json,
	fence bigint,
	expires_at timestamp with time zone,
	value_bytes bytea
);
COMMENT ON TYPE idemstore.cache_fetched IS
	'What cache_fetch() found. outcome: hit (value or value_bytes, as the entry holds json or bytes; expires_at), stale (the same, and expires_at is past), compute (fence: compute the value and call cache_set() with it) or in_progress (somebody else computes it). expires_at is NULL for never.';

CREATE FUNCTION idemstore.cache_set_bytes(
	key text,
	value_text text DEFAULT NULL,
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL,
	fence bigint DEFAULT NULL,
	value bytea DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_set_bytes_0_3';
COMMENT ON FUNCTION idemstore.cache_set_bytes(text, text, interval, text[], bigint, bytea) IS
	'As cache_set(), for bytes: value_text, kept as its UTF-8 bytes, or value, but not both. Errors: 22004 there is no value, 22021 value_text is not UTF-8, in a SQL_ASCII database, 22023, 54000, 25006, ID413.';

CREATE FUNCTION idemstore.cache_get_many(
	keys text[]
) RETURNS TABLE (key text, value json, value_bytes bytea)
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_get_many_0_3';
COMMENT ON FUNCTION idemstore.cache_get_many(text[]) IS
	'The value of every key: one row each, in their order; value or value_bytes, as the entry holds json or bytes, both NULL on a miss. Sees what SELECT would see. Errors: 22004, 22023, 54000.';

CREATE FUNCTION idemstore.cache_fetch(
	key text,
	lease interval DEFAULT '10 s',
	stale interval DEFAULT '0',
	wait interval DEFAULT '0'
) RETURNS idemstore.cache_fetched
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_fetch_0_3';
COMMENT ON FUNCTION idemstore.cache_fetch(text, interval, interval, interval) IS
	'Get a value, and if there is none make one caller compute it: compute with a fence for him, held for lease (at most an hour), while the others get stale (expired for less than stale, as long as idemstore.cache_keep_stale keeps it), or wait as long as wait (at most a day) for the value, or are told in_progress. When the lease is over, the next caller computes. Sees what is committed now, whatever the isolation level. Errors: 22004, 22023, 54000, 25006.';
-- 0.2.0 revoked from PUBLIC what pg_dump warns of at every dump: the row types of
-- tables and views.
DO $$
DECLARE
	row_types pg_catalog.oid[] := ARRAY(
		SELECT t.oid
		FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.typrelid
		WHERE t.typnamespace OPERATOR(pg_catalog.=) 'idemstore'::pg_catalog.regnamespace
			AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,v}'));
	row_type pg_catalog.regtype;
BEGIN
	UPDATE pg_catalog.pg_type SET typacl = NULL
	WHERE oid OPERATOR(pg_catalog.=) ANY (row_types) AND pg_catalog.cardinality(typacl) OPERATOR(pg_catalog.=) 1;
	FOR row_type IN
		SELECT t.oid FROM pg_catalog.pg_type AS t
		WHERE t.oid OPERATOR(pg_catalog.=) ANY (row_types) AND t.typacl IS NOT NULL
	LOOP
		EXECUTE pg_catalog.format('GRANT USAGE ON TYPE %s TO PUBLIC', row_type);
	END LOOP;
	DELETE FROM pg_catalog.pg_init_privs
	WHERE classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass
		AND objoid OPERATOR(pg_catalog.=) ANY (row_types);
END
$$;

COMMENT ON FUNCTION idemstore.cache_get_bytes(text) IS
	'The value byte for byte, that of a json entry as the UTF-8 bytes of its text, or NULL on a miss. Errors: 22004, 22021 a json entry that is not UTF-8, in a SQL_ASCII database, 22023, 54000.';

CREATE FUNCTION idemstore.cache_add(
	key text,
	value json,
	ttl interval DEFAULT '0',
	tags text[] DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_add';
COMMENT ON FUNCTION idemstore.cache_add(text, json, interval, text[]) IS
	'cache_set() if the key has no live entry: true if stored, and of any number of callers one is told so. False also where cache_set() is; then nothing is removed that the caller has not stored. Waits for another transaction that stores under the key. Errors: 22004, 22023, 54000, 25006, ID413 above idemstore.cache_max_entry_size.';

CREATE FUNCTION idemstore.cache_compare_and_set(
	key text,
	expected json,
	value json,
	ttl interval DEFAULT NULL,
	tags text[] DEFAULT NULL
) RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_cache_compare_and_set';
COMMENT ON FUNCTION idemstore.cache_compare_and_set(text, json, json, interval, text[]) IS
	'cache_set() if the live entry is this very JSON text, as cache_get() gave it: true if stored, and of any number of callers who expect the same one is told so. ttl: NULL keeps when the entry expires; tags: NULL keeps its tags. False also for bytes, and where cache_set() is, which then removes the entry, too. Waits for another transaction that stores under the key. Errors: 22004, 22023, 54000, 25006, ID413 above idemstore.cache_max_entry_size.';

CREATE FUNCTION idemstore.cache_list(
	prefix text DEFAULT '',
	max_rows integer DEFAULT 100,
	after text DEFAULT ''
) RETURNS TABLE (key text, expires_at timestamp with time zone, tags text[], size bigint)
LANGUAGE c STABLE PARALLEL SAFE ROWS 100
AS 'MODULE_PATHNAME', 'idemstore_cache_list';
COMMENT ON FUNCTION idemstore.cache_list(text, integer, text) IS
	'The live entries whose key begins with the prefix and is greater than after, both byte for byte: at most max_rows, in the order of their keys. For the next page pass the last key as after. expires_at: NULL is never. size: the value''s bytes. Sees what SELECT would see. Errors: 22004, 22023, 54000.';
-- cache
COMMENT ON COLUMN idemstore.cache_entries.tags IS 'what the value depends on, sorted, at most 256 of 1 to 1024 bytes; NULL or empty for nothing';
COMMENT ON COLUMN idemstore.cache_entries.written_by IS 'the transaction that stored it, or removed it and left an empty value as json in its place';

ALTER TABLE idemstore.cache_invalidations RENAME COLUMN seen_at TO xid_bucket;
ALTER TABLE idemstore.cache_invalidations ALTER COLUMN xid_bucket TYPE bigint USING xid::pg_catalog.text::pg_catalog.int8 OPERATOR(pg_catalog./) 16384;
CREATE INDEX cache_invalidations_xid_bucket_idx ON idemstore.cache_invalidations (xid_bucket);
INSERT INTO idemstore.cache_invalidations VALUES ('e', pg_catalog.pg_current_xact_id());
COMMENT ON COLUMN idemstore.cache_invalidations.name IS 't and a tag, * and a prefix, k and the key of an entry that expire() removed, or e: since when the rows are complete';
COMMENT ON COLUMN idemstore.cache_invalidations.xid_bucket IS 'xid in steps of 16384, by which expire() finds the row; NULL for e, which stays';

COMMENT ON FUNCTION idemstore.cache_set(text, json, interval, text[], bigint) IS
	'Store a value, exactly as it is given; true if stored. ttl: above 0 expires, 0 never, below 0 is expired already, so that the entry is gone. tags: NULL keeps those of a live entry, an empty array clears them, else they are replaced; at most 256 of 1 to 1024 bytes. False, and nothing is stored: with a fence, of cache_fetch(), when the value could be older than an invalidation of the key or of a tag, or the lease is lost; without one, while another transaction invalidates the key or a tag, and then what stood there is removed. Commits or rolls back with the transaction; waits for another one that writes the key. Serves http-client-toolkit, CacheStore.set and setWithTags. Errors: 22004, 22023, 54000, 25006, ID413 above idemstore.cache_max_entry_size.';
ALTER FUNCTION idemstore.cache_clear(text) SECURITY INVOKER RESET search_path;
ALTER FUNCTION idemstore.invalidate_by_tag(text) SECURITY INVOKER RESET search_path;
ALTER FUNCTION idemstore.invalidate_by_tags(text[]) SECURITY INVOKER RESET search_path;
COMMENT ON FUNCTION idemstore.cache_clear(text) IS
	'Remove all entries whose key begins with the prefix, byte for byte; an empty one is all. Returns how many of them were live. Refuses every value for such a key that is being computed; waits for entries that are being stored with a fence, not for others. Serves http-client-toolkit, CacheStore.clear. Errors: 22004, 25006, 54000.';
COMMENT ON FUNCTION idemstore.invalidate_by_tag(text) IS
	'Remove all entries with this tag, and refuse every value with it that is being computed. Returns how many of them were live. Another session sees it exactly at commit; waits for transactions that are storing or invalidating under the tag. Serves http-client-toolkit, CacheStore.invalidateByTag. Errors: 22004, 22023, 54000, 25006.';
COMMENT ON FUNCTION idemstore.invalidate_by_tags(text[]) IS
	'As invalidate_by_tag(), for all entries with any of the tags, each counted once. Serves http-client-toolkit, CacheStore.invalidateByTags. Errors: 22004, 22023, 54000, 25006.';
COMMENT ON FUNCTION idemstore.cache_set_many(text[], json[], interval, text[]) IS
	'cache_set() of every key and its item; returns how many were stored. All or nothing, with the transaction. Errors: 22004, 22023, 54000, 25006, ID413.';
