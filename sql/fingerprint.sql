-- fingerprint: fixed vectors; what changes it, and what does not
CREATE FUNCTION pg_temp.of(canonical text) RETURNS text LANGUAGE sql AS
	$$SELECT encode(sha256(convert_to(canonical, 'UTF8')), 'hex')$$;

-- literal values: these must never change, on no version
SELECT idemstore.fingerprint('{}');
SELECT idemstore.fingerprint('{"amount": 100, "currency": "EUR", "to": {"iban": "DE00", "name": "Ada"}}');
SELECT idemstore.fingerprint('null'), idemstore.fingerprint('[]') = idemstore.fingerprint('{}') AS same;

-- the canonical text behind it
SELECT payload, idemstore.fingerprint(payload::json) = pg_temp.of(canonical) AS canonical FROM (VALUES
	('{"b":1,"a":2}', '{"a":2,"b":1}'),
	('{"bb":1,"c":2,"a":3}', '{"a":3,"bb":1,"c":2}'),
	('{"a":1,"ab":1,"":1}', '{"":1,"a":1,"ab":1}'),
	('{"x":{"d":[1,{"z":null,"y":true}],"c":false}}', '{"x":{"c":false,"d":[1,{"y":true,"z":null}]}}'),
	('[3,2,[],{}]', '[3,2,[],{}]'),
	('{"a":1,"a":2}', '{"a":2}'),
	('1.0', '1'), ('1e0', '1'), ('1.50', '1.5'), ('100', '100'), ('1E2', '100'), ('-0', '0'), ('0.000', '0'),
	('1e-7', '0.0000001'), ('12345678901234567890.10', '12345678901234567890.1'),
	('"\u0041\u00e9\ud83d\ude00"', '"Aé😀"'),
	('"tab\t \"quoted\" \\ \/ \u001f"', '"tab\t \"quoted\" \\ / \u001f"'),
	('"é"', '"é"'), ('true', 'true'), ('"1"', '"1"')
) AS v(payload, canonical);

-- what jsonb refuses: NUL, halves of surrogate pairs
SELECT payload, idemstore.fingerprint(payload::json) = pg_temp.of(canonical) AS canonical FROM (VALUES
	('"a\u0000b"', '"a\u0000b"'), ('"\\u0000"', '"\\u0000"'), ('"\uD800"', '"\ud800"'),
	('"\uDFFF\uD800\uD83D\uDE00"', '"\udfff\ud800😀"'), ('"\ud800\ud800\udc00"', '"\ud800𐀀"'), ('"\ud800\n"', '"\ud800\n"'),
	('{"a\u0000":1,"a":2,"a\u0000b":3}', '{"a":2,"a\u0000":1,"a\u0000b":3}'),
	('{"\ue000":1,"\udfff":2,"\uD83D\uDE00":3,"\uDFFF":4}', E'{"\\udfff":4,"\uE000":1,"😀":3}')
) AS v(payload, canonical);
-- numbers: plain up to 1,000 digits, whatever they are written like
SELECT left(payload, 30) AS payload, idemstore.fingerprint(payload::json) = pg_temp.of(canonical) AS canonical FROM (VALUES
	('1e999', '1' || repeat('0', 999)), ('1e1000', '1e1000'), ('-12.50E+1000', '-1.25e1001'),
	('1e-999', '0.' || repeat('0', 998) || '1'), ('1e-1000', '1e-1000'), ('12e-1000', '1.2e-999'), ('12e-999', '0.' || repeat('0', 997) || '12'),
	(repeat('9', 1000), repeat('9', 1000)), (repeat('9', 1001), '9.' || repeat('9', 1000) || 'e1000'),
	('1' || repeat('0', 5000) || 'e-5000', '1'), ('0.' || repeat('0', 20000) || '1e20001', '1'), ('0.5' || repeat('0', 20000), '0.5'),
	(repeat('7', 500) || '.' || repeat('7', 500), repeat('7', 500) || '.' || repeat('7', 500)),
	(repeat('7', 500) || '.' || repeat('7', 501), '7.' || repeat('7', 1000) || 'e499'),
	('-0e99999999999999999999999', '0'), ('0e-20000', '0'), ('1e000000000000000000000000005', '100000'), ('1e131072', '1e131072'),
	('1.5e99999999999999999999', '1.5e99999999999999999999'), ('150e99999999999999999998', '1.5e100000000000000000000'),
	('0.001e100000000000000000001', '1e99999999999999999998'), ('100e-100000000000000000001', '1e-99999999999999999999'),
	('0.1e-99999999999999999999', '1e-100000000000000000000'), ('1e99999999999999999', '1e99999999999999999'), ('10e99999999999999999', '1e100000000000000000')
) AS v(payload, canonical);

-- top-level names that do not count
SELECT idemstore.fingerprint('{"a":1,"sent_at":"now","b":{"sent_at":2}}', '{sent_at}') = pg_temp.of('{"a":1,"b":{"sent_at":2}}') AS excluded;
SELECT idemstore.fingerprint('{"a":1,"b":2,"c":3}', '{a,c,zz}') = pg_temp.of('{"b":2}') AS several;
SELECT idemstore.fingerprint('{"a":1}', '{a}') = pg_temp.of('{}') AS all_of_it;
SELECT idemstore.fingerprint('["a"]', '{a}') = pg_temp.of('["a"]') AS not_an_object;
SELECT idemstore.fingerprint(' [{"a":1}]', '{a}') = pg_temp.of('[{"a":1}]') AS not_the_outermost;
SELECT idemstore.fingerprint('{"c":{"b":1},"\u0062":[{"a":1}],"a":{"a":{}},"d":0}', '{b,zz,a,"",b,é}') = pg_temp.of('{"c":{"b":1},"d":0}') AS whole_members;
SELECT idemstore.fingerprint((SELECT json_object_agg(i, i) FROM generate_series(1, 20000) AS i), array_agg(i::text)) = pg_temp.of('{"7":7}') AS many
FROM generate_series(1, 20000) AS i WHERE i <> 7;

-- NULL of NULL; a NULL among the names is an error
SELECT idemstore.fingerprint(NULL) IS NULL AS payload, idemstore.fingerprint('{}', NULL) IS NULL AS names;
SELECT idemstore.fingerprint('{}', '{a,NULL}');
-- jsonb needs a cast
SELECT idemstore.fingerprint('{"b":1,"a":2}'::jsonb::json) = idemstore.fingerprint('{"b":1,"a":2}') AS same;
-- large, deep
SELECT idemstore.fingerprint((SELECT json_object_agg(i::text, repeat('x', 100)) FROM generate_series(1, 10000) AS i)) IS NOT NULL AS large;
SELECT idemstore.fingerprint((repeat('[', 1000) || repeat(']', 1000))::json) = pg_temp.of(repeat('[', 1000) || repeat(']', 1000)) AS deep;
-- it fits as a fingerprint
SELECT outcome FROM idemstore.start_processing('k', idemstore.fingerprint('{"amount": 1.0}'));
SELECT outcome FROM idemstore.start_processing('k', idemstore.fingerprint('{"amount": 1}'));
SELECT outcome FROM idemstore.start_processing('k', idemstore.fingerprint('{"amount": 2}'));
TRUNCATE idemstore.idempotency_records;
