-- retry_after is enough: then the same call succeeds, a microsecond earlier it fails
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
CREATE FUNCTION pg_temp.set_clock(seconds numeric) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
	t timestamp = timestamp '2030-01-01 00:00:00' + trunc(seconds) * interval '1 s' + (seconds % 1 * 1000000)::int * interval '1 us';
BEGIN
	PERFORM set_config('idemstore.test_clock', to_char(t, 'YYYY-MM-DD HH24:MI:SS.US') || '+00', false);
	RETURN t AT TIME ZONE 'UTC';
END
$$;
-- Call until denied, a little later each time; then wait as told.  The answers
-- of all functions are compared on the way.
CREATE FUNCTION pg_temp.try(resource text, cost int, rounds int,
	OUT denied int, OUT too_short int, OUT too_long int, OUT contradictions int, OUT shortest interval, OUT policies text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	seconds numeric = 0.000001;
	v idemstore.rate_limit_verdict;
	retry numeric;
BEGIN
	denied = 0; too_short = 0; too_long = 0; contradictions = 0; policies = '{}';
	FOR i IN 1..rounds LOOP
		PERFORM pg_temp.set_clock(seconds);
		contradictions = contradictions + (idemstore.can_proceed(resource, cost) <> (idemstore.get_wait_time(resource, cost) = '0'))::int;
		retry = extract(epoch FROM idemstore.get_wait_time(resource, cost));
		v = idemstore.consume(resource, cost);
		contradictions = contradictions + (v.allowed <> (retry = 0) OR v.allowed <> (v.reason = 'ok'))::int
			+ (round(v.retry_after_ms::numeric * 1000) <> retry * 1000000 OR v.retry_after_seconds <> ceil(retry))::int;
		IF NOT v.allowed THEN
			denied = denied + 1;
			shortest = least(make_interval(secs => v.retry_after_ms / 1000), shortest);
			IF v.policy <> ALL (policies) THEN
				policies = policies || v.policy;
			END IF;
			PERFORM pg_temp.set_clock(seconds + retry - 0.000001);
			too_long = too_long + (idemstore.acquire(resource, cost) OR idemstore.can_proceed(resource, cost))::int;
			seconds = seconds + retry;
			PERFORM pg_temp.set_clock(seconds);
			too_short = too_short + (NOT idemstore.can_proceed(resource, cost) OR NOT idemstore.acquire(resource, cost))::int;
		END IF;
		seconds = seconds + (i * 7919 % 1000) * 0.000377;
	END LOOP;
	PERFORM idemstore.rate_limit_reset(resource);
END
$$;

-- each algorithm; a quota within and above the runs that a log keeps apart
SELECT idemstore.set_rate_limit('window', 10, '3 s');
SELECT idemstore.set_rate_limit('many', 200, '1 min');
SELECT idemstore.set_rate_limit('day', 40, '1 day');
SELECT idemstore.set_rate_limit('bucket', 10, '3 s', 'token_bucket');
SELECT idemstore.set_rate_limit('odd', 9, '3.000007 s', 'token_bucket', burst => 23);
SELECT idemstore.set_rate_limit('fixed', 10, '3 s', 'fixed_window');
SELECT resource, cost, t.denied > 20 AS denied, t.too_short, t.too_long, t.contradictions, t.shortest > '0' AS never_0, t.policies
	FROM unnest('{window,many,day,bucket,odd,fixed}'::text[]) WITH ORDINALITY AS r (resource, n), unnest('{1,7}'::int[]) AS cost, pg_temp.try(resource, cost, 1000) AS t
	ORDER BY n, cost;

-- several together: the policy that denied for longest says how long
SELECT idemstore.set_rate_limit('all', 10, '1 s', policy => 'second');
SELECT idemstore.set_rate_limit('all', 25, '10 s', policy => 'ten');
SELECT idemstore.set_rate_limit('all', 90, '1 min', 'token_bucket', policy => 'minute');
SELECT idemstore.set_rate_limit('all', 400, '5 min', 'fixed_window', policy => 'five');
SELECT cost, t.denied > 20 AS denied, t.too_short, t.too_long, t.contradictions, t.shortest > '0' AS never_0, (SELECT array_agg(p ORDER BY p) FROM unnest(t.policies) AS p) AS policies
	FROM unnest('{1,7}'::int[]) AS cost, pg_temp.try('all', cost, 1000) AS t
	ORDER BY cost;

-- beside an exact log: never more than the quota in any window, and the same
-- decisions while a log keeps every request apart
CREATE FUNCTION pg_temp.compare(resource text, quota int, seconds_per numeric, rounds int,
	OUT admitted int, OUT too_many int, OUT too_few int)
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
	seconds numeric = 0;
	log numeric[] = '{}';
	is_room boolean;
	is_taken boolean;
BEGIN
	PERFORM idemstore.set_rate_limit(resource, quota, seconds_per * interval '1 s');
	admitted = 0; too_many = 0; too_few = 0;
	FOR i IN 1..rounds LOOP
		PERFORM pg_temp.set_clock(seconds);
		WHILE log[1] <= seconds - seconds_per LOOP
			log = log[2:];
		END LOOP;
		is_room = cardinality(log) < quota;
		is_taken = idemstore.acquire(resource);
		IF is_taken THEN
			log = log || seconds;
			admitted = admitted + 1;
		END IF;
		too_many = too_many + (is_taken AND NOT is_room)::int;
		too_few = too_few + (is_room AND NOT is_taken)::int;
		seconds = seconds + 0.000001 + (i * 7919 % 1000) * 0.000037;
	END LOOP;
END
$$;
SELECT quota, t.admitted > 4 * quota AND t.admitted < 2000 AS has_denied, t.too_many, t.too_few = 0 AS is_exact
	FROM unnest('{1,5,64,100}'::int[]) AS quota, pg_temp.compare('c' || quota, quota, 3, 2000) AS t
	ORDER BY quota;

TRUNCATE idemstore.rate_limits, idemstore.rate_limit_state;
