#!/usr/bin/perl
#
# The extension is created, and updated, in databases of any encoding: those whose
# characters are not ASCII's neighbours, too. Calls, dump and restore work there.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $file = PostgreSQL::Test::Utils::tempdir . '/dump';
my @encodings = split(/\n/, $node->safe_psql('postgres', "
	SELECT pg_encoding_to_char(n) FROM generate_series(0, 34) AS n WHERE pg_encoding_to_char(n) ~ '^(EUC_|LATIN1\$|SQL_ASCII|UTF8|WIN1251|MULE_INTERNAL)'"));
my $story = "
	SELECT (SELECT outcome FROM idemstore.start_processing('k', 'print', context => '{\"a\": 1}')),
		idemstore.complete('k', 201), (SELECT outcome FROM idemstore.start_processing('k', 'print')),
		idemstore.cache_set('c', '1', '1 h', '{t}'), idemstore.invalidate_by_tag('t'),
		idemstore.set_rate_limit('r*', 1, '1 day') IS NOT NULL, idemstore.acquire('r1'), idemstore.acquire('r1'),
		(SELECT count(*) FROM idemstore.stats), (SELECT count(*) FROM idemstore.expire()),
		idemstore.set_nx('v', 'text')";

cmp_ok(@encodings, '>', 6, "@encodings");
foreach my $encoding (@encodings)
{
	my $database = lc("in_$encoding");

	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	foreach my $version ('', "VERSION '0.2.0'")
	{
		my ($exit, $output, $errors) = $node->psql($database, "CREATE EXTENSION idemstore $version; ALTER EXTENSION idemstore UPDATE");

		is($errors =~ s/^.*NOTICE: .*already installed\n?//r, '', "$encoding: created $version");
		is($node->safe_psql($database, $story), 'started|t|replay|t|1|t|t|f|4|7|t', "$encoding: calls work");
		is($node->safe_psql($database, "SELECT count(*) FROM pg_description WHERE description ~ '[^[:ascii:]]' AND classoid = 'pg_proc'::regclass"), 0, "$encoding: comments are ASCII")
		  if $encoding eq 'UTF8';
		$node->safe_psql($database, 'DROP EXTENSION idemstore') unless $version;
	}
	$node->command_ok([ 'pg_dump', '--format=custom', '--file', $file, $node->connstr($database) ], "$encoding: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE copy ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->command_ok([ 'pg_restore', '--dbname', $node->connstr('copy'), $file ], "$encoding: restored");
	is($node->safe_psql('copy', "SELECT outcome FROM idemstore.start_processing('k', 'print')"), 'replay', "$encoding: a record is replayed");
	$node->safe_psql('postgres', 'DROP DATABASE copy');
}

done_testing();
