#!/usr/bin/perl
#
# A server is backed up in the middle of a storm, by pg_basebackup and by pg_dump
# with several jobs. Either copy is of one instant: each payment is there with
# its record or not at all. What is unlogged is empty in it, and can be used.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'wal_level = replica', 'max_wal_senders = 5');
$node->safe_psql('postgres', "
	CREATE TABLE ledger (key text, fence bigint);
	CREATE ROLE shop;
	SELECT idemstore.grant_usage('shop'), idemstore.set_rate_limit('limit', 3, '1 day');
	ALTER TABLE idemstore.cooldowns SET LOGGED;
	SELECT idemstore.set_cooldown('origin', 'tomorrow'), idemstore.acquire('limit', 3)");

# Payments, and whatever keeps the unlogged tables busy.
my $payment = "
	\\set i :i + 1
	\\set n :i + random(-5, 5)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('payment ' || :n) \\gset
	\\if :is_owner
		INSERT INTO ledger VALUES ('payment ' || :n, :fence);
		SELECT idemstore.complete('payment ' || :n, :n, fence => :fence,
			response_body => convert_to(repeat(:fence || ' ', 200), 'UTF8'));
	\\endif
	COMMIT;\n";
my $traffic = "
	\\set n random(1, 1000)
	SELECT idemstore.acquire('key ' || :n, $huge), idemstore.cache_set('entry ' || :n, '1', tags => '{tag}'),
		idemstore.dedupe_register('job ' || :n), idemstore.dedupe_complete('job ' || :n, '1');\n";

sub charges
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM ledger');
}

# Of one instant between the two counts, and able to go on from there.
sub check_copy
{
	my ($copy, $database, $name, $least, $most) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($copy->safe_psql($database, "SELECT count(*) BETWEEN $least AND $most FROM ledger"),
		't', "$name: is of the middle of the storm");
	is( $copy->safe_psql($database, "
		SELECT r.key, l.key
		FROM (SELECT * FROM idemstore.idempotency_records WHERE key LIKE 'payment %') AS r
			FULL JOIN ledger AS l USING (key, fence)
		WHERE r.status IS DISTINCT FROM 'complete' OR l.key IS NULL
			OR r.response_body IS DISTINCT FROM convert_to(repeat(fence || ' ', 200), 'UTF8')"),
		'', "$name: records and charges match one to one");

	my $session = IdemTest::Session->new($copy, $database);
	$session->ask('SET ROLE shop');
	is( $session->ask("
		SELECT c.outcome, o.outcome FROM idemstore.start_processing('claimed') AS c, idemstore.start_processing('open') AS o"),
		'in_progress|started', "$name: a committed claim holds, an open one is not there");
	is( $session->ask("
		SELECT idemstore.dedupe_is_in_progress('held'), idemstore.cache_get('held') IS NULL,
			(idemstore.rate_limit_status('limit')).remaining"),
		'f|t|3', "$name: the unlogged tables are empty");
	is( $session->ask("
		SELECT r.is_owner, (idemstore.dedupe_register_or_join('held')).is_owner,
			idemstore.dedupe_complete('held', '1', r.job_id), (idemstore.dedupe_wait_for('held')).outcome
		FROM idemstore.dedupe_register_or_join('held') AS r"),
		't|f|t|completed', "$name: a job is done");
	# what is computed before anybody has fetched since the tables were emptied is not kept
	$session->ask("SELECT outcome FROM idemstore.cache_fetch('first')");
	is( $session->ask("
		SELECT f.outcome, (idemstore.cache_fetch('held')).outcome, idemstore.cache_set('held', '1', tags => '{tag}', fence => f.fence),
			(idemstore.cache_fetch('held')).outcome, idemstore.invalidate_by_tag('tag')
		FROM idemstore.cache_fetch('held') AS f"),
		'compute|in_progress|t|hit|1', "$name: a value is cached");
	is($session->ask("SELECT idemstore.acquire('limit', 3), idemstore.acquire('limit')"), 't|f', "$name: a limit holds");
	$session->ask('RESET ROLE');
	is($session->sqlstate('SELECT idemstore.expire(); VACUUM FULL idemstore.rate_limit_state'), '00000',
		"$name: and is looked after");
	$session->quit;
	return;
}

my $open = IdemTest::Session->new($node);
$open->ask("BEGIN; SELECT idemstore.start_processing('open')");
$node->safe_psql('postgres', "
	SELECT idemstore.start_processing('claimed'), idemstore.dedupe_register('held'), idemstore.cache_set('held', '1')");

my $storm = start_storm($node, [ '--client=6', '--jobs=1', '--time=100', '--define=i=0' ], $payment => 2, $traffic => 1);
wait_in_storm($node, $storm, 'SELECT count(*) > 100 FROM ledger');
my @counts = charges();
$node->backup('base');
push(@counts, charges());
wait_in_storm($node, $storm, "SELECT count(*) > $counts[1] FROM ledger");
push(@counts, charges());
my $dump = PostgreSQL::Test::Utils::tempdir . '/dump';
$node->command_ok(
	[ 'pg_dump', '--format=directory', '--jobs=2', '--no-sync', '--file', $dump, $node->connstr('postgres') ],
	'the database is dumped');
push(@counts, charges());
$node->safe_psql('template1', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '--exit-on-error', '--jobs=2', '--dbname', $node->connstr('copy'), $dump ],
	'the dump is restored');
wait_in_storm($node, $storm, "SELECT count(*) > $counts[3] FROM ledger");
$storm->{run}->signal('TERM');
$storm->{run}->finish;
unlike($storm->{output}, qr/ERROR|aborted/, 'the storm goes on all the while');
cmp_ok($counts[0], '<', $counts[1], 'during the base backup, too');
$open->quit;

check_copy($node, 'copy', 'restored', $counts[2], $counts[3]);
is($node->safe_psql('copy', "SELECT idemstore.get_cooldown('origin') IS NULL"), 't', 'restored: no cooldown, though it was logged');
$node->stop;

my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'base');
$copy->start;
check_copy($copy, 'postgres', 'base backup', $counts[0], $counts[1]);
is($copy->safe_psql('postgres', "SELECT idemstore.get_cooldown('origin') > now()"), 't', 'base backup: a cooldown, since it was logged');
check_table($copy, 'in the base backup');
is( $copy->safe_psql('postgres', "
	SELECT key FROM ledger, LATERAL idemstore.start_processing(key) AS r
	WHERE (r.outcome, r.response_status) IS DISTINCT FROM ('replay', split_part(key, ' ', 2)::int)"),
	'', 'base backup: every charge is replayed');
run_storm('base backup: the storm goes on there', $copy,
	[ '--client=6', '--jobs=1', '--time=1', "--define=i=$counts[1]" ], $payment => 2, $traffic => 1);
is($copy->safe_psql('postgres', 'SELECT key, count(*) FROM ledger GROUP BY 1 HAVING count(*) > 1'),
	'', 'base backup: nobody is charged twice');

done_testing();
