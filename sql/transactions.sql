-- one statement, one transaction, savepoints: every call sees the newest state
CREATE TEMP TABLE ledger (key text, amount int);

-- claim and complete in one statement, and twice
SELECT (idemstore.start_processing('k')).outcome, idemstore.complete('k', 200), (idemstore.start_processing('k')).outcome;
SELECT i, v.outcome, v.response_status FROM generate_series(1, 3) AS i,
	LATERAL idemstore.start_processing('many', fingerprint => left('x', i)) AS v;
-- a CTE that starts, and one that inserts only when started
WITH claim AS (
	SELECT * FROM idemstore.start_processing('cte')
), charge AS (
	INSERT INTO ledger SELECT 'cte', 10 FROM claim WHERE outcome = 'started' RETURNING 1
)
SELECT outcome, (SELECT count(*) FROM charge) AS charged FROM claim;
WITH claim AS (
	SELECT * FROM idemstore.start_processing('cte')
), charge AS (
	INSERT INTO ledger SELECT 'cte', 10 FROM claim WHERE outcome = 'started' RETURNING 1
)
SELECT outcome, (SELECT count(*) FROM charge) AS charged FROM claim;

-- rows that the same statement changes by SQL
SET statement_timeout = '10 s';
WITH gone AS (
	DELETE FROM idemstore.idempotency_records WHERE key = 'cte' RETURNING key
)
SELECT idemstore.release(key), idemstore.wait(key) IS NULL AS nothing_to_wait_for FROM gone;
SELECT outcome FROM idemstore.start_processing('sql');
UPDATE idemstore.idempotency_records SET owner = 'me' WHERE key = 'sql' RETURNING idemstore.complete(key, 200);
SELECT owner, status FROM idemstore.get('sql');
RESET statement_timeout;

-- all of it in a PL/pgSQL function, with an attempt that fails and is undone
CREATE FUNCTION pg_temp.pay(k text, amount int) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	v idemstore.idempotency_verdict;
BEGIN
	v := idemstore.start_processing(k, amount::text);
	IF v.outcome <> 'started' THEN
		RETURN v.outcome || coalesce(' ' || convert_from(v.response_body, 'UTF8'), '');
	END IF;
	BEGIN
		INSERT INTO ledger VALUES (k, 100 / amount);
		PERFORM idemstore.complete(k, 200, NULL, amount::text, v.fence);
	EXCEPTION WHEN division_by_zero THEN
		PERFORM idemstore.fail(k, to_json(sqlerrm), fence => v.fence);
	END;
	RETURN 'done, attempt ' || v.attempt;
END
$$;
SELECT pg_temp.pay('a', 5), pg_temp.pay('a', 5), pg_temp.pay('a', 6);
SELECT pg_temp.pay('b', 0), pg_temp.pay('b', 0);
SELECT error FROM idemstore.get('b');
SELECT * FROM ledger ORDER BY key;

-- claims vanish with their transaction, savepoint or exception block
BEGIN;
SELECT outcome FROM idemstore.start_processing('t');
ROLLBACK;
SELECT idemstore.get('t') IS NULL AS gone;
BEGIN;
SAVEPOINT s;
SELECT outcome FROM idemstore.start_processing('t');
ROLLBACK TO s;
SELECT outcome, attempt FROM idemstore.start_processing('t');
SAVEPOINT s;
SELECT idemstore.complete('t', 200);
SELECT outcome FROM idemstore.start_processing('t');
ROLLBACK TO s;
SELECT outcome FROM idemstore.start_processing('t');
SAVEPOINT s;
SELECT idemstore.release('t');
SELECT outcome, attempt FROM idemstore.start_processing('t');
ROLLBACK TO s;
SELECT idemstore.complete('t', 201);
RELEASE s;
COMMIT;
SELECT outcome, response_status FROM idemstore.start_processing('t');

-- the same answers in every isolation level
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT outcome FROM idemstore.start_processing('rr');
SELECT outcome FROM idemstore.start_processing('rr');
SELECT idemstore.complete('rr', 200);
SELECT outcome FROM idemstore.start_processing('rr');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT outcome FROM idemstore.start_processing('ser');
SELECT outcome FROM idemstore.start_processing('ser');
SELECT idemstore.complete('ser', 200);
SELECT outcome FROM idemstore.start_processing('ser');
COMMIT;

-- a cursor, a prepared statement with untyped parameters, a deferred fetch
PREPARE start AS SELECT outcome FROM idemstore.start_processing($1, $2, $3);
EXECUTE start('p', 'fp', '60');
EXECUTE start('p', 'fp', '60');
EXECUTE start('p', 'other', '60');
BEGIN;
DECLARE c CURSOR FOR SELECT outcome FROM generate_series(1, 3) AS i, LATERAL idemstore.start_processing('cursor' || i);
FETCH 1 FROM c;
FETCH 1 FROM c;
COMMIT;
SELECT count(*) FROM idemstore.idempotency_records WHERE key LIKE 'cursor%';

TRUNCATE idemstore.idempotency_records;
