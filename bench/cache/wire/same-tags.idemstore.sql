\set k random(0, 999)
SELECT idemstore.cache_set('tagged-' || :k, :json, '1 hour',
	ARRAY['tenant-' || :k % 100, 'user-' || :k % 1000, 'page-' || :k]);
