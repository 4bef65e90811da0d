-- Invalidating many entries by one tag, in rounds. The entries have two more
-- tags each, of a thousand.
--
-- Variables: invalidations (rounds), tagged (entries under the tag).

CREATE TABLE bench.invalidations (
	round integer,
	side text,
	ms double precision
);

CREATE PROCEDURE bench.fill(tag text, n integer)
LANGUAGE plpgsql
AS $$
DECLARE
	value json := bench.json(0);
BEGIN
	PERFORM count(idemstore.cache_set(tag || '-' || i, value, '1 day', ARRAY[tag, 'user-' || i % 1000, 'page-' || i * 7 % 1000]))
	FROM generate_series(1, n) AS i;
	INSERT INTO tagged.json_entries
	SELECT tag || '-' || i, value, now() + interval '1 day' FROM generate_series(1, n) AS i;
	INSERT INTO tagged.tags
	SELECT tag || '-' || i, t FROM generate_series(1, n) AS i, unnest(ARRAY[tag, 'user-' || i % 1000, 'page-' || i * 7 % 1000]) AS t;
END
$$;

SELECT format($source$
	CREATE PROCEDURE bench.invalidate_%1$s(this_round integer, tag text, n integer)
	LANGUAGE plpgsql
	AS $body$
	DECLARE
		n_removed bigint;
		began timestamptz := clock_timestamp();
		ended timestamptz;
	BEGIN
		n_removed := %1$I.invalidate_by_tag(tag);
		COMMIT;
		ended := clock_timestamp();
		IF n_removed <> n THEN
			RAISE EXCEPTION '%% of %% entries removed', n_removed, n;
		END IF;
		INSERT INTO bench.invalidations VALUES (this_round, %1$L, extract(epoch FROM ended - began) * 1000);
	END
	$body$
$source$, side)
FROM unnest('{idemstore,tagged}'::text[]) AS side
\gexec

-- Round 0 warms up, and other entries with tags stay.
CALL bench.fill('stays', :tagged);
SELECT statement
FROM generate_series(0, :invalidations) AS round,
	(VALUES
		(1, 'CALL bench.fill(%2$L, %3$s)'),
		(2, 'VACUUM ANALYZE idemstore.cache_entries'),
		(2, 'VACUUM ANALYZE tagged.json_entries'),
		(2, 'VACUUM ANALYZE tagged.tags'),
		(3, 'CALL bench.invalidate_idemstore(%1$s, %2$L, %3$s)'),
		(3, 'CALL bench.invalidate_tagged(%1$s, %2$L, %3$s)')) AS steps (step, template),
	format(template, round, 'round-' || round, :tagged) AS statement
ORDER BY round, step, random()
\gexec

CREATE VIEW bench.invalidation_ratios AS
SELECT percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.ms / theirs.ms) AS ratio,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ours.ms) AS our_ms,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY theirs.ms) AS their_ms
FROM bench.invalidations AS ours
JOIN bench.invalidations AS theirs USING (round)
WHERE round > 0 AND ours.side = 'idemstore' AND theirs.side = 'tagged';
