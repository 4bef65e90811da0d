-- One entry of the cache: its value, its ttl, and when it is there
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';

-- http-client-toolkit CacheStore, get(hash): the value, or nothing on a miss
SELECT idemstore.cache_get('c-1') IS NULL AS miss;
-- set(hash, value, ttlSeconds): above 0 expires, fractions count; 0 never; below 0 has expired already
SELECT idemstore.cache_set('c-1', '{"n": 1}', '1.5'), idemstore.cache_set('c-2', '"for ever"', '0'), idemstore.cache_set('c-3', '3', '-1');
SELECT idemstore.cache_get('c-1'), idemstore.cache_get('c-2'), idemstore.cache_get('c-3') IS NULL AS c_3_is_gone;
SELECT key, expires_at, written_at FROM idemstore.cache_entries ORDER BY key;
-- expired is as good as absent, from that very instant on
SET idemstore.test_clock = '2030-01-01 00:00:01.499999+00';
SELECT idemstore.cache_get('c-1');
SET idemstore.test_clock = '2030-01-01 00:00:01.5+00';
SELECT idemstore.cache_get('c-1') IS NULL AS miss, idemstore.cache_get('c-2');
-- set overwrites value and ttl, and keeps a live entry's tags
SELECT idemstore.cache_set('c-4', '1', '10', '{red}'), idemstore.cache_set('c-4', '2', '20');
SELECT value, tags, expires_at FROM idemstore.cache_entries WHERE key = 'c-4';
SELECT idemstore.cache_set('c-2', '"not for ever"', '1 h'), idemstore.cache_set('c-4', '3');
SELECT key, expires_at FROM idemstore.cache_entries WHERE key IN ('c-2', 'c-4') ORDER BY key;
SELECT idemstore.cache_set('c-4', '4', '-0.000001'), idemstore.cache_get('c-4');
SELECT idemstore.cache_get('c-4') IS NULL AS gone;
-- delete(hash): what is missing, or expired, is no error
SELECT idemstore.cache_delete('c-2') AS live, idemstore.cache_delete('c-2') AS deleted, idemstore.cache_delete('c-1') AS expired, idemstore.cache_delete('c-9') AS absent;
SELECT count(*) FROM idemstore.cache_entries;
-- maxEntrySizeBytes: an error, and the old entry stays with its tags
SET idemstore.cache_max_entry_size = '1kB';
SELECT idemstore.cache_set('c-5', to_json(repeat('x', 1022)), '1 h', '{red}') AS exactly_1_kb;
SELECT idemstore.cache_set('c-5', to_json(repeat('y', 1023)), '2 h', '{blue}');
SELECT idemstore.cache_set_bytes('c-5', repeat('y', 1025), '2 h', '{blue}');
SELECT idemstore.cache_set('absent', to_json(repeat('y', 1023)));
SELECT key, octet_length(value), tags, expires_at FROM idemstore.cache_entries;
SET idemstore.cache_max_entry_size = '200kB';
-- any JSON value, exactly as it was given; null is not a miss
SELECT count(*) FROM (VALUES ('v 1', 'null'::json), ('v 2', ' {"b" : 1,  "a":2, "b":3} '), ('v 3', '"\u0000"'), ('v 4', '"\ud800 and \udc00"'),
	('v 5', '1.10e+2'), ('v 6', '[]'), ('v 7', '""'), ('v 8', 'false'), ('v 9', '"\u00e9é\/"')) AS v(k, j), idemstore.cache_set(k, j);
SELECT key, '>' || idemstore.cache_get(key)::text || '<' AS value FROM idemstore.cache_entries WHERE key LIKE 'v%' ORDER BY key;
SELECT idemstore.cache_get('v 1') IS NULL AS null_is_a_miss, idemstore.cache_get('v 0') IS NULL AS miss_is_a_miss;
-- one too large for the page, and one that does not compress
SELECT idemstore.cache_set('large', to_json(repeat('long ', 30000))), idemstore.cache_set('random', to_json((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3000) AS i)));
SELECT idemstore.cache_touch('large', '1 h'), idemstore.cache_touch('random', '1 h');
SELECT idemstore.cache_get('large')::text = '"' || repeat('long ', 30000) || '"' AS large,
	idemstore.cache_get('random')::text = '"' || (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 3000) AS i) || '"' AS random;

-- bytes: every one, and none; json is text, which is bytes, but not the other way
SELECT idemstore.cache_set_bytes('b 1', value => '\x00ff5c00'), idemstore.cache_set_bytes('b 2', ''), idemstore.cache_set_bytes('b 3', '31');
SELECT idemstore.cache_get_bytes('b 1'), idemstore.cache_get_bytes('b 2'), idemstore.cache_get_bytes('b 3'), idemstore.cache_get_bytes('b 4') IS NULL AS miss;
SELECT idemstore.cache_get('b 3');
SELECT idemstore.cache_get_bytes('v 2');
SELECT idemstore.cache_set('b 3', '31'), idemstore.cache_set_bytes('v 2', value => '\x00');
SELECT idemstore.cache_get('b 3'), idemstore.cache_get_bytes('v 2');
-- text is stored as it was sent, as UTF-8
SELECT idemstore.cache_set_bytes('b 4', '{"path": "C:\\dir\u00e9"}'), idemstore.cache_set_bytes('b 5', U&'\20ac');
SELECT convert_from(idemstore.cache_get_bytes('b 4'), 'UTF8') AS text, idemstore.cache_get_bytes('b 5') AS bytes;
SELECT idemstore.cache_set_bytes('b 4', 'a', value => 'b');
SELECT idemstore.cache_set_bytes('b 4');

