# What a call costs as the tables grow, as keys with waiters are finished, and
# after an hour of work.
#
# Every size is in a database of its own, and all calls are made in all of them
# in turn: what counts is the ratio to the smallest within a round.
package BenchGrowth;

use v5.36;
use BenchChurn;
use BenchGrown;
use BenchSetup;
use BenchWaiters;
use Exporter qw(import);
use Time::HiRes qw(time);

our @EXPORT = qw(measure_growth);

my %part = (sizes => \&_measure_sizes, waiters => \&measure_waiters, churn => \&measure_churn);

# What comes back: { part } => what the function of that part says.
#
#	parts	[ sizes, waiters, churn ]
#	sizes	[ records, ... ], the smallest first
#	rounds, seconds of a run, progress => called with text
#	waiters, churn	{ options of measure_waiters or measure_churn }
sub measure_growth ($servers, %options)
{
	%options = (
		parts => [qw(sizes waiters churn)], sizes => [ 1000, 100_000, 5_000_000 ], rounds => 12, seconds => 0.5,
		progress => sub ($text) { }, %options);

	return { map {
		my $own = ref($options{$_}) eq 'HASH' ? $options{$_} : {};
		$_ => $part{$_}->($servers, %options{qw(rounds seconds progress sizes)}, %$own);
	} @{ $options{parts} } };
}

sub _measure_sizes ($servers, %options)
{
	my @calls = grown_calls();
	my @floors = grown_floors();
	my @databases;

	for my $rows (@{ $options{sizes} })
	{
		$options{progress}->("filling tables of $rows rows");
		push(@databases, _filled($servers, $rows));
	}
	my $samples = time_calls($servers, \@databases, [ @calls, @floors ], %options);
	drop_database($servers, $_->{label}) for @databases;

	return {
		title => 'cost per call by records in the table, one client on one core with the server, synchronous_commit off',
		sizes => [ map { +{ %$_{qw(rows bytes fill_seconds)} } } @databases ],
		calls => [ map { _curve($_, $samples->{ $_->{name} }, @databases) } @calls ],
		floors => [ map { _curve($_, $samples->{ $_->{name} }, @databases) } @floors ] };
}

sub _filled ($servers, $rows)
{
	my $label = "growth_$rows";
	my $database = {
		label => $label, name => make_database($servers, $label), rows => $rows,
		values => grown_values(0, $rows - 1, $rows) };
	my $db = $servers->db($database->{name});
	my $began_at = time;

	fill_tables($db, $database);
	$database->{fill_seconds} = time - $began_at;
	$database->{bytes} = { map { @$_ } @{ $db->selectall_arrayref(<<~'SQL') } };
		SELECT relname, pg_total_relation_size(oid)
		FROM pg_class
		WHERE relnamespace = 'idemstore'::regnamespace
			AND relname IN ('idempotency_records', 'dedupe_jobs', 'cache_entries', 'rate_limit_state')
		SQL
	return $database;
}

sub _curve ($call, $samples, @databases)
{
	my $base = $samples->{ $databases[0]{name} };

	return {
		%$call{qw(name title most)},
		points => [ map { +{ rows => $_->{rows}, %{ summary($samples->{ $_->{name} }, $base) } } } @databases ] };
}

1;
