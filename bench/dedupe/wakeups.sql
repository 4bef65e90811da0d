-- How long a waiter waits for nothing: from the commit to his answer.
--
-- The waiters are clients of pgbench (wait.sql), the owner is a loop here.
-- Odd jobs are ours, even ones the rival's, who polls every 100 ms.

CREATE TABLE bench.answered (
	waiters integer,
	job integer,
	outcome text,
	at timestamptz
);
CREATE INDEX ON bench.answered (waiters, job);

CREATE TABLE bench.commits (
	waiters integer,
	job integer,
	at timestamptz
);

CREATE PROCEDURE bench.open_job(waiters integer, job integer)
LANGUAGE plpgsql
AS $$
DECLARE
	hash text := format('wake-%s-%s', waiters, job);
BEGIN
	IF job % 2 = 1 THEN
		PERFORM idemstore.dedupe_register(hash);
	ELSE
		PERFORM rival.register_or_join(hash, '5 min');
	END IF;
END
$$;

-- The next job is there before anybody can ask for it. The instant is taken
-- before the commit, so that the commit itself counts against both.
CREATE PROCEDURE bench.own_jobs(waiters integer, jobs integer)
LANGUAGE plpgsql
AS $$
DECLARE
	hash text;
	committed_at timestamptz;
BEGIN
	FOR i IN 1 .. jobs LOOP
		hash := format('wake-%s-%s', waiters, i);
		CALL bench.open_job(waiters, i + 1);
		COMMIT;
		-- all are asleep, and somewhere in their tenth of a second
		PERFORM pg_sleep(0.05 + random() / 10);
		IF i % 2 = 1 THEN
			PERFORM idemstore.dedupe_complete(hash, '{"answer": 42}');
		ELSE
			PERFORM rival.complete(hash, '{"answer": 42}');
		END IF;
		committed_at := clock_timestamp();
		COMMIT;
		INSERT INTO bench.commits VALUES (waiters, i, committed_at);
		COMMIT;
		WHILE waiters > (SELECT count(*) FROM bench.answered AS a WHERE a.waiters = own_jobs.waiters AND a.job = i) LOOP
			COMMIT;
			PERFORM pg_sleep(0.02);
		END LOOP;
	END LOOP;
END
$$;

-- The first two jobs find clients that are not there yet.
CREATE VIEW bench.wakeups AS
SELECT waiters, (job + 1) / 2 AS round, CASE job % 2 WHEN 1 THEN 'idemstore' ELSE 'rival' END AS side, outcome,
	extract(epoch FROM answered.at - commits.at) * 1000 AS ms
FROM bench.answered
JOIN bench.commits USING (waiters, job)
WHERE job > 2;

CREATE VIEW bench.wakeup_percentiles AS
SELECT waiters, side, count(*) AS n, bool_and(outcome = 'completed') AS is_right,
	percentile_cont('{0.5, 0.99}'::float8[]) WITHIN GROUP (ORDER BY ms) AS ms
FROM bench.wakeups
GROUP BY waiters, side;

CREATE VIEW bench.wakeup_ratios AS
WITH medians AS (
	SELECT waiters, round, side, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms
	FROM bench.wakeups
	GROUP BY waiters, round, side
)
SELECT waiters, percentile_cont('{0.25, 0.5, 0.75}'::float8[]) WITHIN GROUP (ORDER BY ours.ms / theirs.ms) AS ratio
FROM medians AS ours
JOIN medians AS theirs USING (waiters, round)
WHERE ours.side = 'idemstore' AND theirs.side = 'rival'
GROUP BY waiters;
