#!/usr/bin/perl
#
# Behind PgBouncer in transaction mode, where every transaction of a client may
# run in another session of the server: thirty-two clients on eight sessions get
# what they get without it. Then what is different there: a waiter keeps others
# from a session, and a SET stays in it.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

# A server that is never made just has an address, at which PgBouncer listens.
my $pooler = PostgreSQL::Test::Cluster->new('pooler');
my $pgbouncer = start_pgbouncer();

sub start_pgbouncer
{
	my ($host, $port) = ($pooler->host, $pooler->port);
	my $to = 'host=' . $node->host . ' port=' . $node->port . ' dbname=postgres user='
	  . $node->safe_psql('postgres', 'SELECT current_user');
	my $ini = PostgreSQL::Test::Utils::tempdir . '/pgbouncer.ini';

	append_to_file($ini, "
		[databases]
		postgres = $to pool_size=8
		one = $to pool_size=1
		two = $to pool_size=2
		late = $to pool_size=1
		[pgbouncer]
		unix_socket_dir = $host
		listen_port = $port
		auth_type = any
		pool_mode = transaction
		logfile = " . $pooler->logfile . "\n" =~ s/^\t+//gmr);
	local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
	my $run = IPC::Run::start([ 'pgbouncer', '--quiet', $ini ], '<', \undef);
	$pooler->poll_query_until('postgres', 'SELECT true') or die 'PgBouncer does not come up';
	return $run;
}

END
{
	my $status = $?;

	$pgbouncer->kill_kill if defined($pgbouncer);
	$? = $status;
}

$node->safe_psql('postgres', '
	CREATE TABLE ledger (key text, fence bigint);
	CREATE TABLE jobs (hash text, job_id uuid, is_completed boolean);
	CREATE TABLE answers (hash text, outcome text, value uuid);
	CREATE TABLE computed (key text, is_stored boolean);
	CREATE TABLE admitted (way text)');

# Payments in one transaction and in two, jobs, values and requests. Whoever has
# to wait waits a little and comes back.
sub start_clients
{
	my ($to, $way) = @_;

	return start_storm($to, [ '--client=32', '--jobs=1', '--transactions=80', '--define=i=0' ], "
	\\set i :i + 1
	\\set n :i + random(-3, 3)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('$way payment ' || :n, wait => '50 ms') \\gset
	\\if :is_owner
		INSERT INTO ledger VALUES ('$way payment ' || :n, :fence);
		SELECT idemstore.complete('$way payment ' || :n, :n, fence => :fence);
	\\endif
	COMMIT;\n" => 1, "
	\\set i :i + 1
	\\set n :i + random(-3, 3)
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('$way transfer ' || :n, lease => '1 h', wait => '50 ms') \\gset
	\\if :is_owner
		\\sleep 2 ms
		BEGIN;
		INSERT INTO ledger VALUES ('$way transfer ' || :n, :fence);
		SELECT idemstore.complete('$way transfer ' || :n, :n, fence => :fence);
		COMMIT;
	\\endif\n" => 1, "
	\\set n random(1, 10)
	SELECT is_owner, job_id FROM idemstore.dedupe_register_or_join('$way ' || :n, '1 h') \\gset
	\\if :is_owner
		\\sleep 2 ms
		INSERT INTO jobs
		SELECT '$way ' || :n, ':job_id', idemstore.dedupe_complete('$way ' || :n, to_json(':job_id'::text), ':job_id');
	\\else
		INSERT INTO answers
		SELECT '$way ' || :n, outcome, (value #>> '{}')::uuid FROM idemstore.dedupe_wait_for('$way ' || :n, '50 ms', ':job_id');
	\\endif\n" => 1, "
	\\set n random(1, 20)
	SELECT outcome = 'compute' AS computes, coalesce(fence, 0) AS fence
	FROM idemstore.cache_fetch('$way ' || :n, lease => '1 h', wait => '50 ms') \\gset
	\\if :computes
		\\sleep 2 ms
		INSERT INTO computed SELECT '$way ' || :n, idemstore.cache_set('$way ' || :n, '1', fence => :fence);
	\\endif\n" => 1, "
	INSERT INTO admitted SELECT '$way' WHERE idemstore.acquire('$way', quota => 100, per => '1 day');\n" => 1);
}

sub rows
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

foreach my $way ('direct', 'pooled')
{
	my $storm = start_clients($way eq 'direct' ? $node : $pooler, $way);

	ok(finish_storm($storm), "$way: no client meets an error");
	cmp_ok(rows("SELECT count(*) FROM ledger WHERE key LIKE '$way $_ %'"), '>', 20, "$way: owners were at work on ${_}s")
	  foreach 'payment', 'transfer';
	is(rows("SELECT key, count(*) FROM ledger WHERE key LIKE '$way %' GROUP BY 1 HAVING count(*) > 1"),
		'', "$way: every key has one owner");
	is( rows("
		SELECT r.key, l.key
		FROM (SELECT * FROM idemstore.idempotency_records WHERE key LIKE '$way %') AS r
			FULL JOIN (SELECT * FROM ledger WHERE key LIKE '$way %') AS l USING (key, fence)
		WHERE r.status IS DISTINCT FROM 'complete' OR l.key IS NULL"),
		'', "$way: records and charges match one to one");
	is( rows("
		SELECT count(*) - count(DISTINCT job_id), bool_and(is_completed), count(*) > 20 FROM jobs WHERE hash LIKE '$way %'"),
		'0|t|t', "$way: every job has one owner, who completes it");
	is( rows("
		SELECT string_agg(DISTINCT outcome, ' ') ~ '^(absent )?completed( timeout)?\$',
			bool_and(outcome <> 'completed' OR (hash, value) IN (SELECT hash, job_id FROM jobs))
		FROM answers WHERE hash LIKE '$way %'"),
		't|t', "$way: who joins is answered with a job's value, or in time that there is none");
	is( rows("SELECT count(*), count(DISTINCT key), bool_and(is_stored) FROM computed WHERE key LIKE '$way %'"),
		'20|20|t', "$way: every value is computed once");
	cmp_ok(processed($storm, 5), '>', 100, "$way: more ask than may");
	is(rows("SELECT count(*) FROM admitted WHERE way = '$way'"), '100', "$way: the quota is exact");
	is(rows("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"), '0', "$way: no lock is left behind");
}
is(rows("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"),
	'8', 'all of that in eight sessions');

# A client dies, and PgBouncer closes the session that it was in.
my $owner = IdemTest::Session->new($pooler, 'postgres');
my $other = IdemTest::Session->new($pooler, 'postgres');
$owner->ask("BEGIN; SELECT idemstore.start_processing('doomed')");
$other->send("SELECT outcome FROM idemstore.start_processing('doomed', wait => '100 s')");
wait_for_sleepers($node, 1, 'Lock', 'doomed');
$owner->kill;
is($other->receive, 'started', 'who waits for a client that dies is the next owner');
$other->quit;

# Two waiters in a pool of two, and an owner who wants to complete: he is next
# when one of them gives up, and wakes the other.
$owner = IdemTest::Session->new($pooler, 'two');
my $short = IdemTest::Session->new($pooler, 'two');
my $long = IdemTest::Session->new($pooler, 'two');
my $fence = $owner->ask("SELECT fence FROM idemstore.start_processing('crowded')");
$long->send("SELECT outcome FROM idemstore.start_processing('crowded', wait => '100 s')");
wait_for_sleepers($node, 1, 'Extension', 'crowded');
$short->send("SELECT outcome FROM idemstore.start_processing('crowded', wait => '2 s')");
wait_for_sleepers($node, 2, 'Extension', 'crowded');
$owner->send("SELECT idemstore.complete('crowded', 200, fence => $fence)");
is($short->receive, 'in_progress', 'waiters keep an owner out of their pool');
is(($owner->receive)[1], '00000', 'until one gives up');
is($long->receive, 'replay', 'and then it goes on');
$_->quit foreach $owner, $short, $long;

# Settings: who shares a session shares what is SET in it.
sub lease
{
	my ($session, $key) = @_;

	$session->ask("SELECT idemstore.start_processing('$key')");
	return $session->ask("SELECT lease_expires_at - created_at FROM idemstore.get('$key')");
}

my ($first, $second) = map { IdemTest::Session->new($pooler, 'one') } 1, 2;
is(lease($first, 'by default'), '00:05:00', 'a lease is that of the setting');
$first->ask("SET idemstore.default_lease = '7 s'");
is(lease($second, 'set by another'), '00:00:07', 'SET hits whoever has the session next');
$first->ask('RESET idemstore.default_lease');
$first->ask("BEGIN; SET LOCAL idemstore.default_lease = '7 s'; SELECT idemstore.start_processing('set locally'); COMMIT");
is($first->ask("SELECT lease_expires_at - created_at FROM idemstore.get('set locally')"),
	'00:00:07', 'SET LOCAL holds in its transaction');
is(lease($second, 'after a SET LOCAL'), '00:05:00', 'and nowhere else');
$node->safe_psql('postgres', "ALTER DATABASE postgres SET idemstore.default_lease = '8 s'");
my $late = IdemTest::Session->new($pooler, 'late');
is(lease($late, 'set for the database'), '00:00:08', 'ALTER DATABASE holds in every session that begins later');
$_->quit foreach $first, $second, $late;

$pgbouncer->signal('INT');
ok($pgbouncer->finish, 'PgBouncer stops');
undef($pgbouncer);
done_testing();
