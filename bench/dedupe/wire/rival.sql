\set k random(1, 9000000000000000)
SELECT job_id FROM rival.register_or_join('job-' || :k, '5 min') \gset
SELECT rival.complete('job-' || :k, :answer, :job_id);
