-- The same, but the transaction that asked is rolled back.
BEGIN;
SELECT allowed, decided_at AS at, reason
FROM idemstore.consume('login/mallory') \gset
ROLLBACK;
INSERT INTO answers VALUES (:allowed, :at, :reason);
