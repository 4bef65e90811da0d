-- EXECUTE is the gate: nobody has it unless grant_usage gave it
CREATE ROLE regress_idem_app;
CREATE ROLE regress_idem_operator;
CREATE ROLE regress_idem_monitor;
CREATE ROLE regress_idem_nobody;

SELECT idemstore.grant_usage('regress_idem_app');
SELECT idemstore.grant_usage('regress_idem_operator', 'operator');
SELECT idemstore.grant_usage('regress_idem_monitor', 'monitor');

CREATE FUNCTION pg_temp.may(role text) RETURNS SETOF text
LANGUAGE sql AS $$
	SELECT p.proname::text FROM pg_proc AS p
	WHERE p.pronamespace = 'idemstore'::regnamespace AND has_function_privilege(role, p.oid, 'EXECUTE')
	ORDER BY 1
$$;
SELECT * FROM pg_temp.may('regress_idem_app');
SELECT may AS operator_also FROM pg_temp.may('regress_idem_operator') EXCEPT SELECT * FROM pg_temp.may('regress_idem_app') EXCEPT SELECT * FROM pg_temp.may('regress_idem_monitor') ORDER BY 1;
SELECT * FROM pg_temp.may('regress_idem_monitor');
SELECT * FROM pg_temp.may('regress_idem_app') EXCEPT SELECT * FROM pg_temp.may('regress_idem_operator');
SELECT * FROM pg_temp.may('regress_idem_nobody');
SELECT relname, has_table_privilege('regress_idem_app', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') AS app, has_table_privilege('regress_idem_operator', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') AS operator
	FROM pg_class WHERE relnamespace = 'idemstore'::regnamespace AND relkind IN ('r', 'v') ORDER BY relname;

SET ROLE regress_idem_nobody;
SELECT idemstore.start_processing('k');
SET ROLE regress_idem_app;
SELECT outcome FROM idemstore.start_processing('k', 'fp', ttl => '1 us');
SELECT outcome FROM idemstore.start_processing('k2', 'fp');
SELECT idemstore.complete('k2', 200);
SELECT outcome FROM idemstore.start_processing('k3');
SELECT status FROM idemstore.get('k2');
SELECT status FROM idemstore.wait('k2');
SELECT matched, status FROM idemstore.lookup('k', 'fp');
SELECT idemstore.expire();
SELECT idemstore.grant_usage('regress_idem_nobody');
SELECT key FROM idemstore.idempotency_records;
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
SET idemstore.max_body_size = '1GB';
SET ROLE regress_idem_operator;
SELECT outcome FROM idemstore.start_processing('k4', ttl => '1 us');
SELECT idemstore.grant_usage('regress_idem_nobody');
SELECT idemstore.revoke_usage('regress_idem_app');
SELECT removed FROM idemstore.expire();
CALL idemstore.expire_all();

-- rate limits: the operator sets what the application takes from
SET ROLE regress_idem_app;
SELECT idemstore.set_rate_limit('r', 2, '1 h');
SELECT idemstore.set_adaptive_rate_limit('a');
SELECT idemstore.drop_rate_limit('r');
SELECT idemstore.acquire('r');
SET ROLE regress_idem_operator;
SELECT idemstore.set_rate_limit('r', 2, '1 h'), idemstore.set_rate_limit('gone', 2, '1 h'), idemstore.drop_rate_limit('gone'), idemstore.set_adaptive_rate_limit('a', 10);
SELECT quota FROM idemstore.rate_limits;
SELECT state FROM idemstore.rate_limit_state;
SET ROLE regress_idem_app;
SELECT idemstore.acquire('r'), (idemstore.consume('r')).remaining, idemstore.acquire_all('{r,a}'), idemstore.can_proceed('r'), idemstore.record_request('a'), idemstore.get_wait_time('a');
SELECT allowed, remaining, reason FROM idemstore.rate_limit_status('r');
SELECT reason FROM idemstore.adaptive_rate_limit_status('a');
SELECT idemstore.set_cooldown('o', 'tomorrow'), idemstore.get_cooldown('o') IS NOT NULL AS cooldown, idemstore.acquire('a', origin => 'o'), idemstore.clear_cooldown('o'), idemstore.rate_limit_reset('r');
SELECT quota FROM idemstore.rate_limits;
UPDATE idemstore.rate_limits SET quota = 1000;
SELECT state FROM idemstore.rate_limit_state;
TRUNCATE idemstore.rate_limit_state;
SELECT origin FROM idemstore.cooldowns;
SELECT idemstore.rate_limits_changed();
SET ROLE regress_idem_nobody;
SELECT idemstore.acquire('r');

-- statistics: the operator's, and his alone
SELECT family FROM idemstore.stats;
SET ROLE regress_idem_app;
SELECT family FROM idemstore.stats;
SELECT key FROM idemstore.in_flight;
SELECT idemstore.stats_counts();
SELECT idemstore.stats_sizes('cache');
SELECT idemstore.in_flight_claims();
SELECT idemstore.stats_reset();
SET ROLE regress_idem_monitor;
SELECT family, live FROM idemstore.stats;
SELECT key FROM idemstore.in_flight;
SELECT idemstore.stats_reset();
SELECT idemstore.cache_get('k');
SET ROLE regress_idem_operator;
SELECT role, level FROM idemstore.usage_levels WHERE role LIKE 'regress_idem_%' ORDER BY 1;
SELECT idemstore.stats_reset();
SELECT family, calls -> 'started' AS started, live, expired, oldest_in_progress IS NOT NULL AS is_at_work, removed, table_size > 0 AS has_size, index_size > 0 AS has_indexes FROM idemstore.stats;
SELECT family, key, state FROM idemstore.in_flight;
SELECT value FROM idemstore.stats_counters;
DELETE FROM idemstore.in_flight;
RESET ROLE;

SELECT key FROM idemstore.idempotency_records;
TRUNCATE idemstore.idempotency_records, idemstore.rate_limits, idemstore.rate_limit_state, idemstore.cooldowns;
DROP OWNED BY regress_idem_app, regress_idem_operator, regress_idem_monitor;
DROP ROLE regress_idem_app, regress_idem_operator, regress_idem_monitor, regress_idem_nobody;
