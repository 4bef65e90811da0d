\set k random(0, 999)
SELECT 'keys-' || :k;
