# What it costs to finish keys that others wait for.
#
# A waiter holds a share lock that SQL cannot take, and one only. So the waiters
# are sessions that really wait, each on one of the keys of the transaction, and
# there are never more of them than the server has connections. The time is taken
# in the server, from before the first complete to after the COMMIT, which wakes
# them.
package BenchWaiters;

use v5.36;
use BenchFigures;
use BenchSetup;
use DBD::Pg qw(:async);
use Exporter qw(import);
use List::Util qw(min shuffle);
use Time::HiRes qw(sleep);

our @EXPORT = qw(measure_waiters);

# What comes back: { title, points => [ { waiters, keys, us, ratio } ] }, where us
# and ratio to the least number of waiters are quartiles, of a key.
#
#	waiters	[ sessions that wait, ... ]
#	keys	[ keys finished in one transaction, ... ]
#	rounds, progress
sub measure_waiters ($servers, %options)
{
	%options = (waiters => [ 0, 1, 10, 100 ], keys => [ 1, 10, 100, 1000, 10_000 ], rounds => 5, progress => sub ($text) { }, %options);
	my $database = make_database($servers, 'waiters');
	my $db = $servers->db($database);
	my @waiters = _affordable($db, @{ $options{waiters} });
	my %us;

	_make_procedure($db);
	$servers->place('all');
	for my $round (0 .. $options{rounds})
	{
		$db->do('TRUNCATE idemstore.idempotency_records');
		for my $waiters (shuffle @waiters)
		{
			$options{progress}->("finishing keys for $waiters waiters: round $round of $options{rounds}");
			my @sessions = map { _session($database) } 1 .. $waiters;
			for my $keys (shuffle @{ $options{keys} })
			{
				my $us = _us_per_key($db, $keys, @sessions);
				push(@{ $us{$waiters}{$keys} }, $us) if $round;
			}
			$_->disconnect for @sessions;
		}
	}
	drop_database($servers, 'waiters');
	return {
		title => 'complete by keys finished in one transaction, per key with the COMMIT,'
		  . ' while so many sessions wait, each for one of these keys',
		points => [ map { my $waiters = $_; map { _point(\%us, $waiters, $_, $waiters[0]) } @{ $options{keys} } } @waiters ] };
}

sub _point ($us, $waiters, $keys, $base)
{
	my ($ours, $theirs) = map { $us->{$_}{$keys} } $waiters, $base;

	return {
		waiters => $waiters, keys => $keys, us => [ quartiles(@$ours) ],
		ratio => [ quartiles(map { $ours->[$_] / $theirs->[$_] } 0 .. $#$ours) ] };
}

sub _affordable ($db, @waiters)
{
	my $free = $db->selectrow_array(
		"SELECT current_setting('max_connections')::integer - 10 - count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'");
	my %seen;

	return grep { !$seen{$_}++ } map { min($_, $free) } @waiters;
}

sub _make_procedure ($db)
{
	$db->do('CREATE SCHEMA bench');
	$db->do('SET synchronous_commit = off');
	$db->do(<<~'SQL');
		CREATE PROCEDURE bench.finish(prefix text, keys integer, INOUT us float8 DEFAULT NULL)
		LANGUAGE plpgsql
		AS $$
		DECLARE
			began_at timestamptz := clock_timestamp();
		BEGIN
			FOR i IN 1 .. keys LOOP
				PERFORM idemstore.complete(prefix || i, 200, NULL, 'x');
			END LOOP;
			COMMIT;
			us := extract(epoch FROM clock_timestamp() - began_at) * 1000000;
		END
		$$
		SQL
	return;
}

# of its own: not one of those that the CPU accounting knows
sub _session ($database)
{
	return DBI->connect("dbi:Pg:dbname=$database", undef, undef, { RaiseError => 1, PrintError => 0, pg_server_prepare => 0 });
}

# Few keys take too short a time to be measured once.
sub _us_per_key ($db, $keys, @sessions)
{
	return median(map { _finish($db, $keys, @sessions) / $keys } 1 .. ($keys <= 10 ? 10 : 1));
}

sub _finish ($db, $keys, @sessions)
{
	state $runs = 0;
	my $prefix = 'key-' . ++$runs . '-';

	$db->do("SELECT count(idemstore.start_processing('$prefix' || i, lease => '1 hour')) FROM generate_series(1, $keys) AS i");
	for my $i (0 .. $#sessions)
	{
		my $key = $prefix . (1 + int($i * $keys / @sessions));
		$sessions[$i]->do("SELECT FROM idemstore.wait('$key', '5 min') AS r WHERE r.status = 'complete'", { pg_async => PG_ASYNC });
	}
	_until_asleep($db, scalar(@sessions));
	my $us = $db->selectrow_array("CALL bench.finish('$prefix', $keys)");
	for my $session (@sessions)
	{
		$session->pg_result == 1 or die "a waiter did not get the record that was completed\n";
	}
	return $us;
}

sub _until_asleep ($db, $waiters)
{
	for (1 .. 1000)
	{
		my $asleep = $db->selectrow_array(<<~'SQL');
			SELECT count(*)
			FROM pg_locks
			JOIN pg_stat_activity USING (pid)
			WHERE locktype = 'userlock' AND mode = 'ShareLock' AND pg_locks.granted AND wait_event_type IN ('Extension', 'Lock')
			SQL
		return if $asleep == $waiters;
		sleep(0.01);
	}
	die "$waiters sessions did not go to sleep\n";
}

1;
