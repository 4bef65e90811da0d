#!/usr/bin/perl
#
# What README and the pages on operating say can be run as it stands there, in
# this order. A block that is not run here says why, in a comment before it.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my %runner = (sql => \&run_sql, sh => \&run_shell, crontab => \&run_crontab, ini => \&run_service);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
my $has_pg_cron = has_pg_cron($node);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'mydb'") if $has_pg_cron;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE mydb; CREATE ROLE my_application; CREATE ROLE my_operator; CREATE ROLE my_monitoring');
$node->safe_psql('mydb', 'CREATE EXTENSION pg_cron') if $has_pg_cron;

# mydb.dump is written where we are.
chdir($PostgreSQL::Test::Utils::tmp_check) or die;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;

my $top = "$FindBin::Bin/../..";
my %nblocks;
foreach my $page ('README.md', map { "docs/$_.md" } qw(operate runbook privileges backup standby poolers upgrade))
{
	my $text = slurp_file("$top/$page");

	$text =~ s/.*^## Install\n//ms if $page eq 'README.md';

	while ($text =~ /^( *)(?:<!-- not run: (.*?) -->\n *)?```(\w+)\n(.*?)^ *```$/msg)
	{
		my ($indent, $reason, $language, $block) = ($1, $2, $3, $4);

		$block =~ s/^$indent//mg;
		$reason //= 'Debian has no pg_cron for this PostgreSQL yet' if !$has_pg_cron && $block =~ /idemstore\.schedule_expiry/;
		if ($reason)
		{
			note("not run, $reason:\n$block");
			$nblocks{skipped}++;
			next;
		}
		$nblocks{run}++;
		$runner{$language}->($block, "$page, block $nblocks{run}");
	}
}
is("$nblocks{run} $nblocks{skipped}", $has_pg_cron ? '12 7' : '11 8', 'so many blocks were run, and so many say why not');
is($node->safe_psql('mydb', "SELECT count(*) FROM pg_extension WHERE extname = 'idemstore'"),
	'0', 'in the end the extension is gone');
is( $node->safe_psql('copy', "SELECT extversion = (SELECT default_version FROM pg_available_extensions WHERE name = extname)
		FROM pg_extension WHERE extname = 'idemstore'"),
	't', 'and the restored copy has it');
done_testing();

# as psql does it, each statement a transaction of its own
sub run_sql
{
	my ($block, $name) = @_;
	my ($exit, $output, $errors) = $node->psql('mydb', $block, on_error_stop => 1);

	is($exit, 0, "$name: sql") or diag("$block\n$errors");
	return;
}

sub run_shell
{
	my ($block, $name) = @_;

	# It can be in one database of a server, which a copy beside that is not.
	$node->safe_psql('mydb', 'DROP EXTENSION IF EXISTS pg_cron') if $block =~ /pg_restore/;
	is(system('sh', '-e', '-c', $block), 0, "$name: sh") or diag($block);
	return;
}

sub run_crontab
{
	my ($block, $name) = @_;

	like($block, qr/^(\S+ ){5}\S/, "$name: five fields before the command");
	run_shell($block =~ s/^(\S+ ){5}//r, $name);
	return;
}

sub run_service
{
	my ($block, $name) = @_;
	my ($command) = $block =~ /^ExecStart=(.*)$/m;
	my $psql = $node->config_data('--bindir') . '/psql';

	$command =~ s!^/usr/bin/psql!$psql!;
	run_shell($command, $name);
	return;
}
