\set k random(0, :entries - 1)
SELECT idemstore.cache_get('json-' || :k);
