\set k random(0, 999)
\set t random(0, 1000000)
SELECT idemstore.cache_set('tagged-' || :k, :json, '1 hour',
	ARRAY['tenant-' || :k % 100, 'user-' || :t % 1000, 'page-' || :t]);
