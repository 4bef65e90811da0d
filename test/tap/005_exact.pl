#!/usr/bin/perl
#
# What a call writes, to the byte: complete() is HOT; an answer that changes
# nothing takes no transaction id and writes no WAL.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;

# Nobody but this test may take transaction ids or write WAL.
my $node = new_node('main', 'autovacuum = off', 'checkpoint_timeout = 1h', 'bgwriter_lru_maxpages = 0');
my $session = IdemTest::Session->new($node);
my $response = "200, '{\"type\": \"text/plain\"}', repeat('x', 1000)";

# complete() with a body of 1 kB, each claim and each completion on its own.
run_storm('1000 keys are claimed and completed, in two transactions each', $node,
	[ '--client=1', '--transactions=1000', '--define=i=0' ], "
	\\set i :i + 1
	SELECT idemstore.start_processing('key ' || :i, 'fingerprint of the request ' || :i);
	SELECT idemstore.complete('key ' || :i, $response);\n" => 1);
$node->poll_query_until('postgres', "
	SELECT n_tup_ins = 1000 AND n_tup_upd = 1000 FROM pg_stat_user_tables
	WHERE relname = 'idempotency_records'")
  or die 'the statistics do not arrive';
my $share = $node->safe_psql('postgres', "
	SELECT n_tup_hot_upd / n_tup_upd::float8 FROM pg_stat_user_tables
	WHERE relname = 'idempotency_records'");
note("share of HOT updates: $share");
cmp_ok($share, '>=', 0.99, 'complete() is HOT');

# A claim that is open, one that is committed, and one whose lease is over (by
# the clock of the second session) and whose row is locked.
my $owner = IdemTest::Session->new($node);
$owner->ask("SELECT idemstore.start_processing('claimed', 'print')");
$owner->ask("SET idemstore.test_clock = '2001-01-01 00:00:00+00';
	SELECT idemstore.start_processing('over', ttl => '9 years', lease => '1 s');
	RESET idemstore.test_clock");
$session->ask("SET idemstore.test_clock = '2002-01-01 00:00:00+00'");
$owner->ask("BEGIN; SELECT idemstore.start_processing('open', 'print');
	SELECT key FROM idemstore.idempotency_records WHERE key = 'over' FOR KEY SHARE");

# What is called, and what it answers.
my @calls = (
	'a replay' => "SELECT outcome FROM idemstore.start_processing('key 1')" => 'replay',
	'a mismatch' => "SELECT outcome FROM idemstore.start_processing('key 1', 'another')" => 'mismatch',
	'in_progress of a committed claim' =>
	  "SELECT outcome FROM idemstore.start_processing('claimed')" => 'in_progress',
	'in_progress of an open claim' => "SELECT outcome FROM idemstore.start_processing('open')" => 'in_progress',
	'in_progress behind a locked row' => "SELECT outcome FROM idemstore.start_processing('over')" => 'in_progress',
	'in_progress after a wait on a transaction' =>
	  "SELECT outcome FROM idemstore.start_processing('open', wait => '50 ms')" => 'in_progress',
	'in_progress after a wait on the latch' =>
	  "SELECT outcome FROM idemstore.start_processing('claimed', wait => '50 ms')" => 'in_progress',
	'wait() for what is complete' => "SELECT status FROM idemstore.wait('key 1')" => 'complete',
	'wait() for what is absent' => "SELECT idemstore.wait('absent') IS NULL" => 't',
	'get()' => "SELECT status FROM idemstore.get('key 1')" => 'complete',
	'lookup()' =>
	  "SELECT string_agg(matched || ' ' || key, ', ' ORDER BY matched DESC) FROM idemstore.lookup('key 1', 'fingerprint of the request 2')" =>
	  'key key 1, fingerprint key 2',
	'a repeated complete()' =>
	  "SELECT idemstore.complete('key 1', $response)" => 'f',
	'release() of an absent record' => "SELECT idemstore.release('absent')" => 'f',
);

# Both move whenever anybody writes.
sub position
{
	return $session->ask('SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())');
}

while (my ($name, $call, $answer) = splice(@calls, 0, 3))
{
	# The first call may settle hint bits and prune pages.
	$session->ask($call);
	my $before = position();
	$session->ask('BEGIN');
	my $answered = $session->ask($call);
	my $is_without = $session->ask('SELECT txid_current_if_assigned() IS NULL');
	$session->ask('COMMIT');

	is($answered, $answer, "$name: the answer");
	is($is_without, 't', "$name takes no transaction id");
	is(position(), $before, "$name writes no WAL");
}
$owner->ask('ROLLBACK');

# The same by the thousand, each in a transaction of its own.
my @thousand = (
	'start_processing' => "SELECT idemstore.start_processing('key ' || :n);\n",
	'get' => "SELECT idemstore.get('key ' || :n);\n",
	'lookup' => "SELECT idemstore.lookup('key ' || :n, 'fingerprint of the request ' || :n);\n",
	'complete' => "SELECT idemstore.complete('key ' || :n, $response);\n",
);
while (my ($name, $script) = splice(@thousand, 0, 2))
{
	my @storm = ($node, [ '--client=1', '--transactions=1000', '--define=n=0' ],
		"\\set n :n + 1\n$script" => 1);

	run_storm("$name, once on each of 1000 complete records", @storm);
	my $before = position();
	run_storm("$name, once more on each", @storm);
	is(position(), $before, "$name: no transaction id, and not a byte of WAL, for 1000 answers");
}

# The other side of the scale: what does write is seen by this measure.
my $before = position();
$session->ask("SELECT idemstore.start_processing('new')");
isnt(position(), $before, 'a claim does write');

done_testing();
