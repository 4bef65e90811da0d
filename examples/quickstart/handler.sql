-- A payment handler, as a user of idemstore writes it.

-- payment_key is not unique here: nothing but the claim stands between a retry
-- and a second charge.
CREATE TABLE ledger (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	payment_key text NOT NULL,
	amount numeric NOT NULL
);
CREATE INDEX ON ledger (payment_key);

CREATE FUNCTION fingerprint_of(body text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN encode(sha256(convert_to(body, 'UTF8')), 'hex');

-- The business itself: one ledger row, one JSON answer.
CREATE FUNCTION charge(key text, body text) RETURNS bytea
LANGUAGE sql
AS $$
	INSERT INTO ledger (payment_key, amount)
	VALUES (key, (body::json ->> 'amount')::numeric)
	RETURNING convert_to(json_build_object('charge', id, 'payment', payment_key,
										   'amount', amount)::text, 'UTF8')
$$;

-- Claim, charge and answer in one transaction.
CREATE FUNCTION pay(
	key text,
	body text,
	wait interval,
	OUT outcome text,
	OUT attempt integer,
	OUT decided_at timestamptz,
	OUT response bytea
)
LANGUAGE plpgsql
AS $$
DECLARE
	claim record;
BEGIN
	SELECT * INTO claim
	FROM idemstore.start_processing(key, fingerprint_of(body), wait => wait);

	outcome := claim.outcome;
	attempt := coalesce(claim.attempt, 0);
	decided_at := clock_timestamp();
	response := claim.response_body;
	IF outcome = 'started' THEN
		response := charge(key, body);
		PERFORM idemstore.complete(key, 201, response_body => response, fence => claim.fence);
	END IF;
END
$$;

-- The second of two transactions. The first claimed the key, then came a slow
-- call to somebody else. An owner that was away for longer than its lease may
-- have been replaced: its fence is stale then, and its charge is rolled back.
CREATE FUNCTION finish_payment(
	key text,
	body text,
	claim_fence bigint,
	OUT outcome text,
	OUT response bytea
)
LANGUAGE plpgsql
AS $$
BEGIN
	outcome := 'started';
	response := charge(key, body);
	PERFORM idemstore.complete(key, 201, response_body => response, fence => claim_fence);
EXCEPTION
	WHEN SQLSTATE 'ID412' THEN
		outcome := 'too_late';
		response := '';
END
$$;
