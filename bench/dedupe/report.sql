-- The results as tables in markdown.
--
-- Variables: rounds, calls, wire_rounds, way (to the server), cores.

CREATE FUNCTION bench.shown(ratio double precision[], digits integer)
RETURNS text
LANGUAGE sql
RETURN format('**%s** | %s to %s', round(ratio[2]::numeric, digits), round(ratio[1]::numeric, digits),
	round(ratio[3]::numeric, digits));

CREATE FUNCTION bench.shown(rival text)
RETURNS text
LANGUAGE sql
RETURN CASE rival WHEN 'rival' THEN 'looks, then upserts' ELSE 'upserts, then looks' END;

SELECT format(E'\nPostgreSQL %s, %s cores, shared_buffers %s, fsync %s, synchronous_commit %s, autovacuum %s\n',
	split_part(current_setting('server_version'), ' ', 1), :cores, current_setting('shared_buffers'),
	current_setting('fsync'), current_setting('synchronous_commit'), current_setting('autovacuum'));

SELECT format('In the server, one transaction a call, net of an empty call, %s rounds of %s jobs: cost of idemstore / cost of the rival (below 1: idemstore is cheaper)', :rounds, :calls);
SELECT E'\n| call | rival | ratio | quartiles | idemstore, µs | rival, µs |\n|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s |',
	CASE call
		WHEN 'register' THEN 'register a new job'
		WHEN 'join' THEN 'join it'
		WHEN 'complete' THEN 'complete it, 1 kB'
		ELSE 'register + complete' END,
	bench.shown(rival), bench.shown(ratio, 2), round(our_us::numeric, 1), round(their_us::numeric, 1))
FROM bench.server_ratios
ORDER BY rival, array_position('{register,complete,both,join}', call);

SELECT format(E'\nThrough %s, pgbench, prepared, register and complete as two transactions, %s rounds of a second: idemstore / rival, in jobs a second (above 1: idemstore is faster)', :'way', :wire_rounds);
SELECT E'\n| rival | clients | ratio | quartiles | idemstore | rival |\n|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s |', bench.shown(rival), clients, bench.shown(ratio, 2), round(our_tps), round(their_tps))
FROM bench.wire_ratios
ORDER BY rival, clients;

SELECT E'\nFrom the commit to the waiter''s answer, idemstore / polling every 100 ms; one ratio of medians a job';
SELECT E'\n| waiters | ratio | quartiles | idemstore, ms: median | 99 % | polling, ms: median | 99 % | answers each |\n|---|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', waiters, bench.shown(ratio, 3),
	round(ours.ms[1]::numeric, 2), round(ours.ms[2]::numeric, 2), round(theirs.ms[1]::numeric, 1), round(theirs.ms[2]::numeric, 1),
	ours.n)
FROM bench.wakeup_ratios
JOIN bench.wakeup_percentiles AS ours USING (waiters)
JOIN bench.wakeup_percentiles AS theirs USING (waiters)
WHERE ours.side = 'idemstore' AND theirs.side = 'rival' AND ours.is_right AND theirs.is_right AND ours.n = theirs.n
ORDER BY waiters;
SELECT '';
