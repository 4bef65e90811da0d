\echo Use "CREATE EXTENSION idemstore" to load this file. \quit

-- Created here and not by the control file, so that DROP EXTENSION removes it
-- and a schema that stood under this name before is an error.
CREATE SCHEMA idemstore;
COMMENT ON SCHEMA idemstore IS 'idempotency keys, dedupe, cache and rate limits';
