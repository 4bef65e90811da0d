-- cache_add and cache_compare_and_set: a value stored on a condition
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';

-- added once
SELECT idemstore.cache_add('a', '{"n":  1}', '10 s', '{red,blue,red}'), idemstore.cache_add('a', '2') AS again;
SELECT value, value_bytes, expires_at FROM idemstore.cache_fetch('a');
SELECT tags FROM idemstore.cache_list('a');
SELECT idemstore.cache_set_bytes('b', 'bytes'), idemstore.cache_set('n', 'null');
SELECT idemstore.cache_add('b', '1'), idemstore.cache_add('n', '1');
-- what has expired or was deleted is not there; nor are its tags
SET idemstore.test_clock = '2030-01-01 00:00:10+00';
SELECT idemstore.cache_add('a', '3');
SELECT key, expires_at, tags FROM idemstore.cache_list('a');
SELECT idemstore.cache_delete('a'), idemstore.cache_add('a', '4'), idemstore.cache_add('a', '5') AS again;
SELECT idemstore.cache_add('gone', '1', '-1 s') AS gone, idemstore.cache_add('gone', '2') AS there, idemstore.cache_add('gone', '3', '-1 s') AS stays;
SELECT key, value FROM idemstore.cache_get_many('{a,gone,b,n}');

-- compared as text
SELECT idemstore.cache_set('c', '{"a": 1}', '1 h', '{red}');
SELECT idemstore.cache_compare_and_set('c', '{"a":1}', '2') AS other_text, idemstore.cache_compare_and_set('c', '{"a": 1}', '2') AS same_text, idemstore.cache_compare_and_set('c', '{"a": 1}', '3') AS again;
SELECT key, expires_at, tags FROM idemstore.cache_list('c');
SELECT idemstore.cache_compare_and_set('c', '2', '3', '1 min', '{}');
SELECT key, expires_at, tags FROM idemstore.cache_list('c');
SELECT idemstore.cache_compare_and_set('c', '3', 'null', '0', '{blue}');
SELECT key, expires_at, tags FROM idemstore.cache_list('c');
SELECT idemstore.cache_compare_and_set('c', 'null', '5', '1 s');
SET idemstore.test_clock = '2030-01-01 00:00:11+00';
SELECT idemstore.cache_compare_and_set('c', '5', '6') AS expired, idemstore.cache_get('c') IS NULL AS miss;
SELECT idemstore.cache_compare_and_set('absent', '1', '2') AS absent, idemstore.cache_compare_and_set('b', '"bytes"', '2') AS bytes;
SELECT idemstore.cache_set('d', '1'), idemstore.cache_compare_and_set('d', '1', '2', '-1 s') AS is_gone, idemstore.cache_compare_and_set('d', '2', '3', '-1 s') AS no_more;
SELECT idemstore.cache_set('large', to_json(repeat('x', 100000))), idemstore.cache_compare_and_set('large', to_json(repeat('x', 100000)), to_json(repeat('y', 100000)));
SELECT left(idemstore.cache_get('large')::text, 3);
-- what is not stored takes no transaction id
BEGIN;
SELECT idemstore.cache_add('a', '6'), idemstore.cache_compare_and_set('a', '6', '7');
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
ROLLBACK;
-- and rolls back
BEGIN;
SELECT idemstore.cache_add('r', '1'), idemstore.cache_compare_and_set('r', '1', '2'), idemstore.cache_add('r', '3');
SELECT idemstore.cache_get('r');
ROLLBACK;
SELECT idemstore.cache_get('r') IS NULL AS miss;

\set VERBOSITY sqlstate
SELECT idemstore.cache_add(NULL, '1');
SELECT idemstore.cache_add('k', NULL);
SELECT idemstore.cache_add('k', '1', NULL);
SELECT idemstore.cache_add('k', '1', '11 years');
SELECT idemstore.cache_add('k', '1', tags => '{""}');
SELECT idemstore.cache_compare_and_set('k', NULL, '1');
SELECT idemstore.cache_compare_and_set('k', '1', NULL);
SELECT idemstore.cache_compare_and_set('k', '1', '1', '-11 years');
SELECT idemstore.cache_compare_and_set('', '1', '1');
SET idemstore.cache_max_entry_size = '1kB';
SELECT idemstore.cache_add('k', to_json(repeat('x', 1024)));
SELECT idemstore.cache_compare_and_set('k', '1', to_json(repeat('x', 1024)));
SET default_transaction_read_only = on;
SELECT idemstore.cache_add('k', '1');
SELECT idemstore.cache_compare_and_set('k', '1', '2');
RESET default_transaction_read_only;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases;
