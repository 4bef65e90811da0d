-- like nextval(): what is taken stays taken, whatever becomes of the transaction
\set VERBOSITY terse
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT idemstore.set_rate_limit('r', 100, '1 min');
CREATE FUNCTION pg_temp.taken(resource text) RETURNS bigint
LANGUAGE sql AS $$ SELECT quota - remaining FROM idemstore.rate_limit_status(resource) $$;

-- a transaction that rolls back, that never wrote, and that fails
BEGIN;
SELECT idemstore.acquire('r'), idemstore.acquire('first', quota => 1, per => '1 min');
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
ROLLBACK;
SELECT pg_temp.taken('r'), idemstore.acquire('first', quota => 1, per => '1 min');
BEGIN;
SELECT (idemstore.consume('r')).remaining, idemstore.record_request('r'), idemstore.acquire_all('{r}');
SELECT 1 / 0;
ROLLBACK;
SELECT pg_temp.taken('r');
SELECT idemstore.acquire('r'), 1 / (idemstore.acquire('r')::int - 1);
SELECT pg_temp.taken('r');
BEGIN;
SELECT idemstore.set_cooldown('o', '2030-01-02 00:00+00'), idemstore.rate_limit_reset('first');
ROLLBACK;
SELECT idemstore.get_cooldown('o'), idemstore.clear_cooldown('o'), idemstore.rate_limit_reset('first');
-- savepoints and exception blocks
BEGIN;
SAVEPOINT s;
SELECT idemstore.acquire('r');
ROLLBACK TO s;
SELECT pg_temp.taken('r'), idemstore.acquire('r');
RELEASE s;
COMMIT;
DO $$
BEGIN
	PERFORM idemstore.acquire('r');
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
	PERFORM idemstore.acquire('r');
END
$$;
SELECT pg_temp.taken('r');
-- stricter isolation, and a snapshot taken before
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.taken('r'), idemstore.acquire('r'), idemstore.can_proceed('r');
SELECT pg_temp.taken('r');
COMMIT;
-- the limits are read again, and leave no predicate lock
UPDATE idemstore.rate_limits SET quota = quota;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT idemstore.acquire('r'), pg_temp.taken('r'), idemstore.acquire_all('{r,r}');
SELECT pg_temp.taken('r'), count(*) AS predicate_locks FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'SIReadLock' AND relation IN ('idemstore.rate_limits'::regclass, 'idemstore.rate_limit_state'::regclass);
COMMIT;
SELECT pg_temp.taken('r');

-- many in one statement: the quota, no more
SELECT count(*) FROM generate_series(1, 500) WHERE idemstore.acquire('r');
SELECT count(*) FROM generate_series(1, 500) AS i WHERE idemstore.acquire('n' || i % 5, quota => 7, per => '1 min');
-- they leave nothing behind: no transaction id, no page
BEGIN;
SELECT count(*) AS taken FROM generate_series(1, 5000) WHERE idemstore.acquire('much', quota => 9000, per => '1 min');
SELECT pg_relation_size('idemstore.rate_limit_state') AS size \gset
SELECT count(*) AS taken FROM generate_series(1, 5000) WHERE idemstore.acquire('much', quota => 9000, per => '1 min');
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id, pg_relation_size('idemstore.rate_limit_state') = :size AS same_size, count(*) AS rows FROM idemstore.rate_limit_state WHERE resource = 'much';
COMMIT;

-- a denial, a question and a cost of 0 leave the row byte for byte as it was
CREATE FUNCTION pg_temp.changes(resource text) RETURNS text
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	before text;
	call text;
	changed_by text = '';
	now timestamptz = '2030-01-01 00:00:00+00';
