#!/usr/bin/perl
#
# Expiry by the real pg_cron, on two servers at once, one for each of its ways
# to run a job: rows go by themselves. And what schedule_expiry() says where it
# cannot schedule: the statement that its hint gives is run as it stands.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $odd = "we\"ird'name";
my $clerk = "cl\"erk's";
my ($clerk_name, $clerk_id) = ("cl\"erk''s", '"cl""erk\'s"');
my $schedule = 'SELECT idemstore.schedule_expiry()';
my $job_of = "SELECT schedule, command, database, username, active, jobname FROM cron.job WHERE username =";

# A server that could run pg_cron: two operators and an application, and a
# database of a name that needs quotes.
sub new_cron_node
{
	my ($name) = @_;
	my $node = new_node($name);

	$node->safe_psql('postgres', "
		CREATE ROLE $clerk_id LOGIN;
		CREATE ROLE app;
		SELECT idemstore.grant_usage(format('%I', '$clerk_name')::regrole, 'operator'), idemstore.grant_usage('app')");
	$node->safe_psql('postgres', 'CREATE DATABASE "we""ird\'name"');
	$node->safe_psql($odd, 'CREATE EXTENSION idemstore');
	return $node;
}

# The same server with pg_cron in it.
sub load_cron
{
	my ($node, @settings) = @_;

	$node->append_conf('postgresql.conf', join("\n", "shared_preload_libraries = 'pg_cron'", @settings, ''));
	$node->restart;
	return;
}

# What a statement raises in a database: SQLSTATE, message and hint.
sub error_of
{
	my ($node, $database, $sql) = @_;
	my ($exit, $output, $errors) = $node->psql($database, "\\set VERBOSITY verbose\n$sql");

	$errors =~ /ERROR:  (\w{5}): (.*)\n(?:DETAIL:  .*\n)?(?:HINT:  (.*)\n)?/ or return ('none', $output, '');
	return ($1, $2, $3 // '');
}

# Rows that have expired, and one that has not, in every table that expires.
sub fill
{
	my ($node, $database) = @_;

	$node->safe_psql($database, "
		SELECT idemstore.start_processing('live');
		SET idemstore.test_clock = '2020-01-01 00:00:00Z';
		SELECT count(idemstore.start_processing('r' || i)) FROM generate_series(1, 100) AS i;
		SELECT idemstore.dedupe_register('j'), idemstore.cache_set('c', '1', '1 s'), (idemstore.cache_fetch('l')).outcome,
			idemstore.acquire('a', quota => 1, per => '1 s'), idemstore.set_cooldown('o', '2020-01-02')");
	return;
}

my $is_expired = "SELECT (SELECT string_agg(key, ' ') FROM idemstore.idempotency_records) = 'live'"
  . join('', map { " AND NOT EXISTS (SELECT FROM idemstore.$_)" }
	  qw(dedupe_jobs cache_entries cache_leases rate_limit_state cooldowns));

# Without pg_cron in the server.
my $node = new_cron_node('libpq');
my $workers = new_cron_node('workers');
my ($sqlstate, $message, $hint) = error_of($workers, 'postgres', $schedule);
is("$sqlstate $message", '55000 this server does not run pg_cron', 'a server without pg_cron');
like($hint, qr/cron\.database_name, restart the server, and run in database postgres: CREATE EXTENSION pg_cron; SELECT cron\.schedule\(.*; Or .*: CALL idemstore\.expire_all\(.*\);$/,
	'the hint says what to do');
is((error_of($workers, $odd, $schedule))[0], '55000', 'nor in another database');
is($workers->safe_psql('postgres', 'SELECT idemstore.unschedule_expiry(), idemstore.expiry_job()'), 'f|(idemstore_expiry,)',
	'nothing is scheduled there');
is((error_of($workers, 'postgres', 'SELECT idemstore.schedule_expiry(NULL)'))[0], '22004', 'no schedule is an error');
is((error_of($workers, 'postgres', "SET ROLE app; $schedule"))[0], '42501', 'an application may not schedule');

unless (has_pg_cron($workers))
{
	note('no more can be tested: Debian has no pg_cron for this PostgreSQL yet');
	done_testing();
	exit;
}

# In the server, and not in the database: the hint is run there.
load_cron($workers, 'cron.use_background_workers = on');
load_cron($node, "cron.host = '" . $node->host . "'");
($sqlstate, $message, $hint) = error_of($workers, 'postgres', $schedule);
is("$sqlstate $message", '55000 extension "pg_cron" does not exist in this database', 'pg_cron is not created');
ok($hint =~ /^Run in database postgres: (.*)$/, 'the hint says what to run') or diag($hint);
$workers->safe_psql('postgres', $1);
my $hinted = $workers->safe_psql('postgres', "$job_of 'postgres'");
is($hinted, "* * * * *|CALL idemstore.expire_all(max_duration => '54 s')|postgres|postgres|t|idemstore_expiry", 'which schedules');
$workers->safe_psql('postgres', $schedule);
is($workers->safe_psql('postgres', "$job_of 'postgres'"), $hinted, 'what schedule_expiry() does');

# Without USAGE on its schema. An operator can be given the job, or USAGE.
$node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
($sqlstate, $message, $hint) = error_of($node, 'postgres', "SET ROLE $clerk_id; $schedule");
is("$sqlstate $message", '42501 permission denied for schema cron', 'an operator who may not use pg_cron');
my ($grant, $for_role) = $hint =~ /^As a superuser, run in database postgres: (.*;) or: (.*)$/ or diag($hint);
$node->safe_psql('postgres', $for_role);
$hinted = $node->safe_psql('postgres', "$job_of '$clerk_name'");
is($hinted, "* * * * *|CALL idemstore.expire_all(max_duration => '54 s')|postgres|$clerk|t|idemstore_expiry", 'the hint schedules as the operator');
($sqlstate, $message, $hint) = error_of($node, 'postgres', "SET ROLE $clerk_id; SELECT idemstore.unschedule_expiry()");
is("$sqlstate $message", '42501 permission denied for schema cron', 'nor unschedule');
$node->safe_psql('postgres', ($hint =~ /^As a superuser, run in database postgres: .*; or: (.*)$/)[0]);
is($node->safe_psql('postgres', "$job_of '$clerk_name'"), '', 'the hint unschedules');
$node->safe_psql('postgres', $grant);
like($node->safe_psql('postgres', "SET ROLE $clerk_id; $schedule"), qr/^\d+$/, 'with USAGE he may');
is($node->safe_psql('postgres', "$job_of '$clerk_name'"), $hinted, 'and it is the same job');

# Replacing, whatever became of the former one; everybody has his own.
is($node->safe_psql('postgres', "SET ROLE $clerk_id; SELECT idemstore.unschedule_expiry(), idemstore.unschedule_expiry()"),
	't|f', 'he unschedules it, once');
like($node->safe_psql('postgres', "$schedule"), qr/^\d+$/, 'the superuser schedules');
$node->safe_psql('postgres', "SELECT cron.alter_job(jobid, database => 'template1', active => false) FROM cron.job");
my $id = $node->safe_psql('postgres', "SELECT idemstore.schedule_expiry('*/5 * * * *')");
is($node->safe_psql('postgres', 'SELECT jobid FROM cron.job'), $id, 'again: its id is returned');
is($node->safe_psql('postgres', "$job_of current_user"),
	"*/5 * * * *|CALL idemstore.expire_all(max_duration => '270 s')|postgres|postgres|t|idemstore_expiry", 'it replaces the former job');
($sqlstate, $message) = error_of($node, 'postgres', "SELECT idemstore.schedule_expiry('every minute')");
is("$sqlstate $message", '22023 invalid schedule: every minute', "a bad schedule is pg_cron's error");
like($node->safe_psql('postgres', "$job_of current_user"), qr/^\*\/5 /, 'and the job stays');
is((error_of($node, 'postgres', "BEGIN READ ONLY; $schedule"))[0], '25006', 'not in a read-only transaction');
foreach my $case (
	[ '* * * * *', '54 s' ], [ ' */30 8-18 * * *', '1620 s' ], [ '*/7 * * * *', '216 s' ],
	[ '30 3 * * *', '3240 s' ], [ '@hourly', '3240 s' ], [ '0,59 * * * *', '54 s' ], [ '5-10 * * * *', '54 s' ])
{
	my ($when, $limit) = @$case;

	$node->safe_psql('postgres', "SELECT idemstore.schedule_expiry('$when')");
	like($node->safe_psql('postgres', "$job_of current_user"), qr/^\Q$when\E\|.*'\Q$limit\E'/, "'$when' fits $limit");
}
($sqlstate, $message, $hint) = error_of($node, 'postgres', "SELECT idemstore.schedule_expiry('10 seconds')");
like("$sqlstate $message", qr/^(?:none \d+|22023 invalid schedule: 10 seconds)$/, 'seconds are for pg_cron to know');

# In another database than its own: the statements of the hints are run there.
($sqlstate, $message, $hint) = error_of($node, $odd, $schedule);
is("$sqlstate $message", '55000 pg_cron keeps its jobs in another database', 'another database');
ok($hint =~ /^As a superuser, run in database postgres: (.*)$/, 'the hint says where') or diag($hint);
$node->safe_psql('postgres', $1);
is( $node->safe_psql('postgres', "SELECT schedule, command, database, username, jobname FROM cron.job WHERE database <> 'postgres'"),
	"* * * * *|CALL idemstore.expire_all(max_duration => '54 s')|$odd|postgres|idemstore_expiry_$odd",
	'which schedules there, beside the job of its own database');
($sqlstate, $message, $hint) = error_of($node, $odd, 'SELECT idemstore.unschedule_expiry()');
ok($hint =~ /^Run in database postgres, as role postgres: (SELECT cron\.unschedule\(.*\);)$/, 'and how to unschedule') or diag($hint);
my $unschedule = $1;
my $long = 'long' x 15;
$node->safe_psql('postgres', "CREATE DATABASE $long");
$node->safe_psql($long, 'CREATE EXTENSION idemstore');
is($node->safe_psql($long, 'SELECT octet_length(job_name), cron_database FROM idemstore.expiry_job()'), '49|postgres',
	'a long name is not cut off');

# One minute for all: the operator's own job, that of the odd database, and those
# of the server with background workers.
$node->safe_psql('postgres', "SELECT idemstore.unschedule_expiry(); SET ROLE $clerk_id; $schedule");
$workers->safe_psql('postgres', ((error_of($workers, $odd, $schedule))[2] =~ /^As .*: (SELECT .*)$/)[0]);
fill(@$_) foreach [ $node, 'postgres' ], [ $node, $odd ], [ $workers, 'postgres' ], [ $workers, $odd ];
$PostgreSQL::Test::Utils::timeout_default = 120;
ok($node->poll_query_until('postgres', $is_expired), 'rows expire by themselves, by the job of an operator');
ok($node->poll_query_until($odd, $is_expired), 'in a database with an odd name');
ok($workers->poll_query_until('postgres', $is_expired), 'in a background worker');
ok($workers->poll_query_until($odd, $is_expired), 'and in one of the odd database');

# What pg_cron says of it. It notes the end of a run a moment after it.
foreach my $case ([ $node, 'postgres', $clerk ], [ $node, $odd, 'postgres' ], [ $workers, 'postgres', 'postgres' ], [ $workers, $odd, 'postgres' ])
{
	my ($server, $database, $role) = @$case;
	my $run = "FROM cron.job_run_details WHERE database = \$\$$database\$\$ AND username = \$\$$role\$\$ AND command LIKE 'CALL%'";

	ok($server->poll_query_until('postgres', "SELECT count(*) > 0 AND bool_and(status = 'succeeded') $run"),
		$server->name . ": a run for $role in $database succeeds");
	note($server->name . ': ' . $server->safe_psql('postgres', "SELECT DISTINCT database, username, command, status, return_message $run"));
}

# The end of it.
$_->safe_psql('postgres', $unschedule) foreach $node, $workers;
is($node->safe_psql('postgres', "SET ROLE $clerk_id; SELECT idemstore.unschedule_expiry()"), 't', 'unscheduled');
is($workers->safe_psql('postgres', 'SELECT idemstore.unschedule_expiry()'), 't', 'on the other server, too');
is($_->safe_psql('postgres', 'SELECT count(*) FROM cron.job'), 0, $_->name . ': no job is left') foreach $node, $workers;

# A database whose pg_cron is that of another one: a job would never run.
$workers->append_conf('postgresql.conf', "cron.database_name = 'template1'");
$workers->restart;
($sqlstate, $message, $hint) = error_of($workers, 'postgres', "SET ROLE $clerk_id; $schedule");
is("$sqlstate $message", '55000 pg_cron keeps its jobs in another database', 'an operator, too, is told that the database is another one');
like($hint, qr/^As a superuser, run in database template1: /, 'and which');
unlike(slurp_file($_->logfile), qr/WARNING|PANIC|leak/, $_->name . ': the log has no complaint') foreach $node, $workers;

done_testing();
