#!/usr/bin/perl
#
# The programs in examples/ that users copy from, each with its real driver:
# every line that they print, and what they leave in the ledger. And the limit
# under attack, for a shorter time than in the quick start.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $examples = "$FindBin::Bin/../../examples";
my $python = '/usr/bin/python3';    # Debian's, the one that has Debian's driver

plan skip_all => 'not installed: run make deps'
  unless -d "$examples/node_modules/pg" && run_log([ $python, '-c', 'import psycopg' ]);

my $node = new_example_node();

my $pay = PostgreSQL::Test::Utils::tempdir . '/pay';
ok( run_log([
	'cc', '-Wall', '-Werror', '-I' . config('--includedir'), '-o', $pay, "$examples/c/pay.c",
	'-L' . config('--libdir'), '-lpq' ]),
	'c: the program compiles');

my %command_of = (
	c => [$pay],
	node => [ 'node', "$examples/node/pay.js" ],
	python => [ $python, "$examples/python/pay.py" ]);

foreach my $language (sort keys %command_of)
{
	my ($output, $errors) = run_command($command_of{$language});
	my @lines = split(/\n/, $output);

	# JSON comes with spaces or without
	s/(\{.*\})/$1 =~ tr| ||dr/e foreach @lines;
	is($errors, '', "$language: nothing on standard error");
	foreach my $expected (story($language))
	{
		my ($step, $answer) = @$expected;

		like(shift(@lines) // '', qr/^\Q$step\E: $answer$/, "$language: $step");
	}
	is("@lines", '', "$language: nothing more");
	is( $node->safe_psql('postgres', "
		SELECT string_agg(payment || ' ' || amount, ', ' ORDER BY payment)
		FROM ledger WHERE payment LIKE '$language-%'"),
		join(', ', map { "$language-$_ 9.99" } 1, 2, 4, 5, 6),
		"$language: every payment is charged once, a refused one never");
}

my ($output) = run_command([ "$examples/ratelimit/run", '2' ]);
like($output, qr/^most admitted in any window of a second: 100 of 100$/m, 'rate limit: it holds under attack');
like($output, qr/^in the shadow, a limit of 50 a second: would have denied [1-9]\d* of the [1-9]\d* admitted$/m, 'rate limit: one that is tried tells');
like($output, qr/^in the calendar, a limit of 1,000,000 a day: 999,\d{3} left until 00:00 tonight, counted by \S+$/m, 'rate limit: one by the calendar counts');

$node->stop;
done_testing();

# What a program prints: the step, and a pattern for the answer.
sub story
{
	my ($language) = @_;
	my $paid = sub { qr/201 \{"payment":"$language-$_[0]","amount":9\.99\}/ };
	my $refused = qr/402 \{"payment":"$language-3","refused":"limit"\}/;

	return (
		[ 'payment', $paid->(1) ],
		[ 'its retry', qr/${\$paid->(1)}, replayed/ ],
		[ 'its key with another body', qr/422/ ],
		[ 'while another process is at it', qr/409, Retry-After: (?:29\d|300)/ ],
		[ 'when that one is dead', $paid->(2) ],
		[ 'payment refused', $refused ],
		[ 'its retry', qr/$refused, replayed/ ],
		[ 'while the bank is at it', qr/409, Retry-After: (?:2\d|30)/ ],
		[ 'transfer', $paid->(4) ],
		[ 'its retry', qr/${\$paid->(4)}, replayed/ ],
		[ 'transfer, the bank is down', qr/503/ ],
		[ 'its retry', $paid->(5) ],
		[ 'taken over meanwhile', $paid->(6) ],
		[ 'transfer, slower than its lease', qr/409, Retry-After: 1/ ],
		[ 'its retry', qr/${\$paid->(6)}, replayed/ ]);
}

sub config
{
	my ($what) = @_;
	my ($output) = run_command([ $ENV{PG_CONFIG} // 'pg_config', $what ]);

	return $output;
}
