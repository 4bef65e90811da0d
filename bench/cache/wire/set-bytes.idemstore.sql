\set k random(0, 999)
SELECT idemstore.cache_set_bytes('bytes-' || :k, :bytes, '1 hour');
