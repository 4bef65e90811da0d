#!/usr/bin/perl
#
# pg_repack of a database: passed --exclude-extension=idemstore, it does all the
# rest. Without that it puts a trigger on the tables, and the calls that this
# stops name it, while it is at work and after it was killed. From PostgreSQL 19 on
# REPACK (CONCURRENTLY) shrinks the records under calls.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'wal_level = replica');
my $program = $node->config_data('--bindir') . '/pg_repack';
my $call = "SELECT outcome FROM idemstore.start_processing('k')";

check_repack_concurrently() if $node->pg_version->major >= 19;
unless (-x $program)
{
	pass('Debian has no pg_repack for this PostgreSQL yet');
	done_testing();
	exit;
}
$node->safe_psql('postgres', 'CREATE EXTENSION pg_repack; CREATE TABLE mine AS SELECT 1 AS a; ALTER TABLE mine ADD PRIMARY KEY (a)');
my @repack = ($program, '--host', $node->host, '--port', $node->port, '--no-order', 'postgres');

# Under calls, by the way that the manual gives.
my $storm = start_calls();
my $file = $node->safe_psql('postgres', "SELECT pg_relation_filenode('mine')");
my ($output, $errors) = run_command([ @repack, '--exclude-extension=idemstore' ]);
unlike($errors, qr/ERROR|WARNING/, 'pg_repack without our tables has nothing to complain of');
ok(finish_storm($storm), 'and stops no call');
isnt($node->safe_psql('postgres', "SELECT pg_relation_filenode('mine')"), $file, 'while it has done the rest');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'idemstore.%' AND tgname ~ 'repack'"), 0, 'it has put nothing on ours');
check_table($node, 'after pg_repack');

# Of all tables. It waits for transactions that are older, with its trigger in place.
my $older = IdemTest::Session->new($node);
my $triggers = "SELECT count(*) > 0 FROM pg_trigger WHERE tgrelid = 'idemstore.idempotency_records'::regclass AND tgname = 'repack_trigger'";
$older->ask('BEGIN; SELECT pg_current_xact_id()');
my $run = IPC::Run::start([ @repack, '--table=idemstore.idempotency_records' ], '<', \undef, '>&', \$output);
$node->poll_query_until('postgres', $triggers) or die 'pg_repack puts no trigger on the table';
like(refusal(), qr/55000.*DETAIL:  The table has the trigger "repack_trigger"\..*HINT:  pg_repack .*--exclude-extension=idemstore/s, 'at work, it is named');
$run->kill_kill;
$older->ask('COMMIT');
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'pg_repack'") or die 'pg_repack is not gone';

# Killed, it leaves the trigger, if not more; the hint is the cure.
is($node->safe_psql('postgres', $triggers), 't', 'killed, it leaves its trigger');
like(refusal(), qr/55000/, 'which is in the way for good');
my ($cure) = refusal() =~ /(DROP TRIGGER repack_trigger ON \S+)\.$/m;
is($node->safe_psql('postgres', $cure), '', 'the hint says how to be rid of it');
is($node->safe_psql('postgres', $call), 'started', 'and then calls work');
$older->quit;

done_testing();

sub start_calls
{
	return start_storm($node, [ '--client=4', '--jobs=1', '--transactions=500', '--define=i=0' ], "
		\\set i :i + 1
		SELECT idemstore.start_processing('k' || :i || ' ' || :client_id);
		SELECT idemstore.complete('k' || :i || ' ' || :client_id, 200);
		SELECT idemstore.cache_set('c' || :i, '1'), idemstore.dedupe_register('j' || :i);
		SELECT idemstore.acquire('r', quota => 1000000, per => '1 day');\n" => 1);
}

sub check_repack_concurrently
{
	my $size = "SELECT pg_relation_size('idemstore.idempotency_records')";

	$node->safe_psql('postgres', "SELECT count(idemstore.set_nx('old ' || i, repeat('x', 500))) FROM generate_series(1, 20000) AS i");
	$node->safe_psql('postgres', "SELECT count(idemstore.forget('old ' || i)) FROM generate_series(1, 19000) AS i");
	my $before = $node->safe_psql('postgres', $size);
	my $storm = start_calls();
	my $nwithin = 0;
	while ($storm->{run}->pumpable)
	{
		$node->safe_psql('postgres', 'REPACK (CONCURRENTLY) idemstore.idempotency_records');
		$storm->{run}->pump_nb;
		$nwithin++ if $storm->{run}->pumpable;
	}
	cmp_ok($nwithin, '>', 0, 'REPACK (CONCURRENTLY) ends while calls go on');
	ok(finish_storm($storm), 'and stops none');
	cmp_ok($node->safe_psql('postgres', $size), '<', $before / 2, 'and shrinks the records');
	is( $node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE key LIKE 'old%'), count(*) FILTER (WHERE key LIKE 'k%' AND status = 'complete') FROM idemstore.idempotency_records"),
		'1000|2000', 'and loses none');
	check_table($node, 'after REPACK');
	$node->safe_psql('postgres', "SELECT count(idemstore.forget(key)) FROM idemstore.idempotency_records");
	return;
}

sub refusal
{
	my ($exit, $rows, $message) = $node->psql('postgres', "\\set VERBOSITY verbose\n$call");

	return $message;
}
