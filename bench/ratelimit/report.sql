-- The results in markdown.
--
-- Variables: rounds, calls.

\echo
\echo '### Rate limits'
\echo
\echo One transaction a call, :rounds rounds of :calls calls: cost of acquire / cost of the rival, net of an empty loop (gross: with it)
\echo
\echo '| calls on | rival | net | quartiles | gross | quartiles | target, net | acquire, µs | rival, µs | of which loop, µs |'
\echo '|---|---|---|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s |', what, against, bench.shown(ratio, 3), bench.shown(gross_ratio, 3),
	target, bench.shown(our_gross_us, 2), bench.shown(their_gross_us, 2), bench.shown(nothing_us, 2))
FROM bench.server_ratios
JOIN (VALUES
	(1, 'own hot', 'one resource'),
	(2, 'own keys', '1000 resources'),
	(3, 'own denied', '99 % denied')
) AS lines (line, call, what) USING (call)
JOIN (VALUES
	(1, 'counter', 'upsert of a counter', 0.1),
	(2, 'looker', 'looks, then upserts', NULL),
	(3, 'exact_log', 'exact log', NULL)
) AS rivals (part, rival, against, target) USING (rival)
ORDER BY part, line;

\echo
\echo acquire / empty C function with the same arguments, both with the loop, :rounds rounds
\echo
\echo '| loop | calls on | gross | quartiles | target | acquire, µs | empty, µs | of which loop, µs |'
\echo '|---|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | 6 | %s | %s | %s |', loop, what, bench.shown(gross_ratio, 1),
	bench.shown(our_gross_us, 2), bench.shown(their_gross_us, 2), bench.shown(nothing_us, 2))
FROM bench.server_ratios
JOIN (VALUES
	(1, 'own hot', 'one transaction a call', 'one resource'),
	(2, 'own keys', 'one transaction a call', '1000 resources'),
	(3, 'own denied', 'one transaction a call', '99 % denied'),
	(4, 'rows hot', 'rows of one query', 'one resource'),
	(5, 'rows keys', 'rows of one query', '1000 resources'),
	(6, 'rows denied', 'rows of one query', 'all denied')
) AS lines (line, call, loop, what) USING (call)
WHERE rival = 'empty'
ORDER BY line;

\echo
\echo acquire_many of 100 names / 100 rows of acquire, a name, 1000 resources, :rounds rounds, net of the loop
\echo
\echo '| net | quartiles | target | acquire_many, µs a name | rows, µs a name |'
\echo '|---|---|---|---|---|'
SELECT format('| %s | 0.4 | %s | %s |', bench.shown(ratio), bench.shown(our_us, 2), bench.shown(their_us, 2))
FROM bench.server_ratios
WHERE call = 'many keys' AND rival = 'rows';
