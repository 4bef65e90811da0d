-- The table at the end; every figure is counted here.
\pset format unaligned
\pset tuples_only on
\pset fieldsep ''

WITH told AS (
	SELECT count(*) AS total,
		count(*) FILTER (WHERE outcome = 'started') AS executed,
		count(*) FILTER (WHERE outcome = 'replay') AS replayed,
		count(*) FILTER (WHERE outcome = 'in_progress') AS in_progress,
		count(*) FILTER (WHERE outcome = 'mismatch') AS mismatch,
		count(*) FILTER (WHERE outcome = 'too_late') AS too_late,
		count(*) FILTER (WHERE attempt > 1) AS takeovers
	FROM answers
), killed AS (
	SELECT count(killed_at) AS total,
		count(killed_at) FILTER (WHERE in_transaction) AS in_transaction,
		count(killed_at) FILTER (WHERE NOT in_transaction) AS in_between
	FROM doomed_owners
), replaced AS (
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY milliseconds) AS median,
		max(milliseconds) AS slowest
	FROM replacements
)
SELECT rtrim(rpad(label, 36) || lpad(to_char(value, 'FM999,999,990'), 8) || '   ' || remark)
FROM told, killed, replaced, LATERAL (VALUES
	('requests sent', told.total + killed.total, ''),
	('  executed', told.executed, 'claimed, charged and answered'),
	('  replayed', told.replayed, 'given the stored answer'),
	('  refused as in progress', told.in_progress, 'at once; then they came back and waited'),
	('  refused as mismatch', told.mismatch, 'another body under a used key'),
	('  refused as too late', told.too_late, 'replaced meanwhile, so the charge was rolled back'),
	('  never answered', killed.total, 'killed'),
	('owners killed', killed.total, ''),
	('  inside their only transaction', killed.in_transaction,
		coalesce('replaced by one who waited: median ' || to_char(replaced.median, 'FM999990.0')
				 || ' ms, slowest ' || to_char(replaced.slowest, 'FM999990.0') || ' ms',
				 'nobody waited for any of them')),
	('  between two transactions', killed.in_between, 'the claim is committed, its lease has to run out'),
	('taken over after a lease ran out', told.takeovers, 'from those just above, and from slow ones')
) AS line (label, value, remark);

SELECT format(E'\ncharges per payment: least %s, most %s', min(times), max(times)) FROM charges;
