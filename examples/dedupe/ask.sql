-- A client that wants the report: whoever is the owner makes it, which takes
-- two seconds, the others wait for it.
SELECT job_id, is_owner FROM idemstore.dedupe_register_or_join('report/2026') \gset
\if :is_owner
\sleep 2 s
INSERT INTO made SELECT dedupe_complete, clock_timestamp()
FROM idemstore.dedupe_complete('report/2026', '{"total": 1234.5}', :job_id);
\else
INSERT INTO answers SELECT outcome, value ->> 'total', clock_timestamp()
FROM idemstore.dedupe_wait_for('report/2026', '1 min');
\endif
