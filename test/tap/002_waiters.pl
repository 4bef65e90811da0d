#!/usr/bin/perl
#
# Waiting for somebody else's claim: who is woken, by what, and how soon.
#
# Bounds are generous, since machines are slow at times; what was measured is
# in the notes.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $bound = 5;    # seconds, where the answer should take milliseconds

my $woken = 0;

my $node = new_node('main');
$node->safe_psql('postgres', 'CREATE TABLE answers
	(key text, client int, outcome text, answered double precision)');
my $owner = IdemTest::Session->new($node);
my $other = IdemTest::Session->new($node);

# So many clients wait for a key, each in a transaction that ends when it has
# its answer.
sub start_waiters
{
	my ($key, $count) = @_;

	return start_storm($node, [ "--client=$count", '--transactions=1' ], "
		INSERT INTO answers
		SELECT '$key', :client_id, outcome, extract(epoch FROM clock_timestamp())
		FROM idemstore.start_processing('$key', wait => '30 s');\n" => 1);
}

sub answers
{
	my ($key) = @_;

	return $node->safe_psql('postgres', "
		SELECT outcome, count(*) FROM answers WHERE key = '$key' GROUP BY 1 ORDER BY 1");
}

# When the first and the last answer came, in seconds after an instant.
sub delays
{
	my ($key, $since) = @_;

	return split(/\|/, $node->safe_psql('postgres', "
		SELECT round((min(answered) - $since)::numeric, 4), round((max(answered) - $since)::numeric, 4)
		FROM answers WHERE key = '$key'"));
}

sub claim_of
{
	my ($session, $key, $arguments) = @_;

	return $session->ask("SELECT outcome FROM idemstore.start_processing('$key', $arguments)");
}

# Ten wait for a claim that is still open; its session ends in some way. One of
# them is the next owner, and its completion answers the others.
sub one_successor
{
	my ($key, $how, $end) = @_;
	my $doomed = IdemTest::Session->new($node);
	my $pid = $doomed->pid;

	$doomed->ask("BEGIN; SELECT idemstore.start_processing('$key')");
	my $waiters = start_waiters($key, 10);
	wait_for_sleepers($node, 10, 'Lock', $key);
	is(answers($key), '', "$how: nobody has an answer while the owner is alive");

	my $since = time();
	$end->($doomed, $pid);
	wait_for_sleepers($node, 9, 'Extension', $key);
	is(answers($key), 'started|1', "$how: exactly one waiter is the next owner");
	my ($delay) = delays($key, $since);
	note("$how: replaced after $delay s");
	cmp_ok($delay, '<', $bound, "$how: the owner is replaced at once");

	$other->ask("SELECT idemstore.complete('$key', 200)");
	ok(finish_storm($waiters), "$how: no waiter meets an error");
	is(answers($key), "replay|9\nstarted|1", "$how: the others get the successor's response");
}

one_successor('rolled-back', 'owner rolls back', sub { $_[0]->ask('ROLLBACK') });
one_successor('client-died', 'client of the owner dies', sub { $_[0]->kill });
one_successor('terminated', 'backend of the owner is terminated',
	sub { $other->ask("SELECT pg_terminate_backend($_[1])") });

# Twenty sessions behind one gate start the same key, fifty times.
$node->safe_psql('postgres', 'CREATE TABLE gates (key text, outcome text)');
ok( race_at_gates($node, $owner, 50, 20, "
	INSERT INTO gates SELECT 'gate' || :i, outcome
	FROM idemstore.start_processing('gate' || :i);\n"),
	'twenty sessions start one key at once: no error');
is( $node->safe_psql('postgres', "
	SELECT winners, starts, count(*) FROM (
		SELECT count(*) FILTER (WHERE outcome = 'started') AS winners, count(*) AS starts
		FROM gates GROUP BY key) AS race
	GROUP BY 1, 2"),
	'1|20|50',
	'exactly one of twenty is started, for each of fifty keys');

# A claim that is not committed yet is answered all the same.
$owner->ask("BEGIN; SELECT idemstore.start_processing('open')");
$other->ask("SET statement_timeout = '10 s'");
$other->ask('BEGIN; CREATE TEMP TABLE work (n int)');
my ($outcome, $took) = split(/\|/, $other->ask("
	SELECT outcome, extract(epoch FROM clock_timestamp() - statement_timestamp())
	FROM idemstore.start_processing('open')"));
note("duplicate of an open claim: $took s");
is($outcome, 'in_progress', 'a duplicate of an open claim is in_progress');
cmp_ok($took, '<', $bound, 'it does not wait');
is(($other->ask('INSERT INTO work VALUES (1); COMMIT'))[1], '00000', 'its own transaction is unharmed');
$other->ask('RESET statement_timeout');
$owner->ask('COMMIT');

# Fifty wait for an open claim, and for a claim that is committed already.
foreach my $type ('Lock', 'Extension')
{
	my $key = "fifty-$type";

	$owner->ask('BEGIN') if $type eq 'Lock';
	claim_of($owner, $key, "lease => '1 min'");
	my $waiters = start_waiters($key, 50);
	wait_for_sleepers($node, 50, $type, $key);
	my $since = time();
	$owner->ask("SELECT idemstore.complete('$key', 200)" . ($type eq 'Lock' ? '; COMMIT' : ''));
	ok(finish_storm($waiters), "fifty waiters ($type): no error");
	is(answers($key), 'replay|50', "fifty waiters ($type): all get the response");
	my ($first, $last) = delays($key, $since);
	note("fifty waiters ($type): answered after $first to $last s");
	cmp_ok($last, '<', $bound, "fifty waiters ($type): at once");
}

# Whatever ends a record wakes, ten times in a row: sleeping to the next look at
# the clock would take about a second each.
my %ends = (
	"complete('%s', 200)" => [ 'complete', 'replay' ],
	"fail('%s')" => [ 'failed', 'failed' ],
	"fail('%s', retryable => true)" => [ undef, 'started' ],
	"release('%s')" => [ '', 'started' ],
	"forget('%s')" => [ '', 'started' ],
	"set_value('%s', 'v')" => [ 'complete', 'replay' ]);
my @waits = ("SELECT status, %s FROM idemstore.wait('%s', '30 s')",
	"SELECT outcome, %s FROM idemstore.start_processing('%s', wait => '30 s')");

foreach my $end (sort keys %ends)
{
	foreach my $way (0, 1)
	{
		is_woken($end, $waits[$way], $ends{$end}[$way], ('wait()', 'start_processing()')[$way])
		  if defined $ends{$end}[$way];
	}
}

sub is_woken
{
	my ($end, $wait, $expected, $waiter) = @_;
	my $call = sprintf($end, 'k');
	my $sum = 0;
	my %answers;

	foreach my $i (1 .. 10)
	{
		my $key = 'woken ' . ++$woken;

		claim_of($owner, $key, "lease => '1 min'");
		$other->send(sprintf($wait, 'extract(epoch FROM clock_timestamp())', $key));
		wait_for_sleepers($node, 1, 'Extension', $key);
		my $since = time();
		$owner->ask('SELECT idemstore.' . sprintf($end, $key));
		my ($answer, $answered) = split(/\|/, $other->receive);
		$answers{$answer}++;
		$sum += $answered - $since;
	}
	note("ten calls of $call reached $waiter after $sum s in sum");
	is_deeply(\%answers, { $expected => 10 }, "$waiter is answered when $call commits");
	cmp_ok($sum, '<', $bound, "$waiter is woken when $call commits");
	return;
}

# So does what removes a whole scope, also of a record that is so long that its
# row has its names compressed.
my $sum = 0;
foreach my $scope (map { "scope $_." } 1 .. 10)
{
	my $record = "rpad('$scope', 1024, 'k'), repeat('f', 1024), scope => '$scope'";

	$owner->ask("SELECT FROM idemstore.start_processing($record, lease => '1 min')");
	$other->send("SELECT outcome, extract(epoch FROM clock_timestamp())
		FROM idemstore.start_processing($record, wait => '30 s')");
	wait_for_sleepers($node, 1, 'Extension', $scope);
	my $since = time();
	$owner->ask("SELECT idemstore.forget_scope('$scope')");
	my ($answer, $answered) = split(/\|/, $other->receive);
	is($answer, 'started', "$scope: the next one starts");
	$sum += $answered - $since;
}
note("ten calls of forget_scope() reached a waiter after $sum s in sum");
cmp_ok($sum, '<', $bound, 'a waiter is woken when forget_scope() commits');

# ... and not before the commit, also when the change is open for long.
claim_of($owner, 'late', "lease => '1 min'");
$other->send("SELECT status, extract(epoch FROM clock_timestamp()) FROM idemstore.wait('late', '30 s')");
wait_for_sleepers($node, 1, 'Extension', 'late');
$owner->ask("BEGIN; SELECT idemstore.complete('late', 200)");
wait_for_sleepers($node, 1, 'Lock', 'late');
my $committed = time();
$owner->ask('COMMIT');
my ($status, $answered) = split(/\|/, $other->receive);
is($status, 'complete', 'wait() returns the completed record');
cmp_ok($answered, '>', $committed, 'wait() does not answer before the commit');
cmp_ok($answered - $committed, '<', $bound, 'wait() answers right after the commit');

# What ends a wait early, while it sleeps on an open transaction and while it
# sleeps on its latch.
foreach my $type ('Lock', 'Extension')
{
	my $key = "ended-$type";
	my $pid = $other->pid;

	$owner->ask('BEGIN') if $type eq 'Lock';
	claim_of($owner, $key, "lease => '1 min'");

	foreach my $call ("wait('$key', '30 s')", "start_processing('$key', wait => '30 s')")
	{
		my ($name) = $call =~ /^(\w+)/;

		my $since = time();
		$other->ask("SET statement_timeout = '300 ms'");
		is($other->sqlstate("SELECT idemstore.$call"), '57014', "$name ($type) obeys statement_timeout");
		cmp_ok(time() - $since, '<', $bound, "$name ($type) obeys it at once");
		$other->ask('RESET statement_timeout');

		$other->send("SELECT idemstore.$call");
		wait_for_sleepers($node, 1, $type, $key);
		$since = time();
		$owner->ask("SELECT pg_cancel_backend($pid)");
		is(($other->receive)[1], '57014', "$name ($type) can be cancelled");
		cmp_ok(time() - $since, '<', $bound, "$name ($type) is cancelled at once");
	}

	my $since = time();
	is($other->sqlstate("SELECT idemstore.wait('$key', '300 ms')"), 'ID408', "wait ($type) times out");
	my $waited = time() - $since;
	note("wait ($type) of 0.3 s: $waited s");
	cmp_ok($waited, '>=', 0.3, "wait ($type) times out not too early");
	cmp_ok($waited, '<', $bound, "wait ($type) times out in time");
	is(claim_of($other, $key, "wait => '300 ms'"), 'in_progress', "start ($type) is in_progress at its timeout");

	$other->send("SELECT idemstore.wait('$key', '30 s')");
	wait_for_sleepers($node, 1, $type, $key);
	is( $owner->ask("SELECT wait_event FROM pg_stat_activity WHERE pid = $pid") ne '',
		1, "wait ($type) shows a wait event");
	is( $owner->ask("SELECT pg_blocking_pids($pid) = ARRAY[pg_backend_pid()]"),
		$type eq 'Lock' ? 't' : 'f',
		$type eq 'Lock' ? 'pg_blocking_pids names the owner while it is open'
		: 'nothing blocks when the owner is between its transactions');
	$owner->ask('COMMIT') if $type eq 'Lock';
	$owner->ask("SELECT idemstore.complete('$key', 200)");
	is(($other->receive)[1], '00000', "wait ($type) ends with the completion");
}

# lock_timeout is not the wait's, and stays what it is.
$owner->ask('BEGIN');
claim_of($owner, 'patient', "lease => '1 min'");
$other->ask("SET lock_timeout = '50 ms'");
$other->send("SELECT outcome FROM idemstore.start_processing('patient', wait => '30 s')");
wait_for_sleepers($node, 1, 'Lock', 'patient');
$owner->ask("SELECT pg_sleep(0.5); SELECT idemstore.complete('patient', 200); COMMIT");
is(($other->receive)[0], 'replay', 'a low lock_timeout does not cut a wait short');
is($other->ask('SHOW lock_timeout'), '50ms', 'lock_timeout is unchanged after the wait');

$owner->ask('BEGIN');
claim_of($owner, 'local', "lease => '1 min'");
$other->ask("BEGIN; SET LOCAL lock_timeout = '70 ms'");
is(claim_of($other, 'local', "wait => '300 ms'"), 'in_progress', 'nor one that is local to a transaction');
is($other->ask('SHOW lock_timeout'), '70ms', 'it is unchanged in the transaction');
is($other->sqlstate("SAVEPOINT s; SELECT idemstore.wait('local', '100 ms')"),
	'ID408', 'and where the wait ends in an error');
is($other->ask('ROLLBACK TO s; SHOW lock_timeout'), '70ms', 'it is unchanged after the error');
is($other->ask('COMMIT; SHOW lock_timeout'), '50ms', 'it is unchanged after the transaction');
$owner->ask('COMMIT');

is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"),
	'0', 'no waiter leaves its lock behind');
$owner->quit;
$other->quit;
done_testing();
