# How long calls on known names take while another session brings new ones: the
# slowest tells whether anything ever makes everybody wait.
package BenchFlood;

use v5.36;
use BenchFigures;
use BenchLoad;
use BenchSetup;
use BenchWork;
use Exporter qw(import);
use IPC::Run;
use List::Util qw(first);

our @EXPORT = qw(measure_flood);

my $known = 1000;
my %table_of = (idemstore => 'idemstore.rate_limit_state', sql => 'counter.limits');

# What comes back:
#
#	title
#	sides	{ name => { title, calls, and of those that ended before the last new
#		name came: during => how many, median_us, late_us => of one in a thousand,
#		slowest_us; names_seconds => in which the new names came; bytes => of a name } }
#
#	names		how many come
#	calls		that are timed, of one client
#	progress	called with text
sub measure_flood ($servers, %options)
{
	%options = (names => 1_000_000, calls => 100_000, progress => sub ($text) { }, %options);
	make_databases($servers, 'ratelimit');
	my $work = first { $_->{family} eq 'ratelimit' && $_->{name} eq 'keys' } all_work();
	my %sides;

	$work->{keys} = $known;
	$work->{before} = [
		'TRUNCATE bench.floods, ' . join(', ', values %table_of), "CALL bench.make_resources(100000000000, $known)" ];
	for my $name (sort keys %table_of)
	{
		$options{progress}->("new names: $work->{sides}{$name}{title}");
		prepare_work($servers, $work);
		$sides{$name} = { title => $work->{sides}{$name}{title}, %{ _measure($servers, $work, $name, %options) } };
	}
	return {
		title => 'calls on ' . thousands($known) . ' known names while another session brings ' . thousands($options{names}) . ' new ones',
		sides => \%sides };
}

sub _measure ($servers, $work, $name, %options)
{
	my $output = '';

	local $ENV{PGOPTIONS} = '-c client_min_messages=warning -c synchronous_commit=off';
	my $flood = IPC::Run::start(
		[ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $work->{database}, '-c', "CALL bench.flood_with_$name($options{names})" ],
		'<', \undef, '>&', \$output);
	my $sample = run_load($servers, $work->{sides}{$name},
		clients => 1, cores => 'all', ops => $options{calls}, values => work_values($work, $options{calls}),
		database => $work->{database}, each => 1);
	$flood->finish or die "the flood failed:\n$output";

	my ($ended_at, $seconds) = $servers->db($work->{database})->selectrow_array(
		'SELECT extract(epoch FROM ended_at), extract(epoch FROM ended_at - began_at) FROM bench.floods');
	my @us = sort { $a <=> $b } map { $_->{us} } grep { $_->{at} <= $ended_at } @{ $sample->{each} };
	die "no call ended while new names came\n" unless @us;
	return {
		calls => $options{calls}, during => scalar(@us), median_us => median(@us), late_us => $us[ $#us * 0.999 ], slowest_us => $us[-1],
		names_seconds => $seconds,
		bytes => $servers->db($work->{database})->selectrow_array('SELECT pg_total_relation_size(?)', {}, $table_of{$name})
		  / ($options{names} + $known) };
}

1;
