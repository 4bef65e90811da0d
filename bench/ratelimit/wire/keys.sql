\set k random(0, 999)
SELECT idemstore.acquire('keys-' || :k);
