-- The results in markdown.
--
-- Variables: rounds, calls.

\echo
\echo '### Cache'
\echo
\echo Cost of idemstore / cost of the rival (below 1: idemstore is cheaper). Values of 1 kB, net of an empty call, one transaction a call, :rounds rounds of :calls calls
\echo
\echo '| call | rival | ratio | quartiles | target | idemstore | rival |'
\echo '|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s µs | %s µs |', what, against, bench.shown(ratio), target,
	bench.shown(our_us), bench.shown(their_us))
FROM bench.server_ratios
JOIN (VALUES
	(1, 'json', 'cache_get', 'PL/pgSQL look-up', 0.65),
	(2, 'bytes', 'cache_get_bytes', 'PL/pgSQL look-up', 0.65),
	(3, 'set', 'cache_set of 1000 keys', 'upsert', 1.0),
	(4, 'same', 'cache_set with the 3 tags it had', 'PL/pgSQL, upsert and a join table', 0.5),
	(5, 'other', 'cache_set with 3 tags, 2 of them others', 'PL/pgSQL, upsert and a join table', 0.5)
) AS lines (line, call, what, against, target) USING (call)
ORDER BY line;
