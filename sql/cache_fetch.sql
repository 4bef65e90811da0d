-- The guard against stampedes: who computes, who is told what, and which values are refused
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
-- ahead of every clock, fences count by one
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null

-- a miss: the first caller computes, the others are told; only a live value is a hit
SELECT * FROM idemstore.cache_fetch('k');
SELECT * FROM idemstore.cache_fetch('k');
SELECT key, fence, lease_expires_at, expires_at, created_at FROM idemstore.cache_leases;
SELECT idemstore.cache_set('k', '{"n":  1}', '10 s', '{red}', 9000000000000001);
SELECT * FROM idemstore.cache_fetch('k');
SELECT count(*) AS leases FROM idemstore.cache_leases;
-- the fence is used up, and was nobody else's
SELECT idemstore.cache_set('k', '2', fence => 9000000000000001), idemstore.cache_set('other', '2', fence => 9000000000000001), idemstore.cache_get('k');
-- an entry that never expires, and a null, are hits
SELECT idemstore.cache_set('never', 'null');
SELECT outcome, value, value IS NULL AS is_null, expires_at FROM idemstore.cache_fetch('never');
-- a hit writes nothing
BEGIN;
SELECT outcome FROM idemstore.cache_fetch('never', wait => '10 s');
SELECT pg_current_xact_id_if_assigned() IS NULL AS no_transaction_id;
COMMIT;

-- expired: one computes, the others get the old value, for as long as they take it
SET idemstore.test_clock = '2030-01-01 00:00:10+00';
SELECT * FROM idemstore.cache_fetch('k', stale => '5 s');
SELECT * FROM idemstore.cache_fetch('k', stale => '1 us');
SELECT * FROM idemstore.cache_fetch('k', stale => '5 s', wait => '10 s');
SELECT outcome, value FROM idemstore.cache_fetch('k');
SET idemstore.test_clock = '2030-01-01 00:00:14.999999+00';
SELECT outcome, value FROM idemstore.cache_fetch('k', stale => '5 s');
SET idemstore.test_clock = '2030-01-01 00:00:15+00';
SELECT outcome, value FROM idemstore.cache_fetch('k', stale => '5 s');
-- what was invalidated is not served as stale
SELECT idemstore.cache_set('i', '1', '1 s', '{red}'), idemstore.cache_set('i 2', '1', '1 s');
SET idemstore.test_clock = '2030-01-01 00:00:16+00';
SELECT (idemstore.cache_fetch('i')).outcome, (idemstore.cache_fetch('i 2')).outcome;
SELECT idemstore.invalidate_by_tag('red'), idemstore.cache_delete('i 2');
SELECT (idemstore.cache_fetch('i', stale => '1 h')).outcome, (idemstore.cache_fetch('i 2', stale => '1 h')).outcome;
TRUNCATE idemstore.cache_leases;
SELECT outcome FROM idemstore.cache_fetch('k', '4 s');
SELECT fence AS former FROM idemstore.cache_leases WHERE key = 'k' \gset
-- the lease is over: the next one computes, and the former's value is refused
SET idemstore.test_clock = '2030-01-01 00:00:19.999999+00';
SELECT outcome FROM idemstore.cache_fetch('k');
SET idemstore.test_clock = '2030-01-01 00:00:20+00';
SELECT outcome, fence FROM idemstore.cache_fetch('k', '1 min') \gset
SELECT :'outcome' AS outcome, :fence > :former AS is_greater, idemstore.cache_set('k', '"late"', fence => :former), idemstore.cache_set('k', '"new"', '1 s', fence => :fence);
SELECT outcome, value FROM idemstore.cache_fetch('k');
-- over, but nobody else computes: taken, up to twice the lease
SELECT fence FROM idemstore.cache_fetch('slow', '1 s') \gset slow_
SELECT fence FROM idemstore.cache_fetch('slower', '1 s') \gset slower_
SET idemstore.test_clock = '2030-01-01 00:00:21.999999+00';
SELECT idemstore.cache_set('slow', '1', fence => :slow_fence);
SET idemstore.test_clock = '2030-01-01 00:00:22+00';
SELECT idemstore.cache_set('slower', '1', fence => :slower_fence), idemstore.cache_get('slower') IS NULL AS nothing_stored;
-- leases: fractions of a second, up to an hour
SELECT outcome FROM idemstore.cache_fetch('l 1', '1 us') UNION ALL SELECT outcome FROM idemstore.cache_fetch('l 2', '1 h') UNION ALL SELECT outcome FROM idemstore.cache_fetch('l 3', '0.25');
SELECT key, lease_expires_at, expires_at FROM idemstore.cache_leases ORDER BY key;
SELECT idemstore.cache_fetch('l', '01:00:00.000001');
SELECT idemstore.cache_fetch('l', '1 day');
SELECT idemstore.cache_fetch('l', '0');
SELECT idemstore.cache_fetch('l', '-1 s');
SELECT idemstore.cache_fetch('l', '1 mon');

