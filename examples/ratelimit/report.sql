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

-- What the limits beside it say: one that is only tried, and one by the calendar.
SELECT E'\nin the shadow, a limit of 50 a second: would have denied '
	|| to_char(count(*) FILTER (WHERE reason = 'shadow'), 'FM999,999,990')
	|| ' of the ' || to_char(count(*) FILTER (WHERE allowed), 'FM999,999,990') || ' admitted'
FROM answers;
SELECT 'in the calendar, a limit of 1,000,000 a day: ' || to_char(remaining, 'FM999,999,990') || ' left until '
	|| to_char(reset_at, 'HH24:MI') || ' tonight, counted by ' || current_setting('TimeZone')
FROM idemstore.rate_limit_status('login/mallory')
WHERE policy = 'day';
