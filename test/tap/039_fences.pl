#!/usr/bin/perl
#
# No fence is given twice, and a later claim of a key has the larger one: over
# crashes, restarts, a failover and a restore, while the clock stands far behind
# what was given and is of no help; and in a storm of claims and releases.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'autovacuum = off', 'checkpoint_timeout = 1h', 'wal_level = replica', 'max_wal_senders = 4');
my $ahead = "SELECT setval('idemstore.fences', 9000000000000000)";
my $keys = 0;
my $largest = 0;

# As many claims as that, each in a transaction of its own; the largest fence.
sub draw
{
	my ($server, $count) = @_;
	my @fences = map { ++$keys; "SELECT fence FROM idemstore.start_processing('draw $keys');" } 1 .. $count;

	return (split(/\n/, $server->safe_psql('postgres', "@fences")))[-1];
}

sub draws_larger
{
	my ($server, $count, $name) = @_;
	my $former = $largest;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	cmp_ok($largest = draw($server, 1), '>', $former, $name);
	$largest = draw($server, $count);
	return;
}

sub crash
{
	$node->stop('immediate');
	$node->start;
	return;
}

# A record of WAL is 32 ahead: before, at and after the next one, with a
# checkpoint in front of it, behind it, and of a page that was written since.
$node->safe_psql('postgres', $ahead);
$largest = draw($node, 1);
foreach my $count (1, 30, 31, 32, 33, 34, 64, 65, 100)
{
	draw($node, $count);
	$node->safe_psql('postgres', 'CHECKPOINT');
	$largest = draw($node, $count);
	crash();
	draws_larger($node, $count, "after $count claims, a checkpoint, $count claims and a crash");
	crash();
	draws_larger($node, 1, 'and another crash');
	$node->safe_psql('postgres', 'CHECKPOINT');
	crash();
	draws_larger($node, 1, 'and one right after a checkpoint');
}
$node->restart;
draws_larger($node, 10, 'after a restart');

# A claim whose transaction never ended, and of which a client knows.
my $session = IdemTest::Session->new($node);
$session->ask('BEGIN');
$largest = $session->ask("SELECT max(fence) FROM generate_series(1, 40) AS i, idemstore.start_processing('open ' || i)");
crash();
$session->kill;
draws_larger($node, 1, 'after a crash in the middle of a transaction');

# A standby takes over.
$node->backup('standby');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'standby', has_streaming => 1);
$standby->start;
$largest = draw($node, 50);
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT last_value >= $largest FROM idemstore.fences"), 't', 'the standby is not behind');
$node->stop('immediate');
$standby->promote;
draws_larger($standby, 40, 'after a failover');

# A dump has the sequence.
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$standby->command_ok([ 'pg_dump', '--file', $dump, $standby->connstr('postgres') ], 'the database is dumped');
$standby->safe_psql('postgres', 'CREATE DATABASE restored');
$standby->command_ok([ 'psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--file', $dump, $standby->connstr('restored') ], 'and restored');
cmp_ok($standby->safe_psql('restored', "SELECT fence FROM idemstore.start_processing('after a restore')"), '>', $largest,
	'after a restore');

# Claims and releases of a few keys. The number of a turn is drawn while its
# claim is held.
$standby->safe_psql('postgres', 'CREATE SEQUENCE turns; CREATE TABLE seen (key text, fence bigint, turn bigint)');
run_storm('a storm of claims and releases', $standby, [ '--client=16', '--jobs=2', '--transactions=1500' ], q{
	\set k random(1, 3)
	BEGIN;
	INSERT INTO seen SELECT 'k' || :k, fence, nextval('turns') FROM idemstore.start_processing('k' || :k) WHERE outcome = 'started';
	SELECT idemstore.release(key, fence) FROM idemstore.idempotency_records
	WHERE key = 'k' || :k AND xmin = pg_current_xact_id_if_assigned()::xid;
	COMMIT;
}, 1);
is($standby->safe_psql('postgres', '
	SELECT count(*) > 1000, count(*) = count(DISTINCT fence), bool_and(is_larger)
	FROM (SELECT fence, fence > lag(fence, 1, 0::bigint) OVER (PARTITION BY key ORDER BY turn) AS is_larger FROM seen) AS s'),
	't|t|t', 'has many claims, no fence twice, and for each key only larger ones');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM idemstore.idempotency_records WHERE key ~ \'^k\''), 0, 'and releases all');

done_testing();
