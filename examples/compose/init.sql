-- run once, in the database app, when its volume is new
CREATE EXTENSION pg_cron;
CREATE EXTENSION idemstore;
SELECT idemstore.schedule_expiry();

-- The application logs in as a role of its own, given its password by you:
-- ALTER ROLE app PASSWORD '...'
CREATE ROLE app LOGIN;
SELECT idemstore.grant_usage('app');
