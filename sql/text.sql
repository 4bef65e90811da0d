-- text at the position, bytes by name: neither is altered; and what headers may be
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';

-- a string arrives as it was sent
SELECT outcome FROM idemstore.start_processing('text');
SELECT idemstore.complete('text', 201, '{"a": "b"}', '{"path":"C:\\dir","nul":"\u0000"}');
SELECT convert_from(response_body, 'UTF8') AS text, response_body = convert_to('{"path":"C:\\dir","nul":"\u0000"}', 'UTF8') AS is_utf8
FROM idemstore.start_processing('text');
SELECT idemstore.complete('text', 201, '{"a": "b"}', response_body => convert_to('{"path":"C:\\dir","nul":"\u0000"}', 'UTF8')) AS again_as_bytes;
SELECT outcome FROM idemstore.start_processing('bytes');
SELECT idemstore.fail('bytes', '{"e": 1}', response_status => 502, response_body => '\x00ff5c5c');
SELECT response_body FROM idemstore.get('bytes');
SELECT outcome FROM idemstore.start_processing('none');
SELECT idemstore.complete('none', 204);
SELECT response_body IS NULL AS is_null FROM idemstore.get('none');
SELECT outcome FROM idemstore.start_processing('empty');
SELECT idemstore.complete('empty', 200, response_text => '');
SELECT response_body = '' AS is_empty FROM idemstore.get('empty');
-- success: the JSON text
SELECT idemstore.initiate('success');
SELECT idemstore.success('success', '"C:\\dir"'), idemstore.success('success', '"C:\\dir"') AS again;
SELECT idemstore.get_value_text('success');

-- values
SELECT idemstore.set_nx('v', 'C:\\dir'), idemstore.set_nx('v', 'other') AS again;
SELECT idemstore.get_value('v'), idemstore.get_value_text('v');
SELECT idemstore.set_value('v', value => '\x00ff') AS is_new, idemstore.set_value('w', U&'\20ac') AS is_new;
SELECT idemstore.get_value('v'), idemstore.get_value_text('w'), idemstore.get_value_text('x') IS NULL AS miss;
SET idemstore.test_clock = '2026-01-02 00:00:00+00';
SELECT idemstore.set_value('v', 'expired') AS is_new;
SET idemstore.test_clock = '2026-01-01 00:00:00+00';

-- both forms, or none where one is needed; bytes at the position
SELECT idemstore.complete('text', 201, NULL, 'a', response_body => 'b');
SELECT idemstore.fail('text', response_text => 'a', response_body => 'b');
SELECT idemstore.set_nx('v', 'a', value => 'b');
SELECT idemstore.set_value('v', 'a', value => 'b');
\set VERBOSITY sqlstate
SELECT idemstore.set_nx('v');
SELECT idemstore.set_value('v', NULL);
SELECT idemstore.set_value('v', 'bytes'::bytea);
SELECT idemstore.complete('text', 201, NULL, 'bytes'::bytea);
-- bytes that are no text
SELECT idemstore.set_value('v', value => '\xff') AS is_new, idemstore.set_value('w', value => '\x00') AS is_new;
SELECT idemstore.get_value_text('v');
SELECT idemstore.get_value_text('w');
\set VERBOSITY default

-- headers: an object, or pairs; verbatim
SELECT count(*) FROM unnest('{1,2,3,4,5,6,7}'::text[]) AS k, idemstore.start_processing('h' || k);
SELECT idemstore.complete('h1', 200, ' {"a": ["b", "c"]} '), idemstore.complete('h2', 200, '[]'),
	idemstore.complete('h3', 200, ' [ [ "set-cookie" , "a=[1,2]" ],["x\"]",  [1, {"y": "]"}, ",\\"]] ] '),
	idemstore.complete('h4', 200, '{}'), idemstore.complete('h5', 200, NULL);
SELECT key, response_headers::text FROM idemstore.idempotency_records WHERE key ~ '^h[1-5]$' ORDER BY key;
SELECT idemstore.complete('h6', 200, '"{\"content-type\": \"text/plain\"}"');
CREATE FUNCTION pg_temp.headers_of(headers json) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM idemstore.fail('h7', retryable => true, response_headers => headers);
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
SELECT h AS headers, pg_temp.headers_of(h::json)
FROM unnest('{NULL,"null","\"a\"","1","true","[1]","[\"a\", \"b\"]","[[]]","[[\"a\"]]","[[\"a\", \"b\", \"c\"]]","[[1, 2]]","[{\"a\": 1}]","[[\"a\", \"b\"], \"c\"]","[[\"a\", \"b\"], {}]","[[\"a\", [\"b\", 1]], [\"c\", null]]","[[\"a\\\\\", \"b\"]]"}'::text[]) WITH ORDINALITY AS t (h, n)
ORDER BY n;

-- the bound is for what is stored: what is there already may be repeated
SELECT outcome FROM idemstore.start_processing('large');
SELECT idemstore.complete('large', 200, json_build_object('x', repeat('h', 2000)), repeat('b', 2000));
SELECT outcome FROM idemstore.start_processing('failed');
SELECT idemstore.fail('failed', to_json(repeat('e', 2000)));
SET idemstore.max_body_size = '1kB';
SELECT idemstore.complete('large', 200, json_build_object('x', repeat('h', 2000)), repeat('b', 2000)) AS again;
SELECT idemstore.fail('failed', to_json(repeat('e', 2000))) AS again;
SELECT idemstore.complete('large', 200, response_text => repeat('c', 2000));
SELECT outcome FROM idemstore.start_processing('late');
SELECT idemstore.complete('late', 200, response_body => convert_to(repeat('b', 2000), 'UTF8'));

TRUNCATE idemstore.idempotency_records;
