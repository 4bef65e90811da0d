-- What expire removes of the cache: entries, leases, marks of invalidations
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
CREATE FUNCTION pg_temp.expire(max_rows int DEFAULT 10000) RETURNS TABLE (entries bigint, leases bigint, marks bigint)
LANGUAGE sql AS $$
	SELECT sum(removed) FILTER (WHERE relation = 'cache_entries'), sum(removed) FILTER (WHERE relation = 'cache_leases'), sum(removed) FILTER (WHERE relation = 'cache_invalidations')
	FROM idemstore.expire(max_rows)
$$;

-- entries: exactly those that have expired, a while later, for cache_fetch to serve as stale
SELECT count(idemstore.cache_set('e ' || t, '1', t)) FROM unnest('{00:00:00.000001, 00:00:01, 00:04:59.999999, 00:05:00, 00:05:01, 01:00:00, 00:00:00}'::interval[]) AS t;
SELECT idemstore.cache_set('touched', '1', '1 s'), idemstore.cache_touch('touched', '1 h'), idemstore.cache_set('counted', '1', '1 s'), idemstore.cache_touch('counted', '0'), idemstore.cache_increment('counted');
SHOW idemstore.cache_keep_stale;
SET idemstore.test_clock = '2030-01-01 00:01:00+00';
SELECT * FROM pg_temp.expire();
SET idemstore.test_clock = '2030-01-01 00:01:00.000001+00';
SELECT * FROM pg_temp.expire();
SET idemstore.cache_keep_stale = 0;
SELECT * FROM pg_temp.expire();
SELECT (idemstore.cache_fetch('e 00:00:01', stale => '1 h')).outcome;
SET idemstore.test_clock = '2030-01-01 00:04:59.999998+00';
SELECT * FROM pg_temp.expire();
SET idemstore.test_clock = '2030-01-01 00:05:00+00';
SELECT * FROM pg_temp.expire();
SELECT key, expires_at FROM idemstore.cache_entries ORDER BY key;
SET idemstore.test_clock = '2040-01-01 00:00:00+00';
SELECT * FROM pg_temp.expire();
SELECT key, expires_at FROM idemstore.cache_entries ORDER BY key;
-- in batches; expire_all to the end
SELECT count(idemstore.cache_set('b ' || i, '1', '1 s')) FROM generate_series(1, 25) AS i;
SET idemstore.test_clock = '2040-01-01 00:00:01+00';
SELECT * FROM pg_temp.expire(10);
CALL idemstore.expire_all(10);
SELECT count(*) FROM idemstore.cache_entries WHERE key LIKE 'b%';
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;

-- while somebody computes, whose value might be older, a mark stays in its place, and says so
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT fence FROM idemstore.cache_fetch('leased', '10 min') \gset
SELECT fence AS fence_2 FROM idemstore.cache_fetch('trimmed', '10 min') \gset
SELECT count(idemstore.cache_set(key, to_json(key), '1 s')) FROM unnest('{leased,"not leased"}'::text[]) AS key;
SET idemstore.test_clock = '2030-01-01 00:10:00+00';
SELECT idemstore.cache_set('trimmed', '"without"');
SELECT * FROM pg_temp.expire();
SET idemstore.cache_max_size = '1kB';
SET idemstore.test_clock = '2030-01-01 00:10:01+00';
SELECT idemstore.cache_set_bytes('newer', value => (SELECT string_agg(sha256(i::text::bytea), '') FROM generate_series(1, 31) AS i));
SELECT * FROM pg_temp.expire();
SELECT key FROM idemstore.cache_entries ORDER BY key;
SELECT name FROM idemstore.cache_invalidations ORDER BY name;
SELECT idemstore.cache_set('leased', '"with"', fence => :fence), idemstore.cache_set('trimmed', '"with"', fence => :fence_2);
SELECT * FROM pg_temp.expire();
SELECT name FROM idemstore.cache_invalidations ORDER BY name;
-- when the last lease from before it is over, it goes
SET idemstore.test_clock = '2030-01-01 00:20:00+00';
SELECT * FROM pg_temp.expire();
SELECT name FROM idemstore.cache_invalidations ORDER BY name;
RESET idemstore.cache_max_size;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases;

-- also under a key that is so long that the row has it compressed
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT repeat('k', 1024) AS long \gset
SELECT fence FROM idemstore.cache_fetch(:'long', '10 min') \gset
SELECT idemstore.cache_set(:'long', (SELECT to_json(string_agg(sha256(i::text::bytea)::text, '')) FROM generate_series(1, 15) AS i), '1 s');
SELECT pg_column_size(key) < 1024 AS is_compressed FROM idemstore.cache_entries;
SET idemstore.test_clock = '2030-01-01 00:05:00+00';
SELECT entries FROM pg_temp.expire();
SELECT name = 'k' || :'long' AS is_marked FROM idemstore.cache_invalidations WHERE name ^@ 'k';
SELECT idemstore.cache_set(:'long', '"old"', fence => :fence);
TRUNCATE idemstore.cache_entries, idemstore.cache_leases;

