\echo Use "ALTER EXTENSION idemstore UPDATE TO '0.2.0'" to load this file. \quit

-- privileges.sql creates it anew.
DROP FUNCTION idemstore.grant_usage(regrole, text);

CREATE FUNCTION idemstore.start_processing_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'idemstore_start_processing_support';
COMMENT ON FUNCTION idemstore.start_processing_support(internal) IS
	'Planner support of start_processing(); not to be called.';

ALTER FUNCTION idemstore.start_processing(text, text, interval, text, interval, interval, text, boolean, boolean, json)
	SUPPORT idemstore.start_processing_support;

ALTER FUNCTION idemstore.expire(integer) SET enable_sort = off;
COMMENT ON PROCEDURE idemstore.expire_all(integer, interval) IS
	'Call expire(batch_size) and commit, until nothing expired is left or max_duration is over, which it looks at after every batch (NULL: no limit). One at a time in a database: a second one ends at once with a NOTICE. Cannot run inside a transaction block. Errors: 22004, 22023, 25006, 2D000.';
