# What the tests of this folder share: a server with the extension, storms of
# pgbench in the background, the check of the table's indexes, and what rate
# limits have counted.
package IdemTest;

use strict;
use warnings;
use Exporter qw(import);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(
	new_node new_example_node has_pg_cron start_storm wait_in_storm finish_storm run_storm
	race_at_gates processed care wait_for_sleepers check_table $huge taken check_resources);

# A limit that nobody reaches, which just counts. For calls: quota and per.
our $huge = "quota => 1000000000000, per => '1 day'";

# A running server with the extension, and with amcheck. The locale of whoever
# runs the tests does not matter.
sub new_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
	$node->append_conf('postgresql.conf',
		join("\n", 'log_statement = none', 'max_connections = 100', @settings));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION idemstore; CREATE EXTENSION amcheck');
	return $node;
}

# Is pg_cron installed? Debian has it for the released versions of PostgreSQL.
sub has_pg_cron
{
	my ($node) = @_;

	return -e $node->config_data('--pkglibdir') . '/pg_cron.so';
}

# A server that the programs in examples/ find through their environment.
sub new_example_node
{
	my $node = new_node('main', 'max_connections = 200');

	$node->safe_psql('postgres', 'CREATE TABLE ledger (payment text, amount numeric)');
	$ENV{PGHOST} = $node->host;
	$ENV{PGPORT} = $node->port;
	$ENV{PGDATABASE} = 'postgres';
	return $node;
}

