-- dedupe: what each call returns or raises
SET timezone = 'UTC'; SET statement_timeout = '20 s';
SET idemstore.test_clock = '2030-01-01 00:00:00Z';
CREATE FUNCTION pg_temp.version(name text) RETURNS text LANGUAGE sql AS
	$$SELECT j.ctid || ' ' || j.xmin || ' ' || j::text FROM idemstore.dedupe_jobs AS j WHERE hash = name$$;

-- http-client-toolkit DedupeStore, registerOrJoin(hash) -> {jobId, isOwner}: one
-- owner, and joiners get the owner's id; register(hash) -> jobId: the same
SELECT job_id AS id, is_owner FROM idemstore.dedupe_register_or_join('k') \gset
SELECT :'is_owner'::boolean AS first_owns;
SELECT is_owner, job_id = :'id' AS same_id FROM idemstore.dedupe_register_or_join('k');
SELECT idemstore.dedupe_register('k') = :'id' AS same_id;
SELECT status, value, error, lease_expires_at, expires_at, created_at, completed_at FROM idemstore.dedupe_jobs;
-- DedupeStore, isInProgress(hash): pending and not timed out
SELECT idemstore.dedupe_is_in_progress('k') AS pending, idemstore.dedupe_is_in_progress('K') AS other_case;
-- DedupeStore, waitFor(hash): never a thrown error; absent and timed out differ
SELECT hash, w.* FROM unnest('{k,absent}'::text[]) AS hash, LATERAL idemstore.dedupe_wait_for(hash, '10 ms') AS w;
-- DedupeStore, complete(hash, value): first wins; no job: nothing happens
SELECT idemstore.dedupe_complete('absent', '1') AS absent, idemstore.dedupe_fail('absent') AS absent_too;
SELECT idemstore.dedupe_complete('k', '{"a":  1, "a": "\u0000"}', :'id');
SELECT * FROM idemstore.dedupe_wait_for('k');
SELECT pg_temp.version('k') AS before \gset
-- DedupeStore, fail(hash, error): waiters get no value; after complete: ignored
SELECT idemstore.dedupe_complete('k', '2'), idemstore.dedupe_complete('k', '2', :'id'), idemstore.dedupe_fail('k', '"late"'), idemstore.dedupe_fail('k', '"late"', :'id');
SELECT pg_temp.version('k') = :'before' AS unchanged, idemstore.dedupe_is_in_progress('k');
SELECT idemstore.dedupe_register('f') AS f_id \gset
SELECT idemstore.dedupe_fail('f', '{"message":  "no"}', :'f_id');
SELECT * FROM idemstore.dedupe_wait_for('f');
SELECT pg_temp.version('f') AS before \gset
SELECT idemstore.dedupe_complete('f', '1'), idemstore.dedupe_complete('f', '1', :'f_id'), idemstore.dedupe_fail('f');
SELECT pg_temp.version('f') = :'before' AS unchanged;
-- DedupeStore, registerOrJoin(hash): a finished job is opened anew, completed
-- or failed, under another id, and nothing of its end is left
SET idemstore.test_clock = '2030-01-01 00:01:00Z';
SELECT is_owner, job_id <> :'id' AS is_other_id, job_id AS id FROM idemstore.dedupe_register_or_join('k') \gset new_
SELECT :'new_is_owner'::boolean AS is_owner, :'new_is_other_id'::boolean AS is_other_id;
SELECT is_owner, job_id <> :'f_id' AS is_other_id FROM idemstore.dedupe_register_or_join('f');
SELECT hash, status, value, error, lease_expires_at, expires_at, created_at, completed_at FROM idemstore.dedupe_jobs ORDER BY hash;
-- it has joiners, too, and its former owner changes nothing
SELECT is_owner, job_id = :'new_id' AS same_id, idemstore.dedupe_complete('k', '"old"', :'id'), idemstore.dedupe_fail('k', '"old"', :'id')
FROM idemstore.dedupe_register_or_join('k');
SELECT idemstore.dedupe_complete('k', '"new"', :'new_id'), (idemstore.dedupe_wait_for('k')).value;

-- DedupeStore, null round-trips: JSON null is not no value, nor no error
SELECT count(idemstore.dedupe_register(hash)) FROM unnest('{null value,no value,null error,no error}'::text[]) AS hash;
SELECT idemstore.dedupe_complete('null value', 'null') AND idemstore.dedupe_complete('no value', NULL)
	AND idemstore.dedupe_fail('null error', 'null') AND idemstore.dedupe_fail('no error') AS finished;
