#!/usr/bin/perl
#
# Dedupe at numbers: one owner among many callers, two hundred waiters on one
# job, owners that die, races between an end and a sleep, and a storm.
#
# Bounds are generous, since machines are slow at times, but for the one second
# that two hundred waiters are promised; what was measured is in the notes.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $bound = 5;       # seconds, where the answer should take milliseconds
my $promised = 1;    # second, from the commit to the last of many answers

my $node = new_node('main', 'max_connections = 250', 'max_prepared_transactions = 2');
my $owner = IdemTest::Session->new($node);
my $other = IdemTest::Session->new($node);
$node->safe_psql('postgres', '
	CREATE TABLE seen (kind text, n int, job_id uuid, is_owner boolean);
	CREATE TABLE answers (hash text, outcome text, value json, answered double precision)');

sub register
{
	my ($session, $hash, $timeout) = @_;

	return $session->ask("SELECT is_owner FROM idemstore.dedupe_register_or_join('$hash', " .
		(defined $timeout ? "'$timeout'" : 'NULL') . ')');
}

# Fifty sessions behind one gate register the same job, twenty times. Half of
# them stay in their transaction for a while.
sub one_owner
{
	my ($kind, $former) = @_;

	$owner->ask("INSERT INTO seen
		SELECT 'former', n, idemstore.dedupe_register('$kind ' || n, '0') FROM generate_series(1, 20) AS n")
	  if $former;
	$owner->ask("SELECT idemstore.dedupe_complete('$kind ' || n, 'null') FROM generate_series(1, 20) AS n")
	  if ($former // '') eq 'finished';
	ok( race_at_gates($node, $owner, 20, 50, "
		\\set linger 1000 * (:client_id % 2)
		BEGIN;
		INSERT INTO seen SELECT '$kind', :i, job_id, is_owner
		FROM idemstore.dedupe_register_or_join('$kind ' || :i);
		\\sleep :linger us
		COMMIT;\n"),
		"$kind: fifty sessions register one job at once without an error");
	is( $node->safe_psql('postgres', "
		SELECT owners, ids, callers, count(*) FROM (
			SELECT count(*) FILTER (WHERE is_owner) AS owners, count(DISTINCT job_id) AS ids, count(*) AS callers
			FROM seen WHERE kind = '$kind' GROUP BY n) AS race
		GROUP BY 1, 2, 3"),
		'1|1|50|20', "$kind: one of fifty is the owner, and all have his id, for each of twenty jobs");
	is( $node->safe_psql('postgres', "
		SELECT count(*) FROM idemstore.dedupe_jobs JOIN seen USING (job_id)
		WHERE kind = '$kind' AND is_owner AND hash = '$kind ' || n AND status = 'pending'"),
		'20', "$kind: it is the id of the job");
	is( $node->safe_psql('postgres', "
		SELECT count(*) FROM seen WHERE kind = '$kind' AND job_id IN (SELECT job_id FROM seen WHERE kind = 'former')"),
		'0', "$kind: it is a new one");
	return;
}

one_owner('new');
one_owner('past its timeout', 'pending');
one_owner('finished', 'finished');

# So many clients wait for a job.
sub start_waiters
{
	my ($hash, $count) = @_;

	return start_storm($node, [ "--client=$count", '--jobs=2', '--transactions=1' ], "
		INSERT INTO answers
		SELECT '$hash', outcome, value, extract(epoch FROM clock_timestamp())
		FROM idemstore.dedupe_wait_for('$hash', '30 s');\n" => 1);
}

sub answers
{
	my ($hash) = @_;

	return $node->safe_psql('postgres', "
		SELECT outcome, value::text, count(*) FROM answers WHERE hash = '$hash' GROUP BY 1, 2 ORDER BY 1, 2");
}

# When the first, the middle and the last answer came, in seconds after an
# instant.
sub delays
{
	my ($hash, $since) = @_;

	return split(/\|/, $node->safe_psql('postgres', "
		SELECT round((min(answered) - $since)::numeric, 4),
			round((percentile_disc(0.5) WITHIN GROUP (ORDER BY answered) - $since)::numeric, 4),
			round((max(answered) - $since)::numeric, 4)
		FROM answers WHERE hash = '$hash'"));
}

# Two hundred wait for a job whose claim is open, and for one that is committed:
# all are answered within a second of the commit, none before.
foreach my $type ('Lock', 'Extension')
{
	my $hash = "two hundred $type";
	my $name = $type eq 'Lock' ? 'of an open claim' : 'of a committed claim';

	$owner->ask('BEGIN') if $type eq 'Lock';
	register($owner, $hash);
	my $waiters = start_waiters($hash, 200);
	wait_for_sleepers($node, 200, $type, $hash);
	if ($type eq 'Lock')
	{
		$owner->ask("SELECT idemstore.dedupe_complete('$hash', '[1]')");
		wait_for_sleepers($node, 200, $type, $hash);
	}
	is(answers($hash), '', "200 waiters $name: none is answered before the commit");
	my $since = time();
	$owner->ask($type eq 'Lock' ? 'COMMIT' : "SELECT idemstore.dedupe_complete('$hash', '[1]')");
	ok(finish_storm($waiters), "200 waiters $name: no error");
	is(answers($hash), 'completed|[1]|200', "200 waiters $name: all get the value");
	my ($first, $middle, $last) = delays($hash, $since);
	note("200 waiters $name: answered after $first to $last s, half of them by $middle s");
	cmp_ok($first, '>', 0, "200 waiters $name: after the commit");
	cmp_ok($last, '<=', $promised, "200 waiters $name: within a second of it");
}

# The owner's session ends in some way: the claim was joined until then, who
# waits for it learns that it is gone, and the next to register owns it.
sub next_one_owns
{
	my ($how, $end) = @_;
	my $doomed = IdemTest::Session->new($node);
	my $pid = $doomed->pid;

	$doomed->ask('BEGIN');
	is(register($doomed, $how), 't', "$how: there is an owner");
	is(register($owner, $how), 'f', "$how: who is joined as long as he lives");
	$other->send("SELECT outcome FROM idemstore.dedupe_wait_for('$how', '30 s')");
	wait_for_sleepers($node, 1, 'Lock', $how);

	my $since = time();
	$end->($doomed, $pid);
	is($other->receive, 'absent', "$how: a waiter is told");
	is(register($owner, $how), 't', "$how: the next one owns");
	my $took = time() - $since;
	note("$how: owned again after $took s");
	cmp_ok($took, '<', $bound, "$how: at once");
	return;
}

next_one_owns('rolled back', sub { $_[0]->ask('ROLLBACK'); $_[0]->quit });
next_one_owns('client killed', sub { $_[0]->kill });
next_one_owns('backend killed', sub { $owner->ask("SELECT pg_terminate_backend($_[1])") });

# Whatever ends a job wakes, ten times in a row: sleeping to the next look at
# the clock would take about a second each.
my $woken = 0;
foreach my $end (
	[ 'a completion', "SELECT idemstore.dedupe_complete('%s', 'true')", 'completed|true|' ],
	[ 'a failure', "SELECT idemstore.dedupe_fail('%s', 'false')", 'failed||false' ],
	[ 'a clear', "SELECT idemstore.dedupe_clear('%s')", 'absent||' ],
	[ 'a prepared completion', "BEGIN; SELECT idemstore.dedupe_complete('%s', 'true');
		PREPARE TRANSACTION 'job'; COMMIT PREPARED 'job'", 'completed|true|' ])
{
	my ($name, $statements, $expected) = @$end;
	my $sum = 0;
	my %answers;

	foreach my $i (1 .. 10)
	{
		my $hash = 'woken ' . ++$woken . '.';

		register($owner, $hash);
		$other->send("SELECT *, extract(epoch FROM clock_timestamp())
			FROM idemstore.dedupe_wait_for('$hash', '30 s')");
		wait_for_sleepers($node, 1, 'Extension', $hash);
		my $since = time();
		$owner->ask(sprintf($statements, $hash));
		my ($answer, $answered) = $other->receive =~ /^(.*)\|(.*)$/;
		$answers{$answer}++;
		$sum += $answered - $since;
	}
	note("ten times $name reached its waiter after $sum s in sum");
	is_deeply(\%answers, { $expected => 10 }, "a waiter is answered by $name");
	cmp_ok($sum, '<', $bound, "a waiter is woken by $name");
}

# From the latch to the transaction, when the end stays open, or prepared.
foreach my $commit ("COMMIT", "COMMIT PREPARED 'job'")
{
	my $hash = "late $commit" =~ s/'//gr;

	register($owner, $hash);
	$other->send("SELECT outcome, extract(epoch FROM clock_timestamp())
		FROM idemstore.dedupe_wait_for('$hash', '30 s')");
	wait_for_sleepers($node, 1, 'Extension', $hash);
	$owner->ask("BEGIN; SELECT idemstore.dedupe_complete('$hash', '1')");
	$owner->ask("PREPARE TRANSACTION 'job'") if $commit =~ /PREPARED/;
	wait_for_sleepers($node, 1, 'Lock', $hash);
	my $committed = time();
	$owner->ask($commit);
	my ($outcome, $answered) = split(/\|/, $other->receive);
	note("answered " . ($answered - $committed) . " s after $commit");
	is($outcome, 'completed', "a waiter on its latch is answered after $commit");
	cmp_ok($answered, '>', $committed, "not before $commit");
	cmp_ok($answered - $committed, '<', $bound, "right after $commit");
}

# A job ends, and another session opens it anew before the waiter comes to look:
# the answer is the job that it waited for. Who comes later waits for the new one.
my $opener = IdemTest::Session->new($node);
my $stopped = $other->pid;
register($owner, 'opened anew');
$other->send("SELECT * FROM idemstore.dedupe_wait_for('opened anew', '20 s')");
wait_for_sleepers($node, 1, 'Extension', 'opened anew');
kill('STOP', $stopped);
$owner->ask("SELECT idemstore.dedupe_complete('opened anew', '1')");
$opener->ask('BEGIN');
is(register($opener, 'opened anew'), 't', 'a job is opened anew, under the eyes of its waiter');
kill('CONT', $stopped);
is($other->receive, 'completed|1|', 'which gets the value of the one before');
$other->send("SELECT * FROM idemstore.dedupe_wait_for('opened anew', '60 s')");
wait_for_sleepers($node, 1, 'Lock', 'opened anew');
$opener->ask("SELECT idemstore.dedupe_complete('opened anew', '2'); COMMIT");
is($other->receive, 'completed|2|', 'the next wait is for the new one');
$opener->quit;

# The end comes while the waiter is on its way from the look to the sleep: a
# thousand rounds, in which the finisher lets the waiter begin and ends the job
# 0 to 200 microseconds later. A lost wake-up costs a second.
$node->safe_psql('postgres', "
	CREATE SEQUENCE begun MINVALUE 0;
	CREATE SEQUENCE answered MINVALUE 0;
	SELECT nextval('begun'), nextval('answered');
	CREATE TABLE races (n int, outcome text, took interval);

	CREATE PROCEDURE finish_jobs() LANGUAGE plpgsql AS \$\$
	DECLARE
		due timestamptz;
	BEGIN
		FOR i IN 1..1000 LOOP
			PERFORM idemstore.dedupe_register('race ' || i);
			COMMIT;
			due := clock_timestamp() + i % 101 * interval '2 us';
			PERFORM nextval('begun');
			WHILE clock_timestamp() < due LOOP END LOOP;
			PERFORM idemstore.dedupe_complete('race ' || i, to_json(i));
			COMMIT;
			WHILE (SELECT last_value FROM answered) < i LOOP END LOOP;
		END LOOP;
	END \$\$;

	CREATE PROCEDURE wait_for_jobs() LANGUAGE plpgsql AS \$\$
	DECLARE
		since timestamptz;
		result idemstore.dedupe_result;
	BEGIN
		FOR i IN 1..1000 LOOP
			WHILE (SELECT last_value FROM begun) < i LOOP END LOOP;
			since := clock_timestamp();
			result := idemstore.dedupe_wait_for('race ' || i, '30 s');
			INSERT INTO races VALUES (i, result.outcome || ' ' || result.value, clock_timestamp() - since);
			COMMIT;
			PERFORM nextval('answered');
		END LOOP;
	END \$\$");
$other->send('CALL wait_for_jobs()');
is($owner->sqlstate('CALL finish_jobs()'), '00000', 'a thousand jobs end under their waiter');
is(($other->receive)[1], '00000', 'which waits for one after the other');
is($node->safe_psql('postgres', "SELECT count(*) FROM races WHERE outcome = 'completed ' || n"),
	'1000', 'each wait returns the value');
my ($sum, $slow, $longest) = split(/\|/, $node->safe_psql('postgres', "
	SELECT extract(epoch FROM sum(took)), count(*) FILTER (WHERE took > '0.5 s'), extract(epoch FROM max(took)) FROM races"));
note("1000 races took $sum s in sum, the longest $longest s; over half a second: $slow");
cmp_ok($sum, '<', $bound, 'no wake-up is lost between the look and the sleep');

# A wait ends with the job's own timeout, and obeys its own.
foreach my $type ('Lock', 'Extension')
{
	my $hash = "brief $type";

	$owner->ask('BEGIN') if $type eq 'Lock';
	register($owner, $hash, '500 ms');
	my $since = time();
	is($other->ask("SELECT * FROM idemstore.dedupe_wait_for('$hash', '100 ms')"),
		'timeout||', "wait ($type) times out");
	cmp_ok(time() - $since, '>=', 0.1, "wait ($type): not too early");
	is($other->ask("SELECT * FROM idemstore.dedupe_wait_for('$hash', '30 s')"),
		'timeout||', "wait ($type) ends with the job's timeout");
	my $waited = time() - $since;
	note("wait ($type) for a job of 0.5 s: $waited s");
	cmp_ok($waited, '<', $bound, "wait ($type) ends with it at once");
	is($other->ask("SELECT idemstore.dedupe_is_in_progress('$hash')"), 'f', "($type) the job is over");
	$owner->ask('COMMIT') if $type eq 'Lock';
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"),
	'0', 'no waiter leaves its lock behind');

# Everything at once, on few jobs that are past their timeout almost at once:
# claims that are completed or failed, in their transaction or later and often
# too late, or rolled back, while others wait, clear and expire.
$node->safe_psql('postgres', 'CREATE TABLE ends (hash text, job_id uuid, ended boolean)');
my $work = "
	\\set n random(1, 4)
	\\set luck random(1, 6)
	\\set pause random(0, 3000)
	BEGIN;
	SELECT job_id, is_owner FROM idemstore.dedupe_register_or_join('storm ' || :n, '2 ms') \\gset
	\\if :is_owner
		INSERT INTO seen VALUES ('storm', :n, ':job_id', true);
		\\if :luck = 1
			ROLLBACK;
		\\else
			\\if :luck > 2
				COMMIT;
				\\sleep :pause us
				BEGIN;
			\\endif
			INSERT INTO ends SELECT 'storm ' || :n, ':job_id', CASE WHEN :luck % 2 = 0
				THEN idemstore.dedupe_complete('storm ' || :n, '\":job_id\"', ':job_id')
				ELSE idemstore.dedupe_fail('storm ' || :n, '\":job_id\"', ':job_id') END;
		\\endif
	\\else
		COMMIT;
		INSERT INTO answers
		SELECT 'storm ' || :n, outcome, coalesce(value, error), 0
		FROM idemstore.dedupe_wait_for('storm ' || :n, '5 ms');
		BEGIN;
	\\endif
	COMMIT;\n";
run_storm('many at work on few jobs meet no error', $node,
	[ '--client=12', '--jobs=2', '--time=5', '--random-seed=1' ],
	$work => 20, "\\set n random(1, 4)\nSELECT idemstore.dedupe_clear('storm ' || :n);\n" => 1,
	"SELECT idemstore.expire(10);\n" => 1);
note('ends: ' . $node->safe_psql('postgres', 'SELECT ended, count(*) FROM ends GROUP BY 1 ORDER BY 1')
	. "\nanswers: " . $node->safe_psql('postgres', "
		SELECT outcome, count(*) FROM answers WHERE hash LIKE 'storm %' GROUP BY 1 ORDER BY 1"));
is( $node->safe_psql('postgres', "
	SELECT job_id FROM seen WHERE kind = 'storm' AND is_owner GROUP BY 1 HAVING count(*) > 1
	UNION ALL SELECT job_id FROM ends WHERE ended GROUP BY 1 HAVING count(*) > 1"),
	'', 'no two owners have one id, and no job ends twice');
is( $node->safe_psql('postgres', "
	SELECT count(*) FILTER (WHERE ended) > 20, count(*) FILTER (WHERE NOT ended) > 20 FROM ends"),
	't|t', 'jobs were ended by their owners, and lost to others');
is( $node->safe_psql('postgres', "
	SELECT a.outcome, a.value FROM answers AS a
		LEFT JOIN ends AS e ON e.hash = a.hash AND e.ended AND a.value::text = to_json(e.job_id)::text
	WHERE a.hash LIKE 'storm %' AND (a.outcome IN ('completed', 'failed')) <> (e.job_id IS NOT NULL)"),
	'', 'who was given a result was given that of an owner who had ended his job');
is( join('', $node->safe_psql('postgres', "
	SELECT * FROM verify_heapam('idemstore.dedupe_jobs', check_toast => true);
	SELECT bt_index_check(indexrelid, heapallindexed => true)
	FROM pg_index WHERE indrelid = 'idemstore.dedupe_jobs'::regclass")) =~ s/\n//gr,
	'', 'amcheck finds nothing after the storm');

$owner->quit;
$other->quit;
done_testing();
