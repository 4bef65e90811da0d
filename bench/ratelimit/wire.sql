-- What the work through the wire needs: floors to be held against, all resources
-- known, and sessions that bring new ones.
--
-- Variables: module (with empty.c).

CREATE FUNCTION bench.empty(resource text)
RETURNS boolean
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS :'module', 'empty';

CREATE SEQUENCE bench.numbers;

-- Nobody is denied, but for 99 of 100 resources.
SELECT idemstore.set_rate_limit('*', 1000000000, '1 hour'), idemstore.set_rate_limit('2*', 1, '1 hour'),
	idemstore.set_rate_limit('200000000000', 1000000000, '1 hour')
\g /dev/null

CREATE PROCEDURE bench.make_resources(first bigint, n integer)
LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM count(idemstore.acquire((first + i)::text)), count(counter.acquire((first + i)::text, 1000000, '1 hour'))
	FROM generate_series(0, n - 1) AS i;
END
$$;

CREATE TABLE bench.floods (
	began_at timestamptz,
	ended_at timestamptz
);

-- New names, a hundred a transaction.
SELECT format($source$
	CREATE PROCEDURE bench.flood_with_%1$s(names integer)
	LANGUAGE plpgsql
	AS $body$
	DECLARE
		began timestamptz := clock_timestamp();
	BEGIN
		FOR i IN 1 .. names LOOP
			%2$s;
			IF i %% 100 = 0 THEN
				COMMIT;
			END IF;
		END LOOP;
		INSERT INTO bench.floods VALUES (began, clock_timestamp());
	END
	$body$
$source$, side, statement)
FROM (VALUES
		('idemstore', $$PERFORM idemstore.acquire('new-' || i)$$),
		('sql', $$INSERT INTO counter.limits AS t VALUES ('new-' || i, now(), 1)
			ON CONFLICT (resource) DO UPDATE SET n = t.n + 1$$)) AS sides (side, statement)
\gexec