SELECT hash, outcome, value::text = 'null' AS value_is_null, error::text = 'null' AS error_is_null
FROM unnest('{null value,no value,null error,no error}'::text[]) AS hash, LATERAL idemstore.dedupe_wait_for(hash);

-- DedupeStore, jobTimeoutMs 300000: joined up to the last microsecond, taken
-- over from then on
SELECT idemstore.dedupe_register('t') AS id \gset
SET idemstore.test_clock = '2030-01-01 00:05:59.999999Z';
SELECT is_owner, job_id = :'id' AS same_id, idemstore.dedupe_is_in_progress('t') FROM idemstore.dedupe_register_or_join('t');
SET idemstore.test_clock = '2030-01-01 00:06:00Z';
SELECT idemstore.dedupe_is_in_progress('t'), outcome FROM idemstore.dedupe_wait_for('t');
SELECT is_owner, job_id <> :'id' AS is_other_id, job_id AS id FROM idemstore.dedupe_register_or_join('t', '10') \gset new_
SELECT :'new_is_owner'::boolean AS is_owner, :'new_is_other_id'::boolean AS is_other_id;
SELECT is_owner, job_id = :'new_id' AS same_id, idemstore.dedupe_is_in_progress('t') FROM idemstore.dedupe_register_or_join('t');
SELECT status, lease_expires_at, expires_at FROM idemstore.dedupe_jobs WHERE hash = 't';
-- a superseded owner's complete and fail return false and change nothing
SELECT pg_temp.version('t') AS before \gset
SELECT idemstore.dedupe_complete('t', '1', :'id'), idemstore.dedupe_fail('t', '1', :'id');
SELECT pg_temp.version('t') = :'before' AS unchanged;
-- late, but nobody has taken over: the first all the same
SET idemstore.test_clock = '2030-01-01 00:06:10Z';
SELECT idemstore.dedupe_is_in_progress('t'), idemstore.dedupe_complete('t', '2', :'new_id'), (idemstore.dedupe_wait_for('t')).value;
-- no timeout at all, that of the calendar, and the settings
SET idemstore.default_job_timeout = '90 s';
SELECT count(idemstore.dedupe_register('zero', '0')), count(idemstore.dedupe_register('default')), count(idemstore.dedupe_register('month', '1 month'));
SELECT idemstore.dedupe_is_in_progress('zero'), is_owner FROM idemstore.dedupe_register_or_join('zero', '0');
SELECT hash, lease_expires_at, expires_at FROM idemstore.dedupe_jobs WHERE hash IN ('default', 'month') ORDER BY hash;
RESET idemstore.default_job_timeout;
SET idemstore.default_wait = '10 ms';
SELECT outcome FROM idemstore.dedupe_wait_for('month');

-- expired is absent, purged or not
SET idemstore.test_clock = '2030-01-01 00:11:09.999999Z';
SELECT (idemstore.dedupe_wait_for('t')).outcome;
SET idemstore.test_clock = '2030-01-01 00:11:10Z';
SELECT (idemstore.dedupe_wait_for('t')).outcome, idemstore.dedupe_complete('zero', '1'), idemstore.dedupe_fail('zero');
SELECT is_owner, idemstore.dedupe_is_in_progress('t') FROM idemstore.dedupe_register_or_join('t');
SELECT idemstore.dedupe_clear('zero') AS live_ones;
SELECT removed FROM idemstore.expire() WHERE relation = 'dedupe_jobs';
SELECT hash, status FROM idemstore.dedupe_jobs ORDER BY hash;

