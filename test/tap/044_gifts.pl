#!/usr/bin/perl
#
# Default privileges, set before the extension is created or updated, give nobody
# anything of it: no table, function, type, sequence, nor the schema.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $old = '0.2.0';
my $odd = '"o\'dd ""one"""';
my $gifts = join('; ', map { "ALTER DEFAULT PRIVILEGES GRANT ALL ON $_ TO stranger, $odd, PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON $_ TO heir WITH GRANT OPTION" }
	qw(TABLES FUNCTIONS TYPES SCHEMAS SEQUENCES)) =~ s/, PUBLIC; (?=[^;]*WITH)/, PUBLIC; /gr;

$node->safe_psql('postgres', "CREATE ROLE stranger; CREATE ROLE heir; CREATE ROLE $odd; CREATE ROLE tenant LOGIN; CREATE ROLE shop");

# What anybody but the owner of the objects and that of the database has.
sub given
{
	my ($database, $which) = @_;

	$which //= 'true';
	return $node->safe_psql($database, "
		SELECT DISTINCT o.kind, a.grantee::regrole
		FROM (SELECT 'function', proacl, proowner FROM pg_proc WHERE pronamespace = 'idemstore'::regnamespace
			UNION ALL SELECT 'relation', relacl, relowner FROM pg_class WHERE relnamespace = 'idemstore'::regnamespace
			UNION ALL SELECT 'column', attacl, relowner FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid WHERE relnamespace = 'idemstore'::regnamespace
			UNION ALL SELECT 'type', typacl, typowner FROM pg_type WHERE typnamespace = 'idemstore'::regnamespace
			UNION ALL SELECT 'schema', nspacl, nspowner FROM pg_namespace WHERE nspname = 'idemstore') AS o (kind, acl, owner),
			LATERAL aclexplode(o.acl) AS a
		WHERE a.grantee <> ALL (ARRAY[o.owner, 'pg_database_owner'::regrole]) AND $which ORDER BY 1, 2");
}

sub database
{
	my ($name, @statements) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $name OWNER tenant");
	$node->safe_psql($name, $_) foreach @statements;
	return;
}

database('created', $gifts, 'CREATE EXTENSION idemstore');
is(given('created'), '', 'nothing is given at creation');
my $session = IdemTest::Session->new($node, 'created');
$session->ask('SET ROLE stranger');
is($session->sqlstate($_), '42501', "a stranger may not: $_")
  foreach "INSERT INTO idemstore.idempotency_records (key, status) VALUES ('forged', 'complete')", 'SELECT idemstore.expire()',
  "SELECT idemstore.cache_get('k')", 'SELECT FROM idemstore.stats', 'CREATE TABLE idemstore.own ()', 'TABLE idemstore.usage_levels';
$session->quit;

# By an owner of the database, for whom the objects are made by the superuser.
database('trusted', $gifts);
is(run_as_tenant('trusted', 'CREATE EXTENSION idemstore'), '', 'created by the owner of a database');
is(given('trusted'), '', 'nothing is given then');

# Set between creation and update.
database('updated', "CREATE EXTENSION idemstore VERSION '$old'", "SELECT idemstore.grant_usage('shop'), idemstore.grant_usage(\$\$$odd\$\$)", $gifts, 'ALTER EXTENSION idemstore UPDATE');
is(given('updated', "a.grantee <> ALL (ARRAY['shop'::regrole, \$\$$odd\$\$::regrole])"), '', 'nothing is given at update');
is($node->safe_psql('updated', 'SELECT * FROM idemstore.usage_levels ORDER BY role COLLATE "C"'), "o'dd \"one\"|application\npg_database_owner|operator\nshop|application",
	'but what is new to who had its level');

# Given when the earlier version was created, which left it: tables are taken
# back, functions look like a level, and can be revoked as such.
database('given', $gifts, "CREATE EXTENSION idemstore VERSION '$old'");
isnt(given('given', "o.kind = 'relation'"), '', "$old gave tables away");
$node->safe_psql('given', 'ALTER EXTENSION idemstore UPDATE');
is(given('given', "o.kind = 'relation' AND a.privilege_type <> 'SELECT'"), '', 'which the update takes back');
is($node->safe_psql('given', "SELECT c.relname FROM pg_class AS c, aclexplode(c.relacl) AS a
		WHERE c.relnamespace = 'idemstore'::regnamespace AND c.relkind = 'r' AND a.grantee <> ALL (ARRAY[c.relowner, 'pg_database_owner'::regrole])"),
	'', 'all of every table');
is($node->safe_psql('given', "SELECT has_schema_privilege('stranger', 'idemstore', 'CREATE')"), 'f', 'and to make something in the schema');
like($node->safe_psql('given', 'TABLE idemstore.usage_levels'), qr/^stranger\|operator$/m, 'who had all functions is shown as who has a level');
$node->safe_psql('given', "SELECT idemstore.revoke_usage('stranger'), idemstore.revoke_usage('heir'), idemstore.revoke_usage(\$\$$odd\$\$)");
is(given('given', 'a.grantee <> 0'), '', 'and revoked as any');

done_testing();

sub run_as_tenant
{
	my ($database, $sql) = @_;
	my ($exit, $output, $errors) = $node->psql($database, $sql, extra_params => [ '--username', 'tenant' ]);

	return $output . $errors;
}
