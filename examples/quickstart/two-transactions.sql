-- Claim in one transaction, charge and answer in a second one, and make a slow
-- call in between. One call in twenty takes longer than the lease.
\set is_slow random(1, 20) = 1
\set call 20
\if :is_slow
\set call 350
\endif
SELECT payment_key, body FROM next_request() \gset
SELECT outcome, fence, coalesce(attempt, 0) AS attempt, coalesce(response_body, '') AS response,
	clock_timestamp() AS decided_at, outcome = 'started' AS is_owner
FROM idemstore.start_processing(:payment_key, fingerprint_of(:body), lease => '200 ms', wait => '10 s') \gset
\if :is_owner
\sleep :call ms
SELECT outcome, response FROM finish_payment(:payment_key, :body, :fence) \gset
\endif
INSERT INTO answers VALUES (:payment_key, :outcome, :attempt, :decided_at, :response);
\set pause random(1, 8)
\sleep :pause ms