-- clear: by literal prefix, byte for byte
CREATE FUNCTION pg_temp.clear(prefix text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hashes CONSTANT text[] := ARRAY['a', 'a%b', 'aXb', 'a_b', 'a\b', 'A%b', 'b', U&'\00e4', U&'\00e4b', U&'\00c4b', U&'\00e3b'];
BEGIN
	PERFORM idemstore.dedupe_register(hash) FROM unnest(hashes) AS hash;
	PERFORM set_config('cleared.live', idemstore.dedupe_clear(prefix)::text, true);
	RETURN current_setting('cleared.live') || ': ' || encode(convert_to(array_to_string(ARRAY(
		SELECT unnest(hashes) COLLATE "C" EXCEPT SELECT hash FROM idemstore.dedupe_jobs ORDER BY 1), ' '), 'UTF8'), 'escape');
END $$;
TRUNCATE idemstore.dedupe_jobs;
SELECT prefix, pg_temp.clear(prefix) AS cleared FROM unnest('{"",a,a%,a_,"a\\",A,%}'::text[]) AS prefix;
SELECT pg_temp.clear(U&'\00e4') AS cleared, idemstore.dedupe_clear() AS the_rest;

-- arguments
CREATE FUNCTION pg_temp.error(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT idemstore.dedupe_' || call;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END $$;
SELECT format(call, left(hash, 4)) AS call, length(hash), pg_temp.error(format(call, hash)) AS error
FROM unnest(ARRAY['register_or_join(%L)', 'register(%L)', 'complete(%L, ''1'')', 'fail(%L)', 'wait_for(%L)', 'is_in_progress(%L)', 'clear(%L)'])
	WITH ORDINALITY AS c(call, n), unnest(ARRAY[NULL, '', repeat('x', 1025), repeat('x', 1024)]) WITH ORDINALITY AS h(hash, m) ORDER BY m, n;
SET idemstore.max_body_size = '1kB';
SELECT call, pg_temp.error(format(call, to_json(repeat('v', 1022)), to_json(repeat('v', 1023)))) AS error FROM unnest(ARRAY[
	$$register('k', '-1 us')$$, $$register_or_join('k', '11 years')$$, $$wait_for('k', '-1 us')$$, $$wait_for('k', '11 years')$$,
	$$complete('k', %1$L)$$, $$complete('k', %2$L)$$, $$fail('k', %1$L)$$, $$fail('k', %2$L)$$]) AS call;
SELECT count(*) FROM idemstore.dedupe_jobs;
BEGIN READ ONLY;
SELECT call, pg_temp.error(call) AS error FROM unnest(ARRAY[$$register_or_join('k')$$, $$register('k')$$,
	$$complete('k', '1')$$, $$fail('k')$$, $$wait_for('k')$$, $$is_in_progress('k')$$, $$clear('k')$$]) AS call;
COMMIT;

-- in one transaction: nobody waits for himself
BEGIN;
SELECT idemstore.dedupe_register('k') AS id \gset
SELECT is_owner, job_id = :'id' AS same_id, idemstore.dedupe_is_in_progress('k') FROM idemstore.dedupe_register_or_join('k');
SELECT outcome FROM idemstore.dedupe_wait_for('k');
SELECT idemstore.dedupe_complete('k', '1', :'id'), (idemstore.dedupe_wait_for('k')).value;
SELECT is_owner, job_id <> :'id' AS is_other_id, idemstore.dedupe_clear('k') FROM idemstore.dedupe_register_or_join('k');
SELECT is_owner FROM idemstore.dedupe_register_or_join('k');
ROLLBACK;
SELECT outcome, idemstore.dedupe_is_in_progress('k') FROM idemstore.dedupe_wait_for('k');
-- in one statement
SELECT (idemstore.dedupe_register_or_join('k')).is_owner, idemstore.dedupe_complete('k', '1'), (idemstore.dedupe_wait_for('k')).value,
	(idemstore.dedupe_register_or_join('k')).is_owner AS reopened, idemstore.dedupe_fail('k'), (idemstore.dedupe_wait_for('k')).outcome;
SELECT i, is_owner, idemstore.dedupe_complete('many', to_json(i), job_id) FROM generate_series(1, 2) AS i, LATERAL idemstore.dedupe_register_or_join(left('many', 3 + i));
-- with savepoints
BEGIN;
SAVEPOINT s;
SELECT idemstore.dedupe_register('s') AS id \gset
ROLLBACK TO s;
SELECT idemstore.dedupe_is_in_progress('s');
SELECT is_owner, job_id <> :'id' AS is_other_id, idemstore.dedupe_complete('s', '1', job_id) FROM idemstore.dedupe_register_or_join('s');
SAVEPOINT s;
SELECT is_owner, idemstore.dedupe_complete('s', '2'), idemstore.dedupe_clear('s') FROM idemstore.dedupe_register_or_join('s');
ROLLBACK TO s;
COMMIT;
SELECT * FROM idemstore.dedupe_wait_for('s');

TRUNCATE idemstore.dedupe_jobs;
