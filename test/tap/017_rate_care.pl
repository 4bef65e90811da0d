#!/usr/bin/perl
#
# What a DBA does to the state of rate limits, while eight clients acquire: no
# admission is lost, nobody meets an error, no page is damaged. Only TRUNCATE
# and DROP EXTENSION forget, and even then the same sessions go on.
#
# IDEM_LONG=1 makes it ten times as long.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $state = 'idemstore.rate_limit_state';
my $folder = PostgreSQL::Test::Utils::tempdir;
my $limit = "1000000000000, '1 day'";

# So few buffers that pages go to the disc and come back, with their checksums.
my $node = new_node('main', 'shared_buffers = 8MB', 'autovacuum_naptime = 1s', 'log_error_verbosity = verbose');
if ($node->safe_psql('postgres', 'SHOW data_checksums') eq 'off')
{
	$node->stop;
	$node->run_log([ 'pg_checksums', '--enable', '--pgdata', $node->data_dir ]);
	$node->start;
}
is($node->safe_psql('postgres', 'SHOW data_checksums'), 'on', 'with checksums');
my $session = IdemTest::Session->new($node);
my $reader = IdemTest::Session->new($node);
$session->ask("SELECT idemstore.set_rate_limit('*', $limit)");
$session->ask("SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''");

