-- The results in markdown.
--
-- Variables: rounds, calls.

\echo
\echo '### Idempotency'
\echo
\echo One transaction a call, net of an empty call, :rounds rounds of :calls calls: cost of idemstore / cost of the rival (below 1: idemstore is cheaper)
\echo
\echo '| call | rival | ratio | quartiles | target | idemstore, µs | rival, µs |'
\echo '|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s | %s |', what, CASE rival WHEN 'rival' THEN 'looks, then writes' ELSE 'writes, then looks' END,
	bench.shown(ratio), CASE rival WHEN 'rival' THEN target END, bench.shown(our_us), bench.shown(their_us))
FROM bench.server_ratios
JOIN (VALUES
	(1, 'claim', 'claim of a new key', 0.65),
	(2, 'replay', 'replay, 1 kB body', 0.65),
	(3, 'complete', 'complete, 1 kB body', 0.55)
) AS lines (line, call, what, target) USING (call)
ORDER BY rival, line;
