#!/usr/bin/perl
#
# Counting never fails, waits or writes for a call: what a session has counted
# arrives about once a second and when it ends, however it ends and whatever has
# become of the table meanwhile; and it adds up under many sessions.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'autovacuum = off', 'checkpoint_timeout = 1h', 'bgwriter_lru_maxpages = 0',
	'max_parallel_workers_per_gather = 2', 'min_parallel_table_scan_size = 0', 'parallel_setup_cost = 0',
	'parallel_tuple_cost = 0');
my $counters = 'idemstore.stats_counters';
my $miss = "SELECT idemstore.cache_get('absent')";

sub misses
{
	return $node->safe_psql('postgres', "SELECT calls -> 'miss' FROM idemstore.stats WHERE family = 'cache'");
}

# The count arrives when a session is gone, which takes it a moment.
sub misses_become
{
	my ($count, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'")
	  or die 'the sessions should be gone';
	return is(misses(), $count, $name);
}

sub reset_stats
{
	$node->safe_psql('postgres', 'SELECT idemstore.stats_reset()');
	return;
}

# However a session ends.
foreach my $end (
	[ 'it quits', sub { $_[0]->quit } ],
	[ 'it quits in a transaction', sub { $_[0]->ask('BEGIN'); $_[0]->quit } ],
	[ 'it quits in one that has failed', sub { $_[0]->ask('BEGIN; SELECT 1 / 0'); $_[0]->quit } ],
	[ 'its client dies', sub { $_[0]->kill } ],
	[ 'it is terminated', sub { terminate($_[0]) } ],
	[ 'it is terminated in a transaction', sub { $_[0]->ask('BEGIN; SAVEPOINT a'); terminate($_[0]) } ])
{
	my ($name, $do) = @$end;
	my $session = IdemTest::Session->new($node);

	reset_stats();
	$session->ask($miss) foreach 1 .. 3;
	$do->($session);
	misses_become(3, "counted when $name");
}

sub terminate
{
	my ($session) = @_;

	$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $session->pid . ')');
	$session->kill;
	return;
}

# ... in the middle of a call, or of many.
my $owner = IdemTest::Session->new($node);
my $waiter = IdemTest::Session->new($node);
reset_stats();
$owner->ask("BEGIN; SELECT idemstore.start_processing('held')");
$waiter->ask($miss);
my $pid = $waiter->pid;
$waiter->send("SELECT idemstore.start_processing('held', wait => '1 h')");
wait_for_sleepers($node, 1, 'Lock', 'held');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$waiter->kill;
$owner->quit;
misses_become(1, 'counted when it is terminated in a wait');
my $busy = IdemTest::Session->new($node);
reset_stats();
$pid = $busy->pid;
$busy->send("DO \$\$ BEGIN LOOP PERFORM idemstore.cache_get('absent'); END LOOP; END \$\$");
$node->poll_query_until('postgres',
	"SELECT (calls -> 'miss')::int > 1000 FROM idemstore.stats WHERE family = 'cache'")
  or die 'a single statement should be seen at work';
pass('a statement is counted while it runs');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$busy->kill;

# A session that has nothing to count but an error.
$node->safe_psql('postgres', "SELECT idemstore.start_processing('lost')");
$busy = IdemTest::Session->new($node);
is($busy->sqlstate("SELECT idemstore.complete('lost', 200, fence => 1)"), 'ID412', 'a claim is lost');
$busy->quit;
$node->poll_query_until('postgres', "SELECT (calls -> 'lost')::int = 1 FROM idemstore.stats WHERE family = 'idempotency'")
  or die 'an error should be counted';
pass('and counted');

cmp_ok($node->safe_psql('postgres', "SELECT pg_total_relation_size('$counters')"), '<', 200_000, 'the table is small');

