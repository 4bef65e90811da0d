-- The table at the end; every figure is counted here.

-- For each admission, how many there were in the second that ends with it. An
-- admission leaves the window exactly one second later.
CREATE VIEW windows AS
SELECT at, count(*) OVER (ORDER BY at RANGE BETWEEN interval '1 s' - interval '1 us' PRECEDING AND CURRENT ROW) AS n
FROM answers
WHERE allowed;

SELECT 'second       asked    admitted      denied';
SELECT lpad(coalesce(second::text, 'all'), 6) || lpad(to_char(count(*), 'FM999,999,990'), 12)
	|| lpad(to_char(count(*) FILTER (WHERE allowed), 'FM999,999,990'), 12)
	|| lpad(to_char(count(*) FILTER (WHERE NOT allowed), 'FM999,999,990'), 12)
FROM answers,
	(SELECT min(at) AS first FROM answers) AS attack,
	floor(extract(epoch FROM at - first) + 1) AS second
GROUP BY ROLLUP (second)
ORDER BY second;
