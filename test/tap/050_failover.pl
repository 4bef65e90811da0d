#!/usr/bin/perl
#
# The primary dies in the middle of a storm, its synchronous standby is promoted,
# and the clients find it by themselves. What was acknowledged is there, nobody
# is charged twice, no fence comes again, and what was taken from a limit, if its
# state is logged, stays taken.
#
# A client notes what it has done only when the server has told it of the COMMIT,
# and a payment also when it has been given the response of somebody else's.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $folder = PostgreSQL::Test::Utils::tempdir;
my $primary = new_node('primary', 'wal_level = replica', 'max_wal_senders = 5', 'synchronous_commit = on');
$primary->safe_psql('postgres', q{
	ALTER TABLE idemstore.rate_limit_state SET LOGGED;
	CREATE SEQUENCE progress START 200;
	CREATE TABLE ledger (key text, token int, server text DEFAULT current_setting('cluster_name'));
	CREATE TABLE claims (id bigserial, key text, fence bigint, server text DEFAULT current_setting('cluster_name'));
	CREATE TABLE noted (n int, token int);
	CREATE TABLE noted_claims (n int, fence bigint);
	CREATE TABLE noted_requests (token int)});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->append_conf('postgresql.conf', "synchronous_standby_names = 'standby'");
$primary->reload;
$primary->poll_query_until('postgres', "SELECT sync_state = 'sync' FROM pg_stat_replication")
  or die 'the standby is not synchronous';

# Claim, work and response in one transaction. All clients move through the keys
# together, so that each key is sent many times, and again after the failover.
# The response tells whose it is.
my $payment = "
	SELECT nextval('progress') / 4 AS i \\gset
	\\set n :i + random(-20, 20)
	\\set token random(1, 2000000000)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, outcome IN ('started', 'replay') AS is_answered,
		coalesce(response_status, :token) AS token
	FROM idemstore.start_processing('payment ' || :n) \\gset
	\\if :is_owner
		INSERT INTO ledger VALUES ('payment ' || :n, :token);
		SELECT idemstore.complete('payment ' || :n, :token, ('{\"n\": ' || :n || '}')::json,
			repeat(:token || ' ', 100));
	\\endif
	COMMIT;
	\\if :is_answered
		\\shell echo :n :token >> $folder/payments
	\\endif\n";

# Few keys that are taken over again and again.
my $takeover = "
	\\set n random(1, 5)
	WITH verdict AS MATERIALIZED (
		SELECT * FROM idemstore.start_processing('contested ' || :n, lease => '2 ms')),
	claim AS (
		INSERT INTO claims (key, fence)
		SELECT 'contested ' || :n, fence FROM verdict WHERE outcome = 'started')
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence FROM verdict \\gset
	\\if :is_owner
		\\shell echo :n :fence >> $folder/claims
	\\endif\n";

# Limits that let one request through.
my $request = "
	\\set token random(1, 2000000000)
	SELECT idemstore.acquire('request ' || :token, quota => 1, per => '1 day') AS is_allowed \\gset
	\\if :is_allowed
		\\shell echo :token >> $folder/requests
	\\endif\n";

