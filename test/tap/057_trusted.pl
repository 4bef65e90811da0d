#!/usr/bin/perl
#
# The owner of a database who is no superuser: he creates the extension, grants,
# uses, configures, dumps, restores, updates and drops it by himself. What is the
# superuser's is refused to him, and so is everything to whoever only installed.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $folder = PostgreSQL::Test::Utils::tempdir;
my $odd = 'o\'dd "one"';
my $quoted = '"o\'dd ""one"""';

$node->safe_psql('postgres', "
	CREATE ROLE tenant LOGIN; CREATE ROLE builder LOGIN; CREATE ROLE heir LOGIN; CREATE ROLE $quoted;
	CREATE ROLE shop LOGIN; CREATE ROLE janitor LOGIN; CREATE ROLE watch LOGIN");
$node->safe_psql('postgres', "CREATE DATABASE $_ OWNER tenant") foreach qw(origin copy);
$node->safe_psql('origin', 'GRANT CREATE ON DATABASE origin TO builder');

# Rows, or the SQLSTATE of what fails, and the warnings.
sub as
{
	my ($role, $sql, $database) = @_;
	my ($exit, $output, $errors) =
	  $node->psql($database // 'origin', "\\set VERBOSITY sqlstate\n$sql", extra_params => [ '--username', $role ]);

	$errors =~ s/^psql:.*?: //mg;
	return $output . $errors;
}

# A program of the server's, run by a role; what it complains of.
sub run_as
{
	my ($role, @command) = @_;
	my ($output, $errors) = run_command([ $node->installed_command(shift(@command)), '--no-password',
		'--host', $node->host, '--port', $node->port, '--username', $role, @command ]);

	return $errors;
}

# Install, update, grant.
is(as('tenant', "CREATE EXTENSION idemstore VERSION '0.2.0'"), '', 'an earlier version is created');
is(as('tenant', 'ALTER EXTENSION idemstore UPDATE'), '', 'and updated');
is(as('tenant', 'DROP EXTENSION idemstore'), '', 'and dropped');
is(as('tenant', 'CREATE EXTENSION idemstore'), '', 'the extension is created');
is(as('tenant', "SELECT idemstore.grant_usage('shop'), idemstore.grant_usage('janitor', 'operator'),
		idemstore.grant_usage('watch', 'monitor'), idemstore.grant_usage(\$\$$quoted\$\$)"), 't|t|t|t', 'and granted');
is(as('tenant', 'SELECT * FROM idemstore.usage_levels ORDER BY role'),
	"janitor|operator\n$odd|application\npg_database_owner|operator\nshop|application\nwatch|monitor", 'he sees who has what');
is(as('tenant', "SELECT idemstore.revoke_usage(\$\$$quoted\$\$)"), 't', 'and revokes');

# Use, configure.
is(as('tenant', "SELECT outcome FROM idemstore.start_processing('mine')"), 'started', 'he calls what a program calls');
is(as('tenant', "SELECT idemstore.set_rate_limit('r', 1, '1 day'); SELECT count(*) FROM idemstore.expire(); CALL idemstore.expire_all()"),
	"t\n7", 'and an operator');
is(as('tenant', 'SELECT count(*) FROM idemstore.stats; SELECT key FROM idemstore.in_flight; SELECT key FROM idemstore.idempotency_records'),
	"4\nmine\nmine", 'and looks');
is(as('tenant', "SELECT idemstore.cache_get('k'); ALTER DATABASE origin SET idemstore.default_ttl = '2 d'; ALTER ROLE tenant SET idemstore.default_lease = '1 min'"),
	'', 'and sets what is for everybody');
is(as('shop', "SHOW idemstore.default_ttl; SELECT outcome FROM idemstore.start_processing('k'); SHOW idemstore.default_ttl"), "2 d\nstarted\n2d", 'which holds');
is(as('shop', "SELECT idemstore.acquire('r'), idemstore.acquire('r')"), 't|f', 'an application takes from a limit');
is(as('watch', 'SELECT count(live) FROM idemstore.stats'), 4, 'who watches, watches');

# What is the superuser's.
foreach my $sql (
	(map { "SELECT idemstore.cache_get('k'); SET idemstore.$_ = DEFAULT" } qw(max_body_size cache_max_entry_size cache_max_size cache_keep_stale test_clock)),
	"SELECT idemstore.cache_get('k'); ALTER DATABASE origin SET idemstore.max_body_size = '1GB'", 'ALTER SYSTEM SET idemstore.default_ttl = 1',
	map({ my ($column) = /rate/ ? 'resource' : 'key'; ("TRUNCATE idemstore.$_", "ALTER TABLE idemstore.$_ SET LOGGED", "ALTER TABLE idemstore.$_ ADD x int", "UPDATE idemstore.$_ SET $column = 'x'",
			"DELETE FROM idemstore.$_", "CREATE TRIGGER t AFTER INSERT ON idemstore.$_ EXECUTE FUNCTION nothing()",
			"CREATE RULE r AS ON INSERT TO idemstore.$_ DO NOTHING", "CREATE INDEX ON idemstore.$_ ((1))", "DROP TABLE idemstore.$_") }
		qw(idempotency_records rate_limits cache_entries rate_limit_state)),
	'CREATE TABLE child (key text COLLATE "C", scope text COLLATE "C", FOREIGN KEY (key, scope) REFERENCES idemstore.idempotency_records)',
	'INSERT INTO idemstore.cache_entries DEFAULT VALUES', 'SELECT FROM idemstore.rate_limit_state',
	'CREATE TABLE idemstore.own ()', 'CREATE FUNCTION idemstore.own() RETURNS int RETURN 1', 'DROP SCHEMA idemstore CASCADE',
	'ALTER FUNCTION idemstore.expire SECURITY INVOKER', 'ALTER FUNCTION idemstore.expire OWNER TO tenant', 'DROP ACCESS METHOD idemstore_slots',
	'ALTER EXTENSION idemstore DROP FUNCTION idemstore.expire', 'GRANT EXECUTE ON FUNCTION idemstore.expire TO PUBLIC',
	'CREATE TABLE own (a text, b timestamptz) USING idemstore_slots')
{
	like(as('tenant', $sql), qr/(?:ERROR:  (?:42501|42809|0A000|2BP01)|no privileges were granted|WARNING:  01007)/, "refused: $sql");
}

# Dump and restore, all but the grants, whose grantor is another.
is(run_as('tenant', 'pg_dump', '--format=custom', "--file=$folder/dump", 'origin'), '', 'he dumps');
is(run_as('tenant', 'pg_restore', '--no-privileges', '--dbname=copy', "$folder/dump"), '', 'and restores');
is(as('tenant', "SELECT idemstore.grant_usage('shop')", 'copy'), 't', 'and grants again');
is(as('shop', "SELECT status FROM idemstore.get('k')", 'copy'), 'processing', 'a program goes on');
is(as('shop', "SELECT idemstore.acquire('r'), idemstore.acquire('r')", 'copy'), 't|f', 'with the limits');
is(as('janitor', 'SELECT idemstore.expire()', 'copy'), 'ERROR:  42501', 'who was not granted again has nothing');

# A superuser restores the grants as well.
$node->safe_psql('postgres', 'CREATE DATABASE third OWNER tenant');
is(run_as($ENV{USER} // scalar(getpwuid($<)), 'pg_restore', '--dbname=third', "$folder/dump"), '', 'a superuser restores what he dumped');
is(as('tenant', 'SELECT * FROM idemstore.usage_levels ORDER BY role', 'third'),
	"janitor|operator\npg_database_owner|operator\nshop|application\nwatch|monitor", 'with the grants');
is(as('tenant', "SELECT idemstore.grant_usage('builder')", 'third'), 't', 'and its owner may grant there, too');

# Whoever comes after him may what he could, and he may not.
$node->safe_psql('postgres', 'ALTER DATABASE third OWNER TO heir');
is(as('heir', "SELECT idemstore.grant_usage('builder', 'operator')", 'third'), 't', 'the next owner grants');
is(as('tenant', "SELECT idemstore.grant_usage('builder', 'operator')", 'third'), 'ERROR:  42501', 'the former does not');

# Who may create in a database installs, and no more.
is(as('tenant', 'DROP EXTENSION idemstore'), '', 'he drops it');
is(as('builder', 'CREATE EXTENSION idemstore'), '', 'another role, which may create here, installs it');
is(as('builder', $_), 'ERROR:  42501', "he may not: $_")
  foreach "SELECT idemstore.grant_usage('builder')", "SELECT idemstore.cache_get('k')", 'SELECT FROM idemstore.stats', 'SELECT FROM idemstore.idempotency_records';
is(as('tenant', "SELECT idemstore.grant_usage('builder')"), 't', 'before the owner grants');
is(as('builder', "SELECT idemstore.cache_get('k')"), '', 'then he may');
is(as('builder', 'DROP EXTENSION idemstore'), '', 'he drops what he created');
is($node->safe_psql('origin', "SELECT count(*) FROM pg_namespace WHERE nspname = 'idemstore'"), 0, 'and nothing is left');

done_testing();
