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
		idemstore.set_nx('v', 'text'), idemstore.shard('order-1', 1000)";
# Which of 1000 shards a key that is not ASCII belongs to, as every client says.
my %shard = ('d0bad0bbd18ed187' => 324, 'c3a9' => 653, 'cea9' => 515);
my %has_not = (
	SQL_ASCII => '', UTF8 => '', EUC_JP => 'c3a9', EUC_KR => 'c3a9', EUC_CN => '', EUC_TW => 'd0bad0bbd18ed187 c3a9', EUC_JIS_2004 => '',
	LATIN1 => 'd0bad0bbd18ed187 cea9', WIN1251 => 'c3a9 cea9', MULE_INTERNAL => 'd0bad0bbd18ed187 c3a9 cea9');

cmp_ok(@encodings, '>', 6, "@encodings");
foreach my $encoding (@encodings)
{
	my $database = lc("in_$encoding");

	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	foreach my $version ('', "VERSION '0.2.0'")
	{
		my ($exit, $output, $errors) = $node->psql($database, "CREATE EXTENSION idemstore $version; ALTER EXTENSION idemstore UPDATE");

		is($errors =~ s/^.*NOTICE: .*already installed\n?//r, '', "$encoding: created $version");
		is($node->safe_psql($database, $story), 'started|t|replay|t|1|t|t|f|4|7|t|214', "$encoding: calls work");
		is($node->safe_psql($database, "SELECT count(*) FROM pg_description WHERE description ~ '[^[:ascii:]]' AND classoid = 'pg_proc'::regclass"), 0, "$encoding: comments are ASCII")
		  if $encoding eq 'UTF8';
		foreach my $key (sort grep { $has_not{$encoding} !~ /$_/ } keys %shard)
		{
			is($node->safe_psql($database, "SELECT idemstore.shard(convert_from('\\x$key', 'UTF8'), 1000)"), $shard{$key}, "$encoding: a key has its shard");
		}
		$node->safe_psql($database, 'DROP EXTENSION idemstore') unless $version;
	}
	$node->command_ok([ 'pg_dump', '--format=custom', '--file', $file, $node->connstr($database) ], "$encoding: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE copy ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->command_ok([ 'pg_restore', '--dbname', $node->connstr('copy'), $file ], "$encoding: restored");
	is($node->safe_psql('copy', "SELECT outcome FROM idemstore.start_processing('k', 'print')"), 'replay', "$encoding: a record is replayed");
	$node->safe_psql('postgres', 'DROP DATABASE copy');
}

done_testing();
