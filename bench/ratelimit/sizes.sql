-- What a resource takes, by the number of requests that were admitted in its
-- window: with its share of pages and indexes, packed as a rewrite leaves them.
--
-- Variables: resources.

CREATE TABLE bench.sizes (
	requests integer,
	side text,
	bytes bigint,	-- a resource
	state integer	-- bytes of the state alone
);

-- from so many requests a resource to so many more
CREATE PROCEDURE bench.fill(resources integer, former integer, requests integer)
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM count(idemstore.acquire('size-' || i, quota => 1000, per => '1 hour'))
	FROM generate_series(1, resources) AS i, generate_series(former + 1, requests);
	TRUNCATE counter.limits, exact_log.limits;
	INSERT INTO counter.limits
	SELECT 'size-' || i, now(), requests FROM generate_series(1, resources) AS i;
	INSERT INTO exact_log.limits
	SELECT 'size-' || i, ARRAY(SELECT now() + n * interval '1 ms' FROM generate_series(1, requests) AS n)
	FROM generate_series(1, resources) AS i;
END
$$;

CREATE VIEW bench.state_sizes AS
SELECT 'idemstore' AS side, 'idemstore.rate_limit_state'::regclass AS relation, max(octet_length(state)) AS state
FROM idemstore.rate_limit_state
UNION ALL
SELECT 'counter', 'counter.limits', NULL
UNION ALL
SELECT 'exact_log', 'exact_log.limits', max(pg_column_size(requests))
FROM exact_log.limits;

TRUNCATE idemstore.rate_limit_state;
SELECT statement
FROM (VALUES (0, 1), (1, 10), (10, 64)) AS sizes (former, requests),
	unnest(ARRAY[
		format('CALL bench.fill(%s, %s, %s)', :resources, former, requests),
		'VACUUM FULL idemstore.rate_limit_state',
		'VACUUM FULL counter.limits',
		'VACUUM FULL exact_log.limits',
		format('INSERT INTO bench.sizes SELECT %s, side, pg_total_relation_size(relation) / %s, state FROM bench.state_sizes',
			requests, :resources)]) WITH ORDINALITY AS steps (statement, step)
ORDER BY requests, step
\gexec

-- More requests than a log has runs take no more room in ours; a hundred
-- resources are less than a table's least size.
TRUNCATE idemstore.rate_limit_state;
CALL bench.fill(100, 0, 1000);
INSERT INTO bench.sizes
SELECT 1000, side, CASE side WHEN 'exact_log' THEN pg_total_relation_size(relation) / 100 END, state
FROM bench.state_sizes
WHERE side <> 'counter';
