\set k random(1, 9000000000000000)
SELECT job_id FROM idemstore.dedupe_register_or_join('job-' || :k) \gset
SELECT idemstore.dedupe_complete('job-' || :k, :answer, :job_id);
