-- the same owner again: the same claim, held at least as long as he asks for now
TRUNCATE idemstore.idempotency_records;
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null
CREATE FUNCTION pg_temp.again(lease interval, at text) RETURNS TABLE (outcome text, fence bigint, attempt int, lease_ends_after interval) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('idemstore.test_clock', at, false);
	SELECT s.outcome, s.fence, s.attempt INTO outcome, fence, attempt FROM idemstore.start_processing('k', 'print', '1 h', owner => 'w', lease => again.lease) AS s;
	SELECT lease_expires_at - timestamptz '2026-01-01 00:00:00+00' INTO lease_ends_after FROM idemstore.idempotency_records;
	RETURN NEXT;
END
$$;
SELECT * FROM pg_temp.again('1 min', '2026-01-01 00:00:00+00');
-- longer, shorter, the default (5 min)
SELECT * FROM pg_temp.again('2 min', '2026-01-01 00:00:00+00');
SELECT * FROM pg_temp.again('1 s', '2026-01-01 00:01:00+00');
SELECT * FROM pg_temp.again('0', '2026-01-01 00:01:00+00');
SELECT * FROM pg_temp.again(NULL, '2026-01-01 00:01:00+00');
-- as he asks for, though a live record keeps its ttl, and the lease ends with it
SELECT * FROM pg_temp.again('1 day', '2026-01-01 00:02:00+00');
SELECT expires_at FROM idemstore.idempotency_records;
-- nobody else, nor he with another fingerprint
SELECT outcome FROM idemstore.start_processing('k', owner => 'v') UNION ALL
SELECT outcome FROM idemstore.start_processing('k') UNION ALL
SELECT outcome FROM idemstore.start_processing('k', 'other', owner => 'w');
-- what he has noted stays, and a unique fingerprint is no rival of its own
SELECT FROM idemstore.checkpoint('k', 'half', '[1]');
SELECT outcome, fence, recovery_point, checkpoint FROM idemstore.start_processing('k', 'print', owner => 'w', unique_fingerprint => true, takeover => false);
-- nothing is written when nothing changes
SELECT xmin AS former FROM idemstore.idempotency_records \gset
SELECT outcome FROM idemstore.start_processing('k', owner => 'w', lease => '1 min');
SELECT xmin = :'former' AS is_the_same FROM idemstore.idempotency_records;
-- within his own transaction, and undone with it
TRUNCATE idemstore.idempotency_records;
BEGIN;
SELECT outcome, fence, attempt FROM idemstore.start_processing('k', owner => 'w', lease => '1 min');
SAVEPOINT a;
SELECT outcome, fence, attempt FROM idemstore.start_processing('k', owner => 'w', lease => '3 min');
SELECT lease_expires_at FROM idemstore.idempotency_records;
ROLLBACK TO a;
SELECT lease_expires_at FROM idemstore.idempotency_records;
COMMIT;
-- that of a retryable failure is over
SELECT FROM idemstore.fail('k', retryable => true);
SELECT outcome, fence, attempt FROM idemstore.start_processing('k', owner => 'w');
-- an extension never shortens, and is cut to the end of the record
SELECT idemstore.extend_lease('k', 9000000000000003, '20 min');
SELECT idemstore.extend_lease('k', 9000000000000003, '1 s'), idemstore.extend_lease('k', 9000000000000003, '0');
SELECT idemstore.extend_lease('k', 9000000000000003, '30 days') = expires_at AS is_cut FROM idemstore.idempotency_records;

TRUNCATE idemstore.idempotency_records;
