#!/usr/bin/perl
#
# A database is dumped and restored: the records, the grants and the fences come
# along, and nothing else, also of tables that were made logged.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $now = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
my $clock = "SET idemstore.test_clock = '$now'";
$node->safe_psql('postgres', 'CREATE DATABASE origin');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->safe_psql('postgres', 'CREATE ROLE shop; CREATE ROLE janitor');

# Every kind of record, and bodies that text would spoil. The clock of the server
# that restores it is an hour behind.
$node->safe_psql('origin', "
	CREATE EXTENSION idemstore;
	SELECT setval('idemstore.fences', (extract(epoch FROM clock_timestamp() + interval '1 h') * 1000000)::bigint);
	SELECT idemstore.grant_usage('shop');
	SELECT idemstore.grant_usage('janitor', 'operator');
	SELECT idemstore.start_processing('paid', 'print', context => '{\"b\" : 1,  \"a\": \"\\u0000\", \"a\": 2}');
	SELECT idemstore.complete('paid', 201, '{\"z\":1 ,\t\"z\": \"\\u0000\\n\"}',
		response_body => decode('000189ff0d0a5c2e', 'hex') || convert_to(repeat('body \\.', 2000), 'UTF8'));
	SELECT idemstore.start_processing('empty'), idemstore.complete('empty', NULL, ' [] ', '');
	SELECT idemstore.start_processing('declined', scope => 'tenant'),
		idemstore.fail('declined', ' [ null ] ', response_status => 402, scope => 'tenant');
	SELECT idemstore.start_processing('tab\tline\nback\\slash', owner => 'worker \\N');
	$clock;
	SELECT idemstore.start_processing('retried'), idemstore.fail('retried', 'null', retryable => true)");

# What is in flight or cached, some of it logged, some not, and the hand of a DBA.
$node->safe_psql('origin', "
	SELECT idemstore.dedupe_register('job'), idemstore.cache_set('entry', '1', tags => '{tag}'),
		idemstore.cache_fetch('leased'), idemstore.cache_delete('deleted'),
		idemstore.acquire('resource', $huge), idemstore.set_cooldown('origin', 'tomorrow');
	ALTER TABLE idemstore.dedupe_jobs SET LOGGED;
	ALTER TABLE idemstore.cache_entries SET LOGGED;
	ALTER TABLE idemstore.rate_limit_state SET LOGGED;
	ALTER TABLE idemstore.idempotency_records SET (fillfactor = 100);
	CREATE INDEX extra ON idemstore.idempotency_records (owner)");

# The rows as the server writes them, in a fixed order.
sub rows
{
	my ($database) = @_;

	return $node->safe_psql($database,
		'COPY (SELECT * FROM idemstore.idempotency_records ORDER BY key, scope) TO STDOUT');
}

# What the tables other than that one hold, how they are stored, and the indexes.
sub tables
{
	my ($database) = @_;

	return $node->safe_psql($database, "
		SELECT format('SELECT %L, count(*) FROM %s', relname, oid::regclass)
		FROM pg_class
		WHERE relnamespace = 'idemstore'::regnamespace AND relkind = 'r' AND relname <> 'idempotency_records'
		ORDER BY 1 \\gexec
		SELECT relname, relpersistence, reloptions
		FROM pg_class
		WHERE relnamespace = 'idemstore'::regnamespace AND relkind IN ('r', 'i')
		ORDER BY 1");
}

# The privileges of everything in our schema, and of the schema itself.
sub privileges
{
	my ($database) = @_;

	return $node->safe_psql($database, "
		SELECT oid::regprocedure::text AS object, acl.grantee::regrole, acl.privilege_type
		FROM pg_proc, LATERAL aclexplode(proacl) AS acl WHERE pronamespace = 'idemstore'::regnamespace
		UNION ALL SELECT nspname, acl.grantee::regrole, acl.privilege_type
		FROM pg_namespace, LATERAL aclexplode(nspacl) AS acl WHERE nspname = 'idemstore'
		UNION ALL SELECT relname, acl.grantee::regrole, acl.privilege_type
		FROM pg_class, LATERAL aclexplode(relacl) AS acl WHERE relnamespace = 'idemstore'::regnamespace
		ORDER BY 1, 2, 3");
}

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION idemstore');
isnt(tables('origin'), tables('fresh'), 'the tables are full, and not as they came');

my $file = PostgreSQL::Test::Utils::tempdir . '/origin.sql';
$node->command_ok([ 'pg_dump', '--file', $file, $node->connstr('origin') ], 'the database is dumped');
$node->command_ok(
	[ 'psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--file', $file, $node->connstr('copy') ],
	'the dump is restored');

my $rows = rows('origin');
is(scalar(split(/\n/, $rows)), 5, 'all records were dumped');
is(rows('copy'), $rows, 'the records are restored byte for byte');
is(tables('copy'), tables('fresh'), 'all other tables are empty, and all are as they come');
is(privileges('copy'), privileges('origin'), 'the privileges are the same');
like(privileges('copy'), qr/^idemstore\.start_processing\(.*\)\|shop\|EXECUTE$/m, 'an application may call');

# A role of the application goes on where it was.
my $session = IdemTest::Session->new($node, 'copy');
$session->ask('SET ROLE shop');
is( $session->ask("SELECT outcome, response_status, response_headers, substr(response_body, 1, 10),
		length(response_body) FROM idemstore.start_processing('paid')"),
	"replay|201|{\"z\":1 ,\t\"z\": \"\\u0000\\n\"}|\\x000189ff0d0a5c2e626f|14008",
	'a complete record is replayed');
is($session->ask("SELECT outcome, response_headers, response_body FROM idemstore.start_processing('empty')"),
	'replay| [] |\x', 'an empty body is empty, not absent');
is( $session->ask("
		SELECT outcome, error, response_status
		FROM idemstore.start_processing('declined', scope => 'tenant')"),
	'failed| [ null ] |402', 'a failure is replayed');
is($session->ask("SELECT outcome FROM idemstore.start_processing('tab\tline\nback\\slash')"),
	'in_progress', 'a claim holds');
is($session->ask("SELECT outcome FROM idemstore.start_processing('paid', 'another')"),
	'mismatch', 'another request under a used key is noticed');
is($session->sqlstate('SELECT idemstore.expire()'), '42501', 'what an application may not call stays so');
is($session->sqlstate('SELECT FROM idemstore.idempotency_records'), '42501', 'nor read the table');
is($session->sqlstate('RESET ROLE; SET ROLE janitor; SELECT idemstore.expire()'), '00000', 'an operator may expire');
$session->ask('RESET ROLE');

is( $session->ask("
	SELECT s.outcome, s.attempt, s.fence - (SELECT max(fence) FROM idemstore.idempotency_records) BETWEEN 1 AND 100
	FROM idemstore.get('retried') AS former, LATERAL idemstore.start_processing(former.key) AS s"),
	'started|2|t', 'a claim after the restore gets a larger fence');
my $fence = "SELECT fence FROM idemstore.get('paid')";
$session->ask("SELECT idemstore.set_value('paid', 'other')");
cmp_ok($session->ask($fence), '>', $node->safe_psql('origin', $fence), 'so does a value in place of another');
$session->quit;

done_testing();
