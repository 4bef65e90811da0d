-- A client that wants the front page: the cached one; or the new one, for which
-- he waits while somebody else computes it; or he is the one who computes it,
-- which takes a fifth of a second.
SELECT clock_timestamp() AS asked_at \gset
SELECT outcome = 'compute' AS must_compute, fence, expires_at
FROM idemstore.cache_fetch('page/front', wait => '10 s') \gset
\if :must_compute
INSERT INTO recomputes VALUES (clock_timestamp());
\sleep 200 ms
SELECT idemstore.cache_set('page/front', '{"html": "<h1>Hello</h1>"}', '500 ms', fence => :fence);
\else
INSERT INTO answers VALUES (:expires_at, :asked_at);
\endif
\set pause random(1, 20)
\sleep :pause ms
