\echo Use "ALTER EXTENSION idemstore UPDATE TO '0.3.0'" to load this file. \quit

-- privileges.sql creates it anew.
DROP FUNCTION idemstore.grant_usage(regrole, text);
