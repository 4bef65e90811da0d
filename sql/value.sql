-- plain values: set_nx, set_value, get_value; and forgetting
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
-- ahead of every clock, fences count by one
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null

-- written only if absent; an existing value and its ttl stay
SELECT idemstore.set_nx('k', 'one', '10 s');
SELECT idemstore.set_nx('k', 'two', '1 h');
SELECT convert_from(idemstore.get_value('k'), 'UTF8');
SELECT status, attempt, lease_expires_at, expires_at, completed_at, response_status FROM idemstore.get('k');
SELECT outcome, convert_from(response_body, 'UTF8') FROM idemstore.start_processing('k');
-- NULL is a miss, an empty value is a hit
SELECT idemstore.get_value('absent') IS NULL AS miss;
SELECT idemstore.set_nx('empty', '');
SELECT idemstore.get_value('empty') = '' AS hit;
-- expired: a miss, and free again
SET idemstore.test_clock = '2026-01-01 00:00:10+00';
SELECT idemstore.get_value('k') IS NULL AS miss;
SELECT idemstore.set_nx('k', 'three');
SELECT convert_from(idemstore.get_value('k'), 'UTF8');
-- any live record exists, whoever made it: never taken over
SELECT outcome FROM idemstore.start_processing('claimed', lease => '0');
SELECT idemstore.set_nx('claimed', 'x');
SELECT idemstore.get_value('claimed') IS NULL AS miss;
SELECT idemstore.fail('claimed', retryable => true);
SELECT idemstore.set_nx('claimed', 'x');
SELECT idemstore.set_nx('k', 'x', scope => 'elsewhere');
SELECT idemstore.set_nx('zero', 'x', ttl => '0');
SELECT idemstore.get_value('zero') IS NULL AS miss;

-- set_value: whatever stood there, with a new fence
SELECT idemstore.set_value('k', 'four', '1 min');
SELECT convert_from(idemstore.get_value('k'), 'UTF8'), expires_at, fence FROM idemstore.get('k');
SELECT idemstore.set_value('k', 'five');
SELECT convert_from(idemstore.get_value('k'), 'UTF8'), expires_at, fence FROM idemstore.get('k');
SELECT idemstore.set_value('new', 'six');
SELECT convert_from(idemstore.get_value('new'), 'UTF8');
SELECT fence FROM idemstore.start_processing('owned') \gset
SELECT idemstore.set_value('owned', 'seven');
SELECT idemstore.complete('owned', 200, fence => :fence);
SELECT convert_from(idemstore.get_value('owned'), 'UTF8'), attempt FROM idemstore.get('owned');
SELECT idemstore.set_value('gone', 'x', '-1 s');
SELECT idemstore.get_value('gone') IS NULL AS miss;

-- initiate and success
SELECT idemstore.initiate('i', '{"n": 1}', '1 h');
SELECT idemstore.initiate('i', '{"n": 2}');
SELECT status, context, lease_expires_at, expires_at FROM idemstore.get('i');
SELECT outcome, retry_after_ms, retry_after_seconds FROM idemstore.start_processing('i');
SELECT idemstore.success('i', '{"z": 1,  "a": "\u00e9"}');
SELECT idemstore.success('i', '{"z": 1,  "a": "\u00e9"}');
SELECT idemstore.success('i', '{"z": 2}');
SELECT idemstore.fail('i', '"late"');
SELECT status, convert_from(response_body, 'UTF8'), error FROM idemstore.get('i');
SELECT idemstore.initiate('i');
SELECT idemstore.success('never', '1');
SELECT idemstore.success('i', '1', 1);
SELECT idemstore.initiate('f'), idemstore.fail('f', '{"m": "no"}');
SELECT status, error FROM idemstore.wait('f');
SELECT idemstore.initiate('f');

-- forget: in any state, a running claim too
SELECT fence FROM idemstore.start_processing('run') \gset
SELECT idemstore.forget('run');
SELECT idemstore.complete('run', 200, fence => :fence);
SELECT idemstore.forget('run');
SELECT idemstore.forget('i');
SELECT idemstore.get('i') IS NULL AS gone;
SELECT idemstore.set_nx('brief', 'x', '1 s');
SET idemstore.test_clock = '2026-01-01 00:01:00+00';
SELECT idemstore.forget('brief');

-- forget_scope: that scope, live ones counted
SELECT count(*) FROM generate_series(1, 5) AS i, idemstore.start_processing('s' || i, scope => 'tenant');
SELECT idemstore.set_nx('old', 'x', '1 s', 'tenant'), idemstore.set_nx('s1', 'x', scope => 'tenant2');
SET idemstore.test_clock = '2026-01-01 00:02:00+00';
SELECT idemstore.forget_scope('tenant'), idemstore.forget_scope('nobody');
SELECT key FROM idemstore.idempotency_records WHERE scope LIKE 'tenant%';

-- bad input
\set VERBOSITY terse
SELECT idemstore.set_nx('k', NULL);
SELECT idemstore.set_nx(NULL, 'x');
SELECT idemstore.set_nx('k', 'x', '11 years');
SELECT idemstore.set_value('k', NULL);
SELECT idemstore.set_value('', 'x');
SELECT idemstore.get_value(NULL);
SELECT idemstore.initiate(NULL);
SELECT idemstore.initiate('k', scope => NULL);
SELECT idemstore.success(NULL, '1');
SELECT idemstore.forget(NULL);
SELECT idemstore.forget_scope(NULL);
SELECT idemstore.forget_scope(repeat('s', 256));
SET idemstore.max_body_size = '1kB';
SELECT idemstore.set_nx('big', repeat('x', 1025));
SELECT idemstore.set_value('big', repeat('x', 1025));
SELECT idemstore.success('big', to_json(repeat('x', 1025)));

TRUNCATE idemstore.idempotency_records;
