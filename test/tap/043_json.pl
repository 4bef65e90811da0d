#!/usr/bin/perl
#
# JSON of every kind, in databases of four encodings: texts drawn at random have
# the fingerprint that their content as jsonb gives, the same in each encoding,
# and what published test suites for parsers try is taken or refused as it
# should be, as a payload, a context, headers and an entry of the cache.
#
# The seed is printed: IDEM_SEED=n draws the same texts again. IDEM_LONG=n draws
# n times as many.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemJson qw(random_json json_cases);
use IdemTest;
use IdemWire;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{IDEM_SEED} // time % 1_000_000;
my $count = 10_000 * ($ENV{IDEM_LONG} // 1);
my $node = new_node('main');
my @characters = ("\xc3\xa9", "\xe3\x81\x82", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf");
my %characters = (UTF8 => \@characters, LATIN1 => [ "\xc3\xa9", "\xc2\xa6" ], EUC_JP => ["\xe3\x81\x82"], SQL_ASCII => \@characters);
my @encodings = qw(UTF8 LATIN1 EUC_JP SQL_ASCII);

note("seed $seed: repeat with IDEM_SEED=$seed");
srand($seed);
prepare($_) foreach @encodings;
agrees_with_jsonb($_) foreach @encodings;
takes_what_is_json();
refuses_what_is_not();
takes_what_is_deep();
$node->stop;
done_testing();

sub prepare
{
	my ($encoding) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE \"$encoding\" ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($encoding, q(
		CREATE EXTENSION idemstore;
		CREATE CAST (bytea AS json) WITHOUT FUNCTION;

		CREATE FUNCTION canonical(payload jsonb) RETURNS text LANGUAGE plpgsql AS $$
		BEGIN
			RETURN CASE jsonb_typeof(payload)
				WHEN 'object' THEN '{' || coalesce((
					SELECT string_agg(to_json(key) || ':' || canonical(value), ',' ORDER BY convert_to(key, 'UTF8'))
					FROM jsonb_each(payload)), '') || '}'
				WHEN 'array' THEN '[' || coalesce((
					SELECT string_agg(canonical(value), ',' ORDER BY ordinality)
					FROM jsonb_array_elements(payload) WITH ORDINALITY), '') || ']'
				WHEN 'number' THEN trim_scale((payload #>> '{}')::numeric)::text
				WHEN 'string' THEN to_json(payload #>> '{}')::text
				ELSE payload::text END;
		END $$;

		-- NULL where jsonb has not what is in it
		CREATE FUNCTION by_jsonb(payload text, names text[]) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			content jsonb;
		BEGIN
			content := payload;
			IF jsonb_typeof(content) = 'object' THEN
				content := content - names;
			END IF;
			RETURN encode(sha256(convert_to(canonical(content), 'UTF8')), 'hex');
		EXCEPTION WHEN untranslatable_character OR feature_not_supported THEN
			RETURN NULL;
		END $$));
	return;
}

# Drawn in one database, looked at there and in the others.
sub agrees_with_jsonb
{
	my ($encoding) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/texts';
	my $names = "'{a,ab,id}'";
	my $copy = "SET client_encoding = 'UTF8'; CREATE TABLE drawn (number serial, payload text); COPY drawn (payload) FROM '$file' (FORMAT csv);";
	my $hashes = "SELECT string_agg(idemstore.fingerprint(payload::json, $names), E'\n' ORDER BY number) FROM drawn WHERE payload !~ '\\\\u00[aA]6';
		DROP TABLE drawn";

	append_to_file($file, join('', map { '"' . random_json($characters{$encoding}, 1) =~ s/"/""/gr . "\"\n" } 1 .. $count));
	is( $node->safe_psql($encoding, "$copy
			SELECT count(*) FILTER (WHERE by_jsonb IS NULL) < count(*) / 2,
				count(*) FILTER (WHERE by_jsonb <> idemstore.fingerprint(payload::json, $names))
			FROM (SELECT *, by_jsonb(payload, $names) FROM drawn OFFSET 0) AS d"),
		't|0', "$encoding: the fingerprint is that of the content");
	my $here = $node->safe_psql($encoding, $hashes);
	is($node->safe_psql('UTF8', $copy . $hashes), $here, "$encoding: and that of the text in UTF8")
	  unless $encoding eq 'UTF8';
	unlink($file);
	return;
}

# What the server's own conversion lets through.
sub takes_what_is_json
{
	my %print;

	foreach my $encoding (@encodings)
	{
		my $session = session($encoding);
		my @complaints;

		foreach (grep { $_->{verdict} eq 'y' } json_cases())
		{
			my ($name, $text) = @$_{qw(name text)};

			next if answer($session, 'SELECT $1::text', $text) ne $text;
			my $print = answer($session, 'SELECT idemstore.fingerprint($1)', $text);
			push(@complaints, "$name: fingerprint $print") if $print ne ($print{$name} //= $print) || length($print) != 64;
			push(@complaints, map { "$name: $_" } kept_otherwise($session, $text));
		}
		is(join("\n", @complaints), '', "$encoding: JSON is taken, and comes back as it was sent");
	}
	cmp_ok(keys %print, '>', 100, 'of many kinds');
	return;
}

# The functions that do not give back what they were given.
sub kept_otherwise
{
	my ($session, $text) = @_;
	my %calls = (
		context => [ q(SELECT idemstore.start_processing('k', context => $1)), q(SELECT context FROM idemstore.get('k')) ],
		headers => [ q(SELECT idemstore.complete('k', response_headers => $1)), q(SELECT response_headers FROM idemstore.get('k')) ],
		cache => [ q(SELECT idemstore.cache_set('k', $1)), q(SELECT idemstore.cache_get('k')) ]);
	my @complaints;

	foreach my $what (qw(context headers cache))
	{
		my ($put, $get) = @{ $calls{$what} };
		# headers are an object
		my $sent = $what eq 'headers' ? qq({"x":$text}) : $text;
		my $put_answer = answer($session, $put, $sent);
		my $got = answer($session, $get);

		push(@complaints, "$what $put_answer, $got") if $got ne $sent;
	}
	$session->query("SELECT idemstore.forget('k')");
	return @complaints;
}

# By type json and, past it, by the parser behind the fingerprint.
sub refuses_what_is_not
{
	my %calls = (
		fingerprint => 'SELECT idemstore.fingerprint($1)',
		context => q(SELECT idemstore.start_processing('n', context => $1)),
		headers => q(SELECT idemstore.complete('n', response_headers => $1)),
		cache => q(SELECT idemstore.cache_set('n', $1)),
		'the parser' => 'SELECT idemstore.fingerprint($1::bytea::json)');
	my @deep = map { { verdict => 'n', name => 'deep', text => $_ x 100_000 } } '[', '[{"":';

	foreach my $encoding (@encodings)
	{
		my $session = session($encoding);
		my @complaints;

		foreach my $case (json_cases(), @deep)
		{
			foreach my $call ($case->{verdict} eq 'n' ? sort keys %calls : $case->{verdict} eq 'u' ? 'fingerprint' : ())
			{
				my $answer = state_of($session, $calls{$call}, $case->{text}, $call eq 'the parser');

				push(@complaints, "$case->{name}: $call $answer") if $answer !~ /^(?:22P02|22021|22P05|54001)$/;
			}
		}
		is(join("\n", @complaints), '', "$encoding: what is no JSON is refused");
	}
	return;
}

# As deep as type json lets through, whatever stack is left.
sub takes_what_is_deep
{
	my $deep = q(repeat('[', 3000) || '{"a":1}' || repeat(']', 3000));

	is($node->safe_psql('UTF8', "
			CREATE TABLE deep AS SELECT ($deep)::json AS payload;
			SET max_stack_depth = '100kB';
			SELECT idemstore.fingerprint(payload) = encode(sha256(convert_to($deep, 'UTF8')), 'hex') FROM deep"),
		't', 'nesting needs no stack');
	is(state_of(session('UTF8'), q(SELECT idemstore.fingerprint((repeat('[', 100000) || repeat(']', 100000))::json, array[$1])), 'a'),
		'54001', 'what type json refuses is refused');
	return;
}

# The client speaks UTF-8, or what the database takes for text.
sub session
{
	my ($encoding) = @_;
	my $session = IdemWire->new($node, $encoding, 'json');

	$session->query("SET client_encoding = '" . ($encoding eq 'SQL_ASCII' ? $encoding : 'UTF8') . "'");
	return $session;
}

# The one column of the one row, or the SQLSTATE.
sub answer
{
	my ($session, $sql, @texts) = @_;
	my $answer = $session->execute($sql, \@texts, [ map { 0 } @texts ], 0);

	return $answer->{sqlstate} eq '00000' ? (values %{ $answer->{row} })[0] // 'NULL' : $answer->{sqlstate};
}

sub state_of
{
	my ($session, $sql, $text, $is_binary) = @_;

	return $session->execute($sql, [$text], [ $is_binary // 0 ], 0)->{sqlstate};
}
