#!/usr/bin/perl
#
# The drivers, each with a program of its own that does what story.txt says and
# prints every answer; what it should be is compared here. A table of drivers by
# steps is printed in the end.
#
# DRIVERS="node_pg jdbc" runs these alone.
#
use strict;
use warnings;
use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/../tap/lib";
use IdemCalls;
use IdemGood;
use IdemTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = abs_path($FindBin::Bin);
my $scratch = PostgreSQL::Test::Utils::tempdir;
my $python = '/usr/bin/python3';    # Debian's, the one that has Debian's drivers
my %command = (
	node_pg => [ 'node', "$folder/node_pg.mjs" ],
	postgres_js => [ 'node', "$folder/postgres_js.mjs" ],
	knex => [ 'node', "$folder/knex.mjs" ],
	prisma => [ 'node', "$folder/prisma.mjs" ],
	psycopg2 => [ $python, "$folder/with_psycopg2.py" ],
	psycopg => [ $python, "$folder/with_psycopg.py" ],
	asyncpg => [ $python, "$folder/with_asyncpg.py" ],
	lib_pq => ["$scratch/lib_pq"],
	jdbc => [ 'java', '-cp', '/usr/share/java/postgresql.jar', "$folder/Jdbc.java" ],
	ruby_pg => [ 'ruby', "$folder/ruby_pg.rb" ],
	pdo => [ 'php', "$folder/pdo.php" ],
	dbd_pg => [ 'perl', "$folder/dbd_pg.pl" ]);
# Those that no program calls: a view gives what they do.
my %is_internal = (usage_privileges => 1);
my @drivers = $ENV{DRIVERS} ? split(' ', $ENV{DRIVERS}) : sort keys %command;

# JDBC knows no Unix socket.
my $node = new_node('main', "listen_addresses = '127.0.0.1'", 'idemstore.cache_max_entry_size = 64MB');
my %content = contents();
my @story = story();
my %failed;

build();
run_driver($_) foreach @drivers;
print_table();
$node->stop;
done_testing();

# What stands in the files of the story.
sub contents
{
	my $text = join('', map { chr } 1 .. 127) . "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \\x00 \\\\ \\' \"\" '' \r\n \$1 ? % \\";
	my $bytes = join('', map { chr } 0 .. 255) . "\\\\\xff\xfe\0";

	return (
		text => $text,
		bytes => $bytes,
		large_text => substr($text x (1 + 10_000_000 / length($text)), 0, 10_000_000 - 1) . '.',
		large_bytes => substr($bytes x (1 + 10_000_000 / length($bytes)), 0, 10_000_000));
}

# Steps, each with its name and lines: session, statement, expected. The last one
# gets a good call of every function.
sub story
{
	my @steps;

	foreach (split(/\n/, slurp_file("$folder/story.txt")))
	{
		next if /^(?:#.*)?$/;
		if (/^(\w+): /) { push(@steps, { name => $1, lines => [] }) }
		else { push(@{ $steps[-1]{lines} }, [ split(/\t/, $_, -1) ]) }
	}
	foreach my $function (IdemCalls->from_catalog($node, 'postgres')->functions)
	{
		my ($statement, $sqlstate) = IdemGood::good_call($function, 'good', 'driver');

		push(@{ $steps[-1]{lines} }, [ 'A', $statement, '*' ])
		  if $statement && $sqlstate eq '00000' && !$is_internal{ $function->{name} };
	}
	return @steps;
}

sub build
{
	append_to_file("$scratch/$_", $content{$_}) foreach keys %content;
	append_to_file("$scratch/story", join('', map { "$_->[0]\t" . ($_->[1] =~ s!<<(\w+) \@(\w+)>>!<<$1 \@$scratch/$2>>!gr) . "\n" }
		map { @{ $_->{lines} } } @story));
	$node->safe_psql('postgres', 'CREATE ROLE driver');
	return unless grep { $_ eq 'lib_pq' } @drivers;
	local @ENV{qw(GO111MODULE GOPATH GOCACHE)} = ('off', '/usr/share/gocode', "$scratch/go");
	run_log([ 'go', 'build', '-o', "$scratch/lib_pq", "$folder/lib_pq.go" ]) or die 'lib_pq.go does not compile';
	return;
}

sub run_driver
{
	my ($driver) = @_;
	my @functions = IdemCalls->from_catalog($node, 'postgres')->functions;
	my ($output, $errors) = ('', '');

	$node->safe_psql('postgres', "CREATE DATABASE $driver");
	$node->safe_psql($driver, 'CREATE EXTENSION idemstore; CREATE TABLE payments (key text, amount int);' . IdemGood::prepare('good', @functions));
	local @ENV{qw(PGHOST PGPORT PGUSER PGDATABASE)} =
	  ($driver eq 'jdbc' ? '127.0.0.1' : $node->host, $node->port, scalar(getpwuid($>)), $driver);
	IPC::Run::run([ @{ $command{$driver} }, "$scratch/story" ], '<', \undef, '>', \$output, '2>', \$errors,
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	note("$driver on standard error: $errors") if $errors ne '';

	my @answers = split(/\n/, $output);
	foreach my $step (@story)
	{
		my @complaints = grep { defined } map { complaint($_, shift(@answers) // 'no answer') } @{ $step->{lines} };

		$failed{$driver}{ $step->{name} } = @complaints;
		is(join("\n", @complaints), '', "$driver: $step->{name}");
	}
	return;
}

sub complaint
{
	my ($line, $answer) = @_;
	my ($session, $statement, $expected) = @$line;

	return if is_as_expected($answer, $expected // '');
	return "$session $statement\n\tgave $answer\n\tnot " . ($expected // 'nothing');
}

sub is_as_expected
{
	my ($answer, $expected) = @_;

	return $answer !~ /^error|^no answer$/ if $expected eq '*';
	return $answer =~ /^(?:$1)$/ if $expected =~ /^~(.*)/;
	my @given = split(/[|;]/, $answer, -1);
	my @wanted = split(/[|;]/, $expected, -1);
	return @given == @wanted && !grep { !is_value($given[$_], $wanted[$_]) } 0 .. $#given;
}

sub is_value
{
	my ($given, $wanted) = @_;

	return $given eq "$1 " . length($content{$2}) . ' ' . sha256_hex($content{$2}) if $wanted =~ /^(text|bytes) \@(\w+)$/;
	return $given eq $wanted unless $wanted =~ /^[\[{"]/;
	return canonical($given) eq canonical($wanted);
}

sub canonical
{
	my ($text) = @_;
	my $json = JSON::PP->new->canonical->allow_nonref;

	return eval { $json->encode($json->decode($text)) } // "no JSON: $text";
}

sub print_table
{
	my @steps = map { $_->{name} } @story;

	diag(sprintf('| %-11s | %s |', '', join(' | ', @steps)));
	diag('|' . '-' x 13 . '|' . join('|', map { '-' x (2 + length) } @steps) . '|');
	foreach my $driver (@drivers)
	{
		diag(sprintf('| %-11s | %s |', $driver,
			join(' | ', map { sprintf('%-' . length . 's', $failed{$driver}{$_} ? 'no' : 'ok') } @steps)));
	}
	return;
}
