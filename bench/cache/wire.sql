-- What the work through the wire needs: entries to be got, the same on all sides.

CREATE PROCEDURE bench.make_entries(first bigint, n integer, bytes integer)
LANGUAGE plpgsql
AS $$
DECLARE
	value json := to_json((SELECT substr(string_agg(md5(i::text), ''), 1, bytes - 2) FROM generate_series(0, bytes / 32) AS i));
BEGIN
	PERFORM count(idemstore.cache_set((first + i)::text, value, '1 day'))
	FROM generate_series(0, n - 1) AS i;
	TRUNCATE plain.json_entries, swept.json_entries;
	INSERT INTO plain.json_entries
	SELECT (first + i)::text, value, now() + '1 day' FROM generate_series(0, n - 1) AS i;
	INSERT INTO swept.json_entries TABLE plain.json_entries;
END
$$;

CREATE PROCEDURE bench.make_tagged(tag text, n integer)
LANGUAGE plpgsql
AS $$
DECLARE
	value json := to_json((SELECT substr(string_agg(md5(i::text), ''), 1, 998) FROM generate_series(0, 32) AS i));
BEGIN
	PERFORM count(idemstore.cache_set(tag || '-' || i, value, '1 day', ARRAY[tag, 'user-' || i % 1000, 'page-' || i * 7 % 1000]))
	FROM generate_series(1, n) AS i;
	INSERT INTO tagged.json_entries
	SELECT tag || '-' || i, value, now() + interval '1 day' FROM generate_series(1, n) AS i;
	INSERT INTO tagged.tags
	SELECT tag || '-' || i, t FROM generate_series(1, n) AS i, unnest(ARRAY[tag, 'user-' || i % 1000, 'page-' || i * 7 % 1000]) AS t;
END
$$;
