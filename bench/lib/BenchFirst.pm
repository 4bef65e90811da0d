# What the first call of a session takes, where each call has a connection of its
# own: loading the library, looking up and checking what it uses, and the plan.
package BenchFirst;

use v5.36;
use BenchFigures;
use BenchLoad;
use BenchSetup;
use Exporter qw(import);
use List::Util qw(shuffle);

our @EXPORT = qw(measure_first);

my $new_key = "\\set k random(1, 1000000000000)\n";
my %sides = (
	nothing => { title => 'SELECT 1', pgbench => "SELECT 1;\n" },
	select => { title => 'SELECT by primary key', pgbench => "SELECT value FROM bench.plain WHERE key = 'a';\n" },
	insert => { title => 'INSERT', pgbench => $new_key . "INSERT INTO bench.plain VALUES (:k, '{}') ON CONFLICT DO NOTHING;\n" },
	get => { title => 'cache_get', against => 'select', pgbench => "SELECT idemstore.cache_get('a');\n" },
	start => {
		title => 'start_processing', against => 'insert',
		pgbench => $new_key . "SELECT outcome, fence FROM idemstore.start_processing(':k', 'print');\n" },
	acquire => { title => 'acquire', against => 'insert', pgbench => "SELECT idemstore.acquire('a');\n" });

# What comes back: { title, calls => [ { title, ms => [ quartiles of what it takes
# more than SELECT 1 ], against => title, ratio => [ quartiles of that to the other's ] } ] }
#
#	rounds, connections of each side in a round, progress => called with text
sub measure_first ($servers, %options)
{
	%options = (rounds => 15, connections => 100, progress => sub ($text) { }, %options);
	my $database = _prepared($servers);
	my %ms;

	for my $round (0 .. $options{rounds})
	{
		$options{progress}->("first calls: round $round of $options{rounds}");
		for my $name (shuffle keys %sides)
		{
			my $sample = run_load($servers, $sides{$name},
				clients => 1, ops => $options{connections}, values => {}, database => $database, connects => 1);
			push(@{ $ms{$name} }, $sample->{seconds} / $sample->{ops} * 1000) if $round;
		}
	}
	drop_database($servers, 'first');
	my $preloaded = $servers->db('postgres')->selectrow_array('SHOW shared_preload_libraries') =~ /idemstore/ ? '' : 'not ';
	return {
		title => "what a call takes more than SELECT 1, where each has a connection of its own; the library is ${preloaded}in shared_preload_libraries",
		calls => [ map { _call($_, \%ms) } qw(select insert get start acquire) ] };
}

sub _prepared ($servers)
{
	my $database = make_database($servers, 'first');

	$servers->db($database)->do($_) for (
		'CREATE SCHEMA bench', 'CREATE TABLE bench.plain (key text COLLATE "C" PRIMARY KEY, value json)',
		q(INSERT INTO bench.plain VALUES ('a', '{}')), q(SELECT idemstore.cache_set('a', '{}')),
		q(SELECT idemstore.set_rate_limit('*', 1000000000, '1 hour')), 'VACUUM ANALYZE');
	return $database;
}

sub _call ($name, $ms)
{
	my $side = $sides{$name};
	my $more = sub ($of) { return map { $ms->{$of}[$_] - $ms->{nothing}[$_] } 0 .. $#{ $ms->{nothing} } };
	my @own = $more->($name);
	my @other = $more->($side->{against} // $name);

	return {
		title => $side->{title}, ms => [ quartiles(@own) ], against => $side->{against} ? $sides{ $side->{against} }{title} : '',
		ratio => [ quartiles(map { $own[$_] / $other[$_] } 0 .. $#own) ] };
}

1;
