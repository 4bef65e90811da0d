-- What the work through the wire needs: floors to be held against, and all
-- resources known.
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
