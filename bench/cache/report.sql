-- The results as tables in markdown.
--
-- Variables: rounds, calls, invalidations, tagged, wire_rounds, way (to the
-- server), cores.

CREATE FUNCTION bench.shown(ratio double precision[])
RETURNS text
LANGUAGE sql
RETURN format('**%s** | %s to %s', round(ratio[2]::numeric, 2), round(ratio[1]::numeric, 2), round(ratio[3]::numeric, 2));

SELECT format(E'\nPostgreSQL %s, %s cores, shared_buffers %s, fsync %s, synchronous_commit %s, autovacuum %s\n',
	split_part(current_setting('server_version'), ' ', 1), :cores, current_setting('shared_buffers'),
	current_setting('fsync'), current_setting('synchronous_commit'), current_setting('autovacuum'));

SELECT format('In the server: cost of idemstore / cost of the rival (below 1: idemstore is cheaper). Gets and sets of 1 kB net of an empty call, one transaction a call, %s rounds of %s calls', :rounds, :calls);
SELECT E'\n| call | rival | ratio | quartiles | target | idemstore | rival |\n|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s µs | %s µs |', what, against, bench.shown(ratio), target,
	round(our_us::numeric, 1), round(their_us::numeric, 1))
FROM bench.server_ratios
JOIN (VALUES
	(1, 'json', 'cache_get', 'PL/pgSQL look-up', 0.65),
	(2, 'bytes', 'cache_get_bytes', 'PL/pgSQL look-up', 0.65),
	(3, 'set', 'cache_set of 1000 keys', 'upsert', 1.0),
	(4, 'same', 'cache_set with the 3 tags it had', 'PL/pgSQL, upsert and a join table', 0.5),
	(5, 'other', 'cache_set with 3 tags, 2 of them others', 'PL/pgSQL, upsert and a join table', 0.5)
) AS lines (line, form, what, against, target) USING (form)
ORDER BY line;
SELECT format('| invalidate_by_tag, %s entries, %s rounds | join table | %s | 0.6 | %s ms | %s ms |', :tagged, :invalidations,
	bench.shown(ratio), round(our_ms::numeric, 1), round(their_ms::numeric, 1))
FROM bench.invalidation_ratios;

SELECT format(E'\nThrough %s, pgbench, prepared, values of 1 kB, %s rounds of a second: idemstore / rival, in transactions a second (above 1: idemstore is faster)', :'way', :wire_rounds);
SELECT E'\n| call | rival | clients | ratio | quartiles | target | idemstore, tps | rival, tps |\n|---|---|---|---|---|---|---|---|';
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', what, against, clients, bench.shown(ratio), target, round(our_tps), round(their_tps))
FROM bench.wire_ratios
JOIN (VALUES
	(1, 'get-json', 'select', 'cache_get', 'SELECT value, on a json table of its own', 1.0),
	(2, 'get-bytes', 'select', 'cache_get_bytes', 'SELECT value, on the same table', 1.0),
	(3, 'set-json', 'plain', 'cache_set of 1000 keys', 'upsert', 1.0),
	(4, 'set-json', 'swept', 'cache_set of 1000 keys', 'upsert, with an index on expires_at', NULL),
	(5, 'set-bytes', 'plain', 'cache_set_bytes of 1000 keys', 'upsert', 1.0),
	(6, 'set-later', 'plain', 'cache_set, expires in another hour than before', 'upsert', NULL),
	(7, 'set-later', 'swept', 'cache_set, expires in another hour than before', 'upsert, with an index on expires_at', NULL),
	(8, 'same-tags', 'tagged', 'cache_set with the 3 tags it had', 'one statement, upsert and a join table', 2.0),
	(9, 'other-tags', 'tagged', 'cache_set with 3 tags, 2 of them others', 'one statement, upsert and a join table', 2.0),
	(10, 'many', 'gets', 'cache_get_many of 100', '100 times cache_get', 10.0)
) AS lines (line, call, rival, what, against, target) USING (call, rival)
ORDER BY line, clients;
SELECT '';
