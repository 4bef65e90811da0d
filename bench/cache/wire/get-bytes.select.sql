\set k random(0, :entries - 1)
SELECT value FROM idemstore.cache_entries WHERE key = 'bytes-' || :k AND (expires_at IS NULL OR expires_at > now());
