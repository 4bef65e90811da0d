#!/usr/bin/perl
#
# What the manual prints can be run as it stands there, each page in its order
# and in a database of its own. A block that is not run here says why. The page
# on functions says what the catalog says.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/../manual", "$FindBin::Bin/../arch";
use IdemTest;
use Files;
use Manual;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Runner;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
my $has_pg_cron = has_pg_cron($node);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'mydb'") if $has_pg_cron;
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE my_application; CREATE ROLE my_operator; CREATE ROLE my_monitoring');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'mydb';

sub reason_against
{
	my ($block) = @_;

	return 'Debian has no pg_cron for this PostgreSQL yet' if !$has_pg_cron && $block->{text} =~ /pg_cron|schedule_expiry/;
	return;
}

chdir("$FindBin::Bin/../..") or die;
my $nrun = 0;
foreach my $page (grep { !m!^docs/start/! } pages())
{
	chdir("$FindBin::Bin/../..") or die;
	$nrun += run_page($page, $node, against => \&reason_against);
}
cmp_ok($nrun, '>', 25, 'blocks were run');

chdir("$FindBin::Bin/../..") or die;
$node->safe_psql('postgres', 'CREATE DATABASE reference');
$node->safe_psql('reference', 'CREATE EXTENSION idemstore');
$ENV{PGDATABASE} = 'reference';
my ($reference, $errors) = run_command([ 'test/manual/functions' ]);
is($errors, '', 'the catalog is read');
my $page = read_file('docs/functions.md');
chomp($page);
is($page, $reference, 'docs/functions.md says what the catalog says: test/manual/functions makes it anew');
done_testing();