-- refused, since the value could be older: the key was deleted, though it was not there;
SET idemstore.test_clock = '2030-01-01 01:00:00+00';
SELECT fence FROM idemstore.cache_fetch('r') \gset
SELECT idemstore.cache_delete('r'), idemstore.cache_set('r', '1', fence => :fence), idemstore.cache_get('r') IS NULL AS nothing_stored;
-- the lease is given back with it, and the next value is taken;
SELECT fence FROM idemstore.cache_fetch('r') \gset
SELECT idemstore.cache_set('r', '1', '1 s', '{red}', :fence);
SET idemstore.test_clock = '2030-01-01 01:00:01+00';
-- a tag was invalidated that nothing has, or one of several, or one that an entry of the key had
SELECT fence FROM idemstore.cache_fetch('r') \gset
SELECT idemstore.invalidate_by_tag('unseen'), idemstore.cache_set('r', '2', '1 s', '{unseen}', :fence);
SELECT fence FROM idemstore.cache_fetch('r') \gset
SELECT idemstore.invalidate_by_tags('{blue,green}'), idemstore.cache_set('r', '3', '1 s', '{cyan,blue}', :fence);
SELECT fence FROM idemstore.cache_fetch('r') \gset
SELECT idemstore.invalidate_by_tags('{red,green}'), idemstore.cache_set('r', '4', '1 h', '{blue,"green ",gree}', :fence);
-- not so a tag of others, or that it once had
SELECT fence FROM idemstore.cache_fetch('r') \gset
SELECT idemstore.invalidate_by_tags('{red,green}'), idemstore.cache_set('r', '4', '1 h', '{blue,"green ",gree}', :fence);
SELECT idemstore.cache_get('r');
-- what begins so was cleared, or everything; not so another prefix, however much they have in common
SELECT count(fence) FROM unnest('{cc,ccc,cccc,c,cd,cc%}'::text[]) AS key, LATERAL (SELECT fence, set_config('test.x' || md5(key), fence::text, false) FROM idemstore.cache_fetch(key)) AS f;
SELECT idemstore.cache_clear('ccc'), idemstore.cache_clear('cc%%'), idemstore.cache_clear('cce'), idemstore.cache_clear('ca');
SELECT key, idemstore.cache_set(key, '1', fence => current_setting('test.x' || md5(key))::bigint) AS stored FROM unnest('{cc,ccc,cccc,c,cd,cc%}'::text[]) AS key;
SELECT fence FROM idemstore.cache_fetch('d') \gset
SELECT idemstore.cache_clear() > 0 AS cleared, idemstore.cache_set('d', '1', fence => :fence);
-- somebody has set the key without a fence, even if that has expired again, or was removed at once
SELECT fence FROM idemstore.cache_fetch('w') \gset
SELECT idemstore.cache_set('w', '"without"'), idemstore.cache_set('w', '"with"', fence => :fence), idemstore.cache_increment('w 2');
SELECT idemstore.cache_get('w');
SELECT fence FROM idemstore.cache_fetch('w 3') \gset
SELECT idemstore.cache_set('w 3', '"brief"', '1 s');
SET idemstore.test_clock = '2030-01-01 01:00:02+00';
SELECT idemstore.cache_set('w 3', '"with"', fence => :fence), idemstore.cache_get('w 3') IS NULL AS nothing_stored;
SELECT fence FROM idemstore.cache_fetch('w 4') \gset
SELECT idemstore.cache_set('w 4', '0', '-1'), idemstore.cache_set('w 4', '"with"', fence => :fence), idemstore.cache_get('w 4') IS NULL AS nothing_stored;
-- a clock that is set back makes an entry live again: its tags are kept
SELECT idemstore.cache_set('back', '1', '1 s', '{red,blue}');
SET idemstore.test_clock = '2030-01-01 01:00:03+00';
SELECT fence FROM idemstore.cache_fetch('back', '1 h') \gset
SET idemstore.test_clock = '2030-01-01 01:00:02+00';
SELECT idemstore.cache_set('back', '2', '1 s', fence => :fence);
SELECT value, tags FROM idemstore.cache_entries WHERE key = 'back';

