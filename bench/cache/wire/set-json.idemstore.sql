\set k random(0, 999)
SELECT idemstore.cache_set('json-' || :k, :json, '1 hour');
