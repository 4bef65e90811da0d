#!/usr/bin/perl
#
# A change of a limit holds in every session from its next call on, once it is
# committed, whatever that session is doing; all of a transaction's changes at
# once, and never one that is rolled back. What was taken stays taken.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $state = 'idemstore.rate_limit_state';
my $limits = 'idemstore.rate_limits';
my $node = new_node('main', 'max_prepared_transactions = 5', 'autovacuum = off');
my $dba = IdemTest::Session->new($node);
my $other = IdemTest::Session->new($node);

# What a session has for a limit, and how much of it is taken; or the SQLSTATE.
sub limit_of
{
	my ($session) = @_;
	my ($answer, $sqlstate) = $session->ask("
		SELECT quota || ' less ' || quota - remaining FROM idemstore.rate_limit_status('k')");

	return $sqlstate eq '00000' ? $answer : $sqlstate;
}

sub is_limit
{
	my ($session, $limit, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(limit_of($session), $limit =~ /^\d\d+$/ ? "$limit less 3" : $limit, $name);
}

my $quota = 100;
$dba->ask("SELECT idemstore.set_rate_limit('k', $quota, '1 day')");
is($other->ask("SELECT idemstore.acquire('k', 3)"), 't', 'something is taken');

# Whatever the other session is in the middle of.
foreach my $middle (
	[ 'in no transaction', '' ],
	[ 'in a transaction', 'BEGIN' ],
	[ 'in one that has acquired', "BEGIN; SELECT idemstore.acquire('k', 0)" ],
	[ 'in a REPEATABLE READ one', 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class' ],
	[ 'in a SERIALIZABLE one', "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM $limits" ],
	[ 'in a READ ONLY one', "BEGIN READ ONLY; SELECT count(*) FROM $limits" ],
	[ 'with a cursor on the state', "BEGIN; DECLARE c CURSOR FOR SELECT * FROM $state; FETCH c" ],
	[ 'with the tables locked', "BEGIN; LOCK TABLE $state, $limits IN ACCESS SHARE MODE;
		LOCK TABLE $state, $limits IN ROW EXCLUSIVE MODE" ],
	[ 'in a parallel query', 'SET force_parallel_mode = on' ])
{
	my ($name, $begin) = @$middle;

	$other->ask($begin) if $begin;
	is_limit($other, $quota, "$name: before the change");
	$dba->ask("BEGIN; SELECT idemstore.set_rate_limit('k', " . ++$quota . ", '1 day')");
	is_limit($dba, $quota, "$name: the change holds for the one who makes it");
	is_limit($other, $quota - 1, "$name: and not for the other, before the commit");
	$dba->ask('COMMIT');
	is_limit($other, $quota, "$name: but then");
	$other->ask('ROLLBACK') if $begin =~ /^BEGIN/;
	is_limit($other, $quota, "$name: and afterwards");
}
$other->ask('RESET force_parallel_mode');

# An acquire goes by it too, all the while in one statement.
$dba->ask("SELECT idemstore.set_rate_limit('a', 1000000, '1 day')");
$other->send("
	DO \$\$ BEGIN
		WHILE idemstore.acquire('a') LOOP
			PERFORM pg_sleep(0.001);
		END LOOP;
	END \$\$; SELECT 'denied'");
$node->poll_query_until('postgres', "SELECT remaining < 1000000 FROM idemstore.rate_limit_status('a')") or die;
$dba->ask("SELECT idemstore.set_rate_limit('a', 1, '1 day')");
is($other->receive, 'denied', 'a statement that runs on goes by the limit that was set meanwhile');

# Ends other than a commit, and a commit later than one thinks.
foreach my $end (
	[ 'rolled back', "BEGIN; SELECT idemstore.set_rate_limit('k', 7, '1 day')", 'ROLLBACK', 0 ],
	[ 'rolled back to a savepoint', "BEGIN; SAVEPOINT s; SELECT idemstore.set_rate_limit('k', 7, '1 day')",
		'ROLLBACK TO s; SELECT 1', 0 ],
	[ 'lost by an error', "BEGIN; SELECT idemstore.set_rate_limit('k', 7, '1 day'); SELECT 1 / 0", 'COMMIT', 0 ],
	[ 'dropped and rolled back', "BEGIN; SELECT idemstore.drop_rate_limit('k')", 'ROLLBACK', 0 ],
	[ 'truncated and rolled back', "BEGIN; TRUNCATE $limits", 'ROLLBACK', 0 ],
	[ 'prepared', "BEGIN; SELECT idemstore.set_rate_limit('k', 200, '1 day'); PREPARE TRANSACTION 'p'",
		"COMMIT PREPARED 'p'", 200 ],
	[ 'prepared and rolled back', "BEGIN; SELECT idemstore.set_rate_limit('k', 7, '1 day'); PREPARE TRANSACTION 'p'",
		"ROLLBACK PREPARED 'p'", 0 ])
{
	my ($name, $begin, $finish, $new) = @$end;

	# a truncated table is locked against readers too
	$dba->ask($begin);
	is_limit($other, $quota, "$name: before") unless $name =~ /^truncated/;
	$dba->ask($finish);
	$quota = $new || $quota;
	is_limit($other, $quota, "$name: after");
	is_limit($dba, $quota, "$name: also in the session that did it");
	$dba->ask('COMMIT') if $name =~ /savepoint/;
	is_limit($other, $quota, "$name: and in the end");
}

# By SQL on the table itself, whoever may.
foreach my $change (
	[ 'UPDATE', "UPDATE $limits SET quota = 301 WHERE resource = 'k'", 301 ],
	[ 'DELETE', "DELETE FROM $limits WHERE resource = 'k'", 'ID428' ],
	[ 'INSERT', "INSERT INTO $limits (resource, policy, algorithm, quota, period)
		VALUES ('k', 'default', 'sliding_window', 302, '1 day')", 302 ],
	[ 'TRUNCATE', "TRUNCATE $limits", 'ID428' ],
	[ 'COPY', "COPY $limits (resource, policy, algorithm, quota, period) FROM PROGRAM 'printf \"k\\\\tdefault\\\\tsliding_window\\\\t303\\\\t1 day\"'", 303 ],
	[ 'a replica\'s UPDATE', "SET session_replication_role = replica; UPDATE $limits SET quota = 304; RESET session_replication_role", 304 ],
	[ 'VACUUM FULL', "VACUUM FULL $limits", 304 ],
	[ 'ALTER TABLE', "ALTER TABLE $limits ALTER COLUMN quota TYPE bigint USING quota + 1", 305 ])
{
	my ($name, $sql, $limit) = @$change;

	is($dba->sqlstate($sql), '00000', "$name can be had");
	is_limit($other, $limit, "$name holds for the other");
	is_limit($dba, $limit, "$name holds for the one who did it");
}

# Many changes at once, by several, and many who go by them. The two policies of
# the pair change together: a reader sees both or neither, and nothing older than
# what he could know to be committed. Resources come and go that acquire_all asks
# for in one call.
$dba->ask("
	CREATE TABLE newest AS SELECT 1000 AS generation;
	CREATE TABLE committed AS SELECT 1000 AS generation;
	SELECT idemstore.set_rate_limit('pair', 1000, '1 day', policy => p) FROM unnest('{one,two}'::text[]) AS p;
	SELECT idemstore.set_rate_limit('*', 1000000000, '1 day')");
my $pair = "
	SELECT generation FROM committed \\gset
	SELECT 1 / (count(*) = 2 AND min(quota) = max(quota) AND min(quota) >= :generation)::int
	FROM idemstore.rate_limit_status('pair');\n";
run_storm('many who set, and more who ask', $node, [ '--client=8', '--jobs=2', '--time=3' ],
	"BEGIN;
	UPDATE newest SET generation = generation + 1 RETURNING generation AS new \\gset
	SELECT idemstore.set_rate_limit('pair', :new, '1 day', policy => 'two');
	SELECT idemstore.set_rate_limit('pair', :new, '1 day', policy => 'one');
	COMMIT;
	UPDATE committed SET generation = greatest(generation, :new);\n" => 2,
	"\\set n random(1, 64)
	SELECT idemstore.set_rate_limit('r' || :n, 1000000000, '1 h', policy => 'p' || n), idemstore.drop_rate_limit('r' || :n)
	FROM generate_series(1, 8) AS n;\n" => 1,
	$pair => 6,
	"BEGIN ISOLATION LEVEL REPEATABLE READ;
	SELECT count(*) FROM $limits;
	\\sleep 1 ms
	$pair
	COMMIT;\n" => 2,
	"SELECT 1 / idemstore.acquire_all(array_agg('r' || n))::int FROM generate_series(1, 64) AS n;\n" => 6);

$dba->quit;
$other->quit;
done_testing();
