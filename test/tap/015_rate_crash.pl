#!/usr/bin/perl
#
# The server dies in the middle of a storm of acquires. An unlogged state is
# empty afterwards, a logged one has every acquire that was acknowledged, and
# everything goes on.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $state = 'idemstore.rate_limit_state';
my $clients = 8;
my $node = new_node('main', 'restart_after_crash = on', 'synchronous_commit = on', 'autovacuum = off',
	'max_prepared_transactions = 5', 'shared_buffers = 16MB');
my $round = 0;

$node->safe_psql('postgres', "
	SELECT idemstore.set_rate_limit('configured', 7, '1 day');
	SELECT idemstore.set_cooldown('origin', now() + interval '1 day')");

# One key for all, keys that come and grow, several at once, and an acquire that
# is not acknowledged by a commit.
my @scripts = (
	"SELECT 1 / idemstore.acquire('hot', $huge)::int;\n" => 3,
	"\\set n random(1, 3000)\nSELECT 1 / idemstore.acquire('key ' || :n, $huge)::int;\n" => 6,
	"\\set n random(1, 20)\nBEGIN;\nSELECT 1 / idemstore.acquire('undone ' || :n, $huge)::int;\nROLLBACK;\n" => 1);

# Run a storm, do something to the server in it, and return the storm.
sub storm_until
{
	my ($do) = @_;
	my $before = taken($node, 'hot');
	my $storm = start_storm($node, [ "--client=$clients", '--jobs=1', '--time=60' ], @scripts);

	$round++;
	wait_in_storm($node, $storm, "
		SELECT quota - remaining > $before + 2000 FROM idemstore.rate_limit_status('hot', $huge)");
	$do->($storm);
	ok(!finish_storm($storm), "crash $round: the clients of the storm lose their connections");
	$node->poll_query_until('postgres', 'SELECT true')
	  or die 'the server does not come back';
	return $storm;
}

sub check_storm_goes_on
{
	run_storm("crash $round: the storm goes on", $node, [ "--client=$clients", '--jobs=2', '--transactions=100' ], @scripts);
	check_resources($node, "after crash $round");
	return;
}

sub kill_a_backend
{
	my $victim = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE application_name = 'storm' LIMIT 1");

	is(kill('KILL', $victim), 1, "crash $round: a backend of the storm is killed");
	return;
}

sub stop_at_once
{
	$node->stop('immediate');
	$node->start;
	return;
}

# Unlogged, as it comes.
storm_until(\&kill_a_backend);
is( $node->safe_psql('postgres', "
	SELECT (SELECT count(*) FROM $state), pg_relation_size('$state'), idemstore.get_cooldown('origin') IS NULL,
		(SELECT count(*) FROM idemstore.rate_limits)"),
	'0|0|t|1', 'an unlogged state is empty, and so are the cooldowns; the configuration is there');
is($node->safe_psql('postgres', "SELECT idemstore.can_proceed('configured', 7), idemstore.acquire('configured', 7)"),
	't|t', 'the quota is there again');
check_storm_goes_on();
my $sum = taken($node, '%');
$node->restart;
is(taken($node, '%'), $sum, 'a clean restart keeps an unlogged state');

# Logged: what was acknowledged is there, and what was under way may be.
$node->safe_psql('postgres', "
	ALTER TABLE $state SET LOGGED;
	ALTER TABLE idemstore.cooldowns SET LOGGED;
	SELECT idemstore.set_cooldown('origin', now() + interval '1 day')");
my @crashes = (
	\&kill_a_backend,
	\&stop_at_once,
	# between rewrites, growth, checkpoints and rows that go
	sub {
		my $session = IdemTest::Session->new($node);

		$session->send("DO \$\$ BEGIN
			LOOP
				PERFORM idemstore.acquire('brief ' || n, quota => 1, per => '1 us') FROM generate_series(1, 1000) AS n;
				PERFORM idemstore.expire();
				COMMIT;
			END LOOP;
		END \$\$");
		care($node, 'CHECKPOINT'), care($node, "VACUUM FULL $state") foreach 1 .. 3;
		stop_at_once();
		$session->kill;
	});
foreach my $crash (@crashes)
{
	my @before = map { taken($node, $_) } 'hot', 'key %', 'undone %';
	my $storm = storm_until($crash);

	foreach my $script (1 .. 2)
	{
		my $name = (qw(hot key))[ $script - 1 ];
		my $now = taken($node, $script == 1 ? 'hot' : 'key %');
		my $acknowledged = processed($storm, $script);

		note("crash $round, $name: $before[$script - 1] before, $acknowledged acknowledged, $now now");
		cmp_ok($now, '>=', $before[ $script - 1 ] + $acknowledged, "crash $round, $name: all that was acknowledged");
		cmp_ok($now, '<=', $before[ $script - 1 ] + $acknowledged + $clients, "crash $round, $name: and no more");
	}
	cmp_ok(taken($node, 'undone %'), '>=', $before[2], "crash $round: nothing of before is lost");
	is( $node->safe_psql('postgres', "
		SELECT idemstore.can_proceed('configured'), idemstore.get_cooldown('origin') IS NOT NULL"),
		'f|t', "crash $round: a quota that was used up is so, and a cooldown holds");
	check_resources($node, "after crash $round");
	check_storm_goes_on();
}

# With the least WAL a server can write, what a transaction rewrites goes to the
# disc at its commit.
foreach my $rewrite (
	[ 'truncated', "TRUNCATE $state" ],
	[ 'truncated twice', "TRUNCATE $state; SELECT idemstore.acquire('gone', $huge); TRUNCATE $state" ],
	[ 'logged anew', "ALTER TABLE $state SET UNLOGGED; ALTER TABLE $state SET LOGGED" ])
{
	my ($name, $sql) = @$rewrite;

	$node->safe_psql('postgres', "
		SELECT idemstore.rate_limit_reset('inside');
		BEGIN;
		$sql;
		SELECT idemstore.acquire('inside', $huge) FROM generate_series(1, 5);
		SELECT idemstore.acquire('inside ' || n, $huge) FROM generate_series(1, 3000) AS n;
		COMMIT;
		SELECT idemstore.acquire('inside', $huge)");
	my $sum = taken($node, '%');
	stop_at_once();
	is(taken($node, 'inside'), '6', "$name: what was acquired in that transaction is there");
	is(taken($node, '%'), $sum, "$name: and so is all else");
	check_resources($node, "when $name and crashed");
}

# A prepared transaction that has acquired, and is rolled back after the crash.
$node->safe_psql('postgres', "BEGIN; SELECT idemstore.acquire('prepared', $huge); PREPARE TRANSACTION 'p'");
stop_at_once();
$node->safe_psql('postgres', "ROLLBACK PREPARED 'p'");
is(taken($node, 'prepared'), '1', 'a prepared transaction has acquired, however it ends');

is(join("\n", slurp_file($node->logfile) =~ /^(.* (?:ERROR|PANIC): .*)$/mg), '', 'the server logs no error');
done_testing();
