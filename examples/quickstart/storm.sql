-- What the storm around the handler needs: the payments, who asks for which one
-- next, and what every client was told.

SELECT setseed(0.15);

CREATE TABLE payment_requests (
	number integer PRIMARY KEY,
	payment_key text NOT NULL UNIQUE,
	body text NOT NULL
);

-- from one item to about eighty, small bodies more often than large ones
INSERT INTO payment_requests
SELECT number, format('pay-%s', to_char(number, 'FM00000')),
	json_build_object('amount', (100 + random() * 99900)::integer / 100.0, 'currency', 'EUR',
		'customer', format('c-%s', number % 700),
		'items', (
			SELECT json_agg(json_build_object('sku', md5(random()::text), 'quantity', item % 5 + 1,
											  'text', repeat('ordered ', item % 4)))
			FROM generate_series(1, 1 + (75 * (number * 7919 % 3001 / 3001.0) ^ 3)::integer) AS item))
FROM generate_series(1, :payments) AS number;

-- One tick a request: neighbouring ticks ask for the same payment, and different
-- clients draw them at the same moment.
CREATE SEQUENCE ticks;

CREATE FUNCTION next_request() RETURNS payment_requests
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT * FROM payment_requests
	WHERE number = (SELECT (nextval('ticks') - 1) / :times_sent + 1);
END;

-- Written by the clients after the fact, in a transaction of its own. An outcome
-- that nobody expects breaks the check and thereby the run.
CREATE UNLOGGED TABLE answers (
	payment_key text NOT NULL,
	outcome text NOT NULL
		CHECK (outcome IN ('started', 'replay', 'in_progress', 'mismatch', 'too_late')),
	attempt integer NOT NULL,
	decided_at timestamptz NOT NULL,
	response bytea NOT NULL,
	has_other_body boolean NOT NULL DEFAULT false
);
CREATE INDEX ON answers (payment_key);

CREATE TABLE doomed_owners (
	number integer PRIMARY KEY,
	pid integer NOT NULL,
	in_transaction boolean NOT NULL,
	begun_at timestamptz NOT NULL,
	killed_at timestamptz,
	had_waiters boolean
);

-- The caller becomes the doomed owner of a payment that the storm is about to
-- reach. NULL when the storm is nearly over.
CREATE FUNCTION next_doomed(in_transaction boolean) RETURNS integer
LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO doomed_owners AS doomed (number, pid, in_transaction, begun_at)
	SELECT number, pg_backend_pid(), in_transaction, clock_timestamp()
	FROM (SELECT greatest((SELECT last_value FROM ticks) / :times_sent,
						  (SELECT max(number) FROM doomed_owners), 0) + 6 AS number) AS ahead
	WHERE number < :payments - 50
	ON CONFLICT (number) DO NOTHING
	RETURNING doomed.number;
END;

CREATE VIEW replacements AS
SELECT doomed.number, extract(epoch FROM next.decided_at - doomed.killed_at) * 1000 AS milliseconds
FROM doomed_owners AS doomed
JOIN payment_requests AS request USING (number)
CROSS JOIN LATERAL (
	SELECT min(decided_at) AS decided_at
	FROM answers
	WHERE payment_key = request.payment_key
		AND attempt > 0
		AND decided_at > doomed.killed_at) AS next
WHERE doomed.in_transaction AND doomed.had_waiters;

CREATE VIEW charges AS
SELECT request.payment_key, count(ledger.id) AS times
FROM payment_requests AS request
LEFT JOIN ledger USING (payment_key)
GROUP BY request.payment_key;

-- Empty when all went well.
CREATE VIEW problems AS
SELECT payment_key, format('charged %s times', times) AS what
FROM charges
WHERE times <> 1
UNION ALL
SELECT payment_key, 'charged another amount than its body says'
FROM ledger
LEFT JOIN payment_requests USING (payment_key)
WHERE amount IS DISTINCT FROM (body::json ->> 'amount')::numeric
UNION ALL
SELECT payment_key, 'answered in two different ways'
FROM answers
WHERE outcome IN ('started', 'replay')
GROUP BY payment_key
HAVING count(DISTINCT response) > 1
UNION ALL
SELECT payment_key, format('outcome "%s" for %s body', outcome,
	CASE WHEN has_other_body THEN 'another' ELSE 'the right' END)
FROM answers
WHERE has_other_body <> (outcome = 'mismatch');
