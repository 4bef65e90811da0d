\set k random(0, :entries - 1)
\set h random(1, 48)
INSERT INTO plain.json_entries VALUES ('json-' || :k, :json, now() + :h * interval '1 hour')
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at;