# One key for all, resources that come and grow, several at once, an acquire that
# is rolled back, resources that expire, and questions. Long names make long
# chains of pages.
my $name = "rpad(:n::text, 700, ' long')";
my @scripts = (
	"SELECT 1 / idemstore.acquire('hot')::int;\n" => 4,
	"\\set n random(1, 2500)\nSELECT 1 / idemstore.acquire('key ' || $name)::int;\n" => 4,
	"\\set n random(1, 2500)
	SELECT 1 / idemstore.acquire_all(array['both', 'one ' || $name, 'two ' || $name])::int;\n" => 2,
	"BEGIN;\nSELECT 1 / idemstore.acquire('undone')::int;\nROLLBACK;\n" => 1,
	"\\set n random(1, 2500)\nSELECT idemstore.acquire('brief ' || :n, quota => 1, per => '1 us');\n" => 1,
	"\\set n random(1, 2500)
	SELECT 1 / count(*) FROM idemstore.rate_limit_status('key ' || $name) WHERE idemstore.can_proceed('hot');\n" => 1);

# What the functions know of the resources that the table names.
sub counted
{
	my ($pattern) = @_;

	return $session->ask("
		SELECT coalesce(sum(s.quota - s.remaining), 0)
		FROM (SELECT DISTINCT resource FROM $state WHERE resource LIKE '$pattern') AS r,
			LATERAL idemstore.rate_limit_status(r.resource) AS s");
}

sub server_errors
{
	return join("\n", slurp_file($node->logfile) =~ /^(.* (?:ERROR|FATAL|PANIC):  (?!57P01).*)$/mg);
}

# All of this leaves the state as it is. What lets a reader by finds one with a
# cursor open on the table.
my @gentle = (
	"VACUUM $state", "VACUUM (FREEZE, DISABLE_PAGE_SKIPPING) $state", "ANALYZE $state", 'VACUUM ANALYZE', 'CHECKPOINT',
	'SELECT idemstore.expire()', "COPY $state TO '$folder/copy'",
	"CREATE TABLE copy AS SELECT * FROM $state; DROP TABLE copy",
	"SELECT idemstore.set_rate_limit('*', 2 * $limit), idemstore.set_rate_limit('ho*', $limit)",
	"SELECT idemstore.set_rate_limit('*', $limit), idemstore.drop_rate_limit('ho*')",
	"SELECT idemstore.set_rate_limit('*', 1000000000000, '2 days', policy => 'other'),
		idemstore.drop_rate_limit('*', 'other')",
	'UPDATE idemstore.rate_limits SET burst = NULL', 'VACUUM FULL idemstore.rate_limits',
	"ALTER TABLE $state SET (autovacuum_enabled = off)", 'VACUUM FULL pg_class');
my @strong = (
	"VACUUM FULL $state", "ALTER TABLE $state SET LOGGED", 'SELECT idemstore.expire()', "VACUUM FULL $state",
	"ALTER TABLE $state SET UNLOGGED", "ALTER TABLE $state RESET (autovacuum_enabled)", "REINDEX TABLE $state",
	"ALTER TABLE $state SET TABLESPACE elsewhere", "ALTER TABLE $state SET TABLESPACE pg_default",
	"BEGIN; TRUNCATE $state; SELECT idemstore.acquire('hot'); ROLLBACK",
	"BEGIN; ALTER TABLE $state SET LOGGED; SELECT idemstore.acquire('hot'); ROLLBACK",
	'BEGIN; DROP EXTENSION idemstore; ROLLBACK');
my $rounds = $ENV{IDEM_LONG} ? 20 : 2;
my $storm = start_storm($node, [ '--client=8', '--jobs=1', '--time=2' ], @scripts);
my @acquired = (0) x 5;
my %met;

# Something is done to the table in a storm that is not over yet.
sub in_storm
{
	my ($who, $sql) = @_;

	unless ($storm->{run}->pumpable)
	{
		end_storm();
		$storm = start_storm($node, [ '--client=8', '--jobs=1', '--time=2' ], @scripts);
	}
	$met{ $who->sqlstate($sql) } = $sql;
	$storm->{run}->pump_nb if $storm->{run}->pumpable;
	return;
}

sub end_storm
{
	ok(finish_storm($storm), 'no client of the storm meets an error');
	$acquired[$_] += processed($storm, $_) foreach 1 .. 4;
	return;
}

foreach my $round (1 .. $rounds)
{
	$reader->ask("BEGIN; DECLARE c CURSOR FOR SELECT * FROM $state; FETCH 10 FROM c");
	in_storm($session, $_) foreach @gentle;

	# A rewrite waits for the cursor, and everybody for the rewrite; but not he
	# whom it waits for.
	$session->send("VACUUM FULL $state");
	wait_for_sleepers($node, 1, 'Lock', 'VACUUM FULL');
	in_storm($reader, "SELECT idemstore.acquire('reader ' || n) FROM generate_series(1, 10) AS n");
	in_storm($reader, 'FETCH ALL FROM c');
	in_storm($reader, 'COMMIT');
	$met{ ($session->receive)[1] } = 'VACUUM FULL';

	in_storm($session, $_) foreach @strong;
	$node->command_ok([ 'pg_dump', '--file', "$folder/dump", $node->connstr('postgres') ], 'a dump');
}
end_storm();
is_deeply([ sort keys %met ], ['00000'], 'nor does the DBA, or a reader') or note(explain(\%met));
is(counted('hot'), $acquired[1], 'no acquire on one key is lost');
is(counted('key %'), $acquired[2], 'none of those on many keys');
is(counted('both'), $acquired[3], 'none of several at once');
is(counted('one %'), $acquired[3], 'neither of the one');
is(counted('two %'), $acquired[3], 'nor of the other');
is(counted('undone'), $acquired[4], 'none that was rolled back');
is(counted('reader %'), 10 * $rounds, 'none of the reader');
is($session->ask("SELECT resource FROM $state GROUP BY 1 HAVING count(*) > 1"), '', 'no resource is there twice');
is(server_errors(), '', 'the server logs no error');

# What the table refuses, in the storm as ever.
$storm = start_storm($node, [ '--client=8', '--jobs=1', '--time=2' ], @scripts);
foreach my $refused (
	[ '0A000', "UPDATE $state SET resource = 'mine'" ], [ '0A000', "DELETE FROM $state" ],
	[ '0A000', "SELECT * FROM $state FOR UPDATE" ], [ '0A000', "CREATE INDEX ON $state (resource)" ],
	[ '42704', "CLUSTER $state" ])
{
	is($session->sqlstate($refused->[1]), $refused->[0], "$refused->[1] is refused");
}

# TRUNCATE forgets what was, and nothing else.
foreach (1 .. 10)
{
	$session->ask("TRUNCATE $state; SELECT idemstore.acquire('after')");
}
is(counted('after'), 1, 'what is acquired after the last TRUNCATE is there');
ok(finish_storm($storm), 'no client meets an error by TRUNCATE');
cmp_ok(counted('hot'), '<=', processed($storm, 1), 'no more than what was acquired is there');

# Statements that are cancelled at any moment: what was acknowledged is counted,
# what was cancelled may be, and nothing is left behind.
my $file = "$folder/acquires";
append_to_file($file, "SELECT idemstore.acquire('cancelled');\n" x 2000);
$session->ask("TRUNCATE $state");
my @clients = map {
	my %client = (output => '', errors => '');
	local $ENV{PGAPPNAME} = 'cancelled';
	$client{run} = IPC::Run::start(
		[ $node->installed_command('psql'), '--no-psqlrc', '--no-align', '--tuples-only', '--file', $file,
			$node->connstr('postgres') ],
		'<', \undef, '>', \$client{output}, '2>', \$client{errors},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	\%client
} 1 .. 4;
while (grep { $_->{run}->pumpable } @clients)
{
	$session->ask("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE application_name = 'cancelled' AND query ~ 'acquire'");
	$session->ask("VACUUM FULL $state") unless $rounds++ % 20;
	$_->{run}->pump_nb foreach grep { $_->{run}->pumpable } @clients;
}
my ($acknowledged, $cancelled) = (0, 0);
foreach my $client (@clients)
{
	$client->{run}->finish;
	$acknowledged += () = $client->{output} =~ /^t$/mg;
	$cancelled += () = $client->{errors} =~ /^\S+ ERROR:  canceling statement due to user request$/mg;
}
note("$acknowledged acknowledged, $cancelled cancelled");
is($acknowledged + $cancelled, 4 * 2000, 'every statement is acknowledged or cancelled');
cmp_ok($cancelled, '>', 0, 'some are cancelled');
cmp_ok(counted('cancelled'), '>=', $acknowledged, 'what was acknowledged is counted');
cmp_ok(counted('cancelled'), '<=', $acknowledged + $cancelled, 'and no more than what was asked for');

# The extension goes and comes back, under sessions that use it, with plans they
# keep and without. They meet what PostgreSQL says of things that are gone.
$session->ask('CREATE UNLOGGED TABLE met (state text, message text);' . join(';', map { "
	CREATE FUNCTION $_->[0](n int) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		$_->[1];
		INSERT INTO met VALUES ('00000', '');
	EXCEPTION WHEN OTHERS THEN
		INSERT INTO met VALUES (SQLSTATE, SQLERRM);
	END \$\$" }
	[ 'planned', "PERFORM idemstore.acquire('hot'), idemstore.acquire('key ' || n), idemstore.can_proceed('hot')" ],
	[ 'unplanned', "EXECUTE format('SELECT idemstore.acquire_all(array[''hot'', ''key %s''])', n)" ],
	[ 'keeping', "PERFORM idemstore.expire(100); PERFORM idemstore.set_rate_limit('key', n, '1 s')" ]));
$storm = start_storm($node, [ '--client=8', '--jobs=1', '--time=3' ],
	"\\set n random(1, 1000)\nSELECT planned(:n);\n" => 5,
	"\\set n random(1, 1000)\nSELECT unplanned(:n);\n" => 4,
	"\\set n random(1, 1000)\nSELECT keeping(:n);\n" => 1);
$rounds = 0;
while ($storm->{run}->pumpable)
{
	$session->ask('DROP EXTENSION idemstore');
	$session->ask('SELECT pg_sleep(0.05)');
	$session->ask("CREATE EXTENSION idemstore; SELECT idemstore.set_rate_limit('*', $limit)");
	$session->ask('SELECT pg_sleep(0.2)');
	$session->ask("BEGIN; DROP EXTENSION idemstore; CREATE EXTENSION idemstore;
		SELECT idemstore.set_rate_limit('*', $limit); COMMIT");
	$rounds++;
	$storm->{run}->pump_nb;
}
ok(finish_storm($storm), 'nobody loses his session');
note("rounds: $rounds, met:\n" . $session->ask("
	SELECT state, regexp_replace(message, '\\d\\d+', 'N', 'g'), count(*) FROM met GROUP BY 1, 2 ORDER BY 3 DESC"));
is( $session->ask("
	SELECT state, message, count(*) FROM met
	WHERE state NOT IN ('00000', '3F000', '42883', '42P01', 'ID428', '40P01')
		AND message !~ '^cache lookup failed for function \\d+\$'
	GROUP BY 1, 2"),
	'', 'they meet only that something is not there');
cmp_ok($session->ask("SELECT count(*) FROM met WHERE state = '00000'"), '>', 100, 'and acquire while all is there');
my $before = counted('hot');
run_storm('the storm goes on', $node, [ '--client=8', '--jobs=1', '--transactions=100' ], "SELECT planned(1);\n" => 1);
is(counted('hot'), $before + 800, 'and is counted');

# Checksums under load, and after a clean stop.
run_storm('a storm before the stop', $node, [ '--client=8', '--jobs=1', '--time=1' ], @scripts);
my $sum = counted('%');
$session->ask('DROP TABLESPACE elsewhere');
$session->quit;
$reader->quit;
$node->stop;
$node->command_ok([ 'pg_checksums', '--check', '--pgdata', $node->data_dir ], 'no checksum is wrong');
$node->start;
$session = IdemTest::Session->new($node);
is(counted('%'), $sum, 'a clean stop loses nothing');
unlike(slurp_file($node->logfile), qr/ (?:PANIC|XX001|XX002|58030)/, 'no page was ever damaged');

# A page that is lost, and is all zeroes now, is no page of ours.
my $path = $node->data_dir . '/' . $session->ask("SELECT pg_relation_filepath('$state')");
$session->quit;
$node->stop;
open(my $pages, '+<:raw', $path) or die "$path: $!";
seek($pages, 8192, 0);
print $pages "\0" x ((-s $path) - 8192);
close($pages);
$node->start;
$session = IdemTest::Session->new($node);
foreach my $call ("acquire('hot')", "rate_limit_status('hot')")
{
	is($session->sqlstate("SELECT idemstore.$call"), 'XX001', "$call says that the table is damaged");
}
is($session->ask("SELECT string_agg(relation, ' ') FROM idemstore.expire() WHERE removed IS NULL"), 'rate_limit_state', 'expire() has that for the others only');
is($session->sqlstate("TRUNCATE $state; SELECT idemstore.acquire('hot')"), '00000', 'until it is truncated');
$session->quit;

done_testing();
