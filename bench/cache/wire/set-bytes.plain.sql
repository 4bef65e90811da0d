\set k random(0, 999)
INSERT INTO plain.bytes_entries VALUES ('bytes-' || :k, :bytes, now() + interval '1 hour')
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at;