# Run pgbench in the background: options of pgbench, and scripts with their
# weights. What it prints is in the storm's "output" when it is finished.
sub start_storm
{
	my ($node, $options, @scripts) = @_;
	my @command = ($node->installed_command('pgbench'), '--no-vacuum', @$options);
	my $folder = PostgreSQL::Test::Utils::tempdir;
	my %storm = (output => '');

	while (my ($script, $weight) = splice(@scripts, 0, 2))
	{
		my $file = "$folder/" . @command . '.sql';
		append_to_file($file, $script);
		push(@command, '--file', "$file\@$weight");
	}
	local $ENV{PGAPPNAME} = 'storm';
	$storm{run} = IPC::Run::start([ @command, $node->connstr('postgres') ],
		'<', \undef, '>&', \$storm{output},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%storm;
}

# Wait until a query is true, which it becomes by what the storm does.
sub wait_in_storm
{
	my ($node, $storm, $query) = @_;

	until ($node->safe_psql('postgres', $query) eq 't')
	{
		$storm->{run}->pump_nb;
		die "the storm is over before $query\n$storm->{output}"
		  unless $storm->{run}->pumpable;
		sleep(0.05);
	}
	return;
}

# True if no client of the storm met an error.
sub finish_storm
{
	my ($storm) = @_;
	my $is_clean = $storm->{run}->finish;

	note($storm->{output});
	return $is_clean;
}

# A storm in the foreground, which must meet no error.
sub run_storm
{
	my ($name, @storm) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(finish_storm(start_storm(@storm)), $name);
}

# So many clients run a script at the same time, again and again: behind gates,
# each of which a session opens when all of them have come to it. The script may
# ask for the gate's number, :i. Was there no error?
sub race_at_gates
{
	my ($node, $session, $gates, $clients, $script) = @_;

	$session->ask('SELECT pg_advisory_lock(1)');
	my $racers = start_storm($node, [ "--client=$clients", '--jobs=2', "--transactions=$gates", '--define=i=0' ], "
		\\set i :i + 1
		SELECT pg_advisory_lock_shared(:i);
		$script" => 1);
	$session->ask("DO \$\$
		BEGIN
			FOR i IN 1..$gates LOOP
				PERFORM pg_advisory_lock(i + 1);
				WHILE (SELECT count(*) <> $clients FROM pg_locks
					WHERE locktype = 'advisory' AND objid = i AND NOT granted)
				LOOP
					PERFORM pg_sleep(0.001);
				END LOOP;
				PERFORM pg_advisory_unlock(i);
			END LOOP;
		END \$\$");
	my $is_clean = finish_storm($racers);
	$session->ask('SELECT pg_advisory_unlock_all()');
	return $is_clean;
}

# How many transactions of a finished storm were acknowledged; of one of its
# scripts, if there are several. The threads of pgbench count scripts without a
# lock, so that --jobs must be 1 then.
sub processed
{
	my ($storm, $script) = @_;
	my $number =
	  defined($script)
	  ? qr/^SQL script $script: .*\n(?: - .*\n)*? - (\d+) transactions /m
	  : qr/^number of transactions actually processed: (\d+)/m;

	$storm->{output} =~ $number or die "no figures\n$storm->{output}";
	return $1;
}

# A statement in a storm, which must come to an end.
sub care
{
	my ($node, $sql) = @_;

	return $node->safe_psql('postgres', $sql, timeout => $PostgreSQL::Test::Utils::timeout_default);
}

# Wait until so many sessions that run a query with this text sleep: on the
# transaction of another one ("Lock") or until somebody wakes them ("Extension").
sub wait_for_sleepers
{
	my ($node, $count, $type, $text) = @_;

	$node->poll_query_until('postgres',
		"SELECT count(*) = $count FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND state = 'active'
			AND wait_event_type = '$type' AND query LIKE '%$text%'")
	  or die "$count sessions should sleep in $text";
	return;
}

# All heaps of the extension and their btree indexes agree, row by row. A standby
# has nothing in unlogged ones.
sub check_table
{
	my ($node, $name, $database) = @_;
	my $tables = "pg_class AS t JOIN pg_am AS a ON a.oid = t.relam AND a.amname = 'heap'";
	my $ours = "t.relnamespace = 'idemstore'::regnamespace AND t.relkind = 'r'
		AND (t.relpersistence = 'p' OR NOT pg_is_in_recovery())";
	my ($exit, $output, $errors) = $node->psql($database // 'postgres', "
		SELECT t.relname, h.* FROM $tables, LATERAL verify_heapam(t.oid, check_toast => true) AS h WHERE $ours;
		SELECT bt_index_check(i.indexrelid, heapallindexed => true)
		FROM $tables JOIN pg_index AS i ON i.indrelid = t.oid JOIN pg_class AS c ON c.oid = i.indexrelid
		WHERE $ours AND i.indisvalid
			AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$output =~ s/^\n+//;
	return is("$output$errors", '', "amcheck finds nothing $name");
}

# What the resources of a LIKE pattern that were counted under $huge add up to,
# by the functions: what a row holds that they cannot find does not count.
sub taken
{
	my ($node, $pattern, $database) = @_;

	return $node->safe_psql($database // 'postgres', "
		SELECT coalesce(sum(s.quota - s.remaining), 0)
		FROM (SELECT DISTINCT resource FROM idemstore.rate_limit_state WHERE resource LIKE '$pattern') AS r,
			LATERAL idemstore.rate_limit_status(r.resource, $huge) AS s");
}

# No resource has two rows, and the functions find every one that was counted
# under $huge and will be for an hour.
sub check_resources
{
	my ($node, $name, $database) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(
		$node->safe_psql($database // 'postgres', "
			SELECT r.resource, count(*), max(s.quota - s.remaining)
			FROM idemstore.rate_limit_state AS r,
				LATERAL idemstore.rate_limit_status(r.resource, $huge) AS s
			WHERE r.expires_at > clock_timestamp() + interval '1 hour' AND NOT EXISTS (
				SELECT FROM idemstore.rate_limits AS l WHERE r.resource LIKE replace(l.resource, '*', '%'))
			GROUP BY 1 HAVING count(*) > 1 OR max(s.quota - s.remaining) = 0
			LIMIT 10"),
		'', "every resource has one row, and it is found, $name");
}

# A session that can be left waiting: send() a statement, do something else,
# receive() its answer.
package IdemTest::Session;

# Errors are part of the answer and do not end the session.
sub new
{
	my ($class, $node, $database) = @_;
	my $psql = $node->background_psql($database // 'postgres', on_error_stop => 0);

	return bless({ psql => $psql, sent => 0, output => '' }, $class);
}

sub send
{
	my ($self, $sql) = @_;
	my $number = ++$self->{sent};

	$self->{output} = $self->{psql}->query_until(qr/^sent $number$/m,
		"\\echo sent $number\n$sql;\n\\echo done $number :SQLSTATE\n");
	$self->{output} =~ s/^sent $number\n//m;
	return;
}

# In list context the rows, as psql prints them, and the SQLSTATE.
sub receive
{
	my ($self) = @_;
	my $done = qr/^done $self->{sent} (\w+)\n/m;

	$self->{output} .= $self->{psql}->query_until($done, '')
	  unless $self->{output} =~ $done;
	$self->{output} =~ /^(.*?)\n?$done/ms
	  or die "the session is gone";
	return wantarray ? ($1, $2) : $1;
}

sub ask
{
	my ($self, $sql) = @_;

	$self->send($sql);
	return $self->receive;
}

sub sqlstate
{
	my ($self, $sql) = @_;

	return ($self->ask($sql))[1];
}

sub pid
{
	my ($self) = @_;

	return $self->ask('SELECT pg_backend_pid()');
}

# The client dies, and says nothing to the server.
sub kill
{
	my ($self) = @_;

	$self->{psql}->{run}->signal('KILL');
	eval { $self->{psql}->{run}->finish };
	return;
}

sub quit
{
	my ($self) = @_;

	$self->{psql}->quit;
	return;
}

1;
