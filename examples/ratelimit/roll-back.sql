-- The same, but the transaction that asked is rolled back.
BEGIN;
SELECT allowed, CASE WHEN allowed THEN reset_at - interval '1 s' ELSE clock_timestamp() END AS at
FROM idemstore.consume('login/mallory') \gset
ROLLBACK;
INSERT INTO answers VALUES (:allowed, :at);