# While a session is there: a second later, at its next call.
my $session = IdemTest::Session->new($node);
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'client backend'");
reset_stats();
$session->ask($miss);
$node->poll_query_until('postgres', "SELECT pg_sleep(0.3) IS NOT NULL AND clock_timestamp() > reset_at + interval '2 s'
	FROM idemstore.stats WHERE family = 'cache'");
$session->ask($miss);
cmp_ok(misses(), '>=', 1, 'counted while the session goes on');
is($session->ask("SELECT calls -> 'miss' FROM idemstore.stats WHERE family = 'cache'"), '2', 'it sees all that it has counted itself');

# Not once a call: of a logged table, every write would be seen.
$node->safe_psql('postgres', "ALTER TABLE $counters SET LOGGED; CHECKPOINT");
my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
$session->ask("SELECT count(idemstore.cache_get('absent ' || n)) FROM generate_series(1, 20000) AS n");
cmp_ok($node->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '$lsn'"), '<', 400_000,
	'20 000 calls are not written one by one');
$session->quit;
misses_become(20002, 'and are all counted');
cmp_ok($node->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '$lsn'"), '>', 0, 'they are written in the end');
$node->safe_psql('postgres', "ALTER TABLE $counters SET UNLOGGED");

# Twenty sessions at once add up, and cost the database nothing.
sub position
{
	return $node->safe_psql('postgres',
		'SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())');
}
$node->safe_psql('postgres', 'SELECT idemstore.set_rate_limit(\'five\', 5, \'1 day\')');
my @storm = ($node, [ '--client=20', '--jobs=2', '--transactions=500' ], "
	SELECT idemstore.cache_get('absent');
	BEGIN;
	SELECT idemstore.acquire('five');
	ROLLBACK;
	BEGIN READ ONLY;
	SELECT idemstore.dedupe_wait_for('absent');
	COMMIT;\n" => 1);
run_storm('twenty sessions', @storm);
misses_become(30002, 'and every miss is counted');
reset_stats();
$node->safe_psql('postgres', $miss);
my $before = position();
my $size = $node->safe_psql('postgres', "SELECT pg_total_relation_size('$counters')");
run_storm('twenty sessions again', @storm);
misses_become(10001, 'and every miss is counted');
is( $node->safe_psql('postgres', "
		SELECT calls -> 'allowed', calls -> 'quota' FROM idemstore.stats WHERE family = 'rate_limit'
		UNION ALL SELECT calls -> 'wait_absent', NULL FROM idemstore.stats WHERE family = 'dedupe'"),
	"0|10000\n10000|", 'so are those of all other calls, rolled back or not');
is(position(), $before, 'not a byte of WAL, and no transaction id');
is($node->safe_psql('postgres', "SELECT pg_total_relation_size('$counters')"), $size, 'the table is as large as before');

# Who has the table locked keeps nobody waiting; the counts arrive later.
$session = IdemTest::Session->new($node);
my $dba = IdemTest::Session->new($node);
reset_stats();
$dba->ask("BEGIN; LOCK TABLE $counters IN ACCESS EXCLUSIVE MODE");
$session->ask("SET statement_timeout = '1 min'");
is($session->sqlstate("$miss FROM idemstore.expire()"), '00000', 'a call that would write the counters goes on under a lock on them');
$dba->ask('COMMIT');
$dba->quit;
$session->quit;
misses_become(7, 'and what was counted arrives');

# The table is not what it should be, or is not there.
my $log_size = -s $node->logfile;
$session = IdemTest::Session->new($node);
$dba = IdemTest::Session->new($node);
foreach my $change (
	[ 'renamed', "ALTER TABLE $counters RENAME TO aside", 'ALTER TABLE idemstore.aside RENAME TO stats_counters' ],
	[ 'replaced by a view', "ALTER TABLE $counters RENAME TO aside; CREATE VIEW $counters AS TABLE idemstore.aside",
		"DROP VIEW $counters; ALTER TABLE idemstore.aside RENAME TO stats_counters" ],
	[ 'under row security', "ALTER TABLE $counters ENABLE ROW LEVEL SECURITY", "ALTER TABLE $counters DISABLE ROW LEVEL SECURITY" ],
	[ 'of other columns', "ALTER TABLE $counters RENAME COLUMN value TO number", "ALTER TABLE $counters RENAME COLUMN number TO value" ])
{
	my ($name, $do, $undo) = @$change;
	my $leaver = IdemTest::Session->new($node);

	$leaver->ask($miss);
	$dba->ask($do);
	is($session->sqlstate("$miss FROM idemstore.expire()"), '00000', "calls go on when the table is $name");
	isnt($session->sqlstate('SELECT * FROM idemstore.stats'), '00000', "the view is none when the table is $name");
	$leaver->quit;
	$node->poll_query_until('postgres', "SELECT count(*) = 3 FROM pg_stat_activity WHERE backend_type = 'client backend'");
	$dba->ask($undo);
}
unlike(slurp_file($node->logfile, $log_size), qr/could not add|FATAL/, 'such a table is left alone');
is($session->ask("SELECT (calls -> 'miss')::int >= 35 FROM idemstore.stats WHERE family = 'cache'"), 't', 'what was counted meanwhile is there');

# An error in writing them is not the call's, and is logged.
$dba->ask("TRUNCATE $counters; ALTER TABLE $counters ALTER value SET STORAGE EXTENDED");
$log_size = -s $node->logfile;
is($session->ask("BEGIN; SELECT idemstore.acquire('one', quota => 1, per => '1 day'); $miss FROM idemstore.expire(); SELECT 'goes on'; COMMIT"),
	"t\n\n\n\n\n\n\n\ngoes on", 'a call does not fail when the counters cannot be written');
like(slurp_file($node->logfile, $log_size), qr/LOG:  could not add to the statistics of idemstore: column "value"/, 'but it is logged');
unlike(slurp_file($node->logfile, $log_size), qr/ERROR/, 'and is no error');
$dba->ask("ALTER TABLE $counters ALTER value SET STORAGE PLAIN");
is($session->ask("SELECT calls -> 'allowed' FROM idemstore.stats WHERE family = 'rate_limit'"), '1', 'what was counted is there when they can');

# Parallel workers count nothing, and leave in peace.
$dba->ask('CREATE TABLE keys AS SELECT n::text AS key FROM generate_series(1, 10000) AS n; ANALYZE keys');
like($session->ask('EXPLAIN SELECT count(idemstore.cache_get(key)) FROM keys'), qr/Partial Aggregate/, 'a plan is parallel');
is($session->ask('SELECT count(idemstore.cache_get(key)) FROM keys'), '0', 'workers read the cache');

# Dropped, and created anew, with counts pending.
$session->ask($miss);
is($session->sqlstate('DROP EXTENSION idemstore; CREATE EXTENSION idemstore'), '00000', 'dropped and created in the session');
is($session->sqlstate($miss), '00000', 'which goes on');
is($session->ask("SELECT (calls -> 'miss')::int > 0 FROM idemstore.stats WHERE family = 'cache'"), 't', 'and counts');
$session->ask($miss);
$dba->ask('DROP EXTENSION idemstore');
$log_size = -s $node->logfile;
$session->quit;
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'client backend'");
unlike(slurp_file($node->logfile, $log_size), qr/ERROR|FATAL/, 'a session ends in peace when the extension is gone');
$dba->ask('CREATE EXTENSION idemstore');
$session = IdemTest::Session->new($node);
$session->ask($miss);
$dba->ask('BEGIN; DROP EXTENSION idemstore');
$session->quit;
$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'client backend'");
$dba->ask('ROLLBACK');
pass('and does not wait for who is about to drop it');

# The database goes, with a session in it.
$dba->ask('CREATE DATABASE doomed');
$session = IdemTest::Session->new($node, 'doomed');
$session->ask("CREATE EXTENSION idemstore; $miss");
is($dba->sqlstate('DROP DATABASE doomed WITH (FORCE)'), '00000', 'a database is dropped under a session that has counted');
$session->kill;
$dba->quit;

unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'the server is well');
done_testing();
