-- lists of what lives: by prefix, in the order of the names, page by page
SET timezone = 'UTC';
SET idemstore.test_clock = '2030-01-01 00:00:00+00';
SELECT count(idemstore.cache_set('user/' || i, to_json(i), '1 h', ARRAY['u' || i % 2, 'all'])) FROM generate_series(1, 12) AS i;
SELECT idemstore.cache_set('user', '0'), idemstore.cache_set('user0', '0'), idemstore.cache_set('users', '0', '1 s'), idemstore.cache_set_bytes('%', 'a');
SELECT idemstore.cache_set('zip', to_json(repeat('z', 100000))), idemstore.cache_set_bytes(U&'user/\00e9', '');

SELECT * FROM idemstore.cache_list('user');
SELECT * FROM idemstore.cache_list('user/', 3);
SELECT key FROM idemstore.cache_list('user/', 3, 'user/11');
SELECT key FROM idemstore.cache_list('user/', 3, 'user/6');
SELECT key FROM idemstore.cache_list('user/', 100, 'user/9');
SELECT key FROM idemstore.cache_list('user/', after => 'a');
SELECT key FROM idemstore.cache_list('user/', after => 'z');
SELECT key FROM idemstore.cache_list('%');
SELECT key, size FROM idemstore.cache_list('z');
SELECT count(*), count(*) FILTER (WHERE tags IS NULL) AS without_tags, min(key COLLATE "C"), max(key COLLATE "C") FROM idemstore.cache_list();
-- expired, deleted, and not committed yet
SET idemstore.test_clock = '2030-01-01 00:00:01+00';
SELECT idemstore.cache_delete('user');
SELECT key FROM idemstore.cache_list('user', 2);
BEGIN;
SELECT idemstore.cache_set('user', '1'), (SELECT count(*) FROM idemstore.cache_list('user', 1) WHERE key = 'user') AS same_statement;
SELECT key FROM idemstore.cache_list('user', 1);
ROLLBACK;
SELECT key FROM idemstore.cache_list('user', 1);

-- jobs
SELECT idemstore.dedupe_register('report/1') AS job_id \gset
SELECT idemstore.dedupe_complete('report/1', '1'), idemstore.dedupe_register('report/2', '1 s') IS NOT NULL AS two, idemstore.dedupe_register('report/3') IS NOT NULL AS three, idemstore.dedupe_fail('report/3'), idemstore.dedupe_register('other') IS NOT NULL AS other;
SELECT hash, job_id = :'job_id' AS is_one, status, expires_at FROM idemstore.dedupe_list('report/');
SELECT hash FROM idemstore.dedupe_list(max_rows => 2);
SELECT hash FROM idemstore.dedupe_list(after => 'report/1');
SET idemstore.test_clock = '2030-01-01 00:00:02+00';
SELECT hash, status FROM idemstore.dedupe_list('report/2');
SET idemstore.test_clock = '2030-01-02 00:00:00+00';
SELECT hash FROM idemstore.dedupe_list();

-- they write nothing
BEGIN READ ONLY;
SELECT count(*) FROM idemstore.cache_list('z');
SELECT count(*) FROM idemstore.dedupe_list('');
COMMIT;
\set VERBOSITY sqlstate
SELECT idemstore.cache_list(NULL);
SELECT idemstore.cache_list('', 0);
SELECT idemstore.cache_list('', NULL);
SELECT idemstore.cache_list('', 1, NULL);
SELECT idemstore.cache_list(repeat('k', 1025));
SELECT idemstore.dedupe_list(NULL);
SELECT idemstore.dedupe_list('', -1);
SELECT idemstore.dedupe_list('', 1, repeat('k', 1025));
TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations, idemstore.dedupe_jobs;
