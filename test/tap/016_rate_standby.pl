#!/usr/bin/perl
#
# Rate limits on a hot standby, and after its promotion. Their configuration is
# there always, their state if the owner has made it logged: reading works then,
# writing is refused.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $state = 'idemstore.rate_limit_state';

# Every page that the standby makes is compared with that of the primary.
my $primary = new_node('primary', 'wal_level = replica', 'max_wal_senders = 5', 'shared_buffers = 32MB',
	"wal_consistency_checking = 'generic'", 'full_page_writes = off');
$primary->safe_psql('postgres', "
	SELECT idemstore.set_rate_limit('five', 5, '1 day');
	SELECT idemstore.set_rate_limit('two*', 100, '1 day'), idemstore.set_rate_limit('two*', 7, '12 h', policy => 'half');
	SELECT idemstore.set_adaptive_rate_limit('adaptive', 100, '1 day')");
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my $writer = IdemTest::Session->new($primary);
my $reader = IdemTest::Session->new($standby);

sub check_writing_is_refused
{
	my ($when) = @_;

	foreach my $call (
		"acquire('five')", "acquire('five', 0)", "acquire('absent', origin => 'origin')", "consume('five')",
		"acquire_all('{five,two}')", "record_request('five')", "rate_limit_reset('five')",
		"set_rate_limit('five', 6, '1 day')", "set_adaptive_rate_limit('five')", "drop_rate_limit('five')",
		"set_cooldown('origin', now() + interval '1 h')", "clear_cooldown('origin')")
	{
		is($reader->sqlstate("SELECT idemstore.$call"), '25006', "$when: $call is refused");
	}
	return;
}

# What the functions that read say, on both servers.
sub readings
{
	my ($session) = @_;

	return $session->ask("
		SELECT r.resource, s.allowed, s.remaining, s.reset_at, s.policy, idemstore.can_proceed(r.resource, 4),
			idemstore.get_wait_time(r.resource, 4) > '0'
		FROM unnest('{five,two a,two b}'::text[]) AS r (resource),
			LATERAL idemstore.rate_limit_status(r.resource) AS s
		WHERE NOT s.allowed OR s.remaining < s.quota
		ORDER BY 1, 5;
		SELECT idemstore.adaptive_rate_limit_status('adaptive');
		SELECT count(*), sum(s.quota - s.remaining)
		FROM generate_series(1, 3000) AS n, LATERAL idemstore.rate_limit_status('key ' || n, $huge) AS s;
		SELECT quota - remaining FROM idemstore.rate_limit_status('hot', $huge)");
}

sub check_same
{
	my ($when) = @_;
	my $here = readings($writer);

	$primary->wait_for_catchup($standby);
	is(readings($reader), $here, "$when: the standby says what the primary says");
	return $here;
}

# Unlogged, as it comes: nothing to read, and it says so.
$writer->ask("SELECT idemstore.acquire('five'), idemstore.set_cooldown('origin', now() + interval '1 day')");
$primary->wait_for_catchup($standby);
foreach my $call ("can_proceed('five')", "get_wait_time('five')", "rate_limit_status('five')",
	"adaptive_rate_limit_status('adaptive')", "can_proceed('given', $huge)", "get_cooldown('origin')")
{
	my ($exit, $output, $errors) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT idemstore.$call");

	like($errors, qr/0A000: cannot access unlogged table ".*" during recovery\n.*HINT:  ALTER TABLE \.\.\. SET LOGGED/s,
		"unlogged: $call says so");
}
check_writing_is_refused('unlogged');

# Logged: in the very session that was refused.
$writer->ask("ALTER TABLE $state SET LOGGED; TRUNCATE $state");
$primary->wait_for_catchup($standby);
is($reader->ask("SELECT idemstore.can_proceed('five', 5)"), 't', 'a table that is not set up is an empty one');
$writer->ask("SELECT idemstore.acquire('five', 2), idemstore.acquire('two a'), idemstore.acquire('two b', 7),
	idemstore.acquire('adaptive', priority => 'user')");
like(check_same('logged'), qr/^five\|t\|3\|.*\ntwo a\|t\|99\|/, 'logged: and what it says is right');
check_writing_is_refused('logged');

# A change of configuration reaches the standby's sessions too, at their next
# call, also in an open transaction.
my $status = "SELECT remaining FROM idemstore.rate_limit_status('five')";
$reader->ask('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($reader->ask($status), '3', 'the standby knows the limit');
$writer->ask("BEGIN; SELECT idemstore.set_rate_limit('five', 50, '1 day'), txid_current(); SELECT pg_switch_wal()");
$primary->wait_for_catchup($standby);
is($reader->ask($status), '3', 'a new one is not known before it is committed');
$writer->ask('COMMIT');
$primary->wait_for_catchup($standby);
is($reader->ask($status), '48', 'but then');
$reader->ask('COMMIT');
$writer->ask("SELECT idemstore.set_rate_limit('five', 5, '1 day')");

# A storm, with growth, rows that go and rewrites, while sessions of the standby
# read.
my $reading = start_storm($standby, [ '--client=2', '--jobs=1', '--time=3' ], "
	\\set n random(1, 3000)
	SELECT idemstore.can_proceed('key ' || :n, $huge), idemstore.rate_limit_status('hot', $huge);
	SELECT count(*) FROM $state WHERE length(state) < 0;\n" => 1);
my $storm = start_storm($primary, [ '--client=4', '--jobs=1', '--time=2' ],
	"SELECT 1 / idemstore.acquire('hot', $huge)::int;\n" => 1,
	"\\set n random(1, 3000)\nSELECT 1 / idemstore.acquire('key ' || :n, $huge)::int;\n" => 2,
	"\\set n random(1, 3000)\nSELECT idemstore.acquire('brief ' || :n, quota => 1, per => '1 us');\n" => 1,
	"\\set n random(1, 10)\nSELECT idemstore.rate_limit_reset('key ' || :n);\n" => 1);
foreach (1 .. 3)
{
	wait_in_storm($primary, $storm, 'SELECT pg_sleep(0.2) IS NOT NULL');
	care($primary, 'SELECT idemstore.expire()');
	care($primary, "VACUUM FULL $state");
	care($primary, 'CHECKPOINT');
}
ok(finish_storm($storm), 'a storm on the primary');
ok(finish_storm($reading), 'readers on the standby meanwhile');
my $taken = processed($storm, 1);
is(taken($primary, 'hot'), $taken, 'everything is counted');
my $before = check_same('after the storm');

# After promotion, in the very session that was refused before.
$writer->quit;
$primary->stop;
$standby->promote;
is(readings($reader), $before, 'promoted: nothing is lost');
check_resources($standby, 'after promotion');
is($reader->ask("SELECT idemstore.acquire('five', 3), idemstore.acquire('five')"),
	't|f', 'promoted: what was taken before is taken');
is($reader->ask("SELECT idemstore.acquire('hot', $huge), idemstore.acquire('new', $huge)"),
	't|t', 'promoted: acquire writes');
is( $reader->ask("SELECT idemstore.acquire_all('{two a,two c}'), idemstore.rate_limit_reset('five'),
		idemstore.acquire('five', 5)"), 't|t|t', 'promoted: so does all else');
$reader->ask("SELECT idemstore.set_rate_limit('five', 6, '1 day')");
is($reader->ask("SELECT idemstore.acquire('five'), idemstore.acquire('five')"), 't|f', 'promoted: a limit is set');
is($reader->ask("SELECT idemstore.get_cooldown('origin') IS NULL"), 't', 'promoted: what was unlogged is empty');
$reader->ask("SELECT idemstore.set_cooldown('origin', now() + interval '1 day')");
is( $reader->ask("SELECT idemstore.acquire('two d', origin => 'origin'), idemstore.clear_cooldown('origin'),
		idemstore.acquire('two d', origin => 'origin')"), 'f|t|t', 'promoted: and can be used');
run_storm('promoted: a storm', $standby, [ '--client=4', '--jobs=2', '--transactions=500' ],
	"SELECT 1 / idemstore.acquire('hot', $huge)::int;\n" => 1);
is(taken($standby, 'hot'), $taken + 1 + 2000, 'promoted: which is counted');
$reader->ask("VACUUM FULL $state");
check_resources($standby, 'after a rewrite there');
$reader->quit;
unlike(slurp_file($standby->logfile), qr/ (?:ERROR: (?! cannot (?:access|execute))|PANIC|inconsistent)/,
	'the standby never was at odds with the primary');

done_testing();
