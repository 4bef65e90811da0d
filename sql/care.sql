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

-- an index of another kind, or of other rows, is not taken for its own; without
-- one the whole table is read
CALL pg_temp.fill();
BEGIN;
DROP INDEX idemstore.idempotency_records_expires_at_idx, idemstore.dedupe_jobs_expires_at_idx, idemstore.cache_entries_expires_bucket_idx, idemstore.cache_entries_tags_idx;
CREATE INDEX ON idemstore.idempotency_records USING brin (expires_at);
CREATE INDEX ON idemstore.dedupe_jobs (expires_at) WHERE hash IS NULL;
CREATE INDEX ON idemstore.cache_entries USING brin (expires_bucket);
CREATE INDEX ON idemstore.cache_entries (expires_bucket) WHERE tags IS NOT NULL;
CREATE INDEX ON idemstore.cache_entries (tags);
SELECT relation, removed FROM idemstore.expire() WHERE relation ~ '_(records|jobs|entries)$';
SELECT idemstore.cache_set('c', '1', tags => '{t}'), idemstore.invalidate_by_tag('t');
ROLLBACK;
SELECT relation, removed FROM idemstore.expire() WHERE relation ~ '_(records|jobs|entries)$';

-- nor is a part what is cancelled
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
SELECT count(idemstore.start_processing('k' || i, ttl => '1 s')) FROM generate_series(1, 20000) AS i;
SET idemstore.test_clock = '2026-01-02 00:00:00+00';
SET statement_timeout = '5 ms';
SELECT relation, removed FROM idemstore.expire(20000);
RESET statement_timeout;
SELECT sum(removed) FROM idemstore.expire(20000);
