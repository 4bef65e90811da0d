-- Many entries in one call: in the order of the input, all or nothing
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';

-- get: one row a key, in input order, duplicates too; NULL is a miss, null is not
SELECT idemstore.cache_set('a', '{"a":  1}'), idemstore.cache_set('b', 'null'), idemstore.cache_set('c', '3', '1 s'), idemstore.cache_set('A', '"upper"'), idemstore.cache_set('bytes', '"text"');
SELECT key, value, value IS NULL AS is_miss FROM idemstore.cache_get_many('{c,x,a,b,A,a,bytes,y,c}');
SET idemstore.test_clock = '2030-01-01 00:00:01+00';
SELECT * FROM idemstore.cache_get_many('{c,a}') WITH ORDINALITY;
SELECT * FROM idemstore.cache_get_many('{}');
SELECT (idemstore.cache_get_many('{b,a}')).value;
SELECT n, key, value FROM (VALUES (1, '{a,b}'::text[]), (2, '{b}'), (3, '{}')) AS v(n, keys), idemstore.cache_get_many(keys) ORDER BY n, key DESC;
SELECT * FROM idemstore.cache_get_many('[5:6]={a,b}');
SELECT idemstore.cache_set_bytes('bytes', 'b');
SELECT * FROM idemstore.cache_get_many('{a,bytes}');
-- 1000 of them, and a large one among many
SELECT idemstore.cache_set_many(array_agg('n:' || i), array_agg(to_json(i))) FROM generate_series(1, 1000) AS i;
SELECT count(*), count(value), bool_and(key = 'n:' || (1001 - n) AND (value IS NULL OR value::text::int = 1001 - n)) AS in_order
FROM idemstore.cache_get_many((SELECT array_agg('n:' || i ORDER BY i DESC) FROM generate_series(-9, 1000) AS i)) WITH ORDINALITY AS m(key, value, value_bytes, n);
SELECT idemstore.cache_set('n:500', to_json(repeat('0123456789', 10000)));
SELECT sum(octet_length(value::text)) FROM idemstore.cache_get_many((SELECT array_agg('n:500'::text) FROM generate_series(1, 50)));
SELECT idemstore.cache_clear('n:');

-- set: how many; of a key that comes twice the last item stays
SELECT idemstore.cache_set_many('{z,y,z,x,z}', ARRAY['1', '{"y": [ ]}', '2', 'null', '3']::json[]), idemstore.cache_set_many('{}', '{}');
SELECT * FROM idemstore.cache_get_many('{x,y,z}');
-- ttl and tags are those of all; tags NULL keeps each its own, an empty array clears them
SELECT idemstore.cache_set_many('{z,y}', '{4,5}', '1.5', '{red,blue,red}');
SELECT key, convert_from(value, 'UTF8') AS value, tags, expires_at FROM idemstore.cache_entries WHERE key IN ('x', 'y', 'z') ORDER BY key;
SELECT idemstore.cache_set('x', '6', '1 h', '{green}'), idemstore.cache_set_many('{x,y,w}', '{7,8,9}', '1 h');
SELECT key, convert_from(value, 'UTF8') AS value, tags, expires_at FROM idemstore.cache_entries WHERE key IN ('w', 'x', 'y', 'z') ORDER BY key;
SELECT idemstore.invalidate_by_tags('{red,green}'), idemstore.cache_set_many('{w,v}', '{1,2}', tags => '{}');
SELECT key, tags FROM idemstore.cache_entries WHERE key IN ('v', 'w', 'x', 'y', 'z') ORDER BY key;
SELECT idemstore.cache_set_many('{v,u}', '{1,2}', '-1'), idemstore.cache_get('u') IS NULL AS gone;
SELECT idemstore.cache_get('v') IS NULL AS gone;
-- all or nothing
SET idemstore.cache_max_entry_size = '1kB';
SELECT idemstore.cache_set_many('{w,a,t}', ARRAY['10', '11', to_json(repeat('x', 1023))]::json[]);
RESET idemstore.cache_max_entry_size;
SELECT idemstore.cache_set_many('{w,""}', '{12,13}');
SELECT idemstore.cache_set_many('{w,NULL}', '{12,13}');
SELECT idemstore.cache_set_many('{w,v}', '{12,NULL}');
SELECT idemstore.cache_set_many('{w,v}', '{12}');
SELECT idemstore.cache_set_many('{w,v}', '{12,13,14}');
SELECT idemstore.cache_set_many('{{w,v},{u,t}}', '{12,13,14,15}');
SELECT idemstore.cache_set_many('{w,v}', '{{12},{13}}');
SELECT idemstore.cache_set_many('{w}', '{"null"}'), idemstore.cache_set_many('{v}', '{14}', '0');
SELECT * FROM idemstore.cache_get_many('{v,w,t}');

