-- Kill owners in their slow call: one that is in a transaction as soon as others
-- wait for it, or at last after a second.
UPDATE doomed_owners AS doomed
SET killed_at = clock_timestamp(), had_waiters = owner.has_waiters
FROM (
	SELECT pid, EXISTS (
		SELECT FROM pg_stat_activity AS waiter
		WHERE waiter.wait_event_type = 'Lock'
			AND activity.pid = ANY (pg_blocking_pids(waiter.pid))) AS has_waiters
	FROM pg_stat_activity AS activity
	WHERE wait_event = 'PgSleep') AS owner
WHERE owner.pid = doomed.pid
	AND killed_at IS NULL
	AND (NOT in_transaction OR has_waiters OR begun_at < clock_timestamp() - interval '1 s')
RETURNING pg_terminate_backend(doomed.pid);
\sleep 5 ms
