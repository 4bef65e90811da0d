-- shard: fixed vectors, which every client has as well; its errors
-- literal values: these must never change, on no version
SELECT key, idemstore.shard(key, 1) AS "1", idemstore.shard(key, 2) AS "2", idemstore.shard(key, 4) AS "4",
	idemstore.shard(key, 16) AS "16", idemstore.shard(key, 64) AS "64", idemstore.shard(key, 1000) AS "1000"
FROM (VALUES (''), ('a'), ('order-1'), ('ключ'), ('user/42')) AS v(key);

-- from one number of shards to the next, a key stays or moves to the new one
SELECT n, count(*) FILTER (WHERE after <> before) AS moved, count(*) FILTER (WHERE after NOT IN (before, n)) AS astray
FROM generate_series(1, 8) AS n,
	LATERAL (SELECT idemstore.shard(k::text, n) AS before, idemstore.shard(k::text, n + 1) AS after FROM generate_series(1, 1000) AS k) AS k
GROUP BY n ORDER BY n;

-- each of eight shards has its part
SELECT idemstore.shard('order-' || k, 8) AS shard, count(*) FROM generate_series(1, 8000) AS k GROUP BY 1 ORDER BY 1;

-- the most shards, the longest keys
SELECT idemstore.shard('a', 2147483647) BETWEEN 0 AND 2147483646 AS inside, idemstore.shard(repeat('long', 1000000), 64) AS of_long;

-- no number is better than one that is read as 0
SELECT idemstore.shard(NULL, 8);
SELECT idemstore.shard('a', NULL);
SELECT idemstore.shard('a', 0);
SELECT idemstore.shard('a', -1);
