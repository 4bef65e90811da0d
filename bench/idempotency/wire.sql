-- What the work through the wire needs: a table for plain insertions, and
-- records to replay, the same on all sides.

CREATE TABLE bench.plain (
	key text COLLATE "C" PRIMARY KEY
);

CREATE PROCEDURE bench.make_records(n integer)
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO rival.idempotency_records
		(key, scope, fingerprint, status, fence, attempt, expires_at, created_at, completed_at, response_status, response_headers, response_body)
	SELECT 100000000000 + k, '', 'print', 'complete', 1, 1, now() + '1 day', now(), now(), 200, '{"content-type": "application/json"}',
		(SELECT string_agg(sha256((k || '-' || i)::bytea), '') FROM generate_series(1, 32) AS i)
	FROM generate_series(0, n - 1) AS k;
	INSERT INTO idemstore.idempotency_records
	TABLE rival.idempotency_records;
END;
