#!/usr/bin/perl
#
# The programs that dump and restore say nothing to stderr, whatever is dumped:
# plain or custom, all at once or by section, a database or the whole server, the
# extension created anew or updated.
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
my $other = PostgreSQL::Test::Cluster->new('other');
my $folder = PostgreSQL::Test::Utils::tempdir;
my @sections = qw(pre-data data post-data);
my $restored = "SELECT (idemstore.get('k')).key, count(l.*) FROM idemstore.rate_limits AS l";

$other->init;
$other->start;
$node->safe_psql('postgres', 'CREATE ROLE shop; CREATE ROLE janitor; CREATE DATABASE anew; CREATE DATABASE updated');
$node->safe_psql('anew', 'CREATE EXTENSION idemstore');
$node->safe_psql('updated', "CREATE EXTENSION idemstore VERSION '0.2.0'");
foreach my $database (qw(anew updated))
{
	$node->safe_psql($database, "SELECT idemstore.grant_usage('shop'), idemstore.grant_usage('janitor', 'operator')");
	$node->safe_psql($database, 'ALTER EXTENSION idemstore UPDATE');
	$node->safe_psql($database, "SELECT idemstore.set_nx('k', 'v'), idemstore.set_rate_limit('r', 1, '1 min')");
}

# What a program says to stderr, run on one of the servers.
sub quiet
{
	my ($server, $name, $program, @arguments) = @_;
	my ($output, $errors) =
	  run_command([ $server->installed_command($program), '--host', $server->host, '--port', $server->port, @arguments ]);

	return is($errors, '', $name);
}

my $copies = 0;
foreach my $database (qw(anew updated))
{
	# as a whole, in both forms
	quiet($node, "$database: pg_dump", 'pg_dump', "--file=$folder/plain", $database);
	quiet($node, "$database: pg_dump, custom", 'pg_dump', '--format=custom', "--file=$folder/custom", $database);
	my $copy = 'copy' . ++$copies;
	$node->safe_psql('postgres', "CREATE DATABASE $copy");
	quiet($node, "$database: psql", 'psql', '--no-psqlrc', '--quiet', '--output=/dev/null', "--file=$folder/plain", $copy);
	is($node->safe_psql($copy, $restored), 'k|1', "$database: is restored by psql");
	$copy = 'copy' . ++$copies;
	$node->safe_psql('postgres', "CREATE DATABASE $copy");
	quiet($node, "$database: pg_restore", 'pg_restore', "--dbname=$copy", "$folder/custom");
	is($node->safe_psql($copy, $restored), 'k|1', "$database: is restored by pg_restore");
	is($node->safe_psql($copy, 'SELECT * FROM idemstore.usage_levels ORDER BY 1'), "janitor|operator\npg_database_owner|operator\nshop|application",
		"$database: with the grants");

	# by section, both ways
	$copy = 'copy' . ++$copies;
	$node->safe_psql('postgres', "CREATE DATABASE $copy");
	foreach my $section (@sections)
	{
		quiet($node, "$database: pg_dump of $section", 'pg_dump', "--section=$section", "--file=$folder/$section", $database);
		quiet($node, "$database: pg_restore of $section", 'pg_restore', "--section=$section", "--dbname=$copy", "$folder/custom");
	}
	is($node->safe_psql($copy, $restored), 'k|1', "$database: is restored by section");
	quiet($node, "$database: pg_dump --schema-only", 'pg_dump', '--schema-only', "--file=$folder/plain", $database);
	quiet($node, "$database: pg_dump --data-only", 'pg_dump', '--data-only', "--file=$folder/plain", $database);
	quiet($node, "$database: pg_dump --schema", 'pg_dump', '--schema=public', "--file=$folder/plain", $database);
	quiet($node, "$database: pg_dump of our schema", 'pg_dump', '--schema=idemstore', "--file=$folder/plain", $database);
}

quiet($node, 'pg_dumpall', 'pg_dumpall', "--file=$folder/all", '--no-role-passwords');
# the role that makes the dump is there already
my $all = slurp_file("$folder/all") =~ s/^CREATE ROLE \S+;\n(?=ALTER ROLE \S+ WITH SUPERUSER)//mr;
append_to_file("$folder/all.restored", $all);
quiet($other, 'and psql', 'psql', '--no-psqlrc', '--quiet', '--output=/dev/null', "--file=$folder/all.restored", 'postgres');
is($other->safe_psql($_, $restored), 'k|1', "$_ is restored on another server") foreach qw(anew updated);

done_testing();
