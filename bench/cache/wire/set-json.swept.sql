\set k random(0, 999)
INSERT INTO swept.json_entries VALUES ('json-' || :k, :json, now() + interval '1 hour')
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at;
