\echo Use "ALTER EXTENSION idemstore UPDATE TO '0.3.0'" to load this file. \quit

-- expiry
COMMENT ON FUNCTION idemstore.expire(integer) IS
	'Remove at most max_rows expired rows of every table; one row of result a table. Rows that others have locked are skipped; no lock on a table is waited for. What fails in a table is a WARNING that names it, and its removed is NULL. Space only: an expired row is absent for every function anyway. Errors: 22004, 22023, 25006.';

-- privileges.sql creates it anew.
DROP FUNCTION idemstore.grant_usage(regrole, text);
