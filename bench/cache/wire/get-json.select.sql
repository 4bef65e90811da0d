\set k random(0, :entries - 1)
SELECT value FROM plain.json_entries WHERE key = 'json-' || :k AND (expires_at IS NULL OR expires_at > now());
