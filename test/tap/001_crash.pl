#!/usr/bin/perl
#
# The server dies in the middle of a storm of payments. What was acknowledged is
# there afterwards, and nobody is charged twice.
#
# A client notes a key only when its COMMIT has returned, or when it has been
# given the response of somebody else's.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'restart_after_crash = on', 'synchronous_commit = on');
my $notes = PostgreSQL::Test::Utils::tempdir . '/acknowledged';

$node->safe_psql('postgres', 'CREATE TABLE ledger (key text); CREATE TABLE acknowledged (n int)');

# All clients move through the keys together, so that each key is sent many
# times, and by several at once.
my $payment = "
	\\set i :i + 2
	\\set n :i + random(-20, 20)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, outcome IN ('started', 'replay') AS is_answered
	FROM idemstore.start_processing('payment ' || :n) \\gset
	\\if :is_owner
		INSERT INTO ledger VALUES ('payment ' || :n);
		SELECT idemstore.complete('payment ' || :n, :n, ('{\"n\": ' || :n || '}')::json,
			repeat(:n || ' ', 100));
	\\endif
	COMMIT;
	\\if :is_answered
		\\shell echo :n >> $notes
	\\endif\n";

# Start the storm, and return when it is at work.
sub storm_at_work
{
	my $before = charges();
	my $storm = start_storm($node, [ '--client=8', '--jobs=2', '--time=60', "--define=i=$before" ],
		$payment => 1);

	wait_in_storm($node, $storm, "SELECT count(*) > $before + 150 FROM ledger");
	return $storm;
}

sub charges
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM ledger');
}

sub check_books
{
	my ($when) = @_;
	my $acknowledged = $node->safe_psql('postgres', "
		TRUNCATE acknowledged;
		COPY acknowledged FROM '$notes';
		SELECT count(DISTINCT n) FROM acknowledged");
	my $missing = $node->safe_psql('postgres', "
		SELECT DISTINCT n FROM acknowledged
		WHERE NOT EXISTS (
			SELECT FROM idemstore.get('payment ' || n)
			WHERE status = 'complete' AND response_status = n
				AND response_headers::text = '{\"n\": ' || n || '}'
				AND response_body = convert_to(repeat(n || ' ', 100), 'UTF8'))");

	note("acknowledged keys $when: $acknowledged");
	cmp_ok($acknowledged, '>', 0, "clients had acknowledgements $when");
	is($missing, '', "every acknowledged record is there with its response $when");
	is( $node->safe_psql('postgres', "
		SELECT key, count(*) FROM ledger GROUP BY 1 HAVING count(*) > 1"),
		'', "nobody is charged twice $when");
	is( $node->safe_psql('postgres', "
		SELECT count(*) FROM idemstore.idempotency_records AS r
			FULL JOIN ledger AS l ON l.key = r.key
		WHERE r.key IS NULL OR (l.key IS NULL AND r.key LIKE 'payment %')"),
		'0', "records and charges match one to one $when");
	check_table($node, $when);
	return;
}

sub check_storm_goes_on
{
	my ($when) = @_;
	my $before = charges();

	run_storm("the storm goes on $when", $node,
		[ '--client=8', '--jobs=2', '--time=2', "--define=i=$before" ], $payment => 1);
	cmp_ok(charges(), '>', $before, "new payments are made $when");
	return;
}

# An open claim of a dead transaction blocks nobody; a committed one still stands.
my $fence = $node->safe_psql('postgres', "
	INSERT INTO ledger VALUES ('claimed');
	SELECT fence FROM idemstore.start_processing('claimed')");
my $open = IdemTest::Session->new($node);
$open->ask("BEGIN; SELECT idemstore.start_processing('open')");

my $storm = storm_at_work();
my $victim = $node->safe_psql('postgres', "
	SELECT pid FROM pg_stat_activity
	WHERE application_name = 'storm' ORDER BY backend_xid IS NULL LIMIT 1");
is(kill('KILL', $victim), 1, 'a backend of the storm is killed');
ok(!finish_storm($storm), 'its clients lose their connections');
$open->kill;
$node->poll_query_until('postgres', 'SELECT true')
  or die 'the server does not come back';
like(slurp_file($node->logfile), qr/database system was not properly shut down/, 'the server has recovered');
check_books('after kill -9 of a backend');
is( $node->safe_psql('postgres', "
	SELECT outcome FROM idemstore.start_processing('claimed')
	UNION ALL SELECT outcome FROM idemstore.start_processing('open')"),
	"in_progress\nstarted", 'a committed claim outlives the crash, an open one does not');
$node->safe_psql('postgres', "
	SELECT idemstore.complete('claimed', 200, fence => $fence);
	SELECT idemstore.release('open')");
check_storm_goes_on('after kill -9 of a backend');

$storm = storm_at_work();
$node->stop('immediate');
ok(!finish_storm($storm), 'an immediate stop ends the storm');
$node->start;
check_books('after an immediate stop');
check_storm_goes_on('after an immediate stop');
check_books('in the end');

$node->stop;
done_testing();
