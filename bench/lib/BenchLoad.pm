# The load generators: each sends one kind of operation in a closed loop from so
# many clients, and says how many it has done in what time.
#
#	pgbench		prepared statements, through the Unix socket
#	redis-benchmark	through the Unix socket, without pipelining if not said
#	memcaslap	through loopback, for it knows nothing else
#	limits.mjs	Node.js, with the libraries that its users have
package BenchLoad;

use v5.36;
use Exporter qw(import);
use File::Temp qw(tempdir);
use IPC::Run;

our @EXPORT = qw(run_load);

my $folder = tempdir(CLEANUP => 1);
my $memcached_window = 1024;
my $scripts = 0;

# Do about so many operations of a side. What comes back: ops, seconds, and
# client_cpu in seconds.
#
#	clients, ops, values, database
#	cores	where all of it runs, as BenchServers has it; "one" for a single client
#	batch	keys of one operation, where it gets several
#	connects	pgbench alone: each operation has a connection of its own
#	each	pgbench alone: tell of each operation, too, each => [ { us, at => when it
#		ended, in seconds since 1970 } ]
#
# A side has one of these, in whose text {name} stands for one of the values:
#	pgbench => script
#	redis => [ [ command ], ... ], one after the other; with pipeline => n, so many
#		commands are one operation
#	memcached => { get | set => bytes of the value }
#	node => [ argument of limits.mjs, ... ]
sub run_load ($servers, $side, %order)
{
	my $load =
	    $side->{pgbench} ? \&_pgbench
	  : $side->{redis} ? \&_redis_benchmark
	  : $side->{memcached} ? \&_memcaslap
	  : \&_node;
	my $cores = $servers->place($order{cores} // ($order{clients} == 1 ? 'one' : 'all'));
	my @before = times;
	my $result = $load->($servers, $side, %order, on_cores => [ 'taskset', '--cpu-list', $cores ]);
	my @after = times;

	$result->{client_cpu} //= $after[2] + $after[3] - $before[2] - $before[3];
	return $result;
}

sub _pgbench ($servers, $side, %order)
{
	my $each = _at_least_one($order{ops} / $order{clients});
	my $output = _output(
		@{ $order{on_cores} }, 'pgbench', '--no-vacuum', $order{connects} ? '--connect' : '--protocol=prepared', "--transactions=$each", "--client=$order{clients}",
		'--jobs=' . ($order{clients} < 2 ? 1 : 2),
		'--file=' . _script($side->{pgbench}), $order{each} ? ('--log', "--log-prefix=$folder/each") : (),
		(map { "--define=$_=$order{values}{$_}" } grep { $side->{pgbench} =~ /:$_\b/ } sort keys %{ $order{values} }),
		$order{database});
	my ($done) = $output =~ /^number of transactions actually processed: (\d+)/m;
	my ($rate) = $output =~ /^tps = ([\d.]+)/m;

	die "pgbench did not do its work:\n$output" unless $rate && $done == $each * $order{clients};
	return { ops => $done, seconds => $done / $rate, $order{each} ? (each => _each()) : () };
}

# What pgbench has logged: client, number, us, script, and when it ended.
sub _each
{
	my @each;

	for my $name (glob("$folder/each.*"))
	{
		open(my $file, '<', $name) or die "$name: $!\n";
		push(@each, map { my @field = split; +{ us => $field[2], at => $field[4] + $field[5] / 1e6 } } <$file>);
		unlink($name);
	}
	return \@each;
}

# redis-benchmark repeats one command: what takes two is the sum of their times.
sub _redis_benchmark ($servers, $side, %order)
{
	# it knows no rate of what it does within a millisecond
	my $pipeline = $side->{pipeline} // 1;
	my $ops = ($order{ops} < 500 ? 500 : int($order{ops})) * $pipeline;
	my $seconds = 0;

	for my $command (@{ $side->{redis} })
	{
		my $output = _output(
			@{ $order{on_cores} }, 'redis-benchmark', '-s', $servers->socket_of($side->{system}), '-c', $order{clients},
			'-n', $ops, '-P', $pipeline, '-r', $order{values}{keys} // 1, '--csv',
			map { s/\{(\w+)\}/$order{values}{$1} \/\/ die "no value $1"/ger } @$command);
		my ($rate) = $output =~ /^".*",?"([\d.]+)","[\d.]+","[\d.]+","[\d.]+","[\d.]+","[\d.]+","[\d.]+"$/m;

		die "redis-benchmark did not do its work:\n$output" unless $rate;
		$seconds += $ops / $rate;
	}
	return { ops => $ops / $pipeline, seconds => $seconds };
}

# It sets a window of keys first, which is as short as it can be.
sub _memcaslap ($servers, $side, %order)
{
	my ($call, $bytes) = %{ $side->{memcached} };
	my $ops = _at_least_one($order{ops});
	my $settings = "$folder/$call-$bytes";

	$ops += $memcached_window * $order{clients} if $call eq 'get';
	open(my $file, '>', $settings) or die "$settings: $!\n";
	print $file "key\n16 16 1\nvalue\n$bytes $bytes 1\ncmd\n", $call eq 'get' ? "0 0.0\n1 1.0\n" : "0 1.0\n1 0.0\n";
	close($file);
	my $output = _output(
		@{ $order{on_cores} }, 'memcaslap', '-s', '127.0.0.1:' . $servers->port, '-c', $order{clients}, '-T', 1, '-x', $ops,
		'-w', $memcached_window / 1024 . 'k', '-F', $settings, $order{batch} ? ('-d', $order{batch}) : ());
	my ($done, $rate) = $output =~ /Ops: (\d+) TPS: (\d+)/;

	die "memcaslap did not do its work:\n$output" unless $rate;
	return { ops => $done, seconds => $done / $rate };
}

sub _node ($servers, $side, %order)
{
	my $output = _output(
		@{ $order{on_cores} }, 'node', 'limits.mjs', @{ $side->{node} }, $order{clients}, _at_least_one($order{ops}),
		$order{values}{keys}, $order{database}, $servers->socket_of('redis'));
	my ($done, $seconds, $cpu) = $output =~ /^(\d+) ([\d.]+) ([\d.]+)$/m
	  or die "limits.mjs did not do its work:\n$output";

	return { ops => $done, seconds => $seconds, client_cpu => $cpu };
}

sub _at_least_one ($count)
{
	return $count < 1 ? 1 : int($count);
}

sub _script ($text)
{
	state %file_of;

	return $file_of{$text} //= do
	{
		my $name = "$folder/" . ++$scripts . '.sql';
		open(my $file, '>', $name) or die "$name: $!\n";
		print $file $text;
		close($file);
		$name;
	};
}

sub _output (@command)
{
	my $output = '';

	IPC::Run::run(\@command, '<', \undef, '>&', \$output)
	  or die "@command failed:\n$output\n";
	return $output;
}

1;
