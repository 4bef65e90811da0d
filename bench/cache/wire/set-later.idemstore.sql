\set k random(0, :entries - 1)
\set h random(1, 48)
SELECT idemstore.cache_set('json-' || :k, :json, :h * interval '1 hour');
