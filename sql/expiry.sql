-- expired = absent everywhere, purged or not; and what expire removes
-- So many calls that a server which forgets its caches at each chance takes hours.
SET debug_discard_caches = 0;
SET timezone = 'UTC';
SET idemstore.test_clock = '2026-01-01 00:00:00+00';
-- ahead of every clock, fences count by one
SELECT setval('idemstore.fences', 9000000000000000) \g /dev/null

SELECT outcome FROM idemstore.start_processing('p', 'fp', ttl => '10 s');
SELECT outcome FROM idemstore.start_processing('c', 'fp', ttl => '10 s');
SELECT idemstore.complete('c', 200);
SELECT outcome FROM idemstore.start_processing('f', 'fp', ttl => '10 s');
SELECT idemstore.fail('f');
SELECT fence, lease_expires_at = expires_at AS lease_is_cut FROM idemstore.get('p');

-- the last instant at which it is live, and the first at which it is not
SET idemstore.test_clock = '2026-01-01 00:00:09.999999+00';
SELECT outcome FROM idemstore.start_processing('p', 'other');
SELECT status FROM idemstore.get('c');
SET idemstore.test_clock = '2026-01-01 00:00:10+00';
SELECT idemstore.get('p') IS NULL AS p, idemstore.get('c') IS NULL AS c, idemstore.get('f') IS NULL AS f;
SELECT matched, key FROM idemstore.lookup('c', 'fp');
SELECT idemstore.wait('p', '1 h') IS NULL AS wait;
SELECT idemstore.complete('p', 200);
SELECT idemstore.complete('c', 200);
SELECT idemstore.fail('p');
SELECT idemstore.extend_lease('p', 1);
SELECT idemstore.release('p'), idemstore.release('c');
SELECT count(*) AS still_there FROM idemstore.idempotency_records;

-- a start takes an expired row: a new record, with a greater fence
SELECT outcome, attempt, conflicting_key FROM idemstore.start_processing('c', 'other', unique_fingerprint => true);
SELECT fingerprint, status, attempt, created_at, completed_at, response_status FROM idemstore.get('c');
SELECT outcome, conflicting_key FROM idemstore.start_processing('x', 'fp', unique_fingerprint => true);

-- ttl <= 0: expired at once, blocks nobody
SELECT outcome, attempt FROM idemstore.start_processing('zero', ttl => '0');
SELECT outcome, attempt FROM idemstore.start_processing('zero', ttl => '-1 day');
SELECT idemstore.get('zero') IS NULL AS absent;
SELECT idemstore.complete('zero', 200);
SELECT outcome FROM idemstore.start_processing('zero');
SELECT outcome FROM idemstore.start_processing('zero', ttl => '0');
SELECT idemstore.complete('zero', 200, ttl => '0');
SELECT idemstore.get('zero') IS NULL AS absent;

-- expire removes exactly what is expired
SELECT * FROM idemstore.expire();
SELECT key, status FROM idemstore.idempotency_records ORDER BY key;
SELECT * FROM idemstore.expire();

-- in batches, and more than ten expired rows change nothing
TRUNCATE idemstore.idempotency_records;
SELECT count(*) FROM generate_series(1, 25) AS i, idemstore.start_processing('n' || i, 'fp', ttl => '1 s');
SELECT outcome FROM idemstore.start_processing('live', 'fp');
SET idemstore.test_clock = '2026-01-01 00:00:11+00';
SELECT matched, key FROM idemstore.lookup('n1', 'fp');
SELECT outcome, conflicting_key FROM idemstore.start_processing('n1', 'fp', unique_fingerprint => true);
SELECT outcome FROM idemstore.start_processing('n2', 'other');
SELECT removed FROM idemstore.expire(10) WHERE relation = 'idempotency_records';
SELECT removed FROM idemstore.expire(10) WHERE relation = 'idempotency_records';
SELECT removed FROM idemstore.expire(10) WHERE relation = 'idempotency_records';
SELECT key FROM idemstore.idempotency_records ORDER BY key;

-- the earliest to expire go first
SELECT outcome FROM idemstore.start_processing('later', ttl => '2 s');
SELECT outcome FROM idemstore.start_processing('sooner', ttl => '1 s');
SET idemstore.test_clock = '2026-01-01 00:01:00+00';
SELECT removed FROM idemstore.expire(1) WHERE relation = 'idempotency_records';
SELECT key FROM idemstore.idempotency_records WHERE key LIKE '%er' ORDER BY key;

-- expire_all: batch by batch, each committed; a limit of no time is one batch
TRUNCATE idemstore.idempotency_records;
SELECT count(*) FROM generate_series(1, 25) AS i, idemstore.start_processing('n' || i, ttl => '1 s');
SET idemstore.test_clock = '2026-01-01 00:02:00+00';
CALL idemstore.expire_all(10, '0');
SELECT count(*) FROM idemstore.idempotency_records;
CALL idemstore.expire_all(10);
SELECT count(*) FROM idemstore.idempotency_records;
CALL idemstore.expire_all();
-- it commits, so not inside a transaction
SELECT count(*) FROM generate_series(1, 25) AS i, idemstore.start_processing('n' || i, ttl => '1 s');
SET idemstore.test_clock = '2026-01-01 00:03:00+00';
BEGIN;
CALL idemstore.expire_all(10);
ROLLBACK;
DO $$ BEGIN CALL idemstore.expire_all(10); END $$;
SELECT count(*) FROM idemstore.idempotency_records;