-- inside one transaction: nobody waits for himself
BEGIN;
SELECT outcome, fence FROM idemstore.cache_fetch('t') \gset
SELECT :'outcome' AS outcome, (idemstore.cache_fetch('t', wait => '10 min')).outcome AS again;
SAVEPOINT p;
SELECT idemstore.cache_set('t', '1', fence => :fence);
ROLLBACK TO p;
SELECT idemstore.cache_set('t', '2', '1 h', '{red}', :fence);
SELECT outcome, value FROM idemstore.cache_fetch('t');
COMMIT;
-- its own invalidation counts, before the fetch and after it
BEGIN;
SELECT idemstore.invalidate_by_tag('red'), fence FROM idemstore.cache_fetch('t 2') \gset
SELECT idemstore.cache_set('t 2', '1', '1 h', '{red}', :fence), idemstore.cache_get('t 2') IS NULL AS nothing_stored;
SELECT fence FROM idemstore.cache_fetch('t 2') \gset
SELECT idemstore.cache_delete('t 2'), idemstore.cache_set('t 2', '2', fence => :fence);
SELECT fence FROM idemstore.cache_fetch('t 3') \gset
SAVEPOINT p;
SELECT idemstore.cache_delete('t 3');
ROLLBACK TO p;
SELECT idemstore.cache_set('t 3', '3', fence => :fence);
COMMIT;
-- a rollback gives back what a fetch or a set took
BEGIN;
SELECT outcome FROM idemstore.cache_fetch('t 4');
ROLLBACK;
SELECT outcome, fence FROM idemstore.cache_fetch('t 4') \gset
BEGIN;
SELECT :'outcome' AS outcome, idemstore.cache_set('t 4', '1', fence => :fence), (idemstore.cache_fetch('t 4')).outcome AS hit;
ROLLBACK;
SELECT (idemstore.cache_fetch('t 4')).outcome, idemstore.cache_set('t 4', '1', fence => :fence);

-- bytes: set with a fence, and fetched as such, also when they are stale
SELECT fence FROM idemstore.cache_fetch('b') \gset
SELECT idemstore.cache_set_bytes('b', value => '\x00', fence => :fence);
SELECT outcome, value, value_bytes FROM idemstore.cache_fetch('b');
SELECT idemstore.cache_set_bytes('b', 'C:\\dir', '-1 s') AS is_gone, idemstore.cache_set_bytes('b 2', 'C:\\dir', '1 s');
SET idemstore.test_clock = '2030-01-01 01:00:03+00';
SELECT outcome FROM idemstore.cache_fetch('b 2');
SELECT outcome, value, convert_from(value_bytes, 'UTF8') FROM idemstore.cache_fetch('b 2', stale => '1 min');
-- all in one statement
SELECT idemstore.cache_set('one', '1', fence => fence) FROM idemstore.cache_fetch('one');
SELECT outcome, value FROM idemstore.cache_fetch('one');
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
