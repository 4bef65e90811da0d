-- The published interfaces, row by row: what their users rely on
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';

-- idempot IdempotencyStore, lookup(key, fingerprint) -> {byKey, byFingerprint}:
-- record or null each
SELECT matched, key FROM idemstore.lookup('key-1', 'fp-1') AS l;
-- idempot, startProcessing(key, fingerprint, ttlMs): creates a processing
-- record; an existing key is told apart
SELECT outcome FROM idemstore.start_processing('key-1', 'fp-1', make_interval(secs => 60000 / 1000.0));
SELECT matched, key, status FROM idemstore.lookup('key-1', 'fp-1') AS l;
SELECT outcome FROM idemstore.start_processing('key-1', 'fp-1');
SELECT outcome FROM idemstore.start_processing('key-1', 'fp-2');
SELECT matched, key FROM idemstore.lookup('key-2', 'fp-1') AS l;
-- idempot, complete(key, {status, headers, body}): stores the response; no
-- record is an error that names the key
SELECT idemstore.complete('key-1', 201, '{"content-type":"application/json"}', '{"id":1}');
SELECT idemstore.complete('key-9', 201);
-- idempot, table idempotency_records: readable by SQL
SELECT key, fingerprint, status, response_status, response_headers, convert_from(response_body, 'UTF8') AS response_body, expires_at
FROM idemstore.idempotency_records;
-- idempot middleware: other fingerprint 422 (before 409), processing 409, same
-- fingerprint under another key 409, complete replay, else start
SELECT outcome FROM idemstore.start_processing('key-1', 'fp-2', unique_fingerprint => true);
SELECT outcome, response_status FROM idemstore.start_processing('key-1', 'fp-1', unique_fingerprint => true);
SELECT outcome, conflicting_key FROM idemstore.start_processing('key-2', 'fp-1', unique_fingerprint => true);
SELECT outcome FROM idemstore.start_processing('key-3', 'fp-3', unique_fingerprint => true);
SELECT outcome FROM idemstore.start_processing('key-3', 'fp-4', unique_fingerprint => true);
SELECT outcome FROM idemstore.start_processing('key-3', 'fp-3', unique_fingerprint => true);
-- idempot shows expired records and is blocked by them; here they are absent
SET idemstore.test_clock = '2026-01-01 00:01:00+00';
SELECT matched, key FROM idemstore.lookup('key-1', 'fp-1') AS l;
SELECT outcome FROM idemstore.start_processing('key-1', 'fp-1');

-- litert IManager, initiate(key, context?): true created, false exists (any
-- status), an expired key is taken
SELECT idemstore.initiate('m-1', '{"user": 7}', '1 min'), idemstore.initiate('m-2', ttl => '1 s'), idemstore.initiate('m-3');
SELECT idemstore.initiate('m-1');
SELECT idemstore.fail('m-3', '{"message": "no"}');
SELECT idemstore.initiate('m-3');
SET idemstore.test_clock = '2026-01-01 00:01:01+00';
SELECT idemstore.initiate('m-2');
-- litert, get(key): {key, status, context, result?} or null
SELECT key, status, context, response_body FROM idemstore.get('m-1');
SELECT idemstore.get('m-9') IS NULL AS is_null;
-- litert, success(key, result) and fail(key, error): final, with text or bytes
SELECT idemstore.success('m-1', '{"paid":  true}');
SELECT status, convert_from(response_body, 'UTF8') AS result FROM idemstore.get('m-1');
SELECT idemstore.complete('m-2', response_body => '\x00ff');
SELECT status, response_body FROM idemstore.get('m-2');
SELECT status, error FROM idemstore.get('m-3');
-- litert lets a late fail overwrite a success and creates records on update;
-- here neither
SELECT idemstore.fail('m-1', '{"message": "late"}');
SELECT idemstore.success('m-9', '1');
SELECT idemstore.get('m-9') IS NULL AS is_null;
-- litert, wait(key): the completed result; throws on timeout
SELECT convert_from(response_body, 'UTF8') AS result FROM idemstore.wait('m-1');
SELECT idemstore.initiate('m-4');
SELECT idemstore.wait('m-4', '10 ms');

-- Go IdempotencyStore, Get(ctx, key) -> ([]byte, bool, error): hit with the
-- bytes, an empty value too, or miss
SELECT idemstore.get_value('g-1') IS NULL AS miss;
-- Go, SetNX(ctx, key, value): written only if absent; value and ttl stay
SELECT idemstore.set_nx('g-1', ttl => '10 s', value => '\x01'), idemstore.set_nx('g-2', '');
SELECT idemstore.set_nx('g-1', ttl => '1 h', value => '\x02');
SELECT idemstore.get_value('g-1') AS hit, idemstore.get_value('g-2') AS empty_hit;
SET idemstore.test_clock = '2026-01-01 00:01:11+00';
SELECT idemstore.get_value('g-1') IS NULL AS miss;
-- Go, ttl per store: an argument; Set overwrites; a pending claim has a lease
SELECT idemstore.set_value('g-1', ttl => '20 s', value => '\x03');
SELECT idemstore.set_value('g-1', value => '\x04');
SELECT idemstore.get_value('g-1') AS hit;
SELECT outcome FROM idemstore.start_processing('g-3', ttl => '1 day', lease => '5 s');
SELECT expires_at - lease_expires_at AS value_outlives_claim_by FROM idemstore.get('g-3');

TRUNCATE idemstore.idempotency_records;
