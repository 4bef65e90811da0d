# Runs a page of the manual as a reader would: every block in its order, in a
# database and a folder of its own. What psql prints is compared with what the
# comments of a block show, as far as they have columns; what a command prints
# with the block of text that follows it.
package Runner;

use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use IPC::Run;
use Manual;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(run_page);

my %run = (sql => \&run_sql, sh => \&run_shell, crontab => \&run_crontab, ini => \&run_service);
my $output;
my @servers;

# Returns how many blocks were run. The environment leads to the server. Options:
# against, what says why a block is not run; folder, called in the page's folder;
# user, the role of all but what is prepared.
sub run_page
{
	my ($page, $node, %option) = @_;
	my $nrun = 0;
	my $folder = tempdir(CLEANUP => 1);

	chdir($folder) or die;
	my @blocks = with_free_ports(blocks($page, Files::read_file(top() . "/$page")));
	new_database($node, !grep { is_run($_) && $_->{text} =~ /^CREATE EXTENSION idemstore/m } @blocks);
	$option{folder}->() if $option{folder};
	foreach my $block (@blocks)
	{
		my $reason = $block->{'not run'} // $block->{'run by'} // ($option{against} ? $option{against}->($block) : undef);
		my $name = "$page:$block->{line}";
		local %ENV = (%ENV, $option{user} && !$block->{prepare} ? (PGUSER => $option{user}) : ());

		if (defined $block->{file})
		{
			Files::write_file($block->{file}, $block->{text});
		}
		elsif (defined $reason)
		{
			note("$name: not run, $reason");
			$output = undef;
		}
		elsif ($block->{server})
		{
			start_server($block, $name);
		}
		elsif ($run{ $block->{language} } && !$block->{quoted})
		{
			$output = '';
			$run{ $block->{language} }->($block->{text}, $name, $node);
			$nrun++ unless $block->{prepare};
		}
		else
		{
			is($output, $block->{text}, "$name: that is what it prints") if $block->{language} eq 'text' && defined $output && !$block->{quoted};
			$output = undef;
		}
	}
	stop_servers();
	chdir('/');
	return $nrun;
}

sub top { return abs_path(__FILE__) =~ s!/test/manual/[^/]*$!!r; }

# The ports that a page names may be somebody else's here.
sub with_free_ports
{
	my (@blocks) = @_;

	foreach my $port (map { $_->{server} // () } @blocks)
	{
		my $free = PostgreSQL::Test::Cluster::get_free_port();

		$_->{text} =~ s/\b$port\b/$free/g foreach @blocks;
		$_->{server} = $free foreach grep { ($_->{server} // '') eq $port } @blocks;
	}
	return @blocks;
}

sub is_run { return !defined($_[0]->{'not run'} // $_[0]->{'run by'}); }

# As the page on installing leaves one, unless the page creates the extension itself.
sub new_database
{
	my ($node, $has_extension) = @_;

	$node->safe_psql('postgres', "DROP DATABASE IF EXISTS $_ WITH (FORCE)") foreach qw(mydb copy reference);
	$node->safe_psql('postgres', 'CREATE DATABASE mydb');
	$node->safe_psql('mydb', "CREATE EXTENSION idemstore; SELECT idemstore.grant_usage('my_application')") if $has_extension;
	$node->safe_psql('mydb', 'CREATE EXTENSION pg_cron') if $node->safe_psql('mydb', 'SHOW shared_preload_libraries') =~ /pg_cron/;
	return;
}

# As psql does it, each statement a transaction of its own.
sub run_sql
{
	my ($block, $name, $node) = @_;
	my ($printed, $errors) = ('', '');
	my @command = ($node->installed_command('psql'), qw(--no-psqlrc --quiet --set=ON_ERROR_STOP=1 --file=-), 'mydb');

	IPC::Run::run(\@command, '<', \$block, '>', \$printed, '2>', \$errors);
	is($?, 0, "$name: sql") or diag("$block\n$errors");
	my %printed = map { $_ => 1 } map { row_of($_) } split(/\n/, $printed);
	foreach my $row (shown_rows($block))
	{
		ok((grep { index($_, $row) == 0 || is_remarked($row, $_) } keys %printed), "$name: it prints $row") or diag($printed);
	}
	$output = undef;
	return;
}

# The rows that comments show, but for what is different each time.
sub shown_rows { return map { row_of($_) } grep { / \| / } $_[0] =~ /^ *-- (.*)$/mg; }

sub row_of
{
	my ($line) = @_;

	$line =~ s/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/uuid/g;
	$line =~ s/\d+(?:\.\d+)?/9/g;
	return join('|', map { s/^\s+|\s+$//gr } split(/\|/, $line, -1));
}

# A row with words behind it.
sub is_remarked { my ($row, $printed) = @_; return $row =~ /^\Q$printed\E\s/; }

sub run_shell
{
	my ($block, $name, $node) = @_;
	my $errors = '';

	# It can be in one database of a server, which a copy beside that is not.
	$node->safe_psql('mydb', 'DROP EXTENSION IF EXISTS pg_cron') if $block =~ /pg_restore/;
	IPC::Run::run([ 'sh', '-e', '-c', $block ], '<', \undef, '>', \$output, '2>', \$errors);
	is($?, 0, "$name: sh") or diag("$block\n$output\n$errors");
	return;
}

sub run_crontab
{
	my ($block, $name, $node) = @_;
	like($block, qr/^(\S+ ){5}\S/, "$name: five fields before the command");
	run_shell($block =~ s/^(\S+ ){5}//r, $name, $node);
	return;
}

sub run_service
{
	my ($block, $name, $node) = @_;
	my ($command) = $block =~ /^ExecStart=(.*)$/m;
	my $psql = $node->installed_command('psql');

	run_shell($command =~ s!^/usr/bin/psql!$psql!r, $name, $node);
	return;
}

# It is there as soon as it listens, and has a group of its own to be ended in.
sub start_server
{
	my ($block, $name) = @_;
	my $process = fork() // die "could not fork: $!\n";

	if ($process == 0)
	{
		setpgrp();
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', 'server.log');
		open(STDERR, '>&', \*STDOUT);
		exec('sh', '-e', '-c', $block->{text});
	}
	push(@servers, $process);
	sleep(0.05) until listens($block->{server}) || waitpid($process, 1) == $process;
	ok(listens($block->{server}), "$name: it listens") or diag(Files::read_file('server.log'));
	$output = undef;
	return;
}

sub listens { return defined IO::Socket::INET->new(PeerAddr => "127.0.0.1:$_[0]"); }

sub stop_servers
{
	foreach my $process (splice(@servers))
	{
		kill('-TERM', $process);
		waitpid($process, 0);
	}
	return;
}

END
{
	my $status = $?;
	stop_servers();
	$? = $status;
}

1;
