#!/usr/bin/perl
#
# Eight clients on one key: no window of the limit's length ever holds more than
# the quota, and next to nothing of it is wasted.
#
# The instant of an admission is the one that the server itself gave it: while a
# window is short, reset_at of the request that was just admitted is its own
# instant and a window. What was denied counts at the clock right after it. All
# these arrivals are put to an exact log, for comparison.
#
# IDEM_LONG=1 makes it ten seconds for every quota.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use List::Util qw(max sum0);
use Test::More;

my $seconds = $ENV{IDEM_LONG} ? 10 : 3;
my $second = 1_000_000;

my $node = new_node('main', 'autovacuum = off', 'shared_buffers = 512MB');
$node->safe_psql('postgres', '
	CREATE UNLOGGED TABLE attempts (key text, cost int, allowed boolean,
		before timestamptz, at timestamptz, after timestamptz)');

# Eight clients, each asking for all of these keys so many times a transaction.
# If there is a key "spread", half of them pause, and only they ask for it.
# Returns the attempts of each key in their order, instants in microseconds. The
# end is cut off between two seconds, when a log owes nothing.
sub attack
{
	my ($keys, $times, $cost) = @_;
	my $list = join(', ', map { "('$_')" } @$keys);
	my %attempts = map { $_ => [] } @$keys;
	my $pause = exists($attempts{spread}) ? "\\set pause 8000 * (:client_id % 2)" : "\\set pause 0";

	$node->safe_psql('postgres', 'TRUNCATE attempts');
	run_storm("8 clients on @$keys", $node, [ '--client=8', '--jobs=2', "--time=$seconds" ], "
		\\set cost $cost
		\\set luck random(1, 4)
		$pause
		INSERT INTO attempts
		SELECT k.key, :cost, v.allowed, clock.before, CASE WHEN v.allowed THEN v.reset_at -
				CASE v.policy WHEN 'moment' THEN interval '200 ms' ELSE '1 s' END ELSE clock_timestamp() END,
			clock_timestamp()
		FROM generate_series(1, $times) AS i, (VALUES $list) AS k (key),
			LATERAL (SELECT clock_timestamp(), k.key WHERE i > 0) AS clock (before, key),
			LATERAL idemstore.consume(clock.key, :cost, CASE WHEN :luck > 1 THEN 'user' END) AS v
		WHERE k.key <> 'spread' OR :pause > 0;
		\\set pause random(0, :pause)
		\\sleep :pause us\n" => 1);

	my $rows = $node->safe_psql('postgres', "
		COPY (
			SELECT key, cost, allowed::int, round(extract(epoch FROM before) * $second),
				round(extract(epoch FROM at) * $second), round(extract(epoch FROM after) * $second)
			FROM attempts
			WHERE before < (SELECT min(before) FROM attempts) + interval '1 s' * ($seconds - 0.4)
			ORDER BY at) TO STDOUT");
	foreach my $row (split(/\n/, $rows))
	{
		my ($key, %attempt);

		($key, @attempt{qw(cost allowed before at after)}) = split(/\t/, $row);
		push(@{ $attempts{$key} }, \%attempt);
	}
	return \%attempts;
}

sub admitted
{
	my ($attempts) = @_;

	return grep { $_->{allowed} } @$attempts;
}

# The most that was admitted in any window (t - length, t].
sub greatest
{
	my ($attempts, $length) = @_;
	my ($greatest, $sum) = (0, 0);
	my @window;

	foreach my $newest (admitted($attempts))
	{
		push(@window, $newest);
		$sum += $newest->{cost};
		$sum -= shift(@window)->{cost} while $window[0]->{at} <= $newest->{at} - $length;
		$greatest = max($greatest, $sum);
	}
	return $greatest;
}

# What an exact log admits of the same arrivals.
sub admitted_by_exact_log
{
	my ($attempts, $quota) = @_;
	my ($total, $sum) = (0, 0);
	my @log;

	foreach my $attempt (@$attempts)
	{
		$sum -= shift(@log)->{cost} while @log && $log[0]->{at} <= $attempt->{at} - $second;
		next if $sum + $attempt->{cost} > $quota;
		push(@log, $attempt);
		$sum += $attempt->{cost};
		$total += $attempt->{cost};
	}
	return $total;
}

# Instants that the server has told lie within their calls.
sub check_instants
{
	my ($attempts, $name) = @_;
	my @strange = grep { $_->{at} < $_->{before} || $_->{at} > $_->{after} } @$attempts;

	return is(scalar(@strange), 0, "$name: what is admitted is admitted while the call is made");
}

sub check_quota
{
	my ($attempts, $quota, $name) = @_;
	my $greatest = greatest($attempts, $second);
	my $dearest = max(map { $_->{cost} } @$attempts);
	my $asked = sum0(map { $_->{cost} } @$attempts);
	my $got = sum0(map { $_->{cost} } admitted($attempts));
	my $exact = admitted_by_exact_log($attempts, $quota);

	check_instants($attempts, $name);
	diag(sprintf('%s: at most %d in any window; %d asked for, %d admitted, %d by an exact log: %.2f %%',
		$name, $greatest, $asked, $got, $exact, 100 * $got / $exact));
	cmp_ok($asked, '>', $got, "$name: more is asked for than there is");
	cmp_ok($greatest, '<=', $quota, "$name: never more than the quota in any window");
	cmp_ok($greatest, '>', $quota - $dearest, "$name: all of the quota can be had");
	cmp_ok($got, '>=', 0.98 * $exact, "$name: at least 98 % of what an exact log admits");
	return;
}

# Quotas that a log of 64 runs holds exactly, and quotas that it does not.
my %quota_of = map { ("quota $_" => $_) } 5, 64, 65, 100, 10_000;
foreach my $name (sort keys %quota_of)
{
	$node->safe_psql('postgres', "SELECT idemstore.set_rate_limit('$name', $quota_of{$name}, '1 s')");
}
my @small = map { "quota $_" } 5, 64, 65, 100;
foreach my $keys ($ENV{IDEM_LONG} ? (map { [$_] } @small) : [@small], ['quota 10000'])
{
	my $attempts = attack($keys, $keys->[0] eq 'quota 10000' ? 50 : 1, 1);

	check_quota($attempts->{$_}, $quota_of{$_}, $_) foreach @$keys;
}

# Costs that differ, two policies on one resource, and the other algorithms.
$node->safe_psql('postgres', "
	SELECT idemstore.set_rate_limit('costs of 1 to 7', 100, '1 s');
	SELECT idemstore.set_rate_limit('spread', 1000, '1 s');
	SELECT idemstore.set_rate_limit('two policies', 200, '1 s', policy => 'second');
	SELECT idemstore.set_rate_limit('two policies', 50, '200 ms', policy => 'moment');
	SELECT idemstore.set_adaptive_rate_limit('adaptive', 100, '1 s', '1 s', recalculation_interval => '50 ms');
	SELECT idemstore.set_rate_limit('bucket', 100, '1 s', 'token_bucket', burst => 20);
	SELECT idemstore.set_rate_limit('fixed', 100, '1 s', 'fixed_window')");
my $attempts =
  attack([ 'costs of 1 to 7', 'spread', 'two policies', 'adaptive', 'bucket', 'fixed' ], 1, 'random(1, 7)');

check_quota($attempts->{'costs of 1 to 7'}, 100, 'costs of 1 to 7, quota 100');
check_quota($attempts->{spread}, 1000, 'costs of 1 to 7, spread over time, quota 1000');

my @greatest = map { greatest($attempts->{'two policies'}, $_) } $second, $second / 5;
check_instants($attempts->{'two policies'}, 'two policies');
diag("200 a second and 50 in 200 ms: at most $greatest[0] and $greatest[1] in any window");
cmp_ok($greatest[0], '<=', 200, 'two policies: never more than the one in any second');
cmp_ok($greatest[1], '<=', 50, 'two policies: never more than the other in any 200 ms');
cmp_ok($greatest[1], '>', 50 - 7, 'two policies: all of the tighter one can be had');

my $greatest = greatest($attempts->{adaptive}, $second);
check_instants($attempts->{adaptive}, 'adaptive');
diag("adaptive, 100 a second: at most $greatest in any window");
cmp_ok($greatest, '<=', 100, 'adaptive: never more than the quota in any window, of both priorities together');
cmp_ok($greatest, '>', 50, 'adaptive: much of it can be had');

# These do not tell the instants. What surely lies between two of them, because
# its call does, must not be too much: of the bucket a burst and what flows in,
# of a fixed window its quota.
my @admitted = sort { $a->{after} <=> $b->{after} } admitted($attempts->{bucket});
my $most = 0;
foreach my $first (@admitted)
{
	my $sum = 0;

	foreach my $last (grep { $_->{before} >= $first->{before} } @admitted)
	{
		$sum += $last->{cost};
		$most = max($most, $sum - 100 * ($last->{after} - $first->{before}) / $second);
	}
}
diag("bucket of 20: at most $most besides what flows in");
cmp_ok($most, '<=', 20, 'bucket: never more than a burst and what flows in');
cmp_ok($most, '>', 10, 'bucket: much of the burst can be had');

my %sum;
foreach my $attempt (grep { int($_->{before} / $second) == int($_->{after} / $second) } admitted($attempts->{fixed}))
{
	$sum{ int($attempt->{before} / $second) } += $attempt->{cost};
}
diag('fixed, 100 a second: ' . join(', ', map { $sum{$_} } sort keys %sum) . ' in the windows');
cmp_ok(max(values %sum), '<=', 100, 'fixed: never more than the quota in a window of the clock');
cmp_ok(max(values %sum), '>', 100 - 7, 'fixed: all of it can be had');

done_testing();
