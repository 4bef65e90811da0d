\echo Use "ALTER EXTENSION idemstore UPDATE TO '0.3.0'" to load this file. \quit

-- expiry
COMMENT ON FUNCTION idemstore.expire(integer) IS
	'Remove at most max_rows expired rows of every table; one row of result a table. Rows that others have locked are skipped; no lock on a table is waited for. What fails in a table is a WARNING that names it, and its removed is NULL. Space only: an expired row is absent for every function anyway. Errors: 22004, 22023, 25006.';

-- privileges.sql creates it anew.
DROP FUNCTION idemstore.grant_usage(regrole, text);

-- idempotency
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
ALTER FUNCTION idemstore.forget_scope(text) SECURITY INVOKER RESET search_path;

-- dedupe
ALTER FUNCTION idemstore.dedupe_clear(text) SECURITY INVOKER RESET search_path;
COMMENT ON FUNCTION idemstore.dedupe_clear(text) IS
	'Remove all jobs whose hash begins with the prefix, byte for byte; an empty one is all. Returns how many of them were live. Who waits for them gets absent. Errors: 22004, 25006, 54000.';
-- limits
COMMENT ON FUNCTION idemstore.acquire(text, integer, text, bigint, interval, text) IS
	'Take cost from every limit of the resource if all of them allow it, else take nothing. True if taken. Never waits for a transaction, is seen by all at once and not undone by ROLLBACK. quota and per, given together, are the limit instead of what is configured, a sliding window with a log for each per. priority: user or background (the default), for adaptive limits. False also while origin is in a cooldown. cost 0 only asks. Serves http-client-toolkit, RateLimitStore.acquire. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';
COMMENT ON FUNCTION idemstore.consume(text, integer, text, bigint, interval, text) IS
	'As acquire(), and says why: the policy that denied, or the one of which the least remains. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';
COMMENT ON FUNCTION idemstore.acquire_all(text[], integer[]) IS
	'Take from the configured limits of all resources, or from none. costs: one a resource, 1 each for NULL; a name that comes twice adds its costs. At most 64 resources. True if taken. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';
COMMENT ON FUNCTION idemstore.can_proceed(text, integer, text, bigint, interval) IS
	'Would acquire() take it now? Takes nothing. Works in a read-only transaction, and on a standby if rate_limit_state is logged. Serves http-client-toolkit, RateLimitStore.canProceed. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';
COMMENT ON FUNCTION idemstore.record_request(text, integer, text, bigint, interval) IS
	'Count a request that was made, allowed or not. Serves http-client-toolkit, RateLimitStore.record. Errors: 25006, 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';
COMMENT ON FUNCTION idemstore.get_wait_time(text, integer, text, bigint, interval) IS
	'How long until acquire() would take it if nobody else came: 0 if now, NULL if never. Serves http-client-toolkit, RateLimitStore.getWaitTime. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';
COMMENT ON FUNCTION idemstore.rate_limit_status(text, bigint, interval) IS
	'What every policy of the resource says of a request of cost 1, the tightest first. Takes nothing. Serves http-client-toolkit, RateLimitStore.getStatus. Errors: 22004, 22023, 54000 for a resource above 1024 bytes, ID428 when no limit is set.';
DROP FUNCTION idemstore.fingerprint(jsonb, text[]);
CREATE FUNCTION idemstore.fingerprint(
	payload json,
	exclude text[] DEFAULT '{}'
) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_fingerprint_0_3';
COMMENT ON FUNCTION idemstore.fingerprint(json, text[]) IS
	'SHA-256 in hexadecimal over the payload as canonical JSON: of equal keys the last, keys sorted by their bytes, numbers as plain decimals without trailing zeroes, or as 1.5e1000 where that takes more than 1,000 digits, no white space, UTF-8. Takes all JSON, also what jsonb refuses, in time that grows as the payload does. exclude: top-level keys that do not count. The same on every version of PostgreSQL and in every encoding. NULL of NULL. Errors: 22004 exclude contains NULL, 22021 a string that is not UTF-8, in a SQL_ASCII database, 22P05 a character that UTF-8 has not.';
