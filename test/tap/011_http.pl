#!/usr/bin/perl
#
# The HTTP service in examples/: its own tests, each of which is one here.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

my $examples = "$FindBin::Bin/../../examples";

plan skip_all => 'not installed: run make deps' unless -d "$examples/node_modules/express";

my $node = new_example_node();

my $output = '';
my $run = IPC::Run::start([ 'node', '--test-reporter=tap', "$examples/http/server.test.js" ],
	'<', \undef, '>&', \$output, IPC::Run::timeout(2 * $PostgreSQL::Test::Utils::timeout_default));
my $is_clean = $run->finish;
my @results = $output =~ /^((?:not )?ok \d+ - .*)$/mg;

foreach my $result (@results)
{
	my ($is_passed, $name) = $result =~ /^(not )?ok \d+ - (.*)$/ ? (!$1, $2) : ();

	ok($is_passed && $name !~ /# (?:SKIP|TODO)/i, $name =~ s/ *#.*//r);
}
my ($planned) = $output =~ /^1\.\.(\d+)$/m;
cmp_ok(scalar(@results), '>', 0, 'the service has tests');
is(scalar(@results), $planned, 'all of them have a result');
ok($is_clean, 'the tests come to their end') or diag($output);

$node->stop;
done_testing();
