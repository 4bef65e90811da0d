-- bodies come back byte for byte, JSON as the text that went in
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
CREATE FUNCTION pg_temp.round_trip(body bytea, context json) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	headers json := '{"h":  ' || context || ' }';
	k text := gen_random_uuid();
	v idemstore.idempotency_verdict;
	r idemstore.idempotency_record;
BEGIN
	PERFORM idemstore.start_processing(k, context => context);
	PERFORM idemstore.complete(k, 200, headers, response_body => body);
	v := idemstore.start_processing(k);
	r := idemstore.get(k);
	RETURN format('%s: replay %s, get %s, headers %s, context %s', v.outcome,
		v.response_body IS NOT DISTINCT FROM body,
		r.response_body IS NOT DISTINCT FROM body,
		v.response_headers::text IS NOT DISTINCT FROM headers::text,
		r.context::text IS NOT DISTINCT FROM context::text);
END
$$;

SELECT pg_temp.round_trip('\x00', '{"z": 1,  "a":2, "z":3}');
SELECT pg_temp.round_trip('\x89504e470d0a1a0a', '"\u0000"');
SELECT pg_temp.round_trip('', 'null');
SELECT pg_temp.round_trip(NULL, NULL);
SELECT pg_temp.round_trip('\xff00fe', ' [1.0, 1e0, "\ud800"] ');
SELECT pg_temp.round_trip(convert_to(repeat('a', 1000), 'UTF8'), to_json(repeat('b', 1000)));
-- larger than a page, well and badly compressible
SELECT pg_temp.round_trip(convert_to(repeat('abc', 5000), 'UTF8'), to_json(repeat('d', 20000)));
SELECT pg_temp.round_trip(string_agg(sha256(i::text::bytea), '' ORDER BY i), json_agg(md5(i::text) ORDER BY i))
FROM generate_series(1, 3000) AS i;
-- 10 MB
SELECT pg_temp.round_trip(string_agg(sha256(i::text::bytea), '' ORDER BY i), NULL)
FROM generate_series(1, 327680) AS i;

-- NULL, empty and JSON null are three things
SELECT outcome FROM idemstore.start_processing('n');
SELECT idemstore.fail('n', 'null', response_text => '');
SELECT response_status IS NULL AS status, response_headers IS NULL AS headers,
	error::text, response_body IS NULL AS body, response_body = '' AS empty
FROM idemstore.start_processing('n');

-- the names at their longest, all in one row, each found again
SELECT repeat('k', 1024) AS key, repeat('s', 255) AS scope, repeat('f', 1024) AS fp, repeat('o', 255) AS owner \gset
SELECT outcome FROM idemstore.start_processing(:'key', :'fp', scope => :'scope', owner => :'owner',
	context => to_json(repeat('c', 100000)));
SELECT outcome FROM idemstore.start_processing(:'key', :'fp', scope => :'scope', owner => :'owner');
SELECT outcome FROM idemstore.start_processing(:'key', :'fp', scope => :'scope');
SELECT outcome FROM idemstore.start_processing(:'key', 'f', scope => :'scope');
SELECT matched, key = :'key' AS found FROM idemstore.lookup('x', :'fp', :'scope');
-- key and scope are two names, not one
SELECT outcome FROM idemstore.start_processing('ab', scope => 'c');
SELECT outcome FROM idemstore.start_processing('a', scope => 'bc');
-- bytes decide, no locale merges two keys
SELECT outcome FROM idemstore.start_processing(U&'e\0301');
SELECT outcome FROM idemstore.start_processing(U&'\00e9');
SELECT outcome FROM idemstore.start_processing('E');
SELECT outcome FROM idemstore.start_processing('e');
SELECT outcome FROM idemstore.start_processing('e ');

-- a value above the setting is refused, and nothing is half-written
SET idemstore.max_body_size = '1kB';
SELECT idemstore.start_processing('big', context => to_json(repeat('x', 1023)));
SELECT idemstore.get('big') IS NULL AS not_started;
SELECT outcome FROM idemstore.start_processing('big', context => to_json(repeat('x', 1022)));
SELECT idemstore.complete('big', 200, NULL, repeat('x', 1025));
SELECT idemstore.complete('big', 200, json_build_object('x', repeat('x', 1025)));
SELECT idemstore.fail('big', to_json(repeat('x', 1025)));
SELECT status FROM idemstore.get('big');
SELECT idemstore.complete('big', 200, NULL, repeat('x', 1024));

TRUNCATE idemstore.idempotency_records;
