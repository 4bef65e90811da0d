#!/usr/bin/perl
#
# Dedupe and its server: what a call writes, a crash, the table made logged, a
# DBA's changes, a hostile search path, a standby.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(time);

# Nobody but this test may take transaction ids or write WAL.
my $node = new_node('main', 'autovacuum = off', 'checkpoint_timeout = 1h', 'bgwriter_lru_maxpages = 0');
my $owner = IdemTest::Session->new($node);
my $other = IdemTest::Session->new($node);
my @functions = ("dedupe_register('k')", "dedupe_register_or_join('k')", "dedupe_complete('k', '1')", "dedupe_fail('k')",
	"dedupe_wait_for('k')", "dedupe_is_in_progress('k')");

sub register
{
	my ($session, $hash) = @_;

	return $session->ask("SELECT is_owner FROM idemstore.dedupe_register_or_join('$hash')");
}

# What a completion writes: its row, in place, and not a byte of WAL for it.
$node->safe_psql('postgres', "
	CREATE EXTENSION pg_walinspect;
	CREATE TABLE logged (n int);
	CREATE TABLE big AS SELECT to_json(string_agg(md5(i::text), '')) AS value FROM generate_series(1, 3000) AS i");
# or else the first look at a catalog prunes it
$node->safe_psql('postgres', 'VACUUM');

# The WAL records of a statement in a transaction of its own. The commit of one
# that has written to an unlogged table only does not wait for its own record,
# so have it flushed before looking.
sub wal_of
{
	my ($statement) = @_;

	my $before = $owner->ask('SELECT pg_current_wal_insert_lsn()');
	$owner->ask($statement);
	my $after = $owner->ask('SELECT pg_current_wal_insert_lsn()');
	return '' if $before eq $after;
	$owner->ask("SELECT pg_logical_emit_message(true, 'test', 'flush')");
	return scalar($owner->ask("SELECT resource_manager, record_type FROM pg_get_wal_records_info('$before', '$after')"));
}

$owner->ask("SELECT idemstore.dedupe_register('warm up'), idemstore.dedupe_complete('warm up', (SELECT value FROM big))");
foreach my $value ("'1'", '(SELECT value FROM big)')
{
	my $hash = 'written ' . length($value);

	register($owner, $hash);
	is(wal_of("SELECT idemstore.dedupe_complete('$hash', $value)"),
		'Transaction|COMMIT', "completing with $value writes no WAL but the commit");
	is(wal_of("SELECT idemstore.dedupe_register('$hash')"),
		'Transaction|COMMIT', 'nor does opening it anew');
	is(wal_of("SELECT idemstore.dedupe_fail('$hash', $value)"),
		'Transaction|COMMIT', "nor does failing with $value");
}
like(wal_of('INSERT INTO logged VALUES (1)'), qr/Heap/, 'what does write is seen by this measure');
register($owner, 'pending');
my $counts = "SELECT 'counts', n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del
	FROM pg_stat_xact_user_tables WHERE relname = 'dedupe_jobs'";
my @counts = $owner->ask("BEGIN; $counts; SELECT idemstore.dedupe_complete('pending', '1'); $counts;
	SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype IN ('userlock', 'advisory'); COMMIT")
  =~ /^counts\|(\d+)\|(\d+)\|(\d+)\|(\d+)\nt\ncounts\|(\d+)\|(\d+)\|(\d+)\|(\d+)\n(\d+)$/;
is(join(' ', map { $counts[ $_ + 4 ] - $counts[$_] } 0 .. 3),
	'0 1 1 0', 'without waiters, a completion changes one row, in place, and nothing else');
is($counts[8], '0', 'and takes no lock of ours');

# What does not change a job takes no transaction id and writes no WAL.
$owner->ask("SELECT idemstore.dedupe_complete('pending', '1')");
register($owner, 'claimed');
my $open = IdemTest::Session->new($node);
$open->ask('BEGIN');
register($open, 'open');
foreach my $call (
	[ "dedupe_register_or_join('claimed')", qr/^\(.*,f\)$/ ], [ "dedupe_register_or_join('open')", qr/^\(.*,f\)$/ ],
	[ "dedupe_complete('pending', '2')", qr/^f$/ ], [ "dedupe_complete('claimed', '2', gen_random_uuid())", qr/^f$/ ],
	[ "dedupe_fail('pending')", qr/^f$/ ], [ "dedupe_complete('open', '2')", qr/^f$/ ],
	[ "dedupe_fail('absent')", qr/^f$/ ], [ "dedupe_is_in_progress('claimed')", qr/^t$/ ],
	[ "dedupe_wait_for('pending')", qr/^\(completed,1,\)$/ ], [ "dedupe_wait_for('claimed', '20 ms')", qr/^\(timeout,,\)$/ ],
	[ "dedupe_wait_for('open', '20 ms')", qr/^\(timeout,,\)$/ ], [ "dedupe_wait_for('absent')", qr/^\(absent,,\)$/ ])
{
	my ($function, $answer) = @$call;

	$owner->ask("SELECT idemstore.$function");
	is(wal_of("BEGIN; SELECT idemstore.$function"), '', "$function writes no WAL");
	is($owner->ask('SELECT pg_current_xact_id_if_assigned() IS NULL'), 't', "$function takes no transaction id");
	$owner->ask('COMMIT');
	like($owner->ask("SELECT idemstore.$function"), $answer, "$function answers");
}
$open->ask('ROLLBACK');
$open->quit;

# A crash empties the table, and everything goes on. Made logged, it keeps its
# jobs.
sub is_at_work
{
	my ($when) = @_;
	my $session = IdemTest::Session->new($node);

	is(register($session, "work $when"), 't', "a job has an owner $when");
	is($session->ask("SELECT idemstore.dedupe_complete('work $when', '1'), (idemstore.dedupe_wait_for('work $when')).value"),
		't|1', "and a value $when");
	register($session, 'before the crash');
	return $session->quit;
}

sub crash
{
	$owner->quit;
	$other->quit;
	$node->stop('immediate');
	$node->start;
	$owner = IdemTest::Session->new($node);
	$other = IdemTest::Session->new($node);
	return;
}

is_at_work('at first');
crash();
is($node->safe_psql('postgres', 'SELECT count(*) FROM idemstore.dedupe_jobs'), '0', 'a crash empties the table');
is($owner->ask("SELECT outcome FROM idemstore.dedupe_wait_for('before the crash')"), 'absent', 'a job of before is absent');
is_at_work('after the crash');
is($owner->sqlstate('ALTER TABLE idemstore.dedupe_jobs SET LOGGED'), '00000', 'the table can be made logged');
is_at_work('when it is logged');
like(wal_of("SELECT idemstore.dedupe_register('logged')"), qr/Heap/, 'which writes WAL then');
crash();
is(register($owner, 'before the crash'), 'f', 'a logged job outlives a crash');
is_at_work('after another crash');
is($owner->sqlstate('ALTER TABLE idemstore.dedupe_jobs SET UNLOGGED'), '00000', 'and unlogged again');
is_at_work('when it is unlogged again');

# Under the hands of a DBA, and of somebody who prepares a search path.
$owner->ask("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
	CREATE TRIGGER t BEFORE UPDATE ON idemstore.dedupe_jobs FOR EACH ROW EXECUTE FUNCTION nothing()");
is($other->sqlstate("SELECT idemstore.$_"), '55000', "$_ is refused with a row trigger") foreach @functions;
$owner->ask('DROP TRIGGER t ON idemstore.dedupe_jobs');
is_at_work('without the trigger');
$owner->ask('DROP EXTENSION idemstore; CREATE EXTENSION idemstore');
is(register($_, 'anew'), $_ == $owner ? 't' : 'f', 'the extension is created anew under a session that has used it')
  foreach ($owner, $other);
$owner->ask("CREATE SCHEMA evil;
	CREATE FUNCTION evil.starts_with(text, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked''; END';
	CREATE FUNCTION evil.compare(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked''; END';
	CREATE OPERATOR evil.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.compare);
	CREATE FUNCTION evil.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS 'BEGIN RAISE ''hijacked''; END'");
$other->ask('SET search_path = evil, pg_temp, pg_catalog');
is($other->sqlstate('SELECT now() > now()'), 'P0001', 'the hostile schema works');
is($other->sqlstate("SELECT idemstore.$_"), '00000', "under a hostile schema: $_")
  foreach ("dedupe_clear('k')", @functions, "dedupe_clear()");
$owner->quit;
$other->quit;
$node->stop;

# A standby has no unlogged table; a logged one is readable there.
my $primary = new_node('primary', 'wal_level = replica', 'max_wal_senders = 5');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$owner = IdemTest::Session->new($primary);
$other = IdemTest::Session->new($standby);
register($owner, 'k');
$primary->wait_for_catchup($standby);
is($other->sqlstate("SELECT idemstore.$_"), '25006', "standby: $_ is refused")
  foreach (grep { !/wait|progress/ } @functions, 'dedupe_clear()');
foreach my $function (grep { /wait|progress/ } @functions)
{
	my ($exit, $output, $errors) = $standby->psql('postgres', "SELECT idemstore.$function");

	is($other->sqlstate("SELECT idemstore.$function"), '0A000', "standby: $function is refused");
	like($errors, qr/unlogged table "idemstore.dedupe_jobs" during recovery\n.*HINT:  .*SET LOGGED/s,
		'the error says why, and what to do');
}
$owner->ask('ALTER TABLE idemstore.dedupe_jobs SET LOGGED');
register($owner, 'logged');
$primary->wait_for_catchup($standby);
is($other->ask("SELECT idemstore.dedupe_is_in_progress('logged'), (idemstore.dedupe_wait_for('logged', '50 ms')).outcome"),
	't|timeout', 'standby: a logged job is in progress');
$other->send("SELECT * FROM idemstore.dedupe_wait_for('logged', '60 s')");
wait_for_sleepers($standby, 1, 'Extension', 'logged');
my $since = time();
$owner->ask("SELECT idemstore.dedupe_complete('logged', '[7]')");
is($other->receive, 'completed|[7]|', 'standby: a wait sees the completion on the primary');
note('seen after ' . (time() - $since) . ' s');
is($other->sqlstate("SELECT idemstore.dedupe_register('logged')"), '25006', 'standby: registering is refused all the same');
$owner->quit;
$other->quit;

done_testing();
