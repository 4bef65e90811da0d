-- The results in markdown.
--
-- Variables: rounds, calls.

\echo
\echo '### Dedupe'
\echo
\echo One transaction a call, net of an empty call, :rounds rounds of :calls jobs: cost of idemstore / cost of the rival (below 1: idemstore is cheaper)
\echo
\echo '| call | rival | ratio | quartiles | idemstore, µs | rival, µs |'
\echo '|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s |', what, CASE rival WHEN 'rival' THEN 'looks, then upserts' ELSE 'upserts, then looks' END,
	bench.shown(ratio), bench.shown(our_us), bench.shown(their_us))
FROM bench.server_ratios
JOIN (VALUES
	(1, 'register', 'register a new job'),
	(2, 'complete', 'complete it, 1 kB'),
	(3, 'both', 'register + complete'),
	(4, 'join', 'join it')
) AS lines (line, call, what) USING (call)
ORDER BY rival, line;

\echo
\echo 'From the commit to the waiter''s answer, idemstore / polling every 100 ms; one ratio of medians a job'
\echo
\echo '| waiters | ratio | quartiles | idemstore, ms: median | 99 % | polling, ms: median | 99 % | answers each |'
\echo '|---|---|---|---|---|---|---|---|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', waiters, bench.shown(ratio, 3),
	bench.shown(ours.ms[1], 2), bench.shown(ours.ms[2], 2), bench.shown(theirs.ms[1]), bench.shown(theirs.ms[2]), ours.n)
FROM bench.wakeup_ratios
JOIN bench.wakeup_percentiles AS ours USING (waiters)
JOIN bench.wakeup_percentiles AS theirs USING (waiters)
WHERE ours.side = 'idemstore' AND theirs.side = 'rival' AND ours.is_right AND theirs.is_right AND ours.n = theirs.n
ORDER BY waiters;
