# On what, with what and how it was measured.
package BenchMachine;

use v5.36;
use BenchReport;
use BenchRounds;
use Exporter qw(import);

our @EXPORT = qw(machine_section);

my @settings = qw(
	shared_buffers huge_pages fsync synchronous_commit full_page_writes autovacuum max_wal_size checkpoint_timeout max_connections);

# bench/publish takes a full run alone.
my %how = (
	quick => [ 'make bench-quick', 'a quick run, whose figures are rough' ],
	partial => [ 'bench/start --only', 'a part of a full run' ],
	full => [ 'make bench', 'a full run' ]);

sub machine_section ($servers, $kind, %scale)
{
	my ($command, $how) = @{ $how{$kind} };
	my $versions = $servers->versions;
	my $db = $servers->db('postgres');
	my $shown = join(', ', map { "$_ " . $db->selectrow_array("SELECT current_setting('$_')") } @settings);
	my $systems = join(', ', map { "$_ $versions->{$_}" } sort { lc($a) cmp lc($b) } keys %$versions);
	my $loads = join(', ', map { clients_of($_) } @{ $scale{loads} });

	return <<~"TEXT";
		Made by `$command`, $how: ${\_processor()}, ${\_cores()} cores,
		${\_memory()} GiB of memory, Linux ${\_kernel()}; $systems.

		PostgreSQL: $shown; where a title does not say "durable", synchronous_commit is
		off in the session. Redis: no snapshots and no append-only file, but for what is
		durable: appendfsync always. memcached: one thread. Nothing is vacuumed within a
		piece of work.

		The sides of a piece of work take turns in random order, $scale{rounds} rounds of about
		$scale{seconds} s each with $loads, in a closed loop: a client sends the next operation
		when it has the answer. **A ratio is the throughput of idemstore to that of the
		other, within a round: more than 1 is in favour of idemstore**; what is shown is the
		median of the rounds and its quartiles.

		A single client waits while its server works, so "1" keeps them on one core. What it
		measures is their work, that of the load generator included, and two switches. On
		two cores each call has to wake up the other one as well, twice, which on a virtual
		machine takes longer than the work and never twice the same. The full run has that,
		too: "1 apart". More clients run anywhere.

		Each run begins with new sessions. The first ${\first_calls()} calls of a session load the library,
		fill caches and make plans: PostgreSQL's sides do these in runs of their own, too,
		whose median is taken off; "first calls" is that of one client. limits.mjs does 500
		calls before it looks at the clock. In the parts on growth, churn, an old snapshot
		and invalidation nothing is taken off.

		Through Unix sockets: pgbench with prepared statements, redis-benchmark without
		pipelining (where the work takes two commands, the sum of their times), Node.js
		with pg and ioredis. memcaslap knows loopback alone, and sets a window of 1024
		entries before it gets. CPU time is that of all processes of the server and
		that of the client, with one client; on a shared machine it is steadier than
		the clock. WAL and transaction ids are from the server's own counters.
		TEXT
}

sub _processor
{
	open(my $file, '<', '/proc/cpuinfo') or return 'unknown processor';
	my ($name) = map { /^model name\s*:\s*(.*)/ ? $1 : () } <$file>;
	return $name // 'unknown processor';
}

sub _cores
{
	chomp(my $cores = `nproc`);
	return $cores;
}

sub _memory
{
	open(my $file, '<', '/proc/meminfo') or return '?';
	my ($kilobytes) = map { /^MemTotal:\s*(\d+)/ ? $1 : () } <$file>;
	return sprintf('%.0f', $kilobytes / 1024 / 1024);
}

sub _kernel
{
	chomp(my $release = `uname -r`);
	return $release =~ s/-.*//r;
}

1;