-- ttl: by the calendar, up to ten years
SELECT count(*) FROM unnest('{1 us, 1 mon, 400 days, 10 years, 00:00:00.25}'::interval[]) AS t, idemstore.cache_set('t ' || t, '1', t);
SELECT key, expires_at, idemstore.cache_ttl(key) FROM idemstore.cache_entries WHERE key LIKE 't %' ORDER BY expires_at;
SELECT idemstore.cache_set('t', '1', '11 years');
SELECT idemstore.cache_ttl('c-5'), idemstore.cache_ttl('v 1') AS never, idemstore.cache_ttl('absent') IS NULL AS absent;
SET idemstore.test_clock = '2030-01-01 00:00:01.75+00';
SELECT idemstore.cache_ttl('c-5'), idemstore.cache_ttl('t 00:00:00.25') IS NULL AS expired;
-- touch: another ttl from now on, and nothing else
SELECT idemstore.cache_touch('c-5', '10 s') AS live, idemstore.cache_touch('t 00:00:00.25', '10 s') AS expired, idemstore.cache_touch('absent', '10 s') AS absent;
SELECT octet_length(idemstore.cache_get('c-5')::text), idemstore.cache_ttl('c-5'), tags FROM idemstore.cache_entries WHERE key = 'c-5';
SELECT idemstore.cache_touch('c-5', '0'), idemstore.cache_touch('v 1', '1 h'), idemstore.cache_touch('v 2', '-1');
SELECT idemstore.cache_ttl('c-5') AS never, idemstore.cache_ttl('v 1'), idemstore.cache_ttl('v 2') IS NULL AS gone;

-- increment: from 0; a live entry keeps its ttl and its tags
SELECT idemstore.cache_increment('i'), idemstore.cache_increment('i', 41), idemstore.cache_increment('i', -50), idemstore.cache_increment('i', 0);
SELECT idemstore.cache_get('i'), idemstore.cache_ttl('i') AS never;
SELECT idemstore.cache_set('i', '7', '10 s', '{red,blue}'), idemstore.cache_increment('i', 1, '1 h'), idemstore.cache_increment('i2', 5, '10 s');
SELECT key, convert_from(value, 'UTF8') AS value, is_json, tags, expires_at FROM idemstore.cache_entries WHERE key LIKE 'i%' ORDER BY key;
SET idemstore.test_clock = '2030-01-01 00:00:11.75+00';
SELECT idemstore.cache_increment('i', 3, '1 min'), idemstore.cache_increment('i3', 3, '-1 s');
SELECT key, convert_from(value, 'UTF8') AS value, tags, expires_at FROM idemstore.cache_entries WHERE key IN ('i', 'i3');
-- what is an integer to JSON is one here; anything else, and what does not fit, changes nothing
SELECT idemstore.cache_set('i', ' 41 '), idemstore.cache_increment('i');
SELECT idemstore.cache_set('i', '"41"'), idemstore.cache_increment('i');
SELECT idemstore.cache_set('i', '1.0'), idemstore.cache_increment('i');
SELECT idemstore.cache_set('i', 'null'), idemstore.cache_increment('i');
SELECT idemstore.cache_increment('b 1');
SELECT idemstore.cache_set('i', '9223372036854775806');
SELECT idemstore.cache_increment('i');
SELECT idemstore.cache_increment('i');
SELECT idemstore.cache_get('i');
SELECT idemstore.cache_set('i', '-9223372036854775807');
SELECT idemstore.cache_increment('i', -1);
SELECT idemstore.cache_increment('i', -1);
SELECT count(idemstore.cache_increment('many')) FROM generate_series(1, 1000);
SELECT idemstore.cache_get('many');

-- get sees what SELECT would see; a rollback leaves no trace
SELECT idemstore.cache_set('s', '1'), idemstore.cache_get('s') IS NULL AS not_yet;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
SELECT idemstore.cache_set('s', '1', '1 h', '{red}');
BEGIN;
SELECT idemstore.cache_set('s', '2'), idemstore.cache_set('new', '1'), idemstore.cache_touch('s', '2 h'), idemstore.cache_increment('s', 4), idemstore.cache_delete('absent');
SELECT idemstore.cache_get('s'), idemstore.cache_get('new');
SAVEPOINT p;
SELECT idemstore.cache_delete('s'), idemstore.cache_clear(), idemstore.invalidate_by_tag('red');
SELECT count(*) FROM idemstore.cache_entries;
ROLLBACK TO p;
SELECT idemstore.cache_get('s'), idemstore.cache_get('new');
ROLLBACK;
SELECT key, convert_from(value, 'UTF8') AS value, tags, idemstore.cache_ttl(key) FROM idemstore.cache_entries;
SELECT count(*) FROM idemstore.cache_invalidations;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