# Clients that connect to whichever server takes writes, and come back for three
# seconds more when they have lost it.
sub start_clients
{
	my $host = $primary->host;
	my $port = join(',', $primary->port, $standby->port);
	my %scripts = (payment => [ $payment, 4 ], takeover => [ $takeover, 1 ], request => [ $request, 1 ]);
	my %storm = (output => '');

	append_to_file("$folder/$_.sql", $scripts{$_}->[0]) foreach keys %scripts;
	$storm{run} = IPC::Run::start(
		[
			'sh', '-c', '"$@" --time=60; until "$@" --time=3; do sleep 0.1; done',
			'sh', $primary->installed_command('pgbench'), '--no-vacuum', '--client=8', '--jobs=2',
			(map { "--file=$folder/$_.sql\@$scripts{$_}->[1]" } keys %scripts),
			"host=$host,$host port=$port target_session_attrs=read-write dbname=postgres"
		],
		'<', \undef, '>&', \$storm{output},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%storm;
}

# What only one of the two servers knows is lost with it: an open claim.
my ($fence, $retried) = split(/\|/, $primary->safe_psql('postgres', "
	SELECT c.fence, r.fence
	FROM idemstore.start_processing('claimed') AS c, idemstore.start_processing('retried') AS r"));
$primary->safe_psql('postgres', "SELECT idemstore.fail('retried', retryable => true)");
my $open = IdemTest::Session->new($primary);
$open->ask("BEGIN; SELECT idemstore.start_processing('open')");
$primary->wait_for_catchup($standby);
my $waiter = IdemTest::Session->new($standby);
$waiter->send("SELECT status, response_status FROM idemstore.wait('claimed', '100 s')");
wait_for_sleepers($standby, 1, 'Extension', 'claimed');

my $storm = start_clients();
wait_in_storm($primary, $storm,
	"SELECT (SELECT count(*) > 200 FROM ledger) AND (SELECT count(*) > 20 FROM claims)
		AND (SELECT count(*) > 100 FROM idemstore.rate_limit_state)");
$primary->stop('immediate');
$open->kill;
my ($noted, $requests) = map { scalar(() = slurp_file("$folder/$_") =~ /\n/g) } 'payments', 'requests';
$standby->promote;
ok(finish_storm($storm), 'the clients find the promoted server');
unlike($storm->{output}, qr/ERROR:/, 'and meet no error but the loss of their connections');

# All that was acknowledged, before the failover and after it.
$standby->safe_psql('postgres', "
	COPY noted FROM '$folder/payments' (DELIMITER ' ');
	COPY noted_claims FROM '$folder/claims' (DELIMITER ' ');
	COPY noted_requests FROM '$folder/requests'");
cmp_ok($_, '>', 20, 'clients had acknowledgements before the failover')
  foreach $noted, $requests;
cmp_ok($standby->safe_psql('postgres', 'SELECT count(*) FROM noted'), '>', $noted, 'and after it');
is( $standby->safe_psql('postgres', "
	SELECT n, token FROM (SELECT DISTINCT n, token FROM noted) AS acknowledged,
		LATERAL idemstore.start_processing('payment ' || n)
	WHERE (outcome, response_status, response_headers::text, response_body) IS DISTINCT FROM
		('replay', token, '{\"n\": ' || n || '}', convert_to(repeat(token || ' ', 100), 'UTF8'))"),
	'', 'every acknowledged payment is replayed with the very response');
is( $standby->safe_psql('postgres', '
	SELECT key, count(*) FROM ledger GROUP BY 1 HAVING count(*) > 1'),
	'', 'nobody is charged twice');
is( $standby->safe_psql('postgres', "
	SELECT r.key, l.key
	FROM (SELECT * FROM idemstore.idempotency_records WHERE key LIKE 'payment %') AS r
		FULL JOIN ledger AS l ON l.key = r.key AND l.token = r.response_status
	WHERE r.status IS DISTINCT FROM 'complete' OR l.key IS NULL"),
	'', 'records and charges match one to one');
is( $standby->safe_psql('postgres', "
	SELECT string_agg(DISTINCT server, ' ' ORDER BY server) FROM ledger"),
	'primary standby', 'both servers have charged');
cmp_ok($standby->safe_psql('postgres', "
	SELECT count(*) FROM noted WHERE token IN (SELECT token FROM ledger WHERE server = 'primary')"),
	'>', $noted, 'and the second one has replayed what the first one did');

is( $standby->safe_psql('postgres', "
	SELECT token FROM noted_requests WHERE idemstore.can_proceed('request ' || token, quota => 1, per => '1 day')"),
	'', 'every acknowledged request counts');
cmp_ok($standby->safe_psql('postgres', 'SELECT count(*) FROM noted_requests'), '>', $requests, 'on both servers');
is( $standby->safe_psql('postgres', "
	SELECT n, fence FROM noted_claims AS a
	WHERE NOT EXISTS (SELECT FROM claims AS c WHERE c.key = 'contested ' || a.n AND c.fence = a.fence)"),
	'', 'every acknowledged claim is there');
is( $standby->safe_psql('postgres', '
	SELECT key, fence, former FROM (
		SELECT key, fence, lag(fence) OVER (PARTITION BY key ORDER BY id) AS former FROM claims) AS c
	WHERE fence <= former'),
	'', 'every takeover has a larger fence');
is( $standby->safe_psql('postgres', "
	SELECT (SELECT max(fence) FROM claims WHERE server = 'primary') < (SELECT min(fence) FROM claims WHERE server = 'standby')"),
	't', 'and all of the second server are above all of the first one');
check_table($standby, 'after the failover');

# Claims that were held. A clock that is an hour behind gives no fence again.
my $session = IdemTest::Session->new($standby);
is( $session->ask("
	SET idemstore.test_clock = '" . $standby->safe_psql('postgres', "SELECT clock_timestamp() - interval '1 h'") . "';
	SELECT outcome, attempt, fence > $retried FROM idemstore.start_processing('retried')"),
	'started|2|t', 'a fence is above the former one on a server whose clock is behind');
is($session->sqlstate("SELECT idemstore.complete('retried', 200, fence => $retried)"), 'ID412', 'which is stale');
$session->ask('RESET idemstore.test_clock');
is( $session->ask("
	SELECT c.outcome, o.outcome
	FROM idemstore.start_processing('claimed') AS c, idemstore.start_processing('open') AS o"),
	'in_progress|started', 'a committed claim outlives the primary, an open one does not');
is($session->sqlstate("SELECT idemstore.complete('claimed', 201, fence => $fence)"), '00000', 'its owner completes it');
is($waiter->receive, 'complete|201', 'and is answered who has waited since before the failover');
$session->quit;
$waiter->quit;

done_testing();
