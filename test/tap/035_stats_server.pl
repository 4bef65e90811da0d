#!/usr/bin/perl
#
# Statistics across a crash, a restart, a dump and a standby: the counters start
# anew where an unlogged table does, and who is at work is seen wherever the
# records are.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'wal_level = replica', 'max_wal_senders = 5', 'restart_after_crash = on', 'autovacuum = off');
my $miss = "SELECT idemstore.cache_get('absent')";

sub stats
{
	my ($in, $database) = @_;

	return $in->safe_psql($database // 'postgres',
		"SELECT calls -> 'miss', removed, last_expiry IS NOT NULL, reset_at IS NOT NULL FROM idemstore.stats WHERE family = 'cache'");
}

sub counted
{
	my ($in) = @_;

	return $in->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'");
}

is(stats($node), '0|0|f|f', 'at first, nothing was ever counted');
$node->safe_psql('postgres', "$miss; $miss; SELECT idemstore.cache_set('gone', '1', '-1 s'); SELECT idemstore.expire()");
counted($node);
is(stats($node), '2|0|t|t', 'calls and expiry are counted');

# A clean restart keeps them, a crash does not.
$node->restart;
is(stats($node), '2|0|t|t', 'a clean restart keeps them');
my $session = IdemTest::Session->new($node);
$session->ask($miss);
is(kill('KILL', scalar($session->pid)), 1, 'a backend is killed');
$session->kill;
$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
is(stats($node), '0|0|f|f', 'after a crash, nothing was ever counted');
$node->safe_psql('postgres', $miss);
counted($node);
is(stats($node), '1|0|f|t', 'and counting goes on');

# A dump leaves them behind, and takes along who may read them.
$node->safe_psql('postgres', "CREATE ROLE operator; SELECT idemstore.grant_usage('operator', 'operator')");
my $file = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$node->command_ok([ 'pg_dump', '--file', $file, $node->connstr('postgres') ], 'the database is dumped');
unlike(slurp_file($file), qr/COPY idemstore\.stats/, 'without the counters');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok(
	[ 'psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--file', $file, $node->connstr('copy') ],
	'and restored');
is(stats($node, 'copy'), '0|0|f|f', 'in the copy, nothing was ever counted');
is( $node->safe_psql('copy', "$miss; SET ROLE operator; SELECT calls -> 'miss' FROM idemstore.stats WHERE family = 'cache'; SELECT count(*) FROM idemstore.in_flight"),
	"\n1\n0", 'it counts, and an operator may read it');

# On a standby: who is at work on the primary, committed or not, as far as it is
# in a logged table.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $owner = IdemTest::Session->new($node);
my $reader = IdemTest::Session->new($standby);
$node->safe_psql('postgres', "
	SELECT idemstore.start_processing('committed'), idemstore.start_processing('abandoned', lease => '1 us'),
		idemstore.start_processing('final'), idemstore.complete('final', 200), idemstore.dedupe_register('job')");
$owner->ask("BEGIN; SAVEPOINT a; SELECT idemstore.start_processing('open'); SAVEPOINT b; SELECT idemstore.start_processing('rolled back'); ROLLBACK TO b");
$node->safe_psql('postgres', 'CREATE TABLE settles ()');
$node->wait_for_catchup($standby);
my $in_flight = 'SELECT family, key, state, owner_pid FROM idemstore.in_flight ORDER BY key';
is($reader->ask($in_flight), "idempotency|abandoned|abandoned|\nidempotency|committed|claimed|\nidempotency|open|open|",
	'the standby sees who is at work in the logged table, also before the commit');
is($reader->ask('SELECT family, calls, live, expired, oldest_in_progress IS NOT NULL, removed, table_size > 0, marks, longest_chain, backlog_since, reset_at FROM idemstore.stats'),
	"idempotency||3|0|t||t||||\ndedupe||||f||t||||\ncache||||f||t||||\nrate_limit||||f||t||||", 'the view has what is logged');
is($reader->sqlstate('SELECT idemstore.stats_reset()'), '25006', 'and cannot be reset');
$owner->ask('ROLLBACK');
$node->safe_psql('postgres', 'DROP TABLE settles; ALTER TABLE idemstore.dedupe_jobs SET LOGGED; ALTER TABLE idemstore.cache_leases SET LOGGED;
	ALTER TABLE idemstore.cache_entries SET LOGGED; ALTER TABLE idemstore.stats_counters SET LOGGED');
$owner->ask("BEGIN; SELECT idemstore.cache_fetch('value')");
$node->safe_psql('postgres', 'CREATE TABLE settles ()');
$node->wait_for_catchup($standby);
is( $reader->ask($in_flight),
	"idempotency|abandoned|abandoned|\nidempotency|committed|claimed|\ndedupe|job|claimed|\ncache|value|open|",
	'logged, all of them are there');
$owner->quit;
counted($node);
$node->safe_psql('postgres', 'DROP TABLE settles');
$node->wait_for_catchup($standby);
is($reader->ask("SELECT calls -> 'miss', calls -> 'compute' FROM idemstore.stats WHERE family = 'cache'"),
	$node->safe_psql('postgres', "SELECT calls -> 'miss', calls -> 'compute' FROM idemstore.stats WHERE family = 'cache'"),
	'so are the counters, as the primary has them');

# What is read on the standby is counted when it can write.
$reader->ask($miss) foreach 1 .. 3;
is($reader->sqlstate("SELECT pg_sleep(1.1)"), '00000', 'a second passes');
is($reader->sqlstate($miss), '00000', 'a standby counts without writing');
my $leaver = IdemTest::Session->new($standby);
$leaver->ask($miss);
$leaver->quit;
$standby->promote;
is($reader->ask("SELECT calls -> 'miss', calls -> 'compute' FROM idemstore.stats WHERE family = 'cache'"), '5|1', 'and adds it up when promoted');
$reader->quit;

unlike(slurp_file($_->logfile), qr/PANIC|TRAP|could not add|ERROR:  (?!cannot)/, 'the log of the ' . $_->name . ' is clean') foreach $node, $standby;
done_testing();
