\set k random(1, 9000000000000000)
SELECT job_id FROM writer.register_or_join('job-' || :k, '5 min') \gset
SELECT writer.complete('job-' || :k, :answer, :job_id);
