-- bad input: each its SQLSTATE, and nothing is written
\set VERBOSITY terse
SELECT idemstore.start_processing(NULL);
SELECT idemstore.start_processing('');
SELECT idemstore.start_processing(repeat('k', 1025));
SELECT idemstore.start_processing('k', scope => NULL);
SELECT idemstore.start_processing('k', scope => repeat('s', 256));
SELECT idemstore.start_processing('k', repeat('f', 1025));
SELECT idemstore.start_processing('k', owner => repeat('o', 256));
SELECT idemstore.start_processing('k', ttl => '11 years');
SELECT idemstore.start_processing('k', ttl => '-11 years');
SELECT idemstore.start_processing('k', ttl => '132 months');
SELECT idemstore.start_processing('k', ttl => '4000 days');
SELECT idemstore.start_processing('k', ttl => '100000 hours');
SELECT idemstore.start_processing('k', ttl => make_interval(years => 2147483647 / 12));
SELECT idemstore.start_processing('k', ttl => make_interval(days => 2147483647));
SELECT idemstore.start_processing('k', ttl => make_interval(secs => 9e12));
SELECT idemstore.start_processing('k', ttl => '10 years 1 month');
SELECT idemstore.start_processing('k', ttl => '-10 years -1 day');
SELECT idemstore.start_processing('k', ttl => '3000000 months -90000000 days');
SELECT idemstore.start_processing('k', lease => '11 years');
SELECT idemstore.start_processing('k', lease => '-1 s');
SELECT idemstore.start_processing('k', wait => '-1 s');
SELECT idemstore.start_processing('k', wait => '11 years');
SELECT idemstore.start_processing('k', takeover => NULL);
SELECT idemstore.start_processing('k', unique_fingerprint => NULL);
SELECT idemstore.start_processing('k', unique_fingerprint => true);
SELECT idemstore.complete(NULL);
SELECT idemstore.complete('');
SELECT idemstore.complete('k', scope => NULL);
SELECT idemstore.complete('k', ttl => '11 years');
SELECT idemstore.fail(NULL);
SELECT idemstore.fail('k', retryable => NULL);
SELECT idemstore.fail('k', ttl => '11 years');
SELECT idemstore.release(NULL);
SELECT idemstore.release('k', scope => repeat('s', 256));
SELECT idemstore.extend_lease(NULL, 1);
SELECT idemstore.extend_lease('k', NULL);
SELECT idemstore.extend_lease('k', 1, '-1 s');
SELECT idemstore.extend_lease('k', 1, '11 years');
SELECT idemstore.get(NULL);
SELECT idemstore.get('');
SELECT idemstore.get('k', NULL);
SELECT idemstore.lookup(NULL);
SELECT idemstore.lookup('k', repeat('f', 1025));
SELECT idemstore.lookup('k', scope => repeat('s', 256));
SELECT idemstore.wait(NULL);
SELECT idemstore.wait('k', '-1 s');
SELECT idemstore.wait('k', '11 years');
SELECT idemstore.expire(0);
SELECT idemstore.expire(NULL);
CALL idemstore.expire_all(0);
CALL idemstore.expire_all(NULL);
CALL idemstore.expire_all(1, '-1 s');
SELECT idemstore.grant_usage('pg_monitor', 'everything');
SELECT idemstore.grant_usage(NULL);
SELECT idemstore.grant_usage('-');
SELECT idemstore.grant_usage('4294967295', 'operator');
SELECT count(*) FROM idemstore.idempotency_records;

-- the codes behind the messages
CREATE FUNCTION pg_temp.sqlstate_of(query text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
SELECT pg_temp.sqlstate_of(call) AS code, call FROM (VALUES
	($$SELECT idemstore.start_processing(NULL)$$),
	($$SELECT idemstore.start_processing('')$$),
	($$SELECT idemstore.start_processing(repeat('k', 1025))$$),
	($$SELECT idemstore.start_processing('k', scope => repeat('s', 256))$$),
	($$SELECT idemstore.start_processing('k', ttl => '11 years')$$),
	($$SELECT idemstore.start_processing('k', lease => '-1 s')$$),
	($$SELECT idemstore.start_processing('k', takeover => NULL)$$),
	($$SELECT idemstore.extend_lease('k', NULL)$$),
	($$SELECT idemstore.complete('k')$$),
	($$SELECT idemstore.expire(0)$$),
	($$CALL idemstore.expire_all()$$)
) AS t(call);

-- the greatest that pass; an untyped number is seconds
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
SELECT outcome FROM idemstore.start_processing(repeat('k', 1024), repeat('f', 1024), '10 years', repeat('s', 255), '31 days');
SELECT expires_at, lease_expires_at FROM idemstore.get(repeat('k', 1024), repeat('s', 255));
SELECT outcome FROM idemstore.start_processing('seconds', NULL, '90');
SELECT expires_at FROM idemstore.get('seconds');
SELECT outcome FROM idemstore.start_processing('fraction', NULL, '0.25');
SELECT expires_at FROM idemstore.get('fraction');
-- months and days by the calendar
SELECT outcome FROM idemstore.start_processing('month', NULL, '1 month');
SELECT expires_at FROM idemstore.get('month');

-- the settings
SET idemstore.test_clock = 'rubbish';
SET idemstore.test_clock = 'now';
SET idemstore.test_clock = '2026-01-01 00:00 No/Zone';
SET idemstore.test_clock = '2026-01-01 00:00';
SET idemstore.test_clock = '2026-13-01 00:00+00';
SET idemstore.test_clock = '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26';
SELECT pg_temp.sqlstate_of('SET idemstore.max_body_size = ''101MB''') AS max_body_size,
	pg_temp.sqlstate_of('SET idemstore.default_ttl = ''0''') AS default_ttl,
	pg_temp.sqlstate_of('SET idemstore.default_lease = ''-1''') AS default_lease;
SET idemstore.no_such_setting = 1;
SET idemstore.default_ttl = '1 h';
SET idemstore.default_lease = '2 h';
SELECT outcome FROM idemstore.start_processing('settings');
SELECT expires_at, lease_expires_at FROM idemstore.get('settings');
-- the last years of all: claims are taken over, and expiry goes on
SET idemstore.test_clock = '294260-01-01 00:00:00+00';
SELECT outcome FROM idemstore.start_processing('last', lease => '1 min');
SELECT idemstore.cache_set('last', '1', '1 h') IS NULL AS is_null;
SET idemstore.test_clock = '294260-01-03 00:00:00+00';
SELECT outcome FROM idemstore.start_processing('last', lease => '1 min');
SELECT removed FROM idemstore.expire() WHERE relation = 'cache_entries';

TRUNCATE idemstore.idempotency_records;
