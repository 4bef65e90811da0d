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
	'What is behind the view stats: the counters. On a standby NULL but for family and as_of, unless stats_counters is logged.';

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
