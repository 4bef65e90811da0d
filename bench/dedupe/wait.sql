-- One waiter: the jobs in their order, ours and the rival's in turn.
\set job :job + 1
\if :job % 2 = 1
INSERT INTO bench.answered
SELECT :waiters, :job, outcome, clock_timestamp()
FROM idemstore.dedupe_wait_for('wake-' || :waiters || '-' || :job, '1 min');
\else
INSERT INTO bench.answered
SELECT :waiters, :job, outcome, clock_timestamp()
FROM rival.wait_for('wake-' || :waiters || '-' || :job, '1 min');
\endif
