-- What entries depend on: tags, prefixes, and removing and counting by them
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
-- what was removed leaves an empty value
CREATE VIEW pg_temp.tags AS SELECT key, tags FROM idemstore.cache_entries WHERE value <> '' ORDER BY key;

-- http-client-toolkit CacheStore, setWithTags: an array replaces, [] clears, duplicates are one
SELECT idemstore.cache_set('a', '1', '1 h', '{red,blue,red,Red}');
TABLE pg_temp.tags;
SELECT idemstore.cache_set('a', '2', '1 h', '{green}');
TABLE pg_temp.tags;
-- NULL keeps those of a live entry, in every form
SELECT idemstore.cache_set('a', '3', '1 h', NULL), idemstore.cache_set_bytes('a', 'b'), idemstore.cache_set('a', '4', '1 h'), idemstore.cache_touch('a', '1 h');
TABLE pg_temp.tags;
SELECT idemstore.cache_set('a', '5', '1 h', '{}');
TABLE pg_temp.tags;
SELECT idemstore.invalidate_by_tag('green'), idemstore.cache_get('a');
-- 256 different ones are allowed, however often each; they find the entry
SELECT idemstore.cache_set('a', '6', '1 h', (SELECT array_agg(to_char(i, 'FM000')) FROM generate_series(1, 256) AS i)), idemstore.cache_set('b', '6', '1 h', (SELECT array_agg((i % 256)::text) FROM generate_series(1, 800) AS i));
SELECT key, cardinality(tags), tags[1], tags[256] FROM pg_temp.tags;
SELECT idemstore.cache_set('a', '7', '1 h', (SELECT array_agg(i::text) FROM generate_series(1, 257) AS i));
SELECT idemstore.cache_get('a'), idemstore.invalidate_by_tag('256'), idemstore.invalidate_by_tag('255');
SELECT idemstore.invalidate_by_tags((SELECT array_agg(i::text) FROM generate_series(1, 1000) AS i));

-- invalidateByTag(s): how many there were; unknown 0, none 0, each once over several tags
SELECT count(*) FROM (VALUES ('1', '{red}'::text[]), ('2', '{red,blue}'), ('3', '{blue,green}'), ('4', '{green}'), ('5', NULL), ('6', '{}')) AS v(k, t), idemstore.cache_set(k, k::json, '1 h', t);
SELECT idemstore.invalidate_by_tag('unknown'), idemstore.invalidate_by_tags('{}'), idemstore.invalidate_by_tags('{unknown,other}');
SELECT idemstore.invalidate_by_tags('{red,blue,red,unknown}') AS three, idemstore.invalidate_by_tags('{red,blue,green}') AS one_more, idemstore.invalidate_by_tag('green') AS none;
TABLE pg_temp.tags;
-- a tag is a name and nothing else: not a prefix, not a pattern, byte for byte
SELECT count(*) FROM unnest(ARRAY['a', 'ab', 'A', 'a%', 'a_', E'a\\', 'a,b', '{a}', '"a"', ' a', 'NULL', 'é', 'e', U&'e\0301', '%', '日本']) AS t, idemstore.cache_set('t ' || t, '1', '1 h', ARRAY[t]);
SELECT idemstore.invalidate_by_tag('a') AS a, idemstore.invalidate_by_tag('%') AS percent, idemstore.invalidate_by_tag('NULL') AS "null", idemstore.invalidate_by_tag('é') AS "é";
SELECT * FROM pg_temp.tags WHERE key LIKE 't %';
SELECT idemstore.invalidate_by_tags(ARRAY['ab', 'a_', E'a\\', '{a}', 'e', '日本', 'b']);
SELECT * FROM pg_temp.tags WHERE key LIKE 't %';
SELECT idemstore.cache_clear();

-- live ones only: what has expired is removed too, but not counted
SELECT idemstore.cache_set('live', '1', '1 h', '{red}'), idemstore.cache_set('brief', '1', '1 s', '{red}'), idemstore.cache_set('gone', '1', '-1', '{red}');
SET idemstore.test_clock = '2030-01-01 00:00:01+00';
SELECT idemstore.invalidate_by_tag('red');
SELECT count(*) FROM pg_temp.tags;
-- the tags of an expired entry never survive into the next one
SELECT idemstore.cache_set('k', '1', '1 s', '{red}'), idemstore.cache_set('l', '1', '1 s', '{red}'), idemstore.cache_set('m', '1', '1 s', '{red}');
SET idemstore.test_clock = '2030-01-01 00:00:02+00';
SELECT idemstore.cache_set('k', '2', '1 h'), idemstore.cache_increment('l'), idemstore.cache_set_many('{m}', '{2}');
TABLE pg_temp.tags;
SELECT idemstore.invalidate_by_tag('red'), idemstore.cache_get('k'), idemstore.cache_get('l'), idemstore.cache_get('m');
-- nor do tags that it was overwritten without, or deleted with
SELECT idemstore.cache_set('k', '1', '1 h', '{red,blue}'), idemstore.cache_set('l', '1', '1 h', '{red}'), idemstore.cache_set('m', '1', '1 h', '{red}');
SELECT idemstore.cache_set('k', '2', '1 h', '{blue}'), idemstore.cache_delete('l'), idemstore.cache_set('m', '0', '-1');
SELECT idemstore.cache_set('l', '2', '1 h'), idemstore.cache_set('m', '2', '1 h', '{blue}');
SELECT idemstore.invalidate_by_tag('red'), idemstore.invalidate_by_tags('{red,blue}');
TABLE pg_temp.tags;

