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
	'calls by outcome; of the cache entries by outcome. idempotency: the outcomes of start_processing(), where started is also of set_nx() and initiate(), and exists those of a key that is there; set (set_value()); completed, given_up (fail()), retryable (fail(retryable => true)), released; lost: a stale fence, though that is an error. dedupe: owner, joined; completed, failed, or refused (false) of dedupe_complete() and dedupe_fail(); wait_* of dedupe_wait_for(). cache: hit, miss, the outcomes of cache_fetch(), set, refused (false of a set with a fence), touched, and of live entries deleted and invalidated. rate_limit: allowed or the reason of the denial of acquire(), consume() and acquire_all(), but for a cost of 0; recorded';
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
