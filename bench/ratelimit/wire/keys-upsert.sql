\set k random(0, 999)
SELECT counter.acquire('keys-' || :k, 1000000, '1 hour');