-- leases: when they are over for good
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT (idemstore.cache_fetch('l 1', '1 s')).outcome, (idemstore.cache_fetch('l 2', '1 h')).outcome;
SET idemstore.test_clock = '2030-01-01 00:00:01.999999+00';
SELECT * FROM pg_temp.expire();
SET idemstore.test_clock = '2030-01-01 00:00:02+00';
SELECT * FROM pg_temp.expire();
SELECT key FROM idemstore.cache_leases;
TRUNCATE idemstore.cache_leases;

-- marks: at once, unless a lease is from before them
SELECT idemstore.invalidate_by_tag('red'), idemstore.cache_clear('red');
SELECT * FROM pg_temp.expire();
SET idemstore.test_clock = '2030-01-01 06:00:00+00';
SELECT idemstore.invalidate_by_tag('red');
SELECT fence FROM idemstore.cache_fetch('k', '1 h') \gset
SELECT idemstore.invalidate_by_tags('{blue,green}');
SELECT * FROM pg_temp.expire();
SELECT name FROM idemstore.cache_invalidations ORDER BY name;
SET idemstore.test_clock = '2030-01-01 07:59:59.999999+00';
SELECT * FROM pg_temp.expire();
SELECT idemstore.cache_set('k', '1', '1 h', '{blue}', :fence);
SELECT * FROM pg_temp.expire();
SELECT name FROM idemstore.cache_invalidations ORDER BY name;
-- one that stores nothing, since a query has outlived its snapshot, holds up none
DECLARE held CURSOR WITH HOLD FOR SELECT 1;
SELECT outcome, fence FROM idemstore.cache_fetch('l', '1 h') \gset
SELECT :'outcome' AS outcome, idemstore.invalidate_by_tag('red');
SELECT * FROM pg_temp.expire();
SELECT idemstore.cache_set('l', '1', fence => :fence);
CLOSE held;
TRUNCATE idemstore.cache_leases;
-- not while the transaction that left it is open: its own is not seen
BEGIN;
SELECT idemstore.invalidate_by_tag('own');
SELECT * FROM pg_temp.expire();
SELECT name FROM idemstore.cache_invalidations ORDER BY name;
COMMIT;
-- in batches; expire_all to the end
SELECT idemstore.invalidate_by_tags(array_agg('b' || i)) FROM generate_series(1, 25) AS i;
SELECT * FROM pg_temp.expire(10);
SELECT count(*) FROM idemstore.cache_invalidations;
CALL idemstore.expire_all(10);
SELECT name FROM idemstore.cache_invalidations;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases;

-- cache_max_size: the expired first, then the oldest written, however they are read
SET idemstore.cache_keep_stale = '1 h';
SELECT count(idemstore.cache_set_bytes('s ' || i, repeat(chr(64 + i), 950), CASE i WHEN 7 THEN '4 s' ELSE '1 h' END::interval, '{red}'))
FROM generate_series(1, 8) AS i, set_config('idemstore.test_clock', '2030-01-02 00:00:0' || i || '+00', false);
SELECT key, written_at, expires_at - written_at AS ttl FROM idemstore.cache_entries ORDER BY key;
SET idemstore.test_clock = '2030-01-02 00:00:20+00';
SELECT idemstore.cache_set('s 2', '2', '1 h'), idemstore.cache_get_bytes('s 1') IS NULL AS miss, (idemstore.cache_fetch('s 2')).outcome;
SELECT * FROM pg_temp.expire();
SET idemstore.cache_max_size = '8kB';
SELECT * FROM pg_temp.expire();
SET idemstore.cache_max_size = '6kB';
SELECT * FROM pg_temp.expire();
SELECT key FROM idemstore.cache_entries ORDER BY key;
SET idemstore.cache_max_size = '4kB';
SELECT * FROM pg_temp.expire(1);
SELECT key FROM idemstore.cache_entries ORDER BY key;
SELECT * FROM pg_temp.expire();
SELECT key FROM idemstore.cache_entries ORDER BY key;
-- another ttl is not another value
SET idemstore.test_clock = '2030-01-02 00:00:21+00';
SELECT idemstore.cache_touch('s 5', '2 h');
SET idemstore.cache_max_size = '3kB';
SELECT * FROM pg_temp.expire();
SELECT key FROM idemstore.cache_entries ORDER BY key;
-- one that is larger than the bound
SET idemstore.cache_max_size = '1kB';
SELECT idemstore.cache_set_bytes('large', value => (SELECT string_agg(sha256(i::text::bytea), '') FROM generate_series(1, 40) AS i));
SELECT * FROM pg_temp.expire();
SELECT key FROM idemstore.cache_entries ORDER BY key;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
