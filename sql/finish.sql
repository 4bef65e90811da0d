-- complete, fail, release, extend_lease
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
-- ahead of every clock, fences count by one
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null

-- complete: once, repeatable with the same content, immutable afterwards
SELECT fence FROM idemstore.start_processing('c') \gset
SELECT idemstore.complete('c', 200, '{"a":1}', 'ok', :fence);
SELECT status, lease_expires_at, completed_at, response_status, response_headers, response_body FROM idemstore.get('c');
SELECT idemstore.complete('c', 200, '{"a":1}', 'ok', :fence);
SELECT idemstore.complete('c', 200, '{"a":1}', 'ok');
SELECT idemstore.complete('c', 201, '{"a":1}', 'ok', :fence);
SELECT idemstore.complete('c', 200, '{"a": 1}', 'ok', :fence);
SELECT idemstore.complete('c', 200, '{"a":1}', NULL, :fence);
SELECT idemstore.complete('c', 200, '{"a":1}', '', :fence);
SELECT idemstore.fail('c', '"late"', fence => :fence);
SELECT idemstore.fail('c', '"late"', retryable => true);
SELECT idemstore.extend_lease('c', :fence);
SELECT idemstore.release('c', :fence);
SELECT status, response_status, error FROM idemstore.get('c');

-- a stale fence changes nothing through any function, and is told first
SELECT fence FROM idemstore.start_processing('z', lease => '0') \gset old_
SELECT fence FROM idemstore.start_processing('z') \gset
SELECT idemstore.complete('z', 200, fence => :old_fence);
SELECT idemstore.fail('z', '1', fence => :old_fence);
SELECT idemstore.fail('z', '1', true, fence => :old_fence);
SELECT idemstore.release('z', :old_fence);
SELECT idemstore.extend_lease('z', :old_fence);
SELECT status, attempt, fence = :fence AS unchanged, error, response_status FROM idemstore.get('z');
SELECT idemstore.complete('z', 200, fence => :fence);
SELECT idemstore.complete('z', 200, fence => :old_fence);

-- absent
SELECT idemstore.complete('absent', 200);
SELECT idemstore.fail('absent');
SELECT idemstore.extend_lease('absent', 1);
SELECT idemstore.release('absent');
SELECT idemstore.release('absent', 1);

-- fail for good: repeatable with the same content
SELECT outcome FROM idemstore.start_processing('f');
SELECT idemstore.fail('f', '{"e":1}', response_status => 402);
SELECT idemstore.fail('f', '{"e":1}', response_status => 402);
SELECT idemstore.fail('f', '{"e":2}', response_status => 402);
SELECT idemstore.fail('f', '{"e":1}', retryable => true, response_status => 402);
SELECT idemstore.complete('f', 200);
SELECT status, error, response_status, completed_at FROM idemstore.get('f');

-- fail retryably: repeatable; the attempt is over, its work may still arrive
SELECT fence FROM idemstore.start_processing('r') \gset
SELECT idemstore.fail('r', '"again"', true, fence => :fence);
SELECT idemstore.fail('r', '"again"', true, fence => :fence);
SELECT idemstore.extend_lease('r', :fence);
SELECT idemstore.complete('r', 200, fence => :fence);
SELECT status, error, response_status FROM idemstore.get('r');

-- release: as if it never was
SELECT fence FROM idemstore.start_processing('g') \gset
SELECT idemstore.release('g', :fence);
SELECT idemstore.get('g') IS NULL AS gone;
SELECT outcome, attempt FROM idemstore.start_processing('g');

-- extend_lease: from now, cut to the record's end
SELECT fence FROM idemstore.start_processing('l', ttl => '1 h', lease => '1 min') \gset
SET idemstore.test_clock = '2026-01-01 00:00:30+00';
SELECT idemstore.extend_lease('l', :fence, '1 min');
SELECT idemstore.extend_lease('l', :fence);
SELECT idemstore.extend_lease('l', :fence, '1 day');
SELECT idemstore.extend_lease('l', NULL);
-- a lapsed lease that nobody took can be extended, and completed
SELECT fence FROM idemstore.start_processing('l2', lease => '1 s') \gset
SET idemstore.test_clock = '2026-01-01 00:00:35+00';
SELECT idemstore.extend_lease('l2', :fence, '1 s');
SET idemstore.test_clock = '2026-01-01 00:00:40+00';
SELECT idemstore.complete('l2', 200, fence => :fence);

-- ttl: counts from now, NULL keeps the end
SELECT expires_at FROM idemstore.get('l2');
SELECT outcome FROM idemstore.start_processing('t');
SELECT idemstore.complete('t', 200, ttl => '1 month');
SELECT expires_at FROM idemstore.get('t');

TRUNCATE idemstore.idempotency_records;
