#!/usr/bin/perl
#
# Names that somebody else has taken. A schema first in the search path, and
# pg_temp, have something of the same name and arguments for every function,
# operator, type and table of pg_catalog, and for every table of the extension,
# and each raises an alarm when it is used: none is, neither while the extension
# is made, updated and dropped, nor by a call of any function, whoever calls. And
# a schema idemstore that is there already is an error, and stays as it is.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemCalls;
use IdemGood;
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my @functions = IdemCalls->from_catalog($node, 'postgres')->functions;
my @relations = split(/\n/, $node->safe_psql('postgres', "
	SELECT relname FROM pg_class WHERE relnamespace = 'idemstore'::regnamespace AND relkind IN ('r', 'v')"));

is(join(' ', IdemGood::unknown(@functions)), '', 'a good call of every function is known');
check_squatted($_) foreach 'an empty schema', 'a schema with look-alikes';
check_hostile();
done_testing();

# Somebody has a schema of the extension's name.
sub check_squatted
{
	my ($what) = @_;
	my $database = $what =~ /empty/ ? 'empty' : 'taken';

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE SCHEMA idemstore');
	$node->safe_psql($database, "
		CREATE TABLE idemstore.idempotency_records (key text);
		INSERT INTO idemstore.idempotency_records VALUES ('k');
		CREATE FUNCTION idemstore.get(key text, scope text DEFAULT '') RETURNS text LANGUAGE sql RETURN 'mine'")
	  if $database eq 'taken';
	my $before = dump_of($database);
	my ($exit, $output, $errors) = $node->psql($database, 'CREATE EXTENSION idemstore');

	like($errors, qr/schema "idemstore" already exists/, "$what is an error");
	is(dump_of($database), $before, "$what stays as it is");
	is($node->safe_psql($database, "SELECT * FROM pg_am WHERE amname = 'idemstore_slots'"), '',
		"nothing is left beside $what");
	return;
}

sub dump_of
{
	my ($database) = @_;
	my ($dump, $errors) = run_command([ 'pg_dump', '--dbname', $node->connstr($database) ]);

	$dump =~ s/^\\(?:un)?restrict .*\n//mg;
	return $dump;
}

sub check_hostile
{
	my @sources = split(/\n/, $node->safe_psql('postgres', "
		SELECT source
		FROM pg_extension_update_paths('idemstore') JOIN pg_available_extensions ON default_version = target
		WHERE path IS NOT NULL AND name = 'idemstore'"));
	my $session = hostile_session();

	foreach my $source (@sources)
	{
		is($session->sqlstate("CREATE EXTENSION idemstore VERSION '$source'"), '00000', "$source is made");
		is($session->sqlstate('ALTER EXTENSION idemstore UPDATE'), '00000', "$source is updated");
		is($session->sqlstate('DROP EXTENSION idemstore'), '00000', 'and is dropped');
	}
	is($session->sqlstate('CREATE EXTENSION idemstore'), '00000', 'the extension is made');
	check_calls($session, 'superuser', @functions);
	is($session->sqlstate("SELECT idemstore.grant_usage('anybody'), idemstore.grant_usage('anybody', 'operator')"),
		'00000', 'anybody may call');
	$session->ask('SET SESSION AUTHORIZATION anybody');
	check_calls($session, 'anybody', grep { $_->{name} !~ /^(?:grant|revoke)_usage$/ } @functions);
	$session->ask('RESET SESSION AUTHORIZATION');
	is($session->sqlstate('DROP EXTENSION idemstore'), '00000', 'the extension is dropped');
	is($node->safe_psql('hostile', 'SELECT is_called FROM alarm'), 'f', 'nothing hostile was ever used');
	$session->quit;
	return;
}

sub check_calls
{
	my ($session, $who, @callable) = @_;

	$node->safe_psql('hostile', IdemGood::prepare($who, @callable));
	foreach my $function (@callable)
	{
		my ($call, $sqlstate) = IdemGood::good_call($function, $who, 'clerk');

		is($session->sqlstate($call), $sqlstate, "$who: $call") if $call;
	}
	return;
}

# A session to which everything hostile comes first, and which would notice.
sub hostile_session
{
	$node->safe_psql('postgres', 'CREATE DATABASE hostile; CREATE ROLE anybody; CREATE ROLE clerk');
	$node->safe_psql('hostile', $_)
	  foreach hostile_base(), hostile_functions(), hostile_operators(), hostile_relations('evil'), hostile_types('evil'),
	  'GRANT USAGE ON SCHEMA evil TO anybody; GRANT SELECT ON ALL TABLES IN SCHEMA evil TO anybody';
	my $session = IdemTest::Session->new($node, 'hostile');

	$session->ask($_) foreach hostile_relations('pg_temp'), hostile_types('pg_temp');
	$session->ask('SET search_path = evil, pg_temp, pg_catalog, public');
	foreach my $innocent (
		"SELECT 'a'::pg_catalog.text = 'a'::pg_catalog.text", "SELECT 'a'::pg_catalog.text || 'b'::pg_catalog.text",
		"SELECT 'a'::pg_catalog.text LIKE 'b'::pg_catalog.text", 'SELECT 1 < 2', 'SELECT 1 IN (2)', 'SELECT now()',
		"SELECT array_agg('a'::pg_catalog.text)", 'SELECT count(*) FROM (VALUES (1)) AS v',
		"SELECT format('a')", "SELECT unnest('{1}'::pg_catalog.int4[])", "SELECT hashtext('a')", "SELECT 'a'::text",
		'SELECT oid FROM pg_proc', 'TABLE idempotency_records', 'TABLE pg_temp.idempotency_records')
	{
		is($session->sqlstate($innocent), 'P0001', "hijacked: $innocent");
	}
	is($node->safe_psql('hostile', 'SELECT is_called FROM alarm'), 't', 'and an alarm is left');
	is( $node->safe_psql('hostile', "
			SELECT (SELECT count(DISTINCT proname) > 2000 FROM pg_proc WHERE pronamespace = 'evil'::regnamespace),
				(SELECT count(*) > 700 FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace),
				(SELECT count(*) > 40 FROM pg_type WHERE typnamespace = 'evil'::regnamespace AND typtype = 'd'),
				(SELECT count(*) > 100 FROM pg_class WHERE relnamespace = 'evil'::regnamespace)"),
		't|t|t|t', 'there is much to be hijacked by');
	$node->safe_psql('hostile', "SELECT setval('alarm', 1, false)");
	return $session;
}

# The alarm outlives whoever catches the error.
sub hostile_base
{
	return q(
		CREATE SEQUENCE alarm;
		GRANT USAGE ON SEQUENCE alarm TO PUBLIC;
		CREATE SCHEMA evil;
		CREATE FUNCTION evil.hijack() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
		BEGIN
			PERFORM pg_catalog.nextval('public.alarm');
			RAISE 'hijacked';
		END $$;
		-- which has no arguments
		CREATE FUNCTION evil.hijack_count(bigint) RETURNS bigint
		LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.hijack(); END $$;
		CREATE AGGREGATE evil.count(*) (SFUNC = evil.hijack_count, STYPE = bigint);
		-- for what cannot be copied
		CREATE PROCEDURE attempt(statement text) LANGUAGE plpgsql AS $$
		BEGIN
			EXECUTE statement;
		EXCEPTION WHEN OTHERS THEN
		END $$;);
}

# With the same arguments, aggregates as well. For arguments of any type, with
# polymorphic ones, which make the call ambiguous at least.
sub hostile_functions
{
	return q(
		DO $do$
		DECLARE
			p record;
		BEGIN
			FOR p IN
				SELECT proname, arguments
				FROM pg_proc,
					LATERAL unnest(CASE WHEN '"any"'::regtype = ANY (proargtypes)
						THEN '{anyelement,"text, anyelement","anyelement, anycompatible","text, anyelement, anycompatible"}'
						ELSE ARRAY[(SELECT coalesce(string_agg(type::regtype::text, ', '), '') FROM unnest(proargtypes) AS type)]
						END) AS arguments
				WHERE pronamespace = 'pg_catalog'::regnamespace
			LOOP
				CALL attempt(format('CREATE FUNCTION evil.%I(%s) RETURNS boolean
					LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.hijack(); END $$', p.proname, p.arguments));
			END LOOP;
		END $do$);
}

sub hostile_operators
{
	return q(
		DO $do$
		DECLARE
			o record;
		BEGIN
			FOR o IN
				SELECT DISTINCT concat_ws(', ', nullif(oprleft, 0)::regtype, oprright::regtype) AS arguments
				FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace
			LOOP
				CALL attempt(format('CREATE FUNCTION evil.operate(%s) RETURNS boolean
					LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.hijack(); END $$', o.arguments));
			END LOOP;
			FOR o IN
				SELECT oprname, 'LEFTARG = ' || nullif(oprleft, 0)::regtype || ',' AS left_argument,
					oprright::regtype AS right_argument
				FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace
			LOOP
				CALL attempt(format('CREATE OPERATOR evil.%s (%s RIGHTARG = %s, FUNCTION = evil.operate)',
					o.oprname, o.left_argument, o.right_argument));
			END LOOP;
		END $do$);
}

# Views of the same names, those of the extension's tables among them.
sub hostile_relations
{
	my ($schema) = @_;
	my $ours = join(',', @relations);

	return qq(
		DO \$do\$
		DECLARE
			name text;
		BEGIN
			FOR name IN
				SELECT relname FROM pg_catalog.pg_class
				WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
			LOOP
				CALL public.attempt(format('CREATE VIEW $schema.%1\$I AS
					SELECT * FROM pg_catalog.%1\$I WHERE evil.hijack()', name));
			END LOOP;
			FOREACH name IN ARRAY '{$ours}'::text[] LOOP
				EXECUTE format('CREATE VIEW $schema.%I AS SELECT NULL AS key WHERE evil.hijack()', name);
			END LOOP;
		END \$do\$);
}

# Domains, which check whatever becomes one, a NULL as well.
sub hostile_types
{
	my ($schema) = @_;

	return qq(
		DO \$do\$
		DECLARE
			name pg_catalog.text;
		BEGIN
			FOR name IN
				SELECT typname FROM pg_catalog.pg_type
				WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A'
			LOOP
				CALL public.attempt(format('CREATE DOMAIN $schema.%1\$I AS
					pg_catalog.%1\$I CHECK (evil.hijack())', name));
			END LOOP;
		END \$do\$);
}
