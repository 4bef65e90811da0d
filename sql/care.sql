-- care whose parts fail alone: what is in the way of one table is a WARNING that
-- names it, and does not keep the others from theirs
SET timezone = 'UTC';
\set SHOW_CONTEXT never

-- One expired row in every table, and what has expired in each.
CREATE PROCEDURE pg_temp.fill()
LANGUAGE plpgsql AS $$
BEGIN
	SET idemstore.test_clock = '2026-01-01 00:00:00+00';
	PERFORM idemstore.start_processing('k', ttl => '1 s'), idemstore.dedupe_register('j', '1 s'), idemstore.cache_set('c', '1', '1 s'),
		idemstore.cache_fetch('l', '1 s'), idemstore.acquire('r', quota => 1, per => '1 s'), idemstore.set_cooldown('o', '2026-01-01 00:00:01+00');
	COMMIT;
	SET idemstore.test_clock = '2026-01-02 00:00:00+00';
END
$$;
CALL pg_temp.fill();
SELECT relation, removed FROM idemstore.expire();

-- a trigger, of any kind, is named, and never runs
CREATE FUNCTION pg_temp.told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'ran as %', current_user; END $$;
CALL pg_temp.fill();
CREATE TRIGGER t BEFORE DELETE ON idemstore.cache_entries FOR EACH ROW EXECUTE FUNCTION pg_temp.told();
CREATE TRIGGER t AFTER TRUNCATE ON idemstore.idempotency_records EXECUTE FUNCTION pg_temp.told();
SELECT relation, removed FROM idemstore.expire();
DROP TRIGGER t ON idemstore.cache_entries;
DROP TRIGGER t ON idemstore.idempotency_records;
SELECT relation, removed FROM idemstore.expire() WHERE removed <> 0;

-- so are a changed column, row security, and a rule
CALL pg_temp.fill();
ALTER TABLE idemstore.cooldowns RENAME COLUMN until TO till;
ALTER TABLE idemstore.dedupe_jobs ENABLE ROW LEVEL SECURITY;
CREATE RULE r AS ON DELETE TO idemstore.cache_leases DO INSTEAD NOTHING;
SELECT relation, removed FROM idemstore.expire();
CALL idemstore.expire_all();
ALTER TABLE idemstore.cooldowns RENAME COLUMN till TO until;
ALTER TABLE idemstore.dedupe_jobs DISABLE ROW LEVEL SECURITY;
DROP RULE r ON idemstore.cache_leases;
SELECT relation, removed FROM idemstore.expire() WHERE removed <> 0;

-- and a table that is gone
CALL pg_temp.fill();
ALTER TABLE idemstore.rate_limit_state RENAME TO aside;
SELECT relation, removed FROM idemstore.expire();
ALTER TABLE idemstore.aside RENAME TO rate_limit_state;

-- cancel is no failure of a part; the planner evaluates what statistics are on
CREATE FUNCTION pg_temp.interrupt() RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('test.sqlstate', true) <> '' THEN
		RAISE 'interrupted' USING ERRCODE = current_setting('test.sqlstate');
	END IF;
	RETURN true;
END
$$;
CALL pg_temp.fill();
CREATE STATISTICS pg_temp.s ON hash, (pg_temp.interrupt()) FROM idemstore.dedupe_jobs;
SET test.sqlstate = '53100';
SELECT relation, removed FROM idemstore.expire();
CALL pg_temp.fill();
SET test.sqlstate = '57014';
SELECT relation, removed FROM idemstore.expire();
SET test.sqlstate = '';
DROP STATISTICS pg_temp.s;
SELECT sum(removed) FROM idemstore.expire();
