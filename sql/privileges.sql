-- EXECUTE is the gate: nobody has it unless grant_usage gave it
CREATE ROLE regress_idem_app;
CREATE ROLE regress_idem_operator;
CREATE ROLE regress_idem_nobody;

SELECT idemstore.grant_usage('regress_idem_app');
SELECT idemstore.grant_usage('regress_idem_operator', 'operator');

CREATE FUNCTION pg_temp.may(role text) RETURNS SETOF text
LANGUAGE sql AS $$
	SELECT p.proname::text FROM pg_proc AS p
	WHERE p.pronamespace = 'idemstore'::regnamespace AND has_function_privilege(role, p.oid, 'EXECUTE')
	ORDER BY 1
$$;
SELECT * FROM pg_temp.may('regress_idem_app');
SELECT * FROM pg_temp.may('regress_idem_operator');
SELECT * FROM pg_temp.may('regress_idem_nobody');
SELECT has_table_privilege('regress_idem_app', 'idemstore.idempotency_records', 'SELECT, INSERT, UPDATE, DELETE') AS app_sees_table;
SELECT has_table_privilege('regress_idem_operator', 'idemstore.idempotency_records', 'SELECT, INSERT, UPDATE, DELETE') AS operator_sees_table;

SET ROLE regress_idem_nobody;
SELECT idemstore.start_processing('k');
SET ROLE regress_idem_app;
SELECT outcome FROM idemstore.start_processing('k', 'fp', ttl => '1 us');
SELECT outcome FROM idemstore.start_processing('k2', 'fp');
SELECT idemstore.complete('k2', 200);
SELECT status FROM idemstore.get('k2');
SELECT status FROM idemstore.wait('k2');
SELECT (by_fingerprint).status FROM idemstore.lookup('k', 'fp');
SELECT idemstore.expire();
SELECT idemstore.grant_usage('regress_idem_nobody');
SELECT key FROM idemstore.idempotency_records;
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
SET idemstore.max_body_size = '1GB';
SET ROLE regress_idem_operator;
SELECT idemstore.start_processing('k');
SELECT removed FROM idemstore.expire();
CALL idemstore.expire_all();
RESET ROLE;

SELECT key FROM idemstore.idempotency_records;
TRUNCATE idemstore.idempotency_records;
DROP OWNED BY regress_idem_app, regress_idem_operator;
DROP ROLE regress_idem_app, regress_idem_operator, regress_idem_nobody;
