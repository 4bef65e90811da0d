#!/usr/bin/perl
#
# Tables of slots grow while everybody works on: one client adds names beside
# eight that acquire, fifty add rows of a page each, and sessions that are
# cancelled, killed and cut off add names to a logged table. Chains stay short,
# nothing is lost, no name is there twice, and no lock is asked for that a call
# does not ask for.
#
# IDEM_LONG=1 makes it a million names instead of 200 000; give it
# PG_TEST_TIMEOUT_DEFAULT=900 then.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IPC::Run;
use IdemSlots;
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $state = 'idemstore.rate_limit_state';
my $most = $ENV{IDEM_LONG} ? 1_000_000 : 200_000;
my $node = new_node('main', 'autovacuum = off', 'shared_buffers = 256MB', 'restart_after_crash = on');
my $session = IdemTest::Session->new($node);

sub file
{
	return $node->safe_psql('postgres', "SELECT pg_relation_filenode('$state')");
}

sub check_names
{
	my ($like, $expected, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( $node->safe_psql('postgres', "
		SELECT count(*), count(DISTINCT resource) FROM $state WHERE resource LIKE '$like'"),
		"$expected|$expected", "$name: every name is there, once");
	is(taken($node, $like), $expected, "$name: and is found");
	return;
}

# While somebody holds a lock that conflicts with all but what a call takes.
$node->safe_psql('postgres', "SELECT idemstore.acquire('busy 1', $huge)");
my $file = file();
my $locker = $session->pid;
$session->ask("BEGIN; LOCK TABLE $state IN SHARE UPDATE EXCLUSIVE MODE");
{
	my $adding = start_storm($node, [ '--client=1', '--transactions=' . $most / 1000, '--define=i=-1' ], "
		\\set i :i + 1
		SELECT 1 / (count(*) = 1000)::int FROM generate_series(1, 1000) AS n WHERE idemstore.acquire('name ' || 1000 * :i + n, $huge);\n" => 1);
	my $asking = start_storm($node, [ '--client=8', '--jobs=1', "--transactions=" . $most / 100 ],
		"\\set n random(1, 100)\nSELECT 1 / idemstore.acquire('busy ' || :n, $huge)::int;\n" => 1);
	my ($longest, $stronger) = (0, '');
	while ($adding->{run}->pumpable && $stronger eq '')
	{
		$stronger = $node->safe_psql('postgres', "
			SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks
			WHERE locktype = 'relation' AND relation = '$state'::regclass
				AND mode NOT IN ('AccessShareLock', 'RowExclusiveLock') AND pid <> $locker");
		$adding->{run}->pump_nb;
		$asking->{run}->pump_nb if $asking->{run}->pumpable;
		my $now = longest_chain($node);
		$longest = $now if $now > $longest;
		sleep(0.1);
	}
	is($stronger, '', 'nobody asks for a stronger lock on the table than a call takes');
	if ($stronger ne '')
	{
		$session->ask('ROLLBACK');
		$_->{run}->kill_kill foreach $adding, $asking;
		die;
	}
	ok(finish_storm($adding), 'one client adds names');
	ok(finish_storm($asking), 'eight acquire meanwhile');
	my $chains = chains($node);
	$longest = longest_chain($node) if longest_chain($node) > $longest;
	note("$most names, " . (buckets($node) - 8) . " splits, longest chain $longest; chains: $chains");
	cmp_ok($longest, '<=', 4, 'chains have at most four pages');
}
is(file(), $file, 'the table is the same file');
$session->ask('COMMIT');
check_names('name %', $most, 'one client');
is(taken($node, 'busy %'), 1 + 8 * $most / 100, 'all that was acquired meanwhile is counted');

# Rows of a page each, by fifty.
$node->safe_psql('postgres', "TRUNCATE $state");
run_storm('fifty sessions add rows of 7 kB', $node, [ '--client=50', '--jobs=2', '--transactions=60', '--define=i=0' ], "
	\\set i :i + 1
	INSERT INTO $state VALUES ('large ' || :client_id || ' ' || :i, now() + interval '1 day', convert_to(repeat('x', 6800), 'UTF8'));\n" => 1);
note('3000 rows of 7 kB, ' . (buckets($node) - 8) . ' splits; chains: ' . chains($node));
cmp_ok(longest_chain($node), '<=', 12, 'chains have at most twelve pages');
is($node->safe_psql('postgres', "SELECT count(*), count(DISTINCT resource) FROM $state"), '3000|3000', 'all of them are there');

# A logged table, and sessions that meet a cancel, a kill and a crash. Each
# notes the blocks of names that it has added and committed.
$node->safe_psql('postgres', "TRUNCATE $state; ALTER TABLE $state SET LOGGED; CREATE TABLE done (block int)");
my $blocks = 0;

sub start_sessions
{
	return map {
		my $script = '';
		foreach (1 .. 400)
		{
			$blocks++;
			$script .= "BEGIN; SELECT 1 / (count(*) = 20)::int FROM generate_series(1, 20) AS n
				WHERE idemstore.acquire('logged ' || 20 * $blocks + n, $huge);
				INSERT INTO done VALUES ($blocks); COMMIT;\n";
		}
		my $output = '';
		my $file = PostgreSQL::Test::Utils::tempdir . "/script$blocks.sql";
		append_to_file($file, $script);
		{
			run => IPC::Run::start([ $node->installed_command('psql'), '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=0', '--file', $file, $node->connstr('postgres') ],
				'<', \undef, '>&', \$output),
			output => \$output
		};
	} 1 .. 8;
}

sub check_done
{
	my ($name) = @_;
	my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM done');

	note("$name: $done blocks of 20; chains: " . chains($node));
	is( $node->safe_psql('postgres', "
		SELECT block, n FROM done, generate_series(1, 20) AS n,
			LATERAL idemstore.rate_limit_status('logged ' || 20 * block + n, $huge) AS s
		WHERE s.quota - s.remaining <> 1 LIMIT 5"),
		'', "$name: what was committed is there, and counted once");
	is( $node->safe_psql('postgres', "SELECT resource FROM $state GROUP BY 1 HAVING count(*) > 1 LIMIT 5"),
		'', "$name: no name is there twice");
	return $done;
}

my $before = 0;
foreach my $disturbance ('cancel', 'kill', 'immediate')
{
	my @sessions = start_sessions();
	my $round = 0;
	my $moment = $before + 200;
	while (grep { $_->{run}->pumpable } @sessions)
	{
		$_->{run}->pump_nb foreach grep { $_->{run}->pumpable } @sessions;
		if ($disturbance eq 'cancel')
		{
			$node->safe_psql('postgres', "
				DO \$\$
				BEGIN
					FOR i IN 1..50 LOOP
						PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
							WHERE query LIKE '%logged%' AND pid <> pg_backend_pid() AND state = 'active' AND random() < 0.5;
						PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002);
					END LOOP;
				END
				\$\$");
		}
		elsif ($round == 0 && $node->safe_psql('postgres', 'SELECT count(*) FROM done') > $moment)
		{
			if ($disturbance eq 'kill')
			{
				# none, when all are between two statements: soon there is one again
				my $victim = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query LIKE '%logged%' AND pid <> pg_backend_pid() LIMIT 1") || next;
				kill('KILL', $victim);
				$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
			}
			else
			{
				$node->stop('immediate');
				$node->start;
			}
			$round++;
		}
	}
	$_->{run}->finish foreach @sessions;
	my $cancelled = grep { ${ $_->{output} } =~ /canceling statement/ } @sessions;
	cmp_ok($cancelled, '>', 0, 'sessions were cancelled') if $disturbance eq 'cancel';
	is($round, 1, "$disturbance: the server went down") if $disturbance ne 'cancel';
	my $done = check_done($disturbance);
	cmp_ok($done, '>', $before, "$disturbance: something was added");
	$before = $done;
}
cmp_ok(longest_chain($node), '<=', 12, 'chains are no longer than before');
check_resources($node, 'after all that');
$session->quit;

done_testing();
