#!/usr/bin/perl
#
# A database that had an earlier version of the extension is updated: what the
# catalogs say of it then is what they say of one created anew, its records,
# limits and grants are still there, also in a dump, and the whole pg_regress
# suite passes on it.
#
use strict;
use warnings;
use File::Basename qw(basename);
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemCatalog;
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_prepared_transactions = 5');
my @released = map { /--([0-9.]+)\.sql$/ } sort glob('src/sql/released/*.sql');
my ($version) = slurp_file('idemstore.control') =~ /^default_version *= *'(.*)'/m;
my $extversion = "SELECT extversion FROM pg_extension WHERE extname = 'idemstore'";
my $clock = "SET idemstore.test_clock = '2026-01-01 00:00:00+00'";

$node->safe_psql('postgres', "CREATE ROLE shop; CREATE ROLE janitor; CREATE ROLE auditor;
	SET client_min_messages = warning; DROP EXTENSION amcheck; CREATE DATABASE anew; CREATE DATABASE regression");

# What an application and its administrator do, and leave behind: with the new
# library, the functions of the earlier versions that have changed do nothing.
my $grants = "
	SELECT idemstore.grant_usage('shop'), idemstore.grant_usage('janitor', 'operator');";
my $use = "
	GRANT USAGE ON SCHEMA idemstore TO auditor;
	GRANT SELECT ON idemstore.idempotency_records TO auditor;
	GRANT EXECUTE ON FUNCTION idemstore.get_cooldown TO PUBLIC;
	$clock;
	INSERT INTO idemstore.idempotency_records (key, scope, fingerprint, status, fence, attempt, owner, lease_expires_at, expires_at, created_at, completed_at, response_status, response_headers, response_body) VALUES
		('paid', '', 'print', 'complete', 1767225600000000, 1, NULL, NULL, '2026-01-02 00:00:00+00', '2026-01-01 00:00:00+00', '2026-01-01 00:00:00+00', 201, '{\"a\": 1}', 'body'),
		('open', '', NULL, 'processing', 1767225600000000, 1, 'worker', '2026-01-01 00:05:00+00', '2036-01-01 00:00:00+00', '2026-01-01 00:00:00+00', NULL, NULL, NULL, NULL);
	INSERT INTO idemstore.rate_limits (resource, policy, algorithm, quota, period) VALUES ('api/*', 'default', 'sliding_window', 2, '1 day');
	INSERT INTO idemstore.cooldowns VALUES ('host', '2030-01-01');
	SELECT idemstore.cache_set('page', '\"old\"', '0', '{t}'), idemstore.dedupe_register('job', '1 day');";

$node->safe_psql('anew', "CREATE EXTENSION idemstore; $grants $use SELECT setval('idemstore.fences', max(fence)) FROM idemstore.idempotency_records");
my $anew = catalog($node, 'anew');
cmp_ok(keys %$anew, '>', 300, 'the catalogs say something');
is_deeply([ grep { /unknown kind$/ } keys %$anew ], [], 'of all kinds of objects');

# The comparison finds what is different.
foreach my $change (
	[ 'COMMENT ON FUNCTION idemstore.expire IS NULL', 'function idemstore.expire(integer): comment' ],
	[ 'ALTER FUNCTION idemstore.expire COST 2', 'function idemstore.expire(integer): definition' ],
	[ 'ALTER FUNCTION idemstore.drop_rate_limit RESET search_path', 'function idemstore.drop_rate_limit(pg_catalog.text,pg_catalog.text): definition' ],
	[ 'ALTER PROCEDURE idemstore.expire_all OWNER TO shop', 'procedure idemstore.expire_all(integer,interval): privileges' ],
	[ 'GRANT EXECUTE ON FUNCTION idemstore.expire TO shop', 'function idemstore.expire(integer): privileges' ],
	[ 'DELETE FROM pg_init_privs WHERE objoid = \'idemstore.expire\'::regproc', 'function idemstore.expire(integer): initial privileges of column' ],
	[ 'GRANT USAGE ON SCHEMA idemstore TO PUBLIC', 'schema idemstore: privileges' ],
	[ 'GRANT SELECT ON idemstore.cooldowns TO shop', 'table idemstore.cooldowns: privileges' ],
	[ 'GRANT SELECT (origin) ON idemstore.cooldowns TO shop', 'table idemstore.cooldowns: column origin' ],
	[ 'ALTER TABLE idemstore.dedupe_jobs SET LOGGED', 'table idemstore.dedupe_jobs: definition',
		'table idemstore.dedupe_jobs: index idemstore.dedupe_jobs_expires_at_idx', 'table idemstore.dedupe_jobs: index idemstore.dedupe_jobs_pkey' ],
	[ 'ALTER TABLE idemstore.dedupe_jobs SET (fillfactor = 61)', 'table idemstore.dedupe_jobs: definition' ],
	[ 'ALTER TABLE idemstore.dedupe_jobs ALTER hash SET STORAGE EXTENDED', 'table idemstore.dedupe_jobs: column hash' ],
	[ 'ALTER TABLE idemstore.dedupe_jobs ALTER job_id DROP NOT NULL', 'table idemstore.dedupe_jobs: column job_id' ],
	[ 'ALTER TABLE idemstore.dedupe_jobs ADD more int DEFAULT 1', 'table idemstore.dedupe_jobs: column more' ],
	[ 'DROP INDEX idemstore.dedupe_jobs_expires_at_idx', 'table idemstore.dedupe_jobs: index idemstore.dedupe_jobs_expires_at_idx' ],
	[ 'ALTER TABLE idemstore.rate_limits DROP CONSTRAINT rate_limits_quota_check', 'table idemstore.rate_limits: constraint rate_limits_quota_check' ],
	[ 'ALTER TABLE idemstore.rate_limits ENABLE TRIGGER rate_limits_changed', 'table idemstore.rate_limits: trigger rate_limits_changed' ],
	[ 'ALTER TYPE idemstore.cache_fetched ADD ATTRIBUTE more int', 'type idemstore.cache_fetched: column more' ],
	[ 'COMMENT ON ACCESS METHOD idemstore_slots IS NULL', 'access method idemstore_slots: comment' ],
	[ 'ALTER EXTENSION idemstore DROP ACCESS METHOD idemstore_slots', 'access method idemstore_slots: comment', 'access method idemstore_slots: definition' ],
	[ 'CREATE OPERATOR idemstore.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq); ALTER EXTENSION idemstore ADD OPERATOR idemstore.=== (text, text)',
		map { "operator idemstore.===(pg_catalog.text,pg_catalog.text): $_" } 'comment', 'unknown kind' ],
	[ 'UPDATE pg_extension SET extcondition[1] = \'WHERE false\' WHERE extname = \'idemstore\'', 'idemstore.idempotency_records: rows in a dump' ])
{
	my ($statement, @found) = @$change;

	is_deeply([ differences($anew, catalog($node, 'anew', $statement)) ], \@found, "the comparison finds $statement");
}
is_deeply([ differences($anew, catalog($node, 'anew')) ], [], 'and nothing where there is nothing');

# What a dump holds, but for the random names in its guards, and for fences; grants
# to several roles are in no order.
sub dump_of
{
	my ($database) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/dump.sql';

	$node->command_ok([ 'pg_dump', '--file', $file, $node->connstr($database) ], "$database is dumped");
	return slurp_file($file) =~ s/^\\(?:un)?restrict .*\n//mgr =~ s/\b\d{16}\b/a fence/gr
	  =~ s/((?:^GRANT .*\n)+)/join('', sort(split(m{^}m, $1)))/mger;
}

foreach my $from (@released)
{
	my $database = "from_$from";

	$node->safe_psql('postgres', "CREATE DATABASE \"$database\"");
	$node->safe_psql($database, "CREATE EXTENSION idemstore VERSION '$from'; $grants $use");
	is($node->safe_psql($database, $extversion), $from, "$from is installed");

	# A session that has worked with the old version goes on with the new one.
	my $session = IdemTest::Session->new($node, $database);
	$session->ask("$clock; SET ROLE shop; SELECT idemstore.cache_get('page'), idemstore.can_proceed('api/1')");
	is($session->sqlstate("SELECT idemstore.complete('open', 200)"), '55000', 'a function that has changed asks for the update');

	# What depends on one keeps all as it was, and is named.
	$node->safe_psql($database, "CREATE VIEW mine AS SELECT * FROM idemstore.lookup('paid')");
	my ($status, $output, $message) = $node->psql($database, 'ALTER EXTENSION idemstore UPDATE');
	like($message, qr/^DETAIL:  view public\.mine depends on function idemstore\.lookup/m, 'a view of a function that has changed stops it');
	is($node->safe_psql($database, $extversion), $from, 'as a whole');
	$node->safe_psql($database, 'DROP VIEW mine');
	$node->safe_psql($database, 'ALTER EXTENSION idemstore UPDATE');
	is($node->safe_psql($database, $extversion), $version, "$from is updated");
	is($session->ask("SELECT outcome, response_status, convert_from(response_body, 'UTF8') FROM idemstore.start_processing('paid', 'print')"),
		'replay|201|body', 'a record is replayed');
	is( $session->ask("SELECT outcome, attempt FROM idemstore.start_processing('open', owner => 'worker')") . ' '
		  . $session->sqlstate("SELECT idemstore.complete('open', 200)"),
		'started|1 00000', 'a claim can be completed');
	is($session->ask("SELECT idemstore.acquire('api/1'), idemstore.acquire('api/1'), idemstore.get_cooldown('host') IS NOT NULL"),
		't|t|t', 'what was taken of an unlogged limit is forgotten, and cooldowns hold');
	is($session->ask("SELECT idemstore.cache_get('page'), (idemstore.dedupe_register_or_join('job')).is_owner"),
		'"old"|f', 'cache and jobs are there');
	is($session->sqlstate('SELECT idemstore.expire()'), '42501', 'what was not granted is not');
	is($session->sqlstate('RESET ROLE; SET ROLE auditor; SELECT FROM idemstore.idempotency_records'), '00000', 'what was granted by hand still is');
	is($session->sqlstate("SELECT idemstore.get_cooldown('host')"), '00000', 'to PUBLIC, too');
	$session->quit;

	# What is new is granted to who had its level.
	my $updated = catalog($node, $database);
	my @found = differences($anew, $updated);
	is_deeply(\@found, [], "$from updated is what $version created anew is")
	  or diag(map { "$_\n\tanew: " . ($anew->{$_} // 'absent') . "\n\tupdated: " . ($updated->{$_} // 'absent') . "\n" } @found);
	$node->safe_psql('anew', "$clock; SELECT idemstore.complete('open', 200) FROM idemstore.get('open') AS r WHERE r.status = 'processing'");
	is(dump_of($database), dump_of('anew'), 'and what pg_dump makes of it, too');
}

# The suite, on a database that was updated through all versions.
$node->safe_psql('regression', "CREATE EXTENSION idemstore VERSION '$released[0]'; ALTER EXTENSION idemstore UPDATE");
my $extension = "SELECT oid, extversion FROM pg_extension WHERE extname = 'idemstore'";
my $before = $node->safe_psql('regression', $extension);
my $folder = PostgreSQL::Test::Utils::tempdir;
ok( !PostgreSQL::Test::Utils::system_log(
		$ENV{PG_REGRESS}, '--use-existing', '--dbname=regression', '--inputdir=.', "--outputdir=$folder",
		'--bindir=' . $node->config_data('--bindir'), '--host', $node->host, '--port', $node->port,
		map { basename($_, '.sql') } sort glob('sql/*.sql')),
	'the pg_regress suite passes on an updated database')
  or diag(-e "$folder/regression.diffs" ? slurp_file("$folder/regression.diffs") : 'it did not come to an end');
is($node->safe_psql('regression', $extension), $before, 'which was the updated one to the end');

done_testing();