-- delete: how many were live, each once
SELECT idemstore.cache_set('brief', '1', '1 s');
SET idemstore.test_clock = '2030-01-01 00:00:02+00';
SELECT idemstore.cache_delete_many('{w,absent,v,w,brief}'), idemstore.cache_delete_many('{w}') AS again, idemstore.cache_delete_many('{}') AS none;
SELECT key FROM idemstore.cache_entries WHERE value <> '' ORDER BY key;
SELECT idemstore.cache_delete_many('{a,NULL}');
SELECT idemstore.cache_delete_many('{a,""}');
SELECT idemstore.cache_delete_many('{{a},{b}}');
SELECT idemstore.cache_get_many('{a,NULL}');
SELECT idemstore.cache_get_many('{a,""}');
SELECT idemstore.cache_get_many('{{a},{b}}');
SELECT key, value FROM idemstore.cache_get_many('{a,b}');

-- what is being computed for any of the keys is refused, for others not
SELECT fence FROM idemstore.cache_fetch('f 1') \gset one_
SELECT fence FROM idemstore.cache_fetch('f 2') \gset two_
SELECT idemstore.cache_delete_many('{f 0,f 1}');
SELECT idemstore.cache_set('f 1', '1', fence => :one_fence) AS refused, idemstore.cache_set('f 2', '2', fence => :two_fence) AS stored;

-- more names than the lock table would hold
SELECT idemstore.cache_delete_many(array_agg('k ' || i)) FROM generate_series(1, 100000) AS i;
SELECT idemstore.invalidate_by_tags(array_agg('t ' || i)) FROM generate_series(1, 100000) AS i;
-- one by one in a transaction, however many: a lock for each way of working
CREATE FUNCTION pg_temp.locks() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'userlock' $$;
BEGIN;
SELECT count(idemstore.cache_delete('k ' || i)) FROM generate_series(1, 10) AS i;
SELECT pg_temp.locks();
SELECT count(idemstore.cache_delete('k ' || i)) FROM generate_series(1, 1000) AS i;
SELECT pg_temp.locks();
COMMIT;
BEGIN;
SELECT count(idemstore.cache_set('k ' || i, '1', '1 h', ARRAY['t ' || i])) FROM generate_series(1, 10) AS i;
SELECT pg_temp.locks();
SELECT count(idemstore.cache_set('k ' || i, '1', '1 h', ARRAY['t ' || i])) FROM generate_series(1, 1000) AS i;
SELECT pg_temp.locks();
ROLLBACK;
BEGIN;
SELECT idemstore.cache_set('f ' || i, '1', '1 h', ARRAY['t ' || i], fence) AS is_stored, count(*) FROM generate_series(1, 1000) AS i, LATERAL idemstore.cache_fetch('f ' || i) GROUP BY 1;
SELECT pg_temp.locks();
ROLLBACK;

-- in a transaction
BEGIN;
SELECT idemstore.cache_set_many('{a,m}', '{20,21}', '1 h', '{red}'), idemstore.cache_delete_many('{A,m}');
SELECT * FROM idemstore.cache_get_many('{a,m,A}');
ROLLBACK;
SELECT * FROM idemstore.cache_get_many('{a,m,A}');
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
