# The systems that are compared: the PostgreSQL that PGHOST and PGPORT lead to,
# and a Redis and a memcached of our own, on sockets in a folder that goes away.
#
# A system is known by its name: postgres, redis, redis-durable, memcached.
package BenchServers;

use v5.36;
use DBI;
use File::Temp qw(tempdir);
use IO::Socket::INET;
use List::Util qw(sum);
use Redis;
use Time::HiRes qw(sleep);

my $ticks = `getconf CLK_TCK` + 0;

sub new ($class, %options)
{
	my $self = bless({ folder => tempdir(CLEANUP => 1), started => {}, creator => $$, handles => {} }, $class);
	my $data = $self->db('postgres')->selectrow_array('SHOW data_directory');

	open(my $pid_file, '<', "$data/postmaster.pid")
	  or die "the PostgreSQL server must be on this machine and this user's: $data: $!\n";
	chomp($self->{pid}{postgres} = <$pid_file>);
	$self->_start_redis('redis', '--appendonly', 'no');
	$self->_start_redis('redis-durable', '--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', 0);
	$self->_start_memcached;
	return $self;
}

# What was deleted from it still counts until it needs the room.
sub empty_memcached ($self)
{
	my $pid = delete($self->{started}{memcached});

	kill('TERM', $pid);
	waitpid($pid, 0);
	return $self->_start_memcached;
}

# A connection of its own for each database.
sub db ($self, $name)
{
	return $self->{db}{$name} //= DBI->connect("dbi:Pg:dbname=$name", undef, undef,
		{ RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_server_prepare => 1 });
}

sub close_db ($self, $name)
{
	my $handle = delete($self->{db}{$name}) or return;
	$handle->disconnect;
	return;
}

sub redis ($self, $system = 'redis')
{
	return $self->{handles}{$system} //= Redis->new(sock => $self->socket_of($system));
}

sub socket_of ($self, $system)
{
	return "$self->{folder}/$system.sock";
}

# memcached's load generator speaks TCP alone.
sub port ($self)
{
	return $self->{port} //= do
	{
		my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
		  or die "no free port: $!\n";
		$probe->sockport;
	};
}

# Put all systems where the load wants them, and say where its clients belong:
#
#	one		all on one core. A single client and its server never work at once; on two
#			cores each call has to wake the other one up, twice.
#	apart	the systems on one core, the clients on another
#	all		anywhere
sub place ($self, $where)
{
	my @cores = $self->_cores;
	my $cores = $where eq 'all' ? join(',', @cores) : $cores[-1];

	if ($self->{placed} ne $cores)
	{
		for my $pid (map { ($_, $self->_children($_)) } values %{ $self->{pid} })
		{
			system("taskset --all-tasks --cpu-list --pid $cores $pid >/dev/null 2>&1") == 0
			  or !-e "/proc/$pid" or die "taskset cannot keep process $pid on $cores\n";
		}
		$self->{placed} = $cores;
	}
	return $where eq 'apart' ? $cores[0] : $cores;
}

# the numbers of those that this process may run on
sub _cores ($self)
{
	return @{ $self->{cores} //= do
	{
		my ($list) = `taskset --cpu-list --pid $$` =~ /: ([\d,-]+)$/ or die "taskset does not tell the cores\n";
		[ map { /(\d+)-(\d+)/ ? $1 .. $2 : $_ } split(/,/, $list) ];
	} };
}

# CPU time in seconds of all processes of a system since it began. One that ends
# between the look at its parent and that at itself would be in neither: look again.
sub cpu ($self, $system)
{
	my $pid = $self->{pid}{$system};

	$self->wait_for_backends if $system eq 'postgres';
	for (1 .. 100)
	{
		my @cpu = (_cpu_of($pid, $system eq 'postgres'), map { _cpu_of($_, 0) } $self->_children($pid));
		return sum(@cpu) if !grep { !defined } @cpu;
	}
	die "the processes of $system do not hold still\n";
}

# What has happened in the server, from its own counters.
sub counters ($self, $database)
{
	my ($wal, $xid) = $self->db($database)->selectrow_array(
		'SELECT pg_current_wal_insert_lsn() - \'0/0\', pg_snapshot_xmax(pg_current_snapshot())::text');
	return { wal => $wal, xids => $xid };
}

sub versions ($self)
{
	my ($node) = `node --version` =~ /v([\d.]+)/;

	return {
		PostgreSQL => $self->db('postgres')->selectrow_array("SELECT split_part(current_setting('server_version'), ' ', 1)"),
		Redis => $self->redis->info->{redis_version},
		memcached => (`memcached --version` =~ /([\d.]+)/)[0],
		'Node.js' => $node };
}

sub _start_redis ($self, $system, @settings)
{
	my $folder = "$self->{folder}/$system.data";

	mkdir($folder) or die "$folder: $!\n";
	$self->_start($system, 'redis-server', '--port', 0, '--unixsocket', $self->socket_of($system),
		'--dir', $folder, '--save', '', '--daemonize', 'no', @settings);
	for (1 .. 100)
	{
		return if eval { $self->redis($system)->ping };
		sleep(0.05);
	}
	die "$system did not start\n";
}

sub _start_memcached ($self)
{
	$self->_start('memcached', 'memcached', '-l', '127.0.0.1', '-p', $self->port, '-t', 1, '-m', 1024, '-I', '2m');
	for (1 .. 100)
	{
		return if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->port);
		sleep(0.05);
	}
	die "memcached did not start\n";
}

sub _start ($self, $system, @command)
{
	my $pid = fork() // die "fork: $!\n";

	$self->{placed} = '';
	if ($pid == 0)
	{
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', "$self->{folder}/$system.log");
		open(STDERR, '>&', \*STDOUT);
		exec(@command) or die "$command[0]: $!\n";
	}
	$self->{pid}{$system} = $self->{started}{$system} = $pid;
	return;
}

sub _children ($self, $parent)
{
	open(my $list, '<', "/proc/$parent/task/$parent/children") or return;
	return split(' ', <$list> // '');
}

# A session ends a moment after its client: only when it is gone is its time the
# server's.
sub wait_for_backends ($self)
{
	my %own = map { $_->{pg_pid} => 1 } values %{ $self->{db} };
	my $find = q(SELECT pid, backend_type FROM pg_stat_activity);

	for (1 .. 1000)
	{
		my %type_of = map { @$_ } @{ $self->db('postgres')->selectall_arrayref($find) };
		return if !grep { !$own{$_} && ($type_of{$_} // 'client backend') eq 'client backend' }
		  $self->_children($self->{pid}{postgres});
		sleep(0.005);
	}
	die "others have sessions: the server must be the benchmark's alone\n";
}

sub _cpu_of ($pid, $with_children)
{
	open(my $file, '<', "/proc/$pid/stat") or return undef;
	my $stat = <$file> // return undef;
	my @fields = split(' ', $stat =~ s/.*\) //r);

	# utime, stime, and those of the children that have ended
	return ($fields[11] + $fields[12] + ($with_children ? $fields[13] + $fields[14] : 0)) / $ticks;
}

sub DESTROY ($self)
{
	return if $$ != $self->{creator};
	eval { $self->place('all') };
	$_->disconnect for values %{ $self->{db} // {} };
	kill('TERM', values %{ $self->{started} });
	waitpid($_, 0) for values %{ $self->{started} };
	return;
}

1;
