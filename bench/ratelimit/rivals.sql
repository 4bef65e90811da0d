-- What a good engineer writes by hand: one row a resource, unlogged as ours,
-- and a PL/pgSQL function around an upsert. They do less than idemstore: the
-- limit comes with the call, and is looked up nowhere.
--
-- Schema counter counts in a window that begins with its first request. It is
-- the cheapest, and it admits up to twice the quota in a window of that length
-- across the end of one. Schema looker is the same but looks first: a denial
-- costs it less, all else more. Schema exact_log keeps the instant of every
-- request, and admits what idemstore admits.

CREATE SCHEMA counter;
CREATE SCHEMA looker;
CREATE SCHEMA exact_log;

-- fillfactor leaves room on the page, so that every change is a HOT update
CREATE UNLOGGED TABLE counter.limits (
	resource text COLLATE "C" PRIMARY KEY,
	began_at timestamptz NOT NULL,
	n bigint NOT NULL
) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE looker.limits (LIKE counter.limits INCLUDING ALL) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE exact_log.limits (
	resource text COLLATE "C" PRIMARY KEY,
	requests timestamptz[] NOT NULL
) WITH (fillfactor = 50);

CREATE FUNCTION counter.acquire(
	p_resource text,
	p_quota bigint,
	p_per interval,
	p_cost integer DEFAULT 1
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	instant timestamptz := clock_timestamp();
BEGIN
	IF p_cost > p_quota THEN
		RETURN false;
	END IF;
	INSERT INTO counter.limits AS t VALUES (p_resource, instant, p_cost)
	ON CONFLICT (resource) DO UPDATE SET
		began_at = CASE WHEN t.began_at + p_per <= instant THEN instant ELSE t.began_at END,
		n = CASE WHEN t.began_at + p_per <= instant THEN 0 ELSE t.n END + p_cost
	WHERE t.began_at + p_per <= instant OR t.n + p_cost <= p_quota;
	RETURN FOUND;
END
$$;

SELECT replace(pg_get_functiondef('counter.acquire'::regproc), 'counter.', 'looker.')
\gexec
ALTER FUNCTION looker.acquire RENAME TO acquire_blindly;

CREATE FUNCTION looker.acquire(
	p_resource text,
	p_quota bigint,
	p_per interval,
	p_cost integer DEFAULT 1
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
BEGIN
	PERFORM FROM looker.limits AS t
	WHERE t.resource = p_resource AND t.n + p_cost > p_quota AND t.began_at + p_per > clock_timestamp();
	RETURN NOT FOUND AND looker.acquire_blindly(p_resource, p_quota, p_per, p_cost);
END
$$;

CREATE FUNCTION exact_log.acquire(
	p_resource text,
	p_quota bigint,
	p_per interval,
	p_cost integer DEFAULT 1
) RETURNS boolean
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	kept timestamptz[];
	instant timestamptz;
BEGIN
	LOOP
		SELECT requests INTO kept FROM exact_log.limits WHERE resource = p_resource FOR UPDATE;
		EXIT WHEN FOUND;
		INSERT INTO exact_log.limits VALUES (p_resource, '{}') ON CONFLICT (resource) DO NOTHING;
	END LOOP;

	instant := clock_timestamp();
	-- in the order of time: only if the oldest has left there is something to drop
	IF kept[1] + p_per <= instant THEN
		kept := ARRAY(SELECT r FROM unnest(kept) AS r WHERE r + p_per > instant);
	END IF;
	IF cardinality(kept) + p_cost > p_quota THEN
		RETURN false;
	END IF;
	UPDATE exact_log.limits SET requests = kept || array_fill(instant, ARRAY[p_cost]) WHERE resource = p_resource;
	RETURN true;
END
$$;
