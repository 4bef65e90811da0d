# The databases of the benchmark, one for each family and others by their labels,
# and what a piece of work wants to find in them, in Redis and in memcached. Whoever
# makes any calls drop_databases in an END block.
package BenchSetup;

use v5.36;
use Exporter qw(import);
use File::Temp qw(tempdir);
use IPC::Run;
use List::Util qw(uniq);

our @EXPORT = qw(make_database make_databases drop_database drop_databases prepare_work database_of);

my $folder = tempdir(CLEANUP => 1);
my %database_of;

# A new one that has idemstore and nothing else. Returns its name.
sub make_database ($servers, $label)
{
	my $database = "idemstore_bench_$label\_$$";

	$servers->db('postgres')->do("CREATE DATABASE $database");
	$database_of{$label} = $database;
	_psql($database, '-c', 'CREATE EXTENSION idemstore');
	return $database;
}

# The rivals give the same answers as idemstore, or nothing is measured. What is
# there already stays as it is.
sub make_databases ($servers, @families)
{
	my $module = _compiled_empty();

	for my $family (grep { !$database_of{$_} } uniq @families)
	{
		my $database = make_database($servers, $family);

		_psql($database, '-v', "module=$module",
			map { ('-f', $_) } grep { -e } map { "$family/$_.sql" } qw(rivals answers wire));
		my $different = $servers->db($database)->selectall_arrayref('TABLE bench.differences');
		die "the sides do not give the same answers:\n" . join('', map { join(' | ', map { $_ // 'NULL' } @$_) . "\n" } @$different)
		  if @$different;
	}
	return;
}

sub database_of ($family)
{
	return $database_of{$family};
}

sub drop_database ($servers, $label)
{
	my $database = delete($database_of{$label}) or return;

	$servers->close_db($database);
	$servers->db('postgres')->do("DROP DATABASE IF EXISTS $database WITH (FORCE)");
	return;
}

sub drop_databases ($servers)
{
	drop_database($servers, $_) for keys %database_of;
	return;
}

sub prepare_work ($servers, $work)
{
	my $db = $servers->db($work->{database} = $database_of{ $work->{family} });

	$_->flushall for map { $servers->redis($_) } qw(redis redis-durable);
	$db->do("SET client_min_messages = 'warning'");
	$db->do($_) for @{ $work->{before} // [] }, 'VACUUM ANALYZE', 'CHECKPOINT';
	_fill_redis($servers, $work) if $work->{keys};
	for my $side (values %{ $work->{sides} })
	{
		$side->{sha} = $servers->redis->script_load($side->{lua}) if $side->{lua};
	}
	return;
}

# The values that are asked for are there.
sub _fill_redis ($servers, $work)
{
	my $key = $work->{filled} or return;
	my $value = BenchWork::work_values($work, 1)->{json};

	$servers->redis->eval(<<~'LUA', 0, $work->{keys}, $key, $value);
		for i = 0, ARGV[1] - 1 do redis.call('SET', ARGV[2] .. string.format('%012d', i), ARGV[3]) end
		LUA
	return;
}

# A C function that does nothing, to know what a call costs.
sub _compiled_empty
{
	my $pg_config = $ENV{PG_CONFIG} // 'pg_config';
	chomp(my $include = `$pg_config --includedir-server`);
	my $module = "$folder/empty.so";

	chmod(0755, $folder);
	system('cc', '-O2', '-fPIC', '-shared', "-I$include", '-o', $module, 'ratelimit/empty.c') == 0
	  or die "could not compile ratelimit/empty.c\n";
	return $module;
}

sub _psql ($database, @arguments)
{
	my $output = '';

	local $ENV{PGOPTIONS} = '-c client_min_messages=warning';
	IPC::Run::run([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $database, @arguments ], '<', \undef, '>&', \$output)
	  or die "psql failed: @arguments\n$output";
	return;
}

1;
