#!/usr/bin/perl
#
# Text is kept as its UTF-8 bytes in a database of any encoding, and read back
# from them, so that a body means the same wherever the record is read.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;

my $node = new_node('main');
$ENV{PGCLIENTENCODING} = 'UTF8';

# A text of each, in UTF-8; what it can hold no more; and what is no text of it.
foreach (
	[ 'UTF8', "gr\xc3\xbc\xc3\x9fe \xe3\x81\x82", undef ],
	[ 'LATIN1', "gr\xc3\xbc\xc3\x9fe", 'e38182' ],
	[ 'EUC_JP', "\xe3\x81\x82\xe6\xbc\xa2\xe5\xad\x97", 'f09f9880' ],
	[ 'SQL_ASCII', "gr\xc3\xbc\xc3\x9fe \xe3\x81\x82", undef ])
{
	my ($encoding, $text, $other) = @$_;
	my $bytes = unpack('H*', $text);
	my $json = unpack('H*', "{\"t\": \"$text\"}");
	my $database = lc($encoding);

	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($database, 'CREATE EXTENSION idemstore');
	my $session = IdemTest::Session->new($node, $database);
	# in SQL_ASCII the server does not convert what the client sends
	$session->ask('SET client_encoding = ' . ($encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8'));

	is($session->ask("SELECT idemstore.set_nx('v', '$text'), idemstore.set_value('w', '$text')"), 't|t', "$encoding: values are set");
	is($session->ask("SELECT encode(idemstore.get_value('v'), 'hex'), encode(idemstore.get_value('w'), 'hex')"), "$bytes|$bytes", "$encoding: as UTF-8");
	is($session->ask("SELECT idemstore.get_value_text('v')"), $text, "$encoding: and read as text");
	$session->ask("SELECT idemstore.start_processing(k) FROM unnest('{complete,fail,success}'::text[]) AS k");
	is($session->ask("SELECT idemstore.complete('complete', 200, NULL, '$text'), idemstore.fail('fail', response_text => '$text'), idemstore.success('success', '{\"t\": \"$text\"}')"),
		't|t|t', "$encoding: responses are stored");
	is($session->ask("SELECT string_agg(encode(response_body, 'hex'), ' ' ORDER BY key COLLATE \"C\") FROM idemstore.idempotency_records WHERE key IN ('complete', 'fail', 'success')"),
		"$bytes $bytes $json", "$encoding: as UTF-8");
	is($session->ask("SELECT idemstore.complete('complete', 200, response_body => '\\x$bytes'), idemstore.cache_set_bytes('c', '$text')"),
		'f|t', "$encoding: the bytes of the text are the same response");
	is($session->ask("SELECT encode(idemstore.cache_get_bytes('c'), 'hex'), encode(value_bytes, 'hex') FROM idemstore.cache_fetch('c')"),
		"$bytes|$bytes", "$encoding: so it is in the cache");

	if (defined($other))
	{
		is($session->ask("SELECT idemstore.set_value('o', value => '\\x$other')"), 't', "$encoding: bytes may be any");
		is($session->sqlstate("SELECT idemstore.get_value_text('o')"), '22P05', "$encoding: what the database cannot hold is not read as text");
	}
	is($session->ask("SELECT idemstore.set_value('n', value => '\\xff'), idemstore.set_value('z', value => '\\x6100')"), 't|t', "$encoding: no text at all");
	is($session->sqlstate("SELECT idemstore.get_value_text('n')"), '22021', "$encoding: is not read as one");
	is($session->sqlstate("SELECT idemstore.get_value_text('z')"), '22021', "$encoding: nor is a zero byte");
	if ($encoding eq 'SQL_ASCII')
	{
		is($session->sqlstate("SELECT idemstore.$_"), '22021', "$encoding: what is not UTF-8 is no text: $_") foreach
		  "set_nx('e', E'\\xff')", "set_value('e', E'\\xff')", "cache_set_bytes('e', E'\\xff')",
		  "complete('complete', 200, NULL, E'\\xff')", "fail('fail', response_text => E'\\xff')";
	}
	$session->quit;
}

done_testing();
