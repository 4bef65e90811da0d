-- Gets and sets inside the server: loops of calls, each call a transaction of its own, in
-- many short rounds; the loops of a round follow in random order.
--
-- Variables: rounds, calls (per loop and round), entries (in each table).

SET synchronous_commit = off;

CREATE TABLE bench.timings (
	round integer,
	form text,
	side text,
	us double precision	-- a call
);

-- The slowest tenth is left out: that is where the machine did something else.
CREATE FUNCTION bench.typical_us(took interval[])
RETURNS double precision
LANGUAGE sql
AS $$
	SELECT avg(us) FROM (
		SELECT extract(epoch FROM t) * 1000000 AS us
		FROM unnest(took) AS t
		ORDER BY us
		LIMIT cardinality(took) * 9 / 10
	) AS fastest
$$;

-- 1 kB, another one for every number
CREATE FUNCTION bench.bytes(number integer) RETURNS bytea
LANGUAGE sql
AS $$
	SELECT string_agg(sha256(format('%s %s', number, i)::bytea), '') FROM generate_series(1, 32) AS i
$$;
CREATE FUNCTION bench.json(number integer) RETURNS json
LANGUAGE sql
RETURN json_build_object('id', number, 'text', encode(substr(bench.bytes(number), 1, 498), 'hex'));

CREATE FUNCTION bench.get_source(side text, form text, get text)
RETURNS text
LANGUAGE sql
AS $$
	SELECT format($source$
		CREATE PROCEDURE bench.%2$s_%1$s(this_round integer, calls integer, entries integer)
		LANGUAGE plpgsql
		AS $body$
		DECLARE
			keys text[] := (SELECT array_agg(%2$L || '-' || floor(random() * entries)) FROM generate_series(1, calls));
			value %4$s;
			n_right integer := 0;
			began timestamptz;
			ended timestamptz;
			gets interval[] := '{}';
		BEGIN
			COMMIT;
			FOR i IN 1 .. calls LOOP
				began := clock_timestamp();
				value := %3$s(keys[i]);
				COMMIT;
				ended := clock_timestamp();
				gets[i] := ended - began;
				n_right := n_right + (octet_length(value::text) > 1000)::integer;
			END LOOP;
			IF n_right < calls AND %1$L <> 'nothing' THEN
				RAISE EXCEPTION '%% of %% gets are hits', n_right, calls;
			END IF;
			INSERT INTO bench.timings VALUES (this_round, %2$L, %1$L, bench.typical_us(gets));
		END
		$body$
	$source$, side, form, get, CASE WHEN side = 'nothing' THEN 'integer' WHEN form = 'json' THEN 'json' ELSE 'bytea' END)
$$;

-- "nothing" is the same loop around a built-in function, to be subtracted.
SELECT bench.get_source(side, form, get)
FROM (VALUES
		('nothing', 'json', 'octet_length'),
		('idemstore', 'json', 'idemstore.cache_get'),
		('plain', 'json', 'plain.cache_get'),
		('nothing', 'bytes', 'octet_length'),
		('idemstore', 'bytes', 'idemstore.cache_get_bytes'),
		('plain', 'bytes', 'plain.cache_get_bytes')) AS sides (side, form, get)
\gexec

-- Likewise for 1000 keys that are set again and again: without tags, under the
-- 3 tags they have (same), and with 2 of them changed (other).
CREATE FUNCTION bench.set_source(side text, form text, set text)
RETURNS text
LANGUAGE sql
AS $$
	SELECT format($source$
		CREATE PROCEDURE bench.%2$s_%1$s(this_round integer, calls integer, entries integer)
		LANGUAGE plpgsql
		AS $body$
		DECLARE
			value json := bench.json(0);
			k integer;
			t integer;
			tags text[];
			began timestamptz;
			ended timestamptz;
			sets interval[] := '{}';
		BEGIN
			COMMIT;
			FOR i IN 1 .. calls LOOP
				k := floor(random() * 1000);
				t := CASE %2$L WHEN 'other' THEN floor(random() * 1000000) ELSE k END;
				tags := ARRAY['tenant-' || k %% 100, 'user-' || t %% 1000, 'page-' || t];
				began := clock_timestamp();
				%3$s;
				COMMIT;
				ended := clock_timestamp();
				sets[i] := ended - began;
			END LOOP;
			INSERT INTO bench.timings VALUES (this_round, %2$L, %1$L, bench.typical_us(sets));
		END
		$body$
	$source$, side, form, set)
$$;

SELECT bench.set_source(side, form, set)
FROM (VALUES
		('nothing', 'set', $$PERFORM octet_length('set-' || k)$$),
		('idemstore', 'set', $$PERFORM idemstore.cache_set('set-' || k, value, '1 hour')$$),
		('plain', 'set', $$INSERT INTO plain.json_entries AS e VALUES ('set-' || k, value, now() + interval '1 hour')
			ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at$$),
		('nothing', 'same', $$PERFORM octet_length('same-' || k)$$),
		('idemstore', 'same', $$PERFORM idemstore.cache_set('same-' || k, value, '1 hour', tags)$$),
		('tagged', 'same', $$PERFORM tagged.cache_set('same-' || k, value, '1 hour', tags)$$),
		('nothing', 'other', $$PERFORM octet_length('other-' || k)$$),
		('idemstore', 'other', $$PERFORM idemstore.cache_set('other-' || k, value, '1 hour', tags)$$),
		('tagged', 'other', $$PERFORM tagged.cache_set('other-' || k, value, '1 hour', tags)$$)) AS sides (side, form, set)
\gexec

-- What is there before the first timing is the same everywhere, and analyzed:
-- the rivals' plans are those of a table in use.
SELECT count(idemstore.cache_set('json-' || i, bench.json(i), '1 hour')),
	count(idemstore.cache_set_bytes('bytes-' || i, bench.bytes(i), '1 hour'))
FROM generate_series(0, :entries - 1) AS i
\g /dev/null
INSERT INTO plain.json_entries
SELECT 'json-' || i, bench.json(i), now() + interval '1 hour' FROM generate_series(0, :entries - 1) AS i;
INSERT INTO plain.bytes_entries
SELECT 'bytes-' || i, bench.bytes(i), now() + interval '1 hour' FROM generate_series(0, :entries - 1) AS i;
INSERT INTO swept.json_entries TABLE plain.json_entries;
INSERT INTO tagged.json_entries TABLE plain.json_entries;
VACUUM ANALYZE idemstore.cache_entries;
VACUUM ANALYZE plain.json_entries;
VACUUM ANALYZE plain.bytes_entries;
VACUUM ANALYZE swept.json_entries;
VACUUM ANALYZE tagged.json_entries;
CHECKPOINT;

SELECT format('CALL bench.%I(%s, %s, %s)', proname, round, :calls, :entries)
FROM generate_series(0, :rounds) AS round, pg_proc
WHERE prokind = 'p' AND pronamespace = 'bench'::regnamespace
ORDER BY round, split_part(proname, '_', 1), random()
\gexec

-- Each round against itself, so that a busy moment weighs on both. Round 0
-- warmed up.
CREATE VIEW bench.server_ratios AS
SELECT form,
	percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY (ours.us - nothing.us) / (theirs.us - nothing.us)) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.us - nothing.us) AS our_us,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.us - nothing.us) AS their_us
FROM bench.timings AS ours
JOIN bench.timings AS theirs USING (round, form)
JOIN bench.timings AS nothing USING (round, form)
WHERE round > 0 AND ours.side = 'idemstore' AND theirs.side NOT IN ('idemstore', 'nothing') AND nothing.side = 'nothing'
GROUP BY form;
