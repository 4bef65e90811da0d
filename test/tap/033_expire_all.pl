#!/usr/bin/perl
#
# Very many records expire, and others go on meanwhile: no lock is held for
# longer than a batch, which is seen with the run standing in the middle of one,
# and afterwards neither table nor indexes hold more than they need.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;

my $rows = 1_000_000;
my $batch = 10_000;
my $table = 'idemstore.idempotency_records';
my $node = new_node('main', 'autovacuum = off', 'max_wal_size = 4GB', 'shared_buffers = 512MB', 'checkpoint_timeout = 1h');
$node->safe_psql('postgres', 'CREATE EXTENSION pgstattuple');
my $close = 'SELECT pg_advisory_xact_lock(1)';
my ($run, $other, $waiter, @gates) = map { IdemTest::Session->new($node) } 1 .. 5;

# The key of the record that is the nth to expire.
sub key
{
	my ($number) = @_;

	return sprintf('%07d', $number);
}

sub fill
{
	my ($count) = @_;

	$node->safe_psql('postgres', "
		INSERT INTO $table (key, scope, fingerprint, status, fence, attempt, created_at, expires_at)
		SELECT lpad(i::text, 7, '0'), '', 'print of ' || i, 'complete', i, 1, '2020-01-01', '2020-01-01'::timestamptz + i * interval '1 ms'
		FROM generate_series(1, $count) AS i");
	return;
}

# Start a key, which never waits.
sub start
{
	my ($key) = @_;

	return scalar($other->ask("SELECT outcome FROM idemstore.start_processing('$key')"));
}

# The run goes on to the end of its next batch: whoever queues for the gate
# meanwhile has it when the batch commits.
sub step
{
	push(@gates, shift(@gates));
	$gates[1]->send("BEGIN; $close");
	wait_for_sleepers($node, 1, 'Lock', $close);
	$gates[0]->ask('COMMIT');
	$gates[1]->receive;
	wait_for_sleepers($node, 1, 'Lock', 'CALL idemstore.expire_all');
	return;
}

# What a few live rows take.
sub in_use
{
	$node->safe_psql('postgres', "VACUUM $table");
	return $node->safe_psql('postgres', "
		SELECT pg_relation_size('$table') / current_setting('block_size')::int, (SELECT sum(s.leaf_pages)
			FROM pg_index AS i, LATERAL pgstatindex(i.indexrelid::regclass) AS s WHERE i.indrelid = '$table'::regclass)");
}

sub index_size
{
	return $node->safe_psql('postgres', "SELECT sum(pg_relation_size(indexrelid)) FROM pg_index WHERE indrelid = '$table'::regclass");
}

start('live');
my $fresh = in_use();
is($fresh, '1|3', 'a fresh table is a page, and one an index');
fill($rows);

# Nobody has looked at the table since.
$waiter->ask("BEGIN; SELECT idemstore.expire($batch)");
cmp_ok($waiter->ask("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = '$table'::regclass"),
	'<=', 2 * $batch, 'a batch reads no more than a batch, without statistics');
$waiter->ask('ROLLBACK');

# Into the second batch. Each waits for the gate at its end.
my $itself = $node->safe_psql('postgres', "SELECT pg_get_functiondef('idemstore.expire'::regproc)");
$node->safe_psql('postgres', $itself =~ s/idemstore\.expire\(/ungated_expire(/r);
$node->safe_psql('postgres', "
	CREATE OR REPLACE FUNCTION idemstore.expire(max_rows integer DEFAULT 10000, OUT relation text, OUT removed bigint) RETURNS SETOF record
	LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT * FROM public.ungated_expire(max_rows); PERFORM pg_advisory_xact_lock(1); END'");
my $gone = "SELECT $rows - count(*) FROM $table WHERE expires_at < '2021-01-01'";
my $transaction = "SELECT backend_xid FROM pg_stat_activity WHERE query LIKE 'CALL idemstore.expire_all%'";
$gates[0]->ask("BEGIN; $close");
$run->send('CALL idemstore.expire_all()');
wait_for_sleepers($node, 1, 'Lock', 'CALL idemstore.expire_all');
is($other->ask($gone), 0, 'in the first batch, nothing is gone for others');
my $first = $other->ask($transaction);
@gates = reverse(@gates);
step();
is($other->ask($gone), $batch, 'in the second, the first is');
isnt($other->ask($transaction), $first, 'in a transaction of its own');
is( $other->ask("
		SELECT string_agg(DISTINCT concat_ws(' ', locktype, mode, CASE WHEN locktype <> 'relation' THEN n END), ', ')
		FROM (SELECT locktype, mode, count(*) AS n FROM pg_locks JOIN pg_stat_activity USING (pid)
			WHERE query LIKE 'CALL idemstore.expire_all%' AND granted AND locktype <> 'virtualxid' GROUP BY 1, 2) AS l
		WHERE mode <> 'AccessShareLock'"),
	'relation RowExclusiveLock, transactionid ExclusiveLock 1, userlock ExclusiveLock 1', 'which holds the lock of a DELETE on each table, and that of being alone');
is(start(key(1)), 'started', 'a key of the first batch can be started');
is(start(key($batch + 1)), 'in_progress', 'one of the second is locked');
is(start(key(2 * $batch + 1)), 'started', 'one of the third is not yet');
is(start(key($rows)), 'started', 'nor is the last');
$waiter->send("SELECT outcome FROM idemstore.start_processing('" . key($batch + 2) . "', wait => '10 min')");
wait_for_sleepers($node, 1, 'Lock', 'start_processing');
like(join(' ', $node->psql('postgres', 'CALL idemstore.expire_all()')), qr/^0 .*NOTICE: .*already running/s, 'another run ends at once');

# Into the third, which the waiter does not wait for.
step();
is($other->ask($gone), 2 * $batch + 2, 'then the second batch is gone, beside the two that were started');
is($waiter->receive, 'started', 'and who waits for one of its keys has it');
$gates[1]->ask('COMMIT');
is(join(' ', $run->receive), ' 00000', 'the run comes to its end');
$node->safe_psql('postgres', $itself);
is($other->ask("SELECT string_agg(key, ' ' ORDER BY key) FROM $table"),
	join(' ', map({ key($_) } 1, $batch + 2, 2 * $batch + 1, $rows), 'live'), 'what is live is left, and nothing else');

# Nothing is left of the others, but room for as many.
$other->ask("SELECT count(idemstore.forget(key)) FROM $table WHERE key <> 'live'");
is(in_use(), $fresh, 'table and indexes use no more pages than fresh ones');
my $size = index_size();
$node->safe_psql('postgres', "SELECT pg_current_xact_id(); VACUUM $table");
fill($rows / 10);
$node->safe_psql('postgres', 'CALL idemstore.expire_all()');
is(in_use(), $fresh, 'also after a second time');
is(index_size(), $size, 'which has not made the indexes larger');
check_table($node, 'after all');

$_->quit foreach $run, $other, $waiter, @gates;
done_testing();
