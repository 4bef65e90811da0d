# What a call on one hot key costs while another session holds an old snapshot,
# second by second, before and after.
#
# The sides run in turn, never at once. Each has its own row and does its calls in
# its own time alone: calls says how many a side had done when a point was taken,
# which is what its cost depends on.
package BenchSnapshot;

use v5.36;
use BenchLoad;
use BenchSetup;
use BenchWork;
use DBI;
use Exporter qw(import);
use List::Util qw(first shuffle);
use Time::HiRes qw(time);

our @EXPORT = qw(measure_snapshot);

my %table_of = (idemstore => 'idemstore.rate_limit_state', sql => 'counter.limits');

# What comes back:
#	title
#	held	[ from, to ] in seconds, when the snapshot was held; then came VACUUM
#	sides	{ name => { title, points => [ { at, us, calls } ], bytes => { before, held, end } } }
#
#	before, held, after	seconds of each phase
#	seconds			of a run
#	progress		called with text
sub measure_snapshot ($servers, %options)
{
	%options = (before => 5, held => 30, after => 5, seconds => 0.3, progress => sub ($text) { }, %options);
	make_databases($servers, 'ratelimit');
	my $work = first { $_->{family} eq 'ratelimit' && $_->{name} eq 'hot' } all_work();
	my %sides = map { $_ => { title => $work->{sides}{$_}{title}, points => [] } } keys %table_of;
	my $db;

	$work->{before} = [ map { "TRUNCATE $_" } values %table_of ];
	prepare_work($servers, $work);
	$db = $servers->db($work->{database});
	_warm_up($servers, $work);
	_note_sizes($db, \%sides, 'before');

	my $run = { servers => $servers, work => $work, sides => \%sides, seconds => $options{seconds}, began_at => time };
	$options{progress}->('before the snapshot');
	_run_for($run, $options{before});
	my $held = _hold_snapshot($run, $options{held}, $options{progress});
	_note_sizes($db, \%sides, 'held');
	$db->do("VACUUM $_") for values %table_of;
	$options{progress}->('after the snapshot');
	_run_for($run, $options{after});
	_note_sizes($db, \%sides, 'end');

	return {
		title => 'acquire on one hot key while another session holds a snapshot, one client',
		held => $held, sides => \%sides };
}

sub _hold_snapshot ($run, $seconds, $progress)
{
	my $holder = DBI->connect("dbi:Pg:dbname=$run->{work}{database}", undef, undef, { RaiseError => 1, PrintError => 0 });

	$progress->('under the snapshot');
	$holder->do('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$holder->selectrow_array('SELECT count(*) FROM counter.limits');
	my $from = time - $run->{began_at};
	_run_for($run, $seconds);
	$holder->do('COMMIT');
	my $to = time - $run->{began_at};
	$holder->disconnect;
	return [ $from, $to ];
}

sub _warm_up ($servers, $work)
{
	for my $name (keys %table_of)
	{
		my $sample = _run($servers, $work, $name, 1000);
		$work->{sides}{$name}{rate} = $sample->{ops} / $sample->{seconds};
	}
	return;
}

sub _run_for ($run, $seconds)
{
	my $deadline = time + $seconds;

	while (time < $deadline)
	{
		_add_point($run, $_) for shuffle keys %table_of;
	}
	return;
}

# As many calls as the last run says; at is the middle of the run.
sub _add_point ($run, $name)
{
	my $side = $run->{work}{sides}{$name};
	my $points = $run->{sides}{$name}{points};
	my $sample = _run($run->{servers}, $run->{work}, $name, $side->{rate} * $run->{seconds});
	my $calls = @$points ? $points->[-1]{calls} : 0;

	$side->{rate} = $sample->{ops} / $sample->{seconds};
	push(@$points, {
		at => time - $run->{began_at} - $sample->{seconds} / 2, us => $sample->{seconds} / $sample->{ops} * 1e6,
		calls => $calls + $sample->{ops} });
	return;
}

sub _run ($servers, $work, $name, $ops)
{
	local $ENV{PGOPTIONS} = '-c client_min_messages=warning -c synchronous_commit=off';

	return run_load($servers, $work->{sides}{$name},
		clients => 1, ops => $ops, values => work_values($work, $ops), database => $work->{database});
}

sub _note_sizes ($db, $sides, $when)
{
	for my $name (keys %table_of)
	{
		$sides->{$name}{bytes}{$when} = $db->selectrow_array('SELECT pg_total_relation_size(?)', {}, $table_of{$name});
	}
	return;
}

1;
