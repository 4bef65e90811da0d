-- Gets and sets.
--
-- Variables: rounds, calls (per loop and round), entries (in each table).

-- 1 kB, another one for every number
CREATE FUNCTION bench.bytes(number integer) RETURNS bytea
LANGUAGE sql
AS $$
	SELECT string_agg(sha256(format('%s %s', number, i)::bytea), '') FROM generate_series(1, 32) AS i
$$;
CREATE FUNCTION bench.json(number integer) RETURNS json
LANGUAGE sql
RETURN json_build_object('id', number, 'text', encode(substr(bench.bytes(number), 1, 498), 'hex'));

INSERT INTO bench.loops
SELECT form, format($$
		keys text[] := (SELECT array_agg(%1$L || '-' || floor(random() * %3$s)) FROM generate_series(1, calls));
		value %2$s;
		length integer;
	$$, form, type, :entries)
FROM (VALUES ('json', 'json'), ('bytes', 'bytea')) AS forms (form, type);

-- Likewise for 1000 keys that are set again and again: without tags, under the
-- 3 tags they have (same), and with 2 of them changed (other).
INSERT INTO bench.loops
SELECT loop, $$
		value json := bench.json(0);
		k integer;
		t integer;
		tags text[];
	$$, format($$
			k := floor(random() * 1000);
			t := %s;
			tags := ARRAY['tenant-' || k %% 100, 'user-' || t %% 1000, 'page-' || t];
	$$, t)
FROM (VALUES ('set', 'k'), ('same', 'k'), ('other', 'floor(random() * 1000000)')) AS loops (loop, t);

-- "nothing" is the same loop around a built-in function, to be subtracted.
INSERT INTO bench.steps
SELECT loop, 1, loop, side, statement,
	CASE WHEN loop IN ('json', 'bytes') AND side <> 'nothing' THEN 'octet_length(value::text) > 1000' ELSE 'true' END
FROM (VALUES
		('json', 'nothing', 'length := octet_length(keys[i])'),
		('json', 'idemstore', 'value := idemstore.cache_get(keys[i])'),
		('json', 'plain', 'value := plain.cache_get(keys[i])'),
		('bytes', 'nothing', 'length := octet_length(keys[i])'),
		('bytes', 'idemstore', 'value := idemstore.cache_get_bytes(keys[i])'),
		('bytes', 'plain', 'value := plain.cache_get_bytes(keys[i])'),
		('set', 'nothing', $$PERFORM octet_length('set-' || k)$$),
		('set', 'idemstore', $$PERFORM idemstore.cache_set('set-' || k, value, '1 hour')$$),
		('set', 'plain', $$INSERT INTO plain.json_entries AS e VALUES ('set-' || k, value, now() + interval '1 hour')
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at$$),
		('same', 'nothing', $$PERFORM octet_length('same-' || k)$$),
		('same', 'idemstore', $$PERFORM idemstore.cache_set('same-' || k, value, '1 hour', tags)$$),
		('same', 'tagged', $$PERFORM tagged.cache_set('same-' || k, value, '1 hour', tags)$$),
		('other', 'nothing', $$PERFORM octet_length('other-' || k)$$),
		('other', 'idemstore', $$PERFORM idemstore.cache_set('other-' || k, value, '1 hour', tags)$$),
		('other', 'tagged', $$PERFORM tagged.cache_set('other-' || k, value, '1 hour', tags)$$)
	) AS steps (loop, side, statement);
TABLE bench.loop_sources
\gexec

-- What is there before the first timing is the same everywhere, and analyzed:
-- the rivals' plans are those of a table in use.
SELECT count(idemstore.cache_set('json-' || i, bench.json(i), '1 hour')),
	count(idemstore.cache_set_bytes('bytes-' || i, ttl => '1 hour', value => bench.bytes(i)))
FROM generate_series(0, :entries - 1) AS i
\g /dev/null
INSERT INTO plain.json_entries
SELECT 'json-' || i, bench.json(i), now() + interval '1 hour' FROM generate_series(0, :entries - 1) AS i;
INSERT INTO plain.bytes_entries
SELECT 'bytes-' || i, bench.bytes(i), now() + interval '1 hour' FROM generate_series(0, :entries - 1) AS i;
INSERT INTO tagged.json_entries TABLE plain.json_entries;
VACUUM ANALYZE idemstore.cache_entries;
VACUUM ANALYZE plain.json_entries;
VACUUM ANALYZE plain.bytes_entries;
VACUUM ANALYZE tagged.json_entries;
CHECKPOINT;

SELECT bench.schedule(:rounds, :calls)
\gexec
