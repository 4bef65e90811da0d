-- The table at the end; every figure is counted here.

-- The pages as the clients got them, and when each was stored and expired. The
-- last line is for whatever came after the last of them.
CREATE VIEW pages AS
SELECT row_number() OVER (ORDER BY expires_at) AS page,
	lag(expires_at, 1, '-infinity') OVER (ORDER BY expires_at) AS former_expired_at,
	expires_at - interval '500 ms' AS stored_at, expires_at, hits, waited
FROM (
	SELECT expires_at, count(*) FILTER (WHERE asked_at >= expires_at - interval '500 ms') AS hits,
		count(*) FILTER (WHERE asked_at < expires_at - interval '500 ms') AS waited
	FROM answers
	GROUP BY expires_at
	UNION ALL
	VALUES ('infinity'::timestamptz, NULL::bigint, NULL::bigint)
) AS answered;

CREATE VIEW expiries AS
SELECT page, recomputes, hits, waited
FROM pages, LATERAL (SELECT count(*) FROM recomputes WHERE at >= former_expired_at AND at < expires_at) AS r (recomputes);

SELECT '  page  computed by   waited for by   then read';
SELECT lpad(coalesce(page::text, 'all'), 6) || lpad(sum(recomputes)::text, 13) || lpad(sum(waited)::text, 16)
	|| lpad(to_char(sum(hits), 'FM999,999,990'), 12)
FROM expiries
WHERE hits IS NOT NULL
GROUP BY ROLLUP (page)
ORDER BY page;
