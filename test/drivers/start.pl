#!/usr/bin/perl
#
# The first pages for each framework, as a new user follows them: every file is
# written, every server started and every request sent as it is printed there. Of
# Rails' page the controller is run.
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
use PostgreSQL::Test::Utils;
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
is(controller(), <<'END' =~ s/\n\z//r, 'docs/start/rails.md: the controller, and the query cache');
201 {"paid": 9.99}
201 {"paid": 9.99}
422 used for another request
400 Idempotency-Key is missing
from the cache: true true true true
uncached: true false false false
1
END
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

# What the controller of Rails' page prints, in a database of its own.
sub controller
{
	my ($source) = grep { $_->{language} eq 'ruby' } blocks("$top/docs/start/rails.md");
	my $file = PostgreSQL::Test::Utils::tempdir . '/controller.rb';

	write_file($file, $source->{text});
	$node->safe_psql('postgres', 'CREATE DATABASE rails');
	$node->safe_psql('rails', "CREATE EXTENSION idemstore; CREATE TABLE ledger (payment text, amount numeric);
		GRANT SELECT, INSERT ON ledger TO shop; SELECT idemstore.grant_usage('shop')");
	local %ENV = (%ENV, PGDATABASE => 'rails', PGUSER => 'shop');
	my ($output, $errors) = PostgreSQL::Test::Utils::run_command([ 'ruby', "$FindBin::Bin/rails.rb", $file ]);
	note($errors);
	return $output;
}
