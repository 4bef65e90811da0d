-- fingerprint: fixed vectors; what changes it, and what does not
CREATE FUNCTION pg_temp.of(canonical text) RETURNS text LANGUAGE sql AS
	$$SELECT encode(sha256(convert_to(canonical, 'UTF8')), 'hex')$$;

-- literal values: these must never change, on no version
SELECT idemstore.fingerprint('{}');
SELECT idemstore.fingerprint('{"amount": 100, "currency": "EUR", "to": {"iban": "DE00", "name": "Ada"}}');
SELECT idemstore.fingerprint('null'), idemstore.fingerprint('[]') = idemstore.fingerprint('{}') AS same;

-- the canonical text behind it
SELECT payload, idemstore.fingerprint(payload::jsonb) = pg_temp.of(canonical) AS canonical FROM (VALUES
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

-- top-level names that do not count
SELECT idemstore.fingerprint('{"a":1,"sent_at":"now","b":{"sent_at":2}}', '{sent_at}') = pg_temp.of('{"a":1,"b":{"sent_at":2}}') AS excluded;
SELECT idemstore.fingerprint('{"a":1,"b":2,"c":3}', '{a,c,zz}') = pg_temp.of('{"b":2}') AS several;
SELECT idemstore.fingerprint('{"a":1}', '{a}') = pg_temp.of('{}') AS all_of_it;
SELECT idemstore.fingerprint('["a"]', '{a}') = pg_temp.of('["a"]') AS not_an_object;

-- NULL of NULL; a NULL among the names is an error
SELECT idemstore.fingerprint(NULL) IS NULL AS payload, idemstore.fingerprint('{}', NULL) IS NULL AS names;
SELECT idemstore.fingerprint('{}', '{a,NULL}');
-- large, deep
SELECT idemstore.fingerprint((SELECT jsonb_object_agg(i::text, repeat('x', 100)) FROM generate_series(1, 10000) AS i)) IS NOT NULL AS large;
SELECT idemstore.fingerprint((repeat('[', 1000) || repeat(']', 1000))::jsonb) = pg_temp.of(repeat('[', 1000) || repeat(']', 1000)) AS deep;
-- it fits as a fingerprint
SELECT outcome FROM idemstore.start_processing('k', idemstore.fingerprint('{"amount": 1.0}'));
SELECT outcome FROM idemstore.start_processing('k', idemstore.fingerprint('{"amount": 1}'));
SELECT outcome FROM idemstore.start_processing('k', idemstore.fingerprint('{"amount": 2}'));
TRUNCATE idemstore.idempotency_records;
