-- The table at the end; every figure is counted here.

WITH waited AS (
	SELECT count(*) AS n,
		percentile_cont('{0.5, 0.9, 1}'::float8[]) WITHIN GROUP (ORDER BY extract(epoch FROM at - ready_at) * 1000) AS ms
	FROM answers, (SELECT min(at) FROM made) AS first (ready_at)
)
SELECT rtrim(rpad(label, 38) || lpad(value, 8) || '   ' || remark)
FROM waited, (SELECT count(*) FROM made) AS made (n), LATERAL (VALUES
	('asked at once', (waited.n + made.n)::text, ''),
	('  made the report', made.n::text, 'two seconds of work'),
	('  waited for it', waited.n::text, ''),
	('from the commit to their answers', coalesce(round(ms[1]::numeric, 1), 0) || ' ms', 'median'),
	('', coalesce(round(ms[2]::numeric, 1), 0) || ' ms', 'nine in ten within'),
	('', coalesce(round(ms[3]::numeric, 1), 0) || ' ms', 'slowest')
) AS line (label, value, remark);
