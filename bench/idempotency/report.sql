-- The results as tables in markdown.
--
-- Variables: rounds, calls, wire_rounds, way (to the server), cores.

SELECT format(E'\nPostgreSQL %s, %s cores, shared_buffers %s, fsync %s, synchronous_commit %s, autovacuum %s\n',
	split_part(current_setting('server_version'), ' ', 1), :cores, current_setting('shared_buffers'),
	current_setting('fsync'), current_setting('synchronous_commit'), current_setting('autovacuum'));

SELECT format('In the server, one transaction a call, net of an empty call, %s rounds of %s calls: cost of idemstore / cost of the rival (below 1: idemstore is cheaper)', :rounds, :calls);
SELECT E'\n| call | rival | ratio | quartiles | target | idemstore, µs | rival, µs |\n|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | **%s** | %s to %s | %s | %s | %s |',
	CASE call
		WHEN 'claim' THEN 'claim of a new key'
		WHEN 'replay' THEN 'replay, 1 kB body'
		ELSE 'complete, 1 kB body' END,
	CASE rival WHEN 'rival' THEN 'looks, then writes' ELSE 'writes, then looks' END,
	round(ratio[2]::numeric, 2), round(ratio[1]::numeric, 2), round(ratio[3]::numeric, 2),
	CASE WHEN rival <> 'rival' THEN '' WHEN call = 'complete' THEN '0.55' ELSE '0.65' END,
	round(our_us::numeric, 1), round(their_us::numeric, 1))
FROM bench.server_ratios
ORDER BY rival, array_position('{claim,replay,complete}', call);

SELECT format(E'\nThrough %s, pgbench, prepared, %s rounds of a second: idemstore / rival that looks first, in transactions a second (above 1: idemstore is faster)', :'way', :wire_rounds);
SELECT E'\n| transaction | clients | ratio | quartiles | idemstore, tps | rival, tps |\n|---|---|---|---|---|---|';
SELECT format('| %s | %s | **%s** | %s to %s | %s | %s |',
	CASE call
		WHEN 'claim' THEN 'claim of a new key'
		WHEN 'replay' THEN 'replay, 1 kB body'
		ELSE 'BEGIN, claim, complete, COMMIT' END,
	clients, round(ratio[2]::numeric, 2), round(ratio[1]::numeric, 2), round(ratio[3]::numeric, 2),
	round(our_tps), round(their_tps))
FROM bench.wire_ratios
ORDER BY array_position('{claim,replay,work}', call), clients;
SELECT format('| SELECT 1, for orientation | %s | | | %s | |', clients,
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY tps)))
FROM bench.tps
WHERE call = 'nothing'
GROUP BY clients
ORDER BY clients;
SELECT '';
