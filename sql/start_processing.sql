-- start_processing: every outcome, in the order in which they are decided
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
-- ahead of every clock, fences count by one
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null

-- absent: started, with everything a claim has
SELECT * FROM idemstore.start_processing('k', 'fp', context => '{"amount":  100}');
SELECT * FROM idemstore.get('k') \gx

-- live lease: in progress, with what is left of it
SELECT outcome, fence, retry_after_ms, retry_after_seconds FROM idemstore.start_processing('k', 'fp');
SET idemstore.test_clock = '2026-01-01 00:04:59.5+00';
SELECT outcome, retry_after_ms, retry_after_seconds FROM idemstore.start_processing('k', 'fp');
-- a fingerprint is compared only when both sides have one
SELECT outcome FROM idemstore.start_processing('k');
-- another fingerprint: mismatch, while processing and afterwards
SELECT * FROM idemstore.start_processing('k', 'other');
-- a scope of its own is a key of its own
SELECT outcome, attempt FROM idemstore.start_processing('k', 'other', scope => 'tenant');

-- lease over: takeover, with a greater fence, unless the caller declines
SET idemstore.test_clock = '2026-01-01 00:05:00+00';
SELECT outcome, fence, attempt, retry_after_ms, retry_after_seconds FROM idemstore.start_processing('k', 'fp', takeover => false);
SELECT outcome, fence, attempt FROM idemstore.start_processing('k', 'fp', lease => '1 s');
SELECT fence, attempt, lease_expires_at, expires_at, created_at, context FROM idemstore.get('k');
-- the clock may stand still or step back, the fence still grows
SELECT outcome, attempt, fence FROM idemstore.start_processing('back', lease => '0');
SELECT outcome, attempt, fence FROM idemstore.start_processing('back');
SELECT idemstore.fail('back', retryable => true);
SET idemstore.test_clock = '2026-01-01 00:04:00+00';
SELECT outcome, attempt, fence FROM idemstore.start_processing('back');
SET idemstore.test_clock = '2026-01-01 00:05:01+00';
SELECT outcome, attempt, fence FROM idemstore.start_processing('k', 'fp');

-- complete: replay, wins over a stale caller, not over a mismatch
SELECT idemstore.complete('k', 201, '{"b": 1, "a":2}', 'body');
SELECT * FROM idemstore.start_processing('k', 'fp') \gx
SELECT outcome FROM idemstore.start_processing('k', 'other');

-- failed for good: failed, with error and response
SELECT outcome FROM idemstore.start_processing('f');
SELECT idemstore.fail('f', '{"code": "card_declined"}', response_status => 402, response_body => 'no');
SELECT outcome, fence, attempt, error, response_status, response_body FROM idemstore.start_processing('f');

-- failed retryably: the next start owns it, under takeover => false too
SELECT outcome, attempt FROM idemstore.start_processing('r');
SELECT idemstore.fail('r', '"timeout"', retryable => true);
SELECT status, error, lease_expires_at, completed_at FROM idemstore.get('r');
SELECT outcome, attempt, error FROM idemstore.start_processing('r', takeover => false);
SELECT status, error, attempt FROM idemstore.get('r');

-- the same owner again, a lost acknowledgement: started, nothing changed
SELECT outcome, attempt, fence FROM idemstore.start_processing('o', owner => 'worker-1');
SELECT outcome, attempt, fence FROM idemstore.start_processing('o', owner => 'worker-1');
SELECT outcome FROM idemstore.start_processing('o', owner => 'worker-2');
SELECT outcome FROM idemstore.start_processing('o');

-- one live key per fingerprint, on demand
SELECT outcome FROM idemstore.start_processing('u1', 'same', unique_fingerprint => true);
SELECT outcome, conflicting_key FROM idemstore.start_processing('u2', 'same', unique_fingerprint => true);
SELECT outcome, conflicting_key FROM idemstore.start_processing('u2', 'same', unique_fingerprint => true, scope => 's');
SELECT outcome, conflicting_key FROM idemstore.start_processing('u2', 'same', unique_fingerprint => true, wait => '10 s');
SELECT outcome FROM idemstore.start_processing('u1', 'same', unique_fingerprint => true);
SELECT outcome FROM idemstore.start_processing('u3', 'same');
SELECT idemstore.get('u2') IS NULL AS refused_left_no_trace;
-- a lease that is over comes before a rival; a refused reclaim leaves no lock
SELECT outcome FROM idemstore.start_processing('u4', 'two', lease => '0');
SELECT outcome FROM idemstore.start_processing('u5', 'two');
SELECT outcome, attempt FROM idemstore.start_processing('u4', 'two', unique_fingerprint => true);
-- unless the record had no fingerprint yet
SELECT outcome FROM idemstore.start_processing('bare', lease => '0');
SELECT outcome, conflicting_key FROM idemstore.start_processing('bare', 'two', unique_fingerprint => true, takeover => false);
SELECT outcome, conflicting_key = 'u4' OR conflicting_key = 'u5' AS names_a_rival FROM idemstore.start_processing('bare', 'two', unique_fingerprint => true);
SELECT outcome FROM idemstore.start_processing('u6', 'three', ttl => '1 s');
SET idemstore.test_clock = '2026-01-01 00:06:00+00';
BEGIN;
SELECT outcome, conflicting_key FROM idemstore.start_processing('u6', 'same', unique_fingerprint => true);
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
ROLLBACK;

-- a plan leaves out what is as it would be anyway, and nothing else
EXPLAIN (VERBOSE, COSTS OFF) SELECT outcome FROM idemstore.start_processing('p', 'fp');
EXPLAIN (VERBOSE, COSTS OFF) SELECT outcome FROM idemstore.start_processing('p', 'fp', takeover => true, scope => '', wait => '0 s');
EXPLAIN (VERBOSE, COSTS OFF) SELECT outcome FROM idemstore.start_processing('p', 'fp', takeover => false, scope => 's', wait => '1 s');
EXPLAIN (VERBOSE, COSTS OFF) SELECT outcome FROM idemstore.start_processing('p', unique_fingerprint => NULL);
EXPLAIN (VERBOSE, COSTS OFF) SELECT outcome FROM idemstore.start_processing(NULL);
PREPARE start(text, text, text, boolean) AS
SELECT outcome, fence IS NULL AS has_no_fence FROM idemstore.start_processing($1, $2, scope => $3, takeover => $4);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE start('p', 'fp', '', true);
EXECUTE start('p', 'fp', '', true);
SET plan_cache_mode = force_custom_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE start('p', 'fp', '', true);
EXECUTE start('p', 'fp', '', true);
EXECUTE start('p', 'other', 's', true);
EXECUTE start('p', 'other', '', true);
EXECUTE start('p', 'fp', NULL, true);
EXECUTE start('p', 'fp', '', NULL);
RESET plan_cache_mode;

TRUNCATE idemstore.idempotency_records;