BEGIN
	before = s.ctid || s::text FROM idemstore.rate_limit_state AS s WHERE s.resource = resource;
	FOREACH call IN ARRAY '{"acquire($1)","consume($1)","acquire($1, 0)","consume($1, 0)","record_request($1, 0)","can_proceed($1)","get_wait_time($1)","rate_limit_status($1)","acquire($1, 1000)","acquire_all(ARRAY[$1, ''room''])","acquire_all(ARRAY[$1], ''{0}'')"}'::text[] LOOP
		now = now + interval '1 s';
		PERFORM set_config('idemstore.test_clock', to_char(now AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || '+00', false);
		EXECUTE 'SELECT idemstore.' || call USING resource;
		IF before IS DISTINCT FROM (SELECT s.ctid || s::text FROM idemstore.rate_limit_state AS s WHERE s.resource = resource) THEN
			changed_by = changed_by || ' ' || call;
		END IF;
	END LOOP;
	PERFORM set_config('idemstore.test_clock', '2030-01-01 00:00:00+00', false);
	RETURN CASE WHEN before IS NULL THEN 'no row' WHEN changed_by = '' THEN 'none' ELSE changed_by END;
END
$$;
SELECT idemstore.set_rate_limit('room', 5, '1 min'), idemstore.set_rate_limit('d_none', 0, '1 min'), idemstore.set_rate_limit('d_window', 5, '1 min'), idemstore.set_rate_limit('d_bucket', 5, '1 day', 'token_bucket'), idemstore.set_rate_limit('d_fixed', 5, '1 min', 'fixed_window'),
	idemstore.set_rate_limit('d_two', 5, '1 min'), idemstore.set_rate_limit('d_two', 9, '1 s', policy => 'loose'), idemstore.set_adaptive_rate_limit('d_adaptive', 5, min_user_reserved => 0);
SELECT r, count(*) FILTER (WHERE idemstore.acquire(r)) AS taken FROM generate_series(1, 20) AS i, unnest('{d_none,d_window,d_bucket,d_fixed,d_two,d_adaptive}'::text[]) AS r GROUP BY r ORDER BY r;
SELECT r, pg_temp.changes(r) FROM unnest('{d_none,d_window,d_bucket,d_fixed,d_two,d_adaptive}'::text[]) AS r;
SELECT pg_temp.taken('room') AS taken_by_those_refused;

-- a limit holds for its own session at once, and is gone with its transaction
SELECT idemstore.set_rate_limit('t', 1, '1 min'), idemstore.acquire('t'), idemstore.acquire('t'), idemstore.set_rate_limit('t', 2, '1 min'), idemstore.acquire('t'), idemstore.acquire('t');
SELECT idemstore.drop_rate_limit('t'), idemstore.acquire('t');
SELECT pg_temp.taken('t');
BEGIN;
SELECT idemstore.drop_rate_limit('t'), idemstore.set_rate_limit('u', 7, '1 min');
SELECT idemstore.acquire('u');
SAVEPOINT s;
SELECT idemstore.acquire('t');
ROLLBACK TO s;
SELECT idemstore.set_rate_limit('u', 8, '1 min'), idemstore.drop_rate_limit('r');
SELECT quota FROM idemstore.rate_limit_status('u');
ROLLBACK TO s;
SELECT quota FROM idemstore.rate_limit_status('u');
SELECT quota FROM idemstore.rate_limit_status('r');
ROLLBACK;
SELECT quota FROM idemstore.rate_limit_status('t');
SELECT quota FROM idemstore.rate_limit_status('u');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT idemstore.set_rate_limit('u', 9, '1 min'), idemstore.acquire('u'), pg_temp.taken('u');
COMMIT;

-- a read-only transaction reads, and refuses to write before it looks at anything
CREATE FUNCTION pg_temp.sqlstate_of(query text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
BEGIN READ ONLY;
SELECT idemstore.can_proceed('u'), idemstore.get_wait_time('u'), pg_temp.taken('u'), idemstore.get_cooldown('o') IS NULL AS no_cooldown;
SELECT call, pg_temp.sqlstate_of('SELECT idemstore.' || call) AS code FROM unnest(ARRAY['can_proceed($$u$$)', 'acquire($$u$$)', 'acquire($$u$$, 0)', 'acquire(NULL)', 'consume($$u$$)', 'acquire_all($${u}$$)', 'acquire_all($${}$$)',
	'record_request($$u$$)', 'rate_limit_reset($$u$$)', 'set_cooldown($$o$$, now())', 'clear_cooldown($$o$$)', 'set_rate_limit($$u$$, 1, $$1 s$$)', 'set_adaptive_rate_limit($$u$$)', 'drop_rate_limit($$u$$)', 'expire()']) AS call;
SELECT idemstore.acquire('u');
ROLLBACK;

-- who only asks may do so in a parallel worker, also as the first thing
CREATE TABLE public.asked AS SELECT i FROM generate_series(1, 1000) AS i;
\c -
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*) FILTER (WHERE idemstore.can_proceed('u', i % 10)), max(idemstore.get_wait_time('u')), count(idemstore.get_cooldown('o')) FROM public.asked;
DROP TABLE public.asked;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
