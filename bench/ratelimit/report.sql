-- The results as tables in markdown.
--
-- Variables: rounds, calls, calls_held (those of snapshot.sql), wire_rounds,
-- resources, way (to the server), cores.

CREATE FUNCTION bench.shown(ratio double precision[], digits integer)
RETURNS text
LANGUAGE sql
RETURN format('**%s** | %s to %s', round(ratio[2]::numeric, digits), round(ratio[1]::numeric, digits),
	round(ratio[3]::numeric, digits));

CREATE FUNCTION bench.shown(what text)
RETURNS text
LANGUAGE sql
RETURN CASE what
	WHEN 'hot' THEN 'one resource'
	WHEN 'keys' THEN '1000 resources'
	WHEN 'denied' THEN '99 % denied'
	WHEN 'counter' THEN 'upsert of a counter'
	WHEN 'looker' THEN 'looks, then upserts'
	WHEN 'exact_log' THEN 'exact log'
	WHEN 'empty' THEN 'empty C function'
	WHEN 'select1' THEN 'SELECT 1'
	WHEN 'select-key' THEN 'SELECT of the key'
	WHEN 'update' THEN 'UPDATE … SET n = n + 1'
	ELSE 'upsert of a counter' END;

SELECT format(E'\nPostgreSQL %s, %s cores, shared_buffers %s, fsync %s, synchronous_commit %s, autovacuum %s\n',
	split_part(current_setting('server_version'), ' ', 1), :cores, current_setting('shared_buffers'),
	current_setting('fsync'), current_setting('synchronous_commit'), current_setting('autovacuum'));

SELECT format('In the server, one transaction a call, %s rounds of %s calls: cost of acquire / cost of the rival, net of an empty loop (gross: with it)', :rounds, :calls);
SELECT E'\n| calls on | rival | net | quartiles | gross | quartiles | target, net | acquire, µs | rival, µs | of which loop, µs |\n|---|---|---|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s |', bench.shown(what), bench.shown(rival),
	bench.shown(net, 3), bench.shown(gross, 3), CASE rival WHEN 'counter' THEN '0.1' END,
	round(our_us::numeric, 2), round(their_us::numeric, 2), round(loop_us::numeric, 2))
FROM bench.server_ratios
WHERE loop = 'own' AND rival <> 'empty'
ORDER BY array_position('{counter,looker,exact_log}', rival), array_position('{hot,keys,denied}', what);

SELECT format(E'\nacquire / empty C function with the same arguments, both with the loop, %s rounds', :rounds);
SELECT E'\n| loop | calls on | gross | quartiles | target | acquire, µs | empty, µs | of which loop, µs |\n|---|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | 6 | %s | %s | %s |',
	CASE loop WHEN 'own' THEN 'one transaction a call' ELSE 'rows of one query' END,
	CASE WHEN loop = 'rows' AND what = 'denied' THEN 'all denied' ELSE bench.shown(what) END, bench.shown(gross, 1),
	round(our_us::numeric, 2), round(their_us::numeric, 2), round(loop_us::numeric, 2))
FROM bench.server_ratios
WHERE rival = 'empty'
ORDER BY loop, array_position('{hot,keys,denied}', what);

SELECT E'\nWhile another session holds an old snapshot: cost of a call, net and by the loop, relative to before';
SELECT E'\n| | calls since | ratio | quartiles | before, µs | then, µs | table before | table at the end |\n|---|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', CASE side WHEN 'idemstore' THEN 'acquire' ELSE bench.shown(side) END,
	rounds_later * CASE side WHEN 'counter' THEN :calls_held ELSE 4 * :calls_held END, bench.shown(ratio, 1), round(us_before::numeric, 2), round(us::numeric, 2),
	pg_size_pretty(peace.bytes), pg_size_pretty(snapshot.bytes))
FROM bench.snapshot_ratios
JOIN bench.table_sizes AS peace USING (side)
JOIN bench.table_sizes AS snapshot USING (side)
WHERE peace.phase = 'peace' AND snapshot.phase = 'snapshot'
ORDER BY side DESC, rounds_later;

SELECT format(E'\nBytes a resource of %s, by the requests admitted in its window: with pages and indexes (of which its state)', :resources);
SELECT E'\n| requests | idemstore | exact log | upsert of a counter |\n|---|---|---|---|';
SELECT format('| %s | %s (%s) | %s (%s) | %s |', ours.requests, coalesce(ours.bytes::text, 'as above'), ours.state,
	log.bytes, log.state, coalesce(counter.bytes::text, 'as above'))
FROM bench.sizes AS ours
JOIN bench.sizes AS log USING (requests)
LEFT JOIN bench.sizes AS counter ON counter.requests = ours.requests AND counter.side = 'counter'
WHERE ours.side = 'idemstore' AND log.side = 'exact_log'
ORDER BY ours.requests;

SELECT format(E'\nThrough %s, pgbench, prepared, %s rounds of a second: acquire / the other, in transactions a second', :'way', :wire_rounds);
SELECT E'\n| calls on | against | synchronous_commit | clients | ratio | quartiles | target | acquire, tps | other, tps |\n|---|---|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s |', bench.shown(script), bench.shown(rival),
	CASE WHEN is_durable THEN 'on' ELSE 'off' END, clients, bench.shown(ratio, 2),
	CASE rival WHEN 'select1' THEN '0.85' END, round(our_tps), round(their_tps))
FROM bench.wire_ratios
ORDER BY is_durable, array_position('{select1,select-key,hot-upsert,keys-upsert}', rival), script, clients;
SELECT '';
