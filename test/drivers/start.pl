#!/usr/bin/perl
#
# The first pages for each framework, as a new user follows them: every file is
# written, every server started and every request sent as it is printed there. Of
# Spring's and Rails' pages the classes are run, without a web server.
#
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename);
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
my $node = new_node('main', "listen_addresses = '127.0.0.1'");    # for JDBC

$node->safe_psql('postgres', 'CREATE ROLE my_application; CREATE ROLE shop LOGIN');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'mydb';
foreach my $page (map { "docs/start/$_.md" } qw(express fastapi django go))
{
	run_page($page, $node, user => 'shop', folder => \&install);
}
my $answers = <<'END';
201 {"paid": 9.99}
201 {"paid": 9.99}
422 used for another request
END
is(classes_of_spring(), "${answers}1", 'docs/start/spring.md: its classes');
is(controller_of_rails(), <<"END" =~ s/\n\z//r, 'docs/start/rails.md: its controller, and the query cache');
${answers}400 Idempotency-Key is missing
from the cache: true true true true
uncached: true false false false
1
END
done_testing();

# What the pages have been told to install: npm's packages, and ours.
sub install
{
	make_path('node_modules');
	symlink($_, 'node_modules/' . basename($_)) foreach glob("$top/examples/node_modules/*");
	symlink("$top/clients/node", 'node_modules/idemstore');
	make_path('venv/bin');
	write_file('venv/bin/python', "#!/bin/sh\nPYTHONPATH='$top/clients/python' exec /usr/bin/python3 \"\$@\"\n");
	chmod(0755, 'venv/bin/python');
	return;
}

# What the classes of Spring's page print.
sub classes_of_spring
{
	my $folder = PostgreSQL::Test::Utils::tempdir;
	my $path = join(':', glob('/usr/share/java/spring3-{aop,beans,context,core,expression,jdbc,transaction,web}.jar'),
		map({ "/usr/share/java/$_.jar" } qw(jackson-core jackson-databind jackson-annotations commons-logging postgresql)), $folder);
	my @sources = ("$FindBin::Bin/Spring.java");

	foreach my $block (grep { $_->{language} eq 'java' } blocks("$top/docs/start/spring.md"))
	{
		my ($name) = $block->{text} =~ /^public class (\w+)/m;

		push(@sources, "$folder/$name.java");
		write_file($sources[-1], $block->{text});
	}
	return output_of('spring', [ 'javac', '-nowarn', '-cp', $path, '-d', $folder, @sources ], [ 'java', '-cp', $path, 'shop.Spring' ]);
}

# What the controller of Rails' page prints.
sub controller_of_rails
{
	my ($source) = grep { $_->{language} eq 'ruby' } blocks("$top/docs/start/rails.md");
	my $file = PostgreSQL::Test::Utils::tempdir . '/controller.rb';

	write_file($file, $source->{text});
	return output_of('rails', [ 'ruby', "$FindBin::Bin/rails.rb", $file ]);
}

# Of the last of the commands, in a database of its own, where the ledger is.
sub output_of
{
	my ($database, @commands) = @_;
	my ($output, $errors);

	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION idemstore; CREATE TABLE ledger (payment text, amount numeric);
		GRANT SELECT, INSERT ON ledger TO shop; SELECT idemstore.grant_usage('shop')");
	local %ENV = (%ENV, PGDATABASE => $database, PGUSER => 'shop', $database eq 'spring' ? (PGHOST => '127.0.0.1') : ());
	foreach my $command (@commands)
	{
		($output, $errors) = run_command($command);
		note($errors) if $errors;
	}
	return $output;
}
