\echo Use "ALTER EXTENSION idemstore UPDATE TO '0.3.0'" to load this file. \quit

-- expiry
COMMENT ON FUNCTION idemstore.expire(integer) IS
	'Remove at most max_rows expired rows of every table; one row of result a table. Rows that others have locked are skipped; no lock on a table is waited for. What fails in a table is a WARNING that names it, and its removed is NULL. Space only: an expired row is absent for every function anyway. Errors: 22004, 22023, 25006.';

-- privileges.sql creates it anew.
DROP FUNCTION idemstore.grant_usage(regrole, text);

-- idempotency
ALTER FUNCTION idemstore.forget_scope(text) SECURITY INVOKER RESET search_path;

-- dedupe
ALTER FUNCTION idemstore.dedupe_clear(text) SECURITY INVOKER RESET search_path;
COMMENT ON FUNCTION idemstore.dedupe_clear(text) IS
	'Remove all jobs whose hash begins with the prefix, byte for byte; an empty one is all. Returns how many of them were live. Who waits for them gets absent. Errors: 22004, 25006, 54000.';
