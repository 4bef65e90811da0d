-- get, lookup and wait: what they return, and that they write nothing
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';

SELECT idemstore.get('absent') IS NULL AS by_value;
SELECT key, status FROM idemstore.get('absent');
SELECT matched, key FROM idemstore.lookup('absent', 'absent');

SELECT outcome FROM idemstore.start_processing('old', 'fp');
SET idemstore.test_clock = '2026-01-01 00:00:01+00';
SELECT outcome FROM idemstore.start_processing('new', 'fp');
SELECT outcome FROM idemstore.start_processing('elsewhere', 'fp', scope => 's');
SELECT outcome FROM idemstore.start_processing('brief', 'fp', ttl => '1 s');
SELECT outcome FROM idemstore.start_processing('bare');

-- by key and by fingerprint: the own key wins, else the newest
SELECT matched, key FROM idemstore.lookup('old', 'fp');
SELECT matched, key FROM idemstore.lookup('absent', 'fp');
SET idemstore.test_clock = '2026-01-01 00:00:02+00';
SELECT matched, key FROM idemstore.lookup('absent', 'fp');
SELECT matched, key FROM idemstore.lookup('brief', 'fp');
SELECT matched, key FROM idemstore.lookup('bare', 'fp');
SELECT matched, key FROM idemstore.lookup('bare');
SELECT matched, key FROM idemstore.lookup('old', 'other');
SELECT matched, key FROM idemstore.lookup('elsewhere', 'fp', 's');
SELECT matched, key FROM idemstore.lookup('old', 'fp', 's');

-- abandoned: a claim whose lease is over, or that was given up; the next start owns it
SELECT outcome FROM idemstore.start_processing('dead', 'dead fp', lease => '1 s');
SELECT status FROM idemstore.get('dead');
SET idemstore.test_clock = '2026-01-01 00:00:03+00';
SELECT status, error IS NULL AS no_error FROM idemstore.get('dead');
SELECT matched, status FROM idemstore.lookup('dead', 'dead fp');
SELECT outcome, attempt FROM idemstore.start_processing('dead', 'dead fp');
SELECT status FROM idemstore.get('dead');
SELECT idemstore.fail('dead', '"later"', retryable => true);
SELECT status, error FROM idemstore.get('dead');
SELECT status FROM idemstore.idempotency_records WHERE key = 'dead';
SET idemstore.test_clock = '2026-01-01 00:00:02+00';

-- wait: the final record, NULL when there is none, an error at the timeout
SELECT idemstore.wait('absent') IS NULL AS absent;
SELECT idemstore.complete('old', 200, response_body => 'done');
SELECT status, response_status, convert_from(response_body, 'UTF8') AS body FROM idemstore.wait('old');
SELECT idemstore.fail('new', '"why"');
SELECT status, error FROM idemstore.wait('new', '1 h');
SELECT idemstore.wait('bare', '0');
SELECT idemstore.wait('bare', '10 ms');
SET idemstore.default_wait = '10 ms';
SELECT idemstore.wait('bare');
-- the end of a lease does not end it, the end of the record does
SET idemstore.test_clock = '2026-01-01 00:10:00+00';
SELECT idemstore.wait('bare', '10 ms');
SET idemstore.test_clock = '2026-01-02 00:10:00+00';
SELECT idemstore.wait('bare', '10 ms') IS NULL AS expired;
SET idemstore.test_clock = '2026-01-01 00:10:00+00';
-- nobody waits for himself
BEGIN;
SELECT outcome FROM idemstore.start_processing('mine');
SELECT idemstore.wait('mine', '1 h');
ROLLBACK;
BEGIN;
SELECT outcome FROM idemstore.start_processing('mine');
SELECT outcome FROM idemstore.start_processing('mine', wait => '1 h');
SELECT idemstore.fail('mine', '1', retryable => true);
SELECT outcome, attempt FROM idemstore.start_processing('mine', wait => '1 h');
ROLLBACK;

-- read-only: reading works, writing is refused
BEGIN READ ONLY;
SELECT status FROM idemstore.get('old');
SELECT matched, status FROM idemstore.lookup('old');
SELECT status FROM idemstore.wait('old');
SELECT idemstore.start_processing('ro');
ROLLBACK;
SET default_transaction_read_only = on;
SELECT idemstore.complete('bare', 200);
SELECT idemstore.fail('bare');
SELECT idemstore.release('bare');
SELECT idemstore.extend_lease('bare', 1);
SELECT idemstore.expire();
CALL idemstore.expire_all();
RESET default_transaction_read_only;

-- nothing of this takes a transaction id
BEGIN;
SELECT outcome FROM idemstore.start_processing('old');
SELECT outcome FROM idemstore.start_processing('bare', takeover => false);
SELECT outcome FROM idemstore.start_processing('old', 'fp');
SELECT outcome FROM idemstore.start_processing('old', 'other');
SELECT idemstore.complete('old', 200, response_body => 'done');
SELECT matched, key FROM idemstore.lookup('old', 'fp');
SELECT status FROM idemstore.get('old');
SELECT status FROM idemstore.wait('old');
SELECT idemstore.release('absent');
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
ROLLBACK;

-- what is not as the extension made it
\set VERBOSITY terse
BEGIN;
SAVEPOINT as_made;
ALTER TYPE idemstore.idempotency_match ADD ATTRIBUTE more int;
SELECT idemstore.lookup('old', 'fp');
ROLLBACK TO as_made;
ALTER TYPE idemstore.idempotency_verdict ALTER ATTRIBUTE attempt TYPE bigint;
SELECT idemstore.start_processing('old', 'fp');
ROLLBACK TO as_made;
ALTER TYPE idemstore.rate_limit_verdict ADD ATTRIBUTE more int;
SELECT idemstore.set_rate_limit('r', 1, '1 s');
SELECT * FROM idemstore.rate_limit_status('r');
ROLLBACK TO as_made;
DROP INDEX idemstore.idempotency_records_fingerprint_idx;
SELECT matched, key FROM idemstore.lookup('old', 'fp');
ROLLBACK TO as_made;
UPDATE idemstore.idempotency_records SET status = 'unheard-of' WHERE key = 'old';
SELECT idemstore.get('old');
ROLLBACK;

TRUNCATE idemstore.idempotency_records;
