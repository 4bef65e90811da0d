\set k random(0, 999)
\set t random(0, 1000000)
WITH entry AS (
	INSERT INTO tagged.json_entries VALUES ('tagged-' || :k, :json, now() + interval '1 hour')
	ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
), former AS (
	DELETE FROM tagged.tags
	WHERE key = 'tagged-' || :k AND tag <> ALL (ARRAY['tenant-' || :k % 100, 'user-' || :t % 1000, 'page-' || :t])
)
INSERT INTO tagged.tags
SELECT 'tagged-' || :k, tag FROM unnest(ARRAY['tenant-' || :k % 100, 'user-' || :t % 1000, 'page-' || :t]) AS tag
ON CONFLICT DO NOTHING;
