-- What a good engineer writes by hand: an unlogged table with room for HOT
-- updates, and for tags a second one to join with. Each key column has the same
-- collation as ours.
--
-- Schema plain has nothing but the primary key, so nothing finds what has
-- expired. Schema swept has an index on expires_at too. Schema tagged has tags.

CREATE SCHEMA plain;
CREATE SCHEMA swept;
CREATE SCHEMA tagged;

CREATE UNLOGGED TABLE plain.json_entries (
	key text COLLATE "C" PRIMARY KEY,
	value json NOT NULL,
	expires_at timestamptz
) WITH (fillfactor = 80);
CREATE UNLOGGED TABLE plain.bytes_entries (
	key text COLLATE "C" PRIMARY KEY,
	value bytea NOT NULL,
	expires_at timestamptz
) WITH (fillfactor = 80);
CREATE UNLOGGED TABLE swept.json_entries (LIKE plain.json_entries INCLUDING ALL) WITH (fillfactor = 80);
CREATE INDEX ON swept.json_entries (expires_at);

CREATE UNLOGGED TABLE tagged.json_entries (LIKE plain.json_entries INCLUDING ALL) WITH (fillfactor = 80);
CREATE UNLOGGED TABLE tagged.tags (
	key text COLLATE "C",
	tag text COLLATE "C",
	PRIMARY KEY (key, tag)
);
CREATE INDEX ON tagged.tags (tag, key);

CREATE FUNCTION plain.cache_get(p_key text) RETURNS json
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
	result json;
BEGIN
	SELECT value INTO result
	FROM plain.json_entries
	WHERE key = p_key AND (expires_at IS NULL OR expires_at > clock_timestamp());
	RETURN result;
END
$$;

CREATE FUNCTION plain.cache_get_bytes(p_key text) RETURNS bytea
LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$
DECLARE
	result bytea;
BEGIN
	SELECT value INTO result
	FROM plain.bytes_entries
	WHERE key = p_key AND (expires_at IS NULL OR expires_at > clock_timestamp());
	RETURN result;
END
$$;

SELECT replace(pg_get_functiondef('plain.cache_get'::regproc), 'plain.', 'tagged.')
\gexec

-- One statement, which leaves the tags alone that the entry has already.
CREATE FUNCTION tagged.cache_set(p_key text, p_value json, p_ttl interval, p_tags text[]) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
BEGIN
	WITH entry AS (
		INSERT INTO tagged.json_entries VALUES (p_key, p_value, clock_timestamp() + p_ttl)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
	), former AS (
		DELETE FROM tagged.tags WHERE key = p_key AND tag <> ALL (p_tags)
	)
	INSERT INTO tagged.tags SELECT p_key, tag FROM unnest(p_tags) AS tag
	ON CONFLICT DO NOTHING;
	RETURN true;
END
$$;

CREATE FUNCTION tagged.invalidate_by_tag(p_tag text) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	n_live bigint;
BEGIN
	WITH removed AS (
		DELETE FROM tagged.json_entries AS e USING tagged.tags AS t
		WHERE t.tag = p_tag AND e.key = t.key
		RETURNING e.key, e.expires_at
	), links AS (
		DELETE FROM tagged.tags AS t USING removed WHERE t.key = removed.key
	)
	SELECT count(*) FILTER (WHERE expires_at IS NULL OR expires_at > clock_timestamp()) INTO n_live
	FROM removed;
	RETURN n_live;
END
$$;
