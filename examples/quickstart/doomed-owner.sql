-- An owner that never finishes, for psql -v in_transaction=1 or 0: killer.sql
-- ends it in its slow call.
SELECT next_doomed(:in_transaction = 1) AS number \gset
\if :{?number}
SELECT payment_key, body FROM payment_requests WHERE number = :number \gset
\if :in_transaction
BEGIN;
SELECT outcome = 'started' AS is_owner FROM pay(:'payment_key', :'body', '0') \gset
\else
SELECT outcome = 'started' AS is_owner
FROM idemstore.start_processing(:'payment_key', fingerprint_of(:'body'), lease => '200 ms') \gset
\endif
\if :is_owner
SELECT pg_sleep(30);
\endif
\endif
