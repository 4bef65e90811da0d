#!/usr/bin/perl
#
# Every function of the catalog, called a hundred thousand times with arguments
# drawn at random, by four sessions over the same few keys, in every kind of
# transaction, cancelled and timed out in the middle. Whatever the answers, they
# are among the SQLSTATEs below, the sessions go on, no lock stays, the server
# does not complain, and its tables and indexes agree.
#
# The seed is printed: IDEM_SEED=n draws the same calls again, though sessions
# and cancels meet otherwise. IDEM_LONG=n makes n times as many calls.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemCaller;
use IdemCalls;
use IdemTest;
use IdemWire;
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $seed = $ENV{IDEM_SEED} // time % 1_000_000;
my $calls = 100_000 * ($ENV{IDEM_LONG} // 1);
my $sessions = 4;

# Those that no call can make succeed.
my %never_succeeds = map { $_ => 1 } (
	'rate_limits_changed',    # a trigger
	'schedule_expiry',        # without pg_cron
	'slots_handler',          # for the server itself
	'start_processing_support');    # likewise

# What a function itself says, all of which its comment has to name.
my %of_functions = map { $_ => 1 }
  qw(ID404 ID408 ID412 ID413 ID425 ID428 22004 22023 25006 2D000 42804 54000 55000);

# What PostgreSQL says, and why.
my %of_server = (
	'00000' => 'success',
	'08P01' => 'binary format of another length',
	'0A000' => 'called as what the function is not',
	'22003' => 'a number out of range',
	'22007' => 'no timestamp or interval',
	'22008' => 'a timestamp out of range',
	'22015' => 'an interval out of range',
	'22021' => 'bytes that are no text in this encoding',
	'2202E' => 'bounds of an array',
	'22P02' => 'no number, JSON, array, uuid or boolean',
	'22P03' => 'rubbish in binary format',
	'22P05' => 'a character that the encoding has not',
	'39P01' => 'a trigger function called by its oid',
	'40001' => 'two serializable transactions',
	'40P01' => 'two transactions that wait for each other',
	'42601' => 'an argument named twice',
	'42602' => 'no name of a role',
	'42704' => 'no such role',
	'42804' => 'an array of another type in binary format, or a trigger in FROM',
	'42883' => 'no argument of this name, or one missing',
	'54000' => 'too many dimensions of an array in binary format',
	'54001' => 'JSON that is nested too deeply',
	'55P03' => 'lock_timeout',
	'57014' => 'cancelled, or statement_timeout');

# Of these, those that only some calls may get.
my %is_understood = (
	'0A000' => sub { $_[0]{is_by_oid} || $never_succeeds{ $_[1] } },
	'39P01' => sub { $never_succeeds{ $_[1] } },
	'42601' => sub { $_[0]{is_misnamed} },
	'42602' => sub { $_[1] =~ /^(?:grant|revoke)_usage$/ },
	'42704' => sub { $_[1] =~ /^(?:grant|revoke)_usage$/ },
	'42804' => sub { $_[0]{has_rubbish} || $never_succeeds{ $_[1] } },
	'42883' => sub { $_[0]{is_misnamed} || $never_succeeds{ $_[1] } },
	'54000' => sub { $_[0]{has_rubbish} });

note("seed $seed: repeat with IDEM_SEED=$seed");

my $node = new_node('main',
	'log_min_error_statement = panic', 'max_prepared_transactions = 10',
	'deadlock_timeout = 10ms', 'autovacuum_naptime = 1s',
	'idemstore.max_body_size = 1MB', 'idemstore.cache_max_entry_size = 1MB', 'idemstore.default_wait = 5ms',
	'statement_timeout = ' . ($PostgreSQL::Test::Utils::timeout_default / 2) . 's');
my @databases = (
	[ 'postgres', 'UTF8', $calls ], [ 'bytes', 'SQL_ASCII', $calls / 20 ], [ 'latin', 'LATIN1', $calls / 20 ]);
my %tally;

foreach (@databases)
{
	my ($database, $encoding, $count) = @$_;

	prepare($database, $encoding);
	run($database, $encoding, $count);
}
check_coverage();
note_tally();
$node->stop;
done_testing();

sub prepare
{
	my ($database, $encoding) = @_;

	$node->safe_psql('postgres', $database eq 'postgres'
		? 'CREATE ROLE generated_one; CREATE ROLE "generated ""two"'
		: "CREATE DATABASE $database ENCODING $encoding LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($database, 'CREATE EXTENSION IF NOT EXISTS idemstore; CREATE EXTENSION IF NOT EXISTS amcheck;' . q(
		CREATE FUNCTION caught(calls text[]) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			call text;
			states text := '';
		BEGIN
			FOREACH call IN ARRAY calls LOOP
				BEGIN
					EXECUTE call;
					states := states || '00000 ';
				EXCEPTION WHEN OTHERS OR query_canceled THEN
					states := states || SQLSTATE || ' ';
				END;
			END LOOP;
			RETURN states;
		END $$));
	return;
}

