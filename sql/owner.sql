-- what an owner does while it works: checkpoint, assert_owner
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
-- ahead of every clock, fences count by one
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null

-- a takeover gets the recovery point and checkpoint of the attempt before it
SELECT fence FROM idemstore.start_processing('c', lease => '1 min') \gset
SELECT idemstore.checkpoint('c', 'charged', '{"charge":  "ch_1"}', :fence);
SELECT recovery_point, checkpoint, attempt FROM idemstore.get('c');
SELECT idemstore.checkpoint('c', 'mailed', fence => :fence);
SELECT recovery_point, checkpoint FROM idemstore.get('c');
SELECT idemstore.checkpoint('c', 'charged', '{"charge":  "ch_1"}');
SELECT idemstore.checkpoint('c', 'charged', '{"charge":  "ch_1"}') AS again;
SET idemstore.test_clock = '2026-01-01 00:01:00+00';
SELECT outcome, attempt, recovery_point, checkpoint FROM idemstore.start_processing('c', takeover => false);
SELECT outcome, attempt, recovery_point, checkpoint, fence FROM idemstore.start_processing('c') \gset new_
SELECT :'new_outcome' AS outcome, :new_attempt AS attempt, :'new_recovery_point' AS recovery_point, :'new_checkpoint' AS checkpoint;
-- so does the attempt after a retryable failure, and the owner who asks again
SELECT idemstore.fail('c', '"bank down"', true, fence => :new_fence);
SELECT outcome, attempt, recovery_point, checkpoint FROM idemstore.start_processing('c', owner => 'w');
SELECT outcome, attempt, recovery_point, checkpoint FROM idemstore.start_processing('c', owner => 'w');
-- a zombie's checkpoint changes nothing
SELECT idemstore.checkpoint('c', 'zombie', '1', :fence);
SELECT recovery_point FROM idemstore.get('c');

-- takeover => false gives abandoned; release or complete resolves it
SELECT outcome FROM idemstore.start_processing('a1', lease => '0');
SELECT outcome, attempt FROM idemstore.start_processing('a1', takeover => false);
SELECT idemstore.release('a1');
SELECT outcome, attempt FROM idemstore.start_processing('a1', takeover => false);
SELECT outcome FROM idemstore.start_processing('a2', lease => '0');
SELECT outcome AS o, fence FROM idemstore.start_processing('a2', takeover => false) \gset
SELECT idemstore.complete('a2', 200, fence => :fence);
SELECT outcome FROM idemstore.start_processing('a2', takeover => false);

-- assert_owner: silent for the owner, ID412 for a zombie
SELECT fence FROM idemstore.start_processing('s', lease => '0') \gset old_
SELECT idemstore.assert_owner('s', :old_fence);
SELECT fence FROM idemstore.start_processing('s') \gset
SELECT idemstore.assert_owner('s', :fence);
SELECT idemstore.assert_owner('s', :old_fence);
-- together with everything else in one transaction
BEGIN;
SELECT idemstore.assert_owner('s', :fence);
SELECT idemstore.extend_lease('s', :fence) IS NOT NULL AS extended;
SELECT idemstore.checkpoint('s', 'p', NULL, :fence);
SELECT idemstore.assert_owner('s', :fence);
SELECT idemstore.complete('s', 200, fence => :fence);
COMMIT;
SELECT status, recovery_point FROM idemstore.get('s');

-- final, given up, absent, bad
SELECT idemstore.assert_owner('s', :fence);
SELECT idemstore.checkpoint('s', 'p', NULL, :fence);
SELECT fence FROM idemstore.start_processing('g') \gset
SELECT idemstore.fail('g', retryable => true);
SELECT idemstore.assert_owner('g', :fence);
SELECT idemstore.checkpoint('g', 'p');
SELECT idemstore.assert_owner('absent', 1);
SELECT idemstore.checkpoint('absent', 'p');
SELECT idemstore.assert_owner('absent', NULL);
SELECT idemstore.checkpoint('absent', NULL);
SELECT idemstore.checkpoint('absent', repeat('p', 256));
SELECT idemstore.checkpoint(NULL, 'p');
SELECT idemstore.assert_owner('', 1);

TRUNCATE idemstore.idempotency_records;
