-- A client with a bug: it sends a new payment under a key it has used before.
SELECT payment_key AS new_key, body FROM next_request() \gset
SELECT coalesce(max(payment_key), '') AS payment_key, count(*) > 0 AS is_used
FROM (
	SELECT payment_key FROM ledger
	WHERE payment_key < :new_key ORDER BY payment_key DESC LIMIT 1) AS last \gset
\if :is_used
SELECT * FROM pay(:payment_key, :body, '0') \gset
INSERT INTO answers VALUES (:payment_key, :outcome, :attempt, :decided_at, :response, true);
\endif
\set pause random(1, 8)
\sleep :pause ms
