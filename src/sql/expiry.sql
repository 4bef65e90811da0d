-- Expiry

CREATE FUNCTION idemstore.expire(
	max_rows integer DEFAULT 10000,
	OUT relation text,
	OUT removed bigint
) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'idemstore_expire';
COMMENT ON FUNCTION idemstore.expire(integer) IS
	'Remove at most max_rows expired rows of every table, of rate_limit_state and cooldowns from where the run before ended, in 1,000 pages; one row of result a table. Rows that others have locked are skipped; no lock on a table is waited for. What fails in a table is a WARNING that names it, and its removed is NULL. Space only: an expired row is absent for every function anyway. Errors: 22004, 22023, 25006.';

CREATE PROCEDURE idemstore.expire_all(
	batch_size integer DEFAULT 10000,
	max_duration interval DEFAULT NULL
)
LANGUAGE c
AS 'MODULE_PATHNAME', 'idemstore_expire_all';
COMMENT ON PROCEDURE idemstore.expire_all(integer, interval) IS
	'Call expire(batch_size) and commit, until nothing expired is left or max_duration is over, which it looks at after every batch (NULL: no limit). One at a time in a database: a second one ends at once with a NOTICE. Cannot run inside a transaction block. Errors: 22004, 22023, 25006, 2D000.';
