#!/usr/bin/perl
#
# The first pages for each framework, as a new user follows them: every file is
# written, every server started and every request sent as it is printed there.
#
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/../tap/lib", "$FindBin::Bin/../manual", "$FindBin::Bin/../arch";
use Files;
use IdemTest;
use Manual;
use Runner;
use Test::More;

my $top = abs_path("$FindBin::Bin/../..");
my $node = new_node('main');

$node->safe_psql('postgres', 'CREATE ROLE my_application; CREATE ROLE shop LOGIN');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'mydb';
foreach my $page (map { "docs/start/$_.md" } qw(express fastapi django go))
{
	run_page($page, $node, user => 'shop', folder => \&install);
}
done_testing();

# What the pages have been told to install: npm's packages, and ours for Python.
sub install
{
	symlink("$top/examples/node_modules", 'node_modules');
	make_path('venv/bin');
	write_file('venv/bin/python', "#!/bin/sh\nPYTHONPATH='$top/clients/python' exec /usr/bin/python3 \"\$@\"\n");
	chmod(0755, 'venv/bin/python');
	return;
}
