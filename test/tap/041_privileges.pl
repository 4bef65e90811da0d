#!/usr/bin/perl
#
# Who may do what, found from the catalog: PUBLIC nothing at all, a role what
# grant_usage() gave it, which works, and nothing else: no other function, no
# table, no view, no type of a result.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemCalls;
use IdemGood;
use IdemTest;
use Test::More;

# The relations that a role may read.
my %readable = (application => [], monitor => ['stats'], operator => [qw(in_flight stats usage_levels)], nobody => []);

my $node = new_node('main');
my @functions = IdemCalls->from_catalog($node, 'postgres')->functions;
my @relations = split(/\n/, $node->safe_psql('postgres', "
	SELECT relname FROM pg_class
	WHERE relnamespace = 'idemstore'::regnamespace AND relkind IN ('r', 'v', 'm', 'p', 'f') ORDER BY 1"));
my %is_view = map { $_ => 1 } split(/\n/, $node->safe_psql('postgres', "
	SELECT viewname FROM pg_views WHERE schemaname = 'idemstore'"));
my $session = IdemTest::Session->new($node);
my $ours = "= 'idemstore'::regnamespace";
my %acl = (
	'functions' => "SELECT oid::regprocedure, proacl, 'f', proowner FROM pg_proc WHERE pronamespace $ours",
	'relations' => "SELECT oid::regclass, relacl, 'r', relowner FROM pg_class WHERE relnamespace $ours",
	'types' => "SELECT t.oid::regtype, typacl, 'T', typowner FROM pg_type AS t JOIN pg_class AS c ON c.oid = typrelid
		WHERE typnamespace $ours AND relkind = 'c'",
	'the schema' => "SELECT oid::regnamespace, nspacl, 'n', nspowner FROM pg_namespace WHERE oid $ours",
	'columns' => "SELECT attrelid::regclass || '.' || attname, attacl, 'c', relowner
		FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid WHERE relnamespace $ours");

is(join(' ', IdemGood::unknown(@functions)), '', 'a good call of every function is known');
foreach my $kind (sort keys %acl)
{
	my $granted = "SELECT DISTINCT o.name FROM ($acl{$kind}) AS o (name, acl, kind, owner),
		LATERAL aclexplode(coalesce(o.acl, acldefault(o.kind::\"char\", o.owner))) AS a";

	is($node->safe_psql('postgres', "$granted WHERE a.grantee = 0"), '', "PUBLIC has no privilege on $kind");
	next if $kind eq 'columns';
	isnt($node->safe_psql('postgres', "$granted WHERE a.grantee <> 0"), '', "while their owner has on $kind");
}

$node->safe_psql('postgres', "
	CREATE ROLE application; CREATE ROLE operator; CREATE ROLE monitor; CREATE ROLE nobody; CREATE ROLE clerk;
	GRANT CREATE ON SCHEMA public TO application, operator, nobody;
	SELECT idemstore.grant_usage('application'), idemstore.grant_usage('operator', 'operator'), idemstore.grant_usage('monitor', 'monitor')");

my %calls = map { $_ => 0 } keys %readable;
foreach my $role (sort keys %readable)
{
	$node->safe_psql('postgres', IdemGood::prepare($role, @functions));
	$session->ask("SET SESSION AUTHORIZATION $role");
	check_functions($role);
	check_relations($role);
	check_types($role);
	is($node->safe_psql('postgres', "SELECT relname FROM pg_class WHERE relnamespace $ours AND CASE relkind WHEN 'S' THEN has_sequence_privilege('$role', oid, 'USAGE, SELECT, UPDATE') END"),
		'', "$role has nothing on sequences");
	is($session->sqlstate('CREATE TABLE idemstore.own ()'), '42501', "$role makes nothing in the schema");
	$session->ask('RESET SESSION AUTHORIZATION');
}
cmp_ok($calls{application}, '>', 50, 'an application may call what it needs');
cmp_ok($calls{operator}, '>', $calls{application} + $calls{monitor}, 'an operator that, and more');
cmp_ok($calls{monitor}, '>', 2, 'who watches, what is behind his view');
is($calls{nobody}, 0, 'nobody else may call anything');

$session->quit;
done_testing();

# What the role may execute, works; all else is refused.
sub check_functions
{
	my ($role) = @_;
	my %may = map { $_ => 1 } split(/\n/, $node->safe_psql('postgres', "
		SELECT proname FROM pg_proc
		WHERE pronamespace = 'idemstore'::regnamespace AND has_function_privilege('$role', oid, 'EXECUTE')"));

	foreach my $function (@functions)
	{
		my $name = $function->{name};
		my ($call, $sqlstate) = IdemGood::good_call($function, $role, 'clerk');

		$calls{$role}++ if $may{$name};
		if ($call) { is($session->sqlstate($call), $may{$name} ? $sqlstate : '42501', "$role: $call") }
		else { ok(!$may{$name}, "$role may not call $name, as nobody does") }
	}
	return;
}

# By asking the catalog for every privilege, and by trying those that every kind
# of relation knows.
sub check_relations
{
	my ($role) = @_;

	foreach my $relation (@relations)
	{
		my $table = "idemstore.$relation";
		my $may_read = grep { $_ eq $relation } @{ $readable{$role} };
		my ($column) = split(/\n/, $node->safe_psql('postgres', "
			SELECT attname FROM pg_attribute WHERE attrelid = '$table'::regclass AND attnum > 0 LIMIT 1"));

		is( $node->safe_psql('postgres', "
				SELECT string_agg(p, ' ')
				FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p
				WHERE has_table_privilege('$role', '$table', p)
					OR p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') AND has_any_column_privilege('$role', '$table', p)"),
			$may_read ? 'SELECT' : '', "$role has no more than it should on $table");
		is($session->sqlstate("SELECT $column FROM $table LIMIT 1"),
			$may_read ? '00000' : '42501', "$role: SELECT FROM $table");
		# Nobody can write through these views.
		foreach my $statement ("LOCK TABLE $table IN SHARE MODE",
			$is_view{$relation} ? "DROP VIEW $table" :
			("INSERT INTO $table ($column) VALUES (NULL)", "UPDATE $table SET $column = NULL", "DELETE FROM $table",
				"DROP TABLE $table"))
		{
			is($session->sqlstate("BEGIN; $statement"), '42501', "$role: $statement");
			$session->ask('ROLLBACK');
		}
	}
	return;
}

# A role that calls functions may also use what they return; rows of tables
# nobody uses.
sub check_types
{
	my ($role) = @_;

	is( $node->safe_psql('postgres', "
			SELECT DISTINCT c.relkind = 'c' FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid
			WHERE t.typnamespace = 'idemstore'::regnamespace AND c.relkind = 'c' AND has_type_privilege('$role', t.oid, 'USAGE')"),
		$role =~ /nobody|monitor/ ? '' : 't', "$role uses the types that it should");
	return if $role =~ /nobody|monitor/;
	is($session->sqlstate("CREATE FUNCTION public.own() RETURNS idemstore.idempotency_verdict
			LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"),
		'00000', "$role makes a function that returns a verdict");
	$session->ask('DROP FUNCTION public.own');
	return;
}
