-- The view stats

CREATE FUNCTION idemstore.stats_reset() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_stats_reset';
COMMENT ON FUNCTION idemstore.stats_reset() IS
	'Set all counters of the view stats to zero. Seen by all at once, not undone by ROLLBACK. What other sessions have counted in the last second is added afterwards. True if anything was counted. Errors: 25006.';

CREATE FUNCTION idemstore.stats_longest_chain() RETURNS integer
LANGUAGE c STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'idemstore_stats_longest_chain';
COMMENT ON FUNCTION idemstore.stats_longest_chain() IS
	'What is behind the view stats: the longest chain of rate_limit_state, in pages. NULL before the first sweep, and on a standby unless rate_limit_state is logged.';

CREATE FUNCTION idemstore.stats_marks() RETURNS bigint
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT pg_stat_get_live_tuples('idemstore.cache_invalidations'::regclass) WHERE NOT pg_is_in_recovery()
$$;
COMMENT ON FUNCTION idemstore.stats_marks() IS
	'What is behind the view stats: about how many rows cache_invalidations has. NULL on a standby.';

-- On a standby a query cannot even name a table that is not logged.
CREATE FUNCTION idemstore.stats_table(family text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('idemstore.%I', c.relname)
	FROM pg_class AS c
	WHERE c.relnamespace = 'idemstore'::regnamespace
		AND c.relname = CASE family
			WHEN 'idempotency' THEN 'idempotency_records'
			WHEN 'dedupe' THEN 'dedupe_jobs'
			WHEN 'cache' THEN 'cache_entries'
			WHEN 'rate_limit' THEN 'rate_limit_state'
		END
		AND (c.relpersistence = 'p' OR NOT pg_is_in_recovery())
$$;
COMMENT ON FUNCTION idemstore.stats_table(text) IS
	'What is behind the view stats: the main table of a family, if it can be read here; else NULL.';

-- Each figure is a function, stable though it reads what changes: so a view
-- leaves it out when nobody asks for it.
CREATE FUNCTION idemstore.stats_live(
	family text,
	as_of timestamp with time zone
) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	source CONSTANT text := idemstore.stats_table(family);
	result bigint;
BEGIN
	IF source IS NOT NULL THEN
		EXECUTE format('SELECT count(*) FROM %s WHERE expires_at > $1 %s', source,
			CASE family WHEN 'cache' THEN 'OR expires_at IS NULL' END) INTO result USING as_of;
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION idemstore.stats_live(text, timestamp with time zone) IS
	'What is behind the view stats: the live rows of a family. Reads the whole table.';

CREATE FUNCTION idemstore.stats_expired(
	family text,
	as_of timestamp with time zone
) RETURNS bigint
LANGUAGE plpgsql STABLE PARALLEL SAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	source CONSTANT text := idemstore.stats_table(family);
	result bigint;
BEGIN
	IF source IS NOT NULL THEN
		EXECUTE format('SELECT count(*) FROM %s WHERE expires_at <= $1 %s', source,
			CASE family WHEN 'cache' THEN 'AND expires_bucket <= (date_part(''epoch'', $1) / 3600)::integer' END) INTO result USING as_of;
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION idemstore.stats_expired(text, timestamp with time zone) IS
	'What is behind the view stats: the rows of a family that have expired. Reads the whole table or an index of it.';

CREATE FUNCTION idemstore.stats_oldest_in_progress(
	family text,
	as_of timestamp with time zone
) RETURNS timestamp with time zone
LANGUAGE plpgsql STABLE PARALLEL SAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	source CONSTANT text := idemstore.stats_table(family);
	result timestamp with time zone;
BEGIN
	IF family = 'cache' AND source IS NOT NULL THEN
		EXECUTE 'SELECT min(created_at) FROM idemstore.cache_leases WHERE expires_at > $1' INTO result USING as_of;
	ELSIF family IN ('idempotency', 'dedupe') AND source IS NOT NULL THEN
		EXECUTE format('SELECT min(created_at) FROM %s WHERE lease_expires_at IS NOT NULL AND expires_at > $1', source)
			INTO result USING as_of;
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION idemstore.stats_oldest_in_progress(text, timestamp with time zone) IS
	'What is behind the view stats: when the oldest work of a family that is in progress was first claimed. Reads the whole table.';

-- The first of an index, whatever the planner thinks of a table that nobody has
-- analyzed.
CREATE FUNCTION idemstore.stats_backlog_since(
	family text,
	as_of timestamp with time zone
) RETURNS timestamp with time zone
LANGUAGE plpgsql STABLE PARALLEL SAFE
SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off
AS $$
DECLARE
	source CONSTANT text := idemstore.stats_table(family);
	result timestamp with time zone;
BEGIN
	IF family = 'cache' AND source IS NOT NULL THEN
		EXECUTE format('SELECT to_timestamp((expires_bucket + 1) * 3600::double precision) FROM %s
			WHERE (expires_bucket + 1) * 3600::double precision <= date_part(''epoch'', $1)
				AND expires_bucket IS NOT NULL ORDER BY expires_bucket LIMIT 1', source) INTO result USING as_of;
	ELSIF family IN ('idempotency', 'dedupe') AND source IS NOT NULL THEN
		EXECUTE format('SELECT expires_at FROM %s WHERE expires_at <= $1 ORDER BY expires_at LIMIT 1', source)
			INTO result USING as_of;
	END IF;
	RETURN result;
END
$$;
COMMENT ON FUNCTION idemstore.stats_backlog_since(text, timestamp with time zone) IS
	'What is behind the view stats: when the oldest row expired of those that have, by an index. NULL for rate_limit.';

CREATE VIEW idemstore.stats AS
SELECT
	c.family,
	c.calls,
	idemstore.stats_live(c.family, c.as_of) AS live,
	idemstore.stats_expired(c.family, c.as_of) AS expired,
	idemstore.stats_oldest_in_progress(c.family, c.as_of) AS oldest_in_progress,
	c.last_expiry,
	c.removed,
	(idemstore.stats_sizes(c.family)).table_size,
	(idemstore.stats_sizes(c.family)).index_size,
	c.reset_at,
	CASE
		WHEN c.family OPERATOR(pg_catalog.=) 'cache' THEN idemstore.stats_marks()
	END AS marks,
	CASE
		WHEN c.family OPERATOR(pg_catalog.=) 'rate_limit' THEN idemstore.stats_longest_chain()
	END AS longest_chain,
	idemstore.stats_backlog_since(c.family, c.as_of) AS backlog_since
FROM idemstore.stats_counts() AS c;
COMMENT ON VIEW idemstore.stats IS
	'One row per family: what its calls came to since reset_at, and how its tables stand. live, expired and oldest_in_progress read a whole table, and nothing when they are not selected; the other columns read none. On a standby NULL stands for what is in a table that is not logged. Every session adds what it has counted about once a second, at its next call, and when it ends. Calls are counted even if their transaction rolls back; those that raise an error and those of parallel workers are not. Counters are empty after a crash.';
COMMENT ON COLUMN idemstore.stats.family IS 'idempotency, dedupe, cache or rate_limit';
COMMENT ON COLUMN idemstore.stats.calls IS
	'calls by outcome; of the cache entries by outcome. idempotency: the outcomes of start_processing(), where started is also of set_nx() and initiate(), and exists those of a key that is there; set (set_value()); completed, given_up (fail()), retryable (fail(retryable => true)), released; lost: a stale fence, though that is an error. dedupe: owner, joined; completed, failed, or refused (false) of dedupe_complete() and dedupe_fail(); wait_* of dedupe_wait_for(). cache: hit, miss, the outcomes of cache_fetch(), set, refused (false of a set, but where a condition of cache_add() or cache_compare_and_set() was not met), touched, and of live entries deleted and invalidated. rate_limit: allowed or the reason of the denial of acquire(), consume(), acquire_all(), and of each resource of acquire_many() and consume_many(), but for a cost of 0; shadow: of those allowed, which a limit in the shadow would have denied; recorded';
COMMENT ON COLUMN idemstore.stats.live IS 'rows that are live, a rate limit''s one for each resource; reads the whole table';
COMMENT ON COLUMN idemstore.stats.expired IS 'expired rows that expire() has not removed yet; reads the whole table or an index of it';
COMMENT ON COLUMN idemstore.stats.oldest_in_progress IS
	'when the oldest work that is in progress and committed was first claimed, or NULL; reads the whole table. in_flight has them all';
COMMENT ON COLUMN idemstore.stats.last_expiry IS 'when expire() last came by since reset_at, or NULL';
COMMENT ON COLUMN idemstore.stats.removed IS 'rows that expire() has removed since reset_at';
COMMENT ON COLUMN idemstore.stats.table_size IS 'bytes of the tables of the family';
COMMENT ON COLUMN idemstore.stats.index_size IS 'bytes of their indexes';
COMMENT ON COLUMN idemstore.stats.reset_at IS 'since when it counts: stats_reset(), or the first call ever or after a crash; NULL before that';
COMMENT ON COLUMN idemstore.stats.marks IS 'of cache: about how many names are marked as invalidated; NULL for any other family, and on a standby';
COMMENT ON COLUMN idemstore.stats.longest_chain IS 'of rate_limit: pages of the longest chain in rate_limit_state that the last sweep of expire() met; NULL before one, and for any other family';
COMMENT ON COLUMN idemstore.stats.backlog_since IS
	'when the oldest row expired that expire() has not removed yet, or NULL; of cache to the hour, rounded up; NULL for rate_limit, which has no index';