-- clear(scope?): a prefix byte for byte, '' is everything; how many were live
SELECT idemstore.cache_clear(), idemstore.cache_clear('');
CREATE VIEW pg_temp.keys AS SELECT array_agg(key ORDER BY key) AS keys FROM idemstore.cache_entries WHERE value <> '';
SELECT count(idemstore.cache_set(k, '1', '1 h')) FROM unnest(ARRAY['user:1', 'user:10', 'user_1', 'userx1', 'USER:1', 'User:1', 'user', 'use', 'us%r', E'us\\r', E'us\\\\r', 'us"r', 'é1', 'è1', 'e1', '日本', '日', 'ß']) AS k;
SELECT idemstore.cache_clear('user_') AS one, idemstore.cache_clear('us%') AS one;
TABLE pg_temp.keys;
SELECT idemstore.cache_clear('%') + idemstore.cache_clear('_') + idemstore.cache_clear('userx11') + idemstore.cache_clear('*') AS none;
SELECT idemstore.cache_clear(E'us\\') AS two, idemstore.cache_clear(E'us\\\\') AS none;
SELECT idemstore.cache_clear('User') AS one, idemstore.cache_clear('é') AS one, idemstore.cache_clear('日') AS two;
SELECT idemstore.cache_clear('user:1') AS two;
TABLE pg_temp.keys;
SELECT idemstore.cache_set('used', '1', '1 s'), idemstore.cache_set('useful', '1');
SET idemstore.test_clock = '2030-01-01 00:00:03+00';
SELECT idemstore.cache_clear('use');
TABLE pg_temp.keys;
SELECT idemstore.cache_clear(prefix => ''), idemstore.cache_clear();

-- inside a transaction: its own entries count, and are set again
BEGIN;
SELECT idemstore.cache_set('k', '1', '1 h', '{red}'), idemstore.invalidate_by_tag('red'), idemstore.cache_set('k', '2', '1 h', '{red}'), idemstore.invalidate_by_tags('{blue,red}');
SELECT idemstore.cache_set('k', '3', '1 h', '{red}'), idemstore.cache_set('l', '3', '1 h', '{red}');
SAVEPOINT p;
SELECT idemstore.invalidate_by_tag('red');
ROLLBACK TO p;
SELECT idemstore.cache_get('k'), idemstore.cache_clear('k'), idemstore.invalidate_by_tag('red'), idemstore.cache_set('k', '4', '1 h', '{red}');
COMMIT;
TABLE pg_temp.tags;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT idemstore.invalidate_by_tag('red'), idemstore.cache_set('k', '5', '1 h', '{red}'), idemstore.cache_clear('k'), idemstore.cache_set('k', '6', '1 h', '{red}');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT idemstore.invalidate_by_tag('red'), idemstore.cache_set('k', '7', '1 h', '{red}'), idemstore.cache_clear('k'), idemstore.cache_set('k', '8', '1 h', '{red}');
COMMIT;
SELECT idemstore.cache_get('k'), idemstore.invalidate_by_tag('red');

-- more than are fetched at once, found by the index
SELECT count(idemstore.cache_set('n:' || i, '1', CASE WHEN i % 5 > 0 THEN '1 h' ELSE '1 s' END::interval, ARRAY['n', 'mod ' || i % 2])) FROM generate_series(1, 5000) AS i;
SET idemstore.test_clock = '2030-01-01 00:00:04+00';
SET enable_seqscan = off;
SELECT idemstore.invalidate_by_tag('mod 1');
SELECT idemstore.cache_clear('n:1');
SELECT idemstore.invalidate_by_tags('{n,mod 0}');
SELECT count(*) FROM pg_temp.tags;
-- a mark a name that was invalidated, whatever was found
TRUNCATE idemstore.cache_invalidations;
SELECT idemstore.cache_delete('k'), idemstore.invalidate_by_tags('{red,k,red}'), idemstore.cache_clear('x'), idemstore.cache_clear(), idemstore.cache_delete('k');
SELECT name FROM idemstore.cache_invalidations ORDER BY name;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
