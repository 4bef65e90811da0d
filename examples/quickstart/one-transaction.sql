-- Claim, charge and answer at once; told that somebody else is at it, come back
-- after a moment and wait.
SELECT payment_key, body FROM next_request() \gset
SELECT *, outcome = 'in_progress' AS is_in_progress FROM pay(:payment_key, :body, '0') \gset
INSERT INTO answers VALUES (:payment_key, :outcome, :attempt, :decided_at, :response);
\if :is_in_progress
\sleep 10 ms
SELECT * FROM pay(:payment_key, :body, '10 s') \gset
INSERT INTO answers VALUES (:payment_key, :outcome, :attempt, :decided_at, :response);
\endif
\set pause random(1, 8)
\sleep :pause ms