# So many calls, and what must hold afterwards.
sub run
{
	my ($database, $encoding, $count) = @_;
	my @children = map { start_session($_, $database, $count / $sessions) } 1 .. $sessions;
	my $canceller = IdemWire->new($node, $database, 'canceller');
	my @complaints;

	# who is cancelled may be gone already
	$canceller->query('SET log_min_messages = error');
	while (grep { !is_finished($_) } @children)
	{
		eval {
			$canceller->query(q(
				SELECT pg_cancel_backend(pid) FROM pg_stat_activity
				WHERE application_name = 'generator' AND state = 'active' ORDER BY random() LIMIT 1));
		} or push(@complaints, "cancelling: $@");
		sleep(0.01);
	}
	push(@complaints, map { collect($_) } @children);

	is(some(@complaints), '', "$encoding: all calls are answered as they may be");
	check_log($encoding);
	die 'the server is gone' unless $canceller->is_alive;
	$canceller->quit;
	is($node->safe_psql($database, 'SELECT * FROM pg_prepared_xacts'), '', "$encoding: nothing is left prepared");
	is($node->safe_psql($database, "
			SELECT locktype, mode FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
			WHERE pid IS NULL OR backend_type = 'client backend' AND pid <> pg_backend_pid()"),
		'', "$encoding: no lock is left");
	check_table($node, "in $encoding", $database);
	foreach my $of (['rate_limit_state', 'resource'], ['cooldowns', 'origin'])
	{
		my ($table, $column) = @$of;

		is($node->safe_psql($database, "SELECT $column FROM idemstore.$table GROUP BY 1 HAVING count(*) > 1"),
			'', "$encoding: no key has two rows in $table");
	}
	return;
}

# A process with a session of its own, which writes what it saw into a file.
sub start_session
{
	my ($number, $database, $count) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/seen';
	my $pid = fork // die "could not fork: $!";

	return { pid => $pid, file => $file } if $pid;
	my $report = eval {
		srand($seed * $sessions + $number);
		my $caller = IdemCaller->new($node, $database, $number, \&fault_of);

		$caller->work($count);
		$caller->report;
	} // "complaint\t$@";
	append_to_file($file, $report);
	# past the server's end and all other clean-up, which are the parent's
	POSIX::_exit(0);
}

sub fault_of
{
	my ($call, $sqlstate) = @_;
	my $function = $call->{function};
	my $is_understood = $is_understood{$sqlstate} // sub { 1 };

	return if $of_server{$sqlstate} && $is_understood->($call, $function->{name});
	return 'unexpected' unless $of_functions{$sqlstate};
	return $function->{comment} =~ /\b$sqlstate\b/ ? undef : 'not in its comment';
}

sub is_finished
{
	my ($child) = @_;

	$child->{is_finished} ||= waitpid($child->{pid}, POSIX::WNOHANG()) == $child->{pid};
	return $child->{is_finished};
}

sub collect
{
	my ($child) = @_;
	my @complaints;

	foreach (split(/\n/, slurp_file($child->{file})))
	{
		my ($kind, $what, $number) = split(/\t/);

		if ($kind eq 'complaint') { push(@complaints, $what) }
		else { $tally{$kind}{$what} += $number }
	}
	return @complaints;
}

sub check_coverage
{
	my @all = map { $_->{name} } IdemCalls->from_catalog($node, 'postgres')->functions;

	is(join(' ', grep { !$tally{calls}{$_} } @all), '', 'every function was called');
	is(join(' ', grep { !$tally{successes}{$_} && !$never_succeeds{$_} } @all), '', 'every function has succeeded');
	return;
}

sub note_tally
{
	my ($states, $made, $good) = @tally{qw(states calls successes)};

	note(map { "$_ $states->{$_} " . ($of_server{$_} // 'of the functions') . "\n" } sort keys %$states);
	note(map { "$_ $made->{$_}, " . ($good->{$_} // 0) . " of them good\n" } sort keys %$made);
	return;
}

sub check_log
{
	my ($encoding) = @_;
	my $bad = qr/was terminated by|PANIC|TRAP|WARNING|leak|still (?:referenced|active)|internal error/i;
	my @bad = grep { /$bad/ } split(/\n/, slurp_file($node->logfile));

	is(some(@bad), '', "$encoding: the server has nothing to complain of");
	return;
}

sub some
{
	my @lines = @_;

	return join("\n", @lines > 20 ? (@lines[ 0 .. 19 ], '...') : @lines);
}
