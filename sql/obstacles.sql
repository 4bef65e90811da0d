-- what is in the way of direct access: the error names it, and says what to do
CREATE FUNCTION pg_temp.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION pg_temp.citus_truncate_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
\set try 'SELECT outcome FROM idemstore.start_processing(''k'');'

CREATE TRIGGER mine BEFORE UPDATE ON idemstore.idempotency_records FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing();
:try
ALTER TABLE idemstore.idempotency_records DISABLE TRIGGER mine;
:try
DROP TRIGGER mine ON idemstore.idempotency_records;
-- a trigger of TRUNCATE is all that Citus leaves where the rows are elsewhere
CREATE TRIGGER truncate_trigger AFTER TRUNCATE ON idemstore.idempotency_records EXECUTE FUNCTION pg_temp.citus_truncate_trigger();
:try
DROP TRIGGER truncate_trigger ON idemstore.idempotency_records;
CREATE TRIGGER repack_trigger AFTER INSERT OR DELETE OR UPDATE ON idemstore.idempotency_records FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing();
:try
DROP TRIGGER repack_trigger ON idemstore.idempotency_records;
CREATE TABLE child (key text COLLATE "C", scope text COLLATE "C", CONSTRAINT of_record FOREIGN KEY (key, scope) REFERENCES idemstore.idempotency_records);
:try
DROP TABLE child;
CREATE RULE quietly AS ON DELETE TO idemstore.idempotency_records DO INSTEAD NOTHING;
:try
DROP RULE quietly ON idemstore.idempotency_records;
ALTER TABLE idemstore.idempotency_records ENABLE ROW LEVEL SECURITY;
:try
ALTER TABLE idemstore.idempotency_records DISABLE ROW LEVEL SECURITY;
ALTER TABLE idemstore.idempotency_records RENAME owner TO holder;
:try
ALTER TABLE idemstore.idempotency_records RENAME holder TO owner;
:try

-- a statement of SQL asks the table as well, before what is attached would run
-- with the rights of the extension's owner
CREATE FUNCTION pg_temp.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user; END $$;
CREATE TRIGGER t BEFORE DELETE ON idemstore.idempotency_records FOR EACH ROW EXECUTE FUNCTION pg_temp.told();
SELECT idemstore.forget_scope('');
DROP TRIGGER t ON idemstore.idempotency_records;
-- so that of a role that was given TRIGGER, and nothing else, never does
CREATE ROLE regress_obstacles_mallory;
CREATE ROLE regress_obstacles_operator;
SELECT idemstore.grant_usage('regress_obstacles_operator', 'operator') AS granted;
GRANT USAGE ON SCHEMA idemstore TO regress_obstacles_mallory;
GRANT CREATE ON SCHEMA public TO regress_obstacles_mallory;
GRANT TRIGGER ON idemstore.idempotency_records, idemstore.dedupe_jobs TO regress_obstacles_mallory;
SELECT outcome FROM idemstore.start_processing('expired', ttl => '1 us', scope => 's');
SET ROLE regress_obstacles_mallory;
CREATE FUNCTION public.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user; END $$;
CREATE TRIGGER t BEFORE DELETE ON idemstore.idempotency_records FOR EACH ROW EXECUTE FUNCTION public.told();
CREATE TRIGGER t AFTER DELETE ON idemstore.dedupe_jobs EXECUTE FUNCTION public.told();
SET ROLE regress_obstacles_operator;
SELECT relation, removed FROM idemstore.expire() WHERE removed IS NULL;
SELECT idemstore.forget_scope('s');
SELECT idemstore.dedupe_clear();
RESET ROLE;
DROP FUNCTION public.told CASCADE;
DROP OWNED BY regress_obstacles_mallory, regress_obstacles_operator;
DROP ROLE regress_obstacles_mallory, regress_obstacles_operator;
SELECT idemstore.forget_scope('s');
-- the table of limits is written by SQL alone, and read whatever is attached
SELECT idemstore.set_rate_limit('r', 1, '1 min');
CREATE TRIGGER t BEFORE INSERT OR DELETE ON idemstore.rate_limits FOR EACH ROW EXECUTE FUNCTION pg_temp.told();
SELECT idemstore.acquire('r');
SELECT idemstore.set_rate_limit('r', 2, '1 min');
SELECT idemstore.drop_rate_limit('r');
ALTER TABLE idemstore.rate_limits DISABLE TRIGGER t;
SELECT idemstore.drop_rate_limit('r');
DROP TRIGGER t ON idemstore.rate_limits;
-- where reading would pass by what SELECT honours, it is in the way of reading
ALTER TABLE idemstore.rate_limits ENABLE ROW LEVEL SECURITY;
SELECT idemstore.acquire('any');
ALTER TABLE idemstore.rate_limits DISABLE ROW LEVEL SECURITY;

TRUNCATE idemstore.idempotency_records, idemstore.rate_limit_state;