TRUNCATE idemstore.idempotency_records;

-- rate limits and cooldowns: idle rows only, each table by itself
SELECT count(idemstore.acquire('idle' || i, quota => 5, per => '1 min')), count(idemstore.acquire('busy' || i, quota => 5, per => '1 h')), count(idemstore.set_cooldown('idle' || i, '2026-01-01 00:03:59+00')), count(idemstore.set_cooldown('busy' || i, '2026-01-01 00:04:01+00'))
	FROM generate_series(1, 25) AS i;
-- one of its logs is over, the other one is not
SELECT idemstore.acquire('busy', quota => 5, per => '1 min'), idemstore.acquire('busy', quota => 5, per => '1 h');
SET idemstore.test_clock = '2026-01-01 00:03:58.999999+00';
SELECT * FROM idemstore.expire();
SET idemstore.test_clock = '2026-01-01 00:04:00+00';
SELECT * FROM idemstore.expire(10);
SELECT (SELECT count(*) FROM idemstore.rate_limit_state) AS states, (SELECT count(*) FROM idemstore.cooldowns) AS cooldowns;
BEGIN;
SELECT * FROM idemstore.expire(10);
ROLLBACK;
SELECT * FROM idemstore.expire(10);
SELECT * FROM idemstore.expire(10);
SELECT (SELECT count(*) FROM idemstore.rate_limit_state WHERE resource LIKE 'busy%') AS busy, (SELECT count(*) FROM idemstore.rate_limit_state) AS states, (SELECT count(*) FROM idemstore.cooldowns WHERE origin LIKE 'busy%') AS cooldowns;
SELECT count(*) FROM generate_series(1, 25) AS i, idemstore.rate_limit_status('busy' || i, 5, '1 h') AS v WHERE v.remaining = 4 AND idemstore.get_cooldown('busy' || i) IS NOT NULL;
SET idemstore.test_clock = '2026-01-01 02:00:00+00';
CALL idemstore.expire_all(10);
SELECT (SELECT count(*) FROM idemstore.rate_limit_state) AS states, (SELECT count(*) FROM idemstore.cooldowns) AS cooldowns;
-- to the microsecond, also beside others on one page
SELECT count(idemstore.acquire('r' || i, quota => 1, per => '1 min' + i % 2 * interval '1 us')) FROM generate_series(1, 4000) AS i;
SET idemstore.test_clock = '2026-01-01 02:01:00+00';
SELECT sum(removed) FROM generate_series(1, 9) AS i, idemstore.expire(1 + i - i);
SELECT removed FROM idemstore.expire() WHERE relation = 'rate_limit_state';
SELECT count(*) FILTER (WHERE idemstore.rate_limit_reset('r' || i)) FROM generate_series(1, 4000) AS i;

-- it looks at a thousand pages a run and goes on from there; expire_all at all of them
SELECT count(idemstore.acquire(rpad(i::text, 1000, '.'), quota => 5, per => '1 h')) FROM generate_series(1, 20000) AS i;
SELECT pg_relation_filenode('idemstore.rate_limit_state') AS file, pg_relation_size('idemstore.rate_limit_state') AS size \gset
SET idemstore.test_clock = '2026-01-01 02:30:00+00';
SELECT idemstore.acquire('busy', quota => 5, per => '1 h');
SET idemstore.test_clock = '2026-01-01 03:01:00+00';
CREATE FUNCTION pg_temp.left_over() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM idemstore.rate_limit_state $$;
SELECT removed BETWEEN 1000 AND 10000 AS is_a_part FROM idemstore.expire(100000) WHERE relation = 'rate_limit_state';
SELECT removed BETWEEN 1000 AND 10000 AS is_a_part FROM idemstore.expire(100000) WHERE relation = 'rate_limit_state';
SELECT removed FROM idemstore.expire(30) WHERE relation = 'rate_limit_state';
CALL idemstore.expire_all();
SELECT pg_temp.left_over(), remaining FROM idemstore.rate_limit_status('busy', 5, '1 h');
-- it never makes the table anew; what is empty is used again
SELECT count(idemstore.acquire(rpad(i::text, 1000, ','), quota => 5, per => '1 h')) FROM generate_series(1, 20000) AS i;
SELECT pg_relation_filenode('idemstore.rate_limit_state') = :file AS is_same, pg_relation_size('idemstore.rate_limit_state') <= :size * 1.6 AS is_used_again, pg_temp.left_over();
BEGIN READ ONLY;
SELECT idemstore.expire();
ROLLBACK;

TRUNCATE idemstore.rate_limit_state, idemstore.cooldowns;
