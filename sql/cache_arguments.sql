-- The cache: bad arguments, each its SQLSTATE and nothing written; the bounds; where nothing may be written
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
CREATE FUNCTION pg_temp.try(call text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT idemstore.' || call;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END
$$;

-- every function that takes a key checks it
SELECT call, pg_temp.try(format(call, 'NULL')) AS "null", pg_temp.try(format(call, '''''')) AS empty, pg_temp.try(format(call, 'repeat(''k'', 1025)')) AS long
FROM unnest('{cache_get(%s),cache_get_bytes(%s),"cache_set(%s, ''1'')","cache_set_bytes(%s, ''1'')",cache_delete(%s),"cache_touch(%s, ''1'')",cache_ttl(%s),cache_increment(%s),cache_fetch(%s)}'::text[]) AS call;
SELECT call, pg_temp.try(format(call, 'NULL')) AS "null", pg_temp.try(format(call, 'ARRAY[''k'', NULL]')) AS of_null, pg_temp.try(format(call, 'ARRAY[''k'', '''']')) AS of_empty,
	pg_temp.try(format(call, 'ARRAY[repeat(''k'', 1025)]')) AS of_long, pg_temp.try(format(call, '''{}''')) AS none
FROM unnest('{cache_get_many(%s),cache_delete_many(%s),"cache_set_many(%s, ''{}'')"}'::text[]) AS call;
-- values, items and prefixes
SELECT call, pg_temp.try(call) FROM unnest(ARRAY[
	'cache_set(''k'', NULL)', 'cache_set_bytes(''k'', NULL)', 'cache_set(''k'', ''{'')',
	'cache_set_many(''{k}'', NULL)', 'cache_set_many(''{k}'', ''{NULL}'')', 'cache_set_many(''{k}'', ''{}'')', 'cache_set_many(''{k,l}'', ''{{1,2}}'')',
	'cache_clear(NULL)', 'cache_clear(repeat(''k'', 1025))', 'cache_increment(''k'', NULL)']) AS call;
-- durations
SELECT call, pg_temp.try(format(call, 'NULL')) AS "null", pg_temp.try(format(call, '''11 years''')) AS long, pg_temp.try(format(call, '''-11 years''')) AS past
FROM unnest('{"cache_set(''k'', ''1'', %s)","cache_set_bytes(''k'', ''1'', %s)","cache_touch(''k'', %s)","cache_set_many(''{k}'', ''{1}'', %s)","cache_fetch(''k'', stale => %s)","cache_fetch(''k'', lease => %s)"}'::text[]) AS call;
SELECT call, pg_temp.try(call) FROM unnest(ARRAY[
	'cache_increment(''k'', 1, ''11 years'')', 'cache_fetch(''k'', wait => ''11 years'')',
	'cache_fetch(''k'', stale => ''-1 us'')', 'cache_fetch(''k'', wait => ''-1 us'')', 'cache_fetch(''k'', ''1 mon'')',
	'cache_set(''k'', ''1'', make_interval(secs => 9e12))', 'cache_set(''k'', ''1'', ''3000000 months -90000000 days'')']) AS call;
-- tags, of an entry and to invalidate
SELECT call, pg_temp.try(format(call, '''{red,NULL}''')) AS of_null, pg_temp.try(format(call, '''{red,""}''')) AS of_empty, pg_temp.try(format(call, 'ARRAY[''red'', repeat(''t'', 1025)]')) AS of_long,
	pg_temp.try(format(call, '''{{red},{blue}}''')) AS matrix
FROM unnest('{"cache_set(''k'', ''1'', tags => %s)","cache_set_bytes(''k'', ''1'', tags => %s)","cache_set_many(''{k}'', ''{1}'', tags => %s)",invalidate_by_tags(%s)}'::text[]) AS call;
SELECT call, pg_temp.try(call) FROM unnest(ARRAY['invalidate_by_tag(NULL)', 'invalidate_by_tag('''')', 'invalidate_by_tag(repeat(''t'', 1025))', 'invalidate_by_tags(NULL)',
	'cache_set(''k'', ''1'', ''0'', (SELECT array_agg(i::text) FROM generate_series(1, 257) AS i))', 'cache_set_many(''{k}'', ''{1}'', ''0'', (SELECT array_agg(i::text) FROM generate_series(1, 257) AS i))']) AS call;
SELECT (SELECT count(*) FROM idemstore.cache_entries) AS entries, (SELECT count(*) FROM idemstore.cache_leases) AS leases, (SELECT count(*) FROM idemstore.cache_invalidations) AS marks;

-- the greatest that pass
SELECT idemstore.cache_set(repeat('k', 1024), '1', '10 years', ARRAY[repeat('t', 1024)]), idemstore.cache_increment(repeat('k', 1024)), idemstore.cache_ttl(repeat('k', 1024));
SELECT key = repeat('k', 1024) AS key, value FROM idemstore.cache_get_many(ARRAY[repeat('k', 1024)]);
SELECT idemstore.cache_clear(repeat('k', 1024)), idemstore.cache_set('é', '1', '-10 years', '{}'), idemstore.invalidate_by_tag(repeat('t', 1024));
SELECT idemstore.cache_set('many', '1', '0', (SELECT array_agg(rpad(i::text, 1024, 'p')) FROM generate_series(1, 256) AS i)), idemstore.invalidate_by_tag(rpad('256', 1024, 'p'));
SELECT (idemstore.cache_fetch(repeat('f', 1024), '1 h', '10 years', '0')).outcome;
-- untyped parameters, as drivers send them
PREPARE set AS SELECT idemstore.cache_set($1, $2, $3, $4);
EXECUTE set('p', '{"a": 1}', '90', '{red}');
PREPARE get AS SELECT key, value FROM idemstore.cache_get_many($1);
EXECUTE get('{p,q}');

-- settings
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'idemstore.cache%' ORDER BY name;
CREATE FUNCTION pg_temp.try_set(name text, value text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('idemstore.' || name, value, true);
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate;
END
$$;
SELECT pg_temp.try_set('cache_max_entry_size', '0') AS none, pg_temp.try_set('cache_max_entry_size', '101MB') AS large, pg_temp.try_set('cache_max_size', '-1') AS negative, pg_temp.try_set('cache_keep_stale', '-1') AS negative;

-- in a read-only transaction: reading works, writing is refused, also where there is nothing to write
SELECT idemstore.cache_set('k', '{"a":  1}', '1 h', '{red}');
BEGIN READ ONLY;
SELECT idemstore.cache_get('k'), idemstore.cache_get_bytes('k'), idemstore.cache_ttl('k'), key, value FROM idemstore.cache_get_many('{k}');
SELECT call, pg_temp.try(call) FROM unnest(ARRAY['cache_set(''k'', ''1'')', 'cache_set_bytes(''k'', ''1'')', 'cache_delete(''absent'')', 'cache_clear()', 'invalidate_by_tag(''red'')', 'invalidate_by_tags(''{}'')',
	'cache_touch(''absent'', ''1'')', 'cache_increment(''k'')', 'cache_set_many(''{}'', ''{}'')', 'cache_delete_many(''{}'')', 'cache_fetch(''k'')']) AS call;
COMMIT;
SELECT idemstore.cache_get('k');

-- EXECUTE is the gate
CREATE ROLE regress_idem_cache;
SET ROLE regress_idem_cache;
SELECT idemstore.cache_get('k');
RESET ROLE;
SELECT idemstore.grant_usage('regress_idem_cache');
SET ROLE regress_idem_cache;
SELECT idemstore.cache_set('k', '2'), (idemstore.cache_fetch('l')).outcome, idemstore.invalidate_by_tag('red'), idemstore.cache_clear('absent'), idemstore.cache_increment('n'), idemstore.cache_delete_many('{k}');
SELECT key FROM idemstore.cache_entries;
SET idemstore.cache_max_entry_size = '1MB';
RESET ROLE;
-- their names mean ours, whatever comes first in the search_path
CREATE SCHEMA regress_hostile;
CREATE FUNCTION regress_hostile.starts_with(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE TABLE regress_hostile.cache_entries (key text);
SET search_path = regress_hostile, pg_catalog;
SELECT idemstore.cache_set('k', '1', '1 h', '{red}'), idemstore.cache_clear('l'), idemstore.invalidate_by_tag('red');
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA regress_hostile CASCADE;
DROP OWNED BY regress_idem_cache;
DROP ROLE regress_idem_cache;
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
