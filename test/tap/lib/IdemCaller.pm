# A session that makes generated calls in every kind of transaction, and notes
# every answer that may not be.
package IdemCaller;

use strict;
use warnings;
use IdemCalls;
use IdemValues qw(pick chance);
use IdemWire;

my @isolation = (
	('') x 6,
	('ISOLATION LEVEL REPEATABLE READ') x 2,
	('ISOLATION LEVEL SERIALIZABLE') x 4,
	'READ ONLY', 'ISOLATION LEVEL SERIALIZABLE, READ ONLY');
my @timeouts = qw(statement_timeout statement_timeout lock_timeout);
my $growth = 512 * 1024;           # bytes that caches may grow by
my $ten_years = 3653 * 86400;      # seconds
my $lease = 31 * 86400;            # likewise

# Settings and their extremes.
my @settings = (
	[ 'default_ttl', 1, $ten_years ],
	[ 'default_lease', 1, $lease ],
	[ 'default_job_timeout', 1, $lease ],
	[ 'max_body_size', '1kB', '100MB' ],
	[ 'cache_max_entry_size', '1kB', '100MB' ],
	[ 'cache_max_size', 1, 2147483647 ],
	[ 'cache_keep_stale', 0, $ten_years ],
	[ 'test_clock', map { "$_+00" } '0001-01-01 00:00:00', '2000-01-01 00:00:00', '294276-12-31 23:59:59.999999' ]);

# fault_of says what is wrong with the SQLSTATE of a call, if anything.
sub new
{
	my ($class, $node, $database, $number, $fault_of) = @_;

	return bless({
		number => $number, fault_of => $fault_of, is_bounded => 0, made => 0, state => 'I',
		wire => IdemWire->new($node, $database, 'generator'),
		calls => IdemCalls->from_catalog($node, $database),
		seen => { calls => {}, successes => {}, states => {}, complaint => {} } }, $class);
}

sub work
{
	my ($self, $count) = @_;

	eval { $self->act($count); 1 }
	  or $self->complain("$@ after " . ($self->{last} ? IdemCalls::with_literals($self->{last}) : 'nothing'));
	return;
}

sub act
{
	my ($self, $count) = @_;
	my $acts = 0;

	while ($self->{made} < $count)
	{
		my $act = rand(100);

		if    ($act < 60) { $self->single }
		elsif ($act < 65) { $self->by_oid }
		elsif ($act < 75) { $self->caught }
		elsif ($act < 94) { $self->transaction }
		elsif ($act < 95) { $self->parallel }
		elsif ($act < 96) { $self->with_settings }
		else              { $self->hurried }
		$self->check_locks if ++$acts % 100 == 0;
		$self->{used} //= $self->used_memory if $self->{made} > $count / 2;
	}
	$self->check_locks;
	$self->check_memory;
	$self->check_alive;
	return;
}

# In a transaction of its own, or in the open one.
sub single
{
	my ($self) = @_;
	my $call = $self->draw;
	my $answer = $self->note_state(chance(80)
		? $self->{wire}->execute(IdemCalls::with_placeholders($call), chance(5) ? 1 : 0)
		: $self->{wire}->query(IdemCalls::with_literals($call)));

	$self->note_answer($call, $answer->{sqlstate}, $answer->{message});
	$self->{calls}->remember($call, $answer->{row});
	return;
}

sub draw
{
	my ($self) = @_;

	$self->{last} = $self->{calls}->draw($self->{is_bounded});
	return $self->{last};
}

# Past parser and planner, as PQfn() does it.
sub by_oid
{
	my ($self) = @_;
	my $call = $self->draw;

	$call->{is_by_oid} = 1;
	my $answer = $self->{wire}->call($call->{function}{oid},
		[ map { $_->{value} } @{ $call->{all} } ], [ map { $_->{is_binary} } @{ $call->{all} } ]);

	$self->note_answer($call, $answer->{sqlstate}, $answer->{message});
	return;
}

# Some calls within one statement, which goes on after their errors.
sub caught
{
	my ($self) = @_;
	my @calls = map { $self->draw } 1 .. 1 + int(rand(4));
	my $answer = $self->{wire}->execute('SELECT public.caught($1) AS states',
		[ '{' . join(',', map { element(IdemCalls::with_literals($_)) } @calls) . '}' ], [0], 0);
	my @states = split(/ /, $answer->{row}{states} // '');

	$self->note_answer($_, shift(@states) // $answer->{sqlstate}, $answer->{message}) foreach @calls;
	return;
}

sub element
{
	my ($value) = @_;

	$value =~ s/(["\\])/\\$1/g;
	return "\"$value\"";
}

# Some calls in a transaction, with subtransactions that come to an end or not.
sub transaction
{
	my ($self) = @_;
	my $calls = 1 + int(rand(6));

	$self->command('BEGIN ' . pick(@isolation));
	while ($self->{state} eq 'T' && $calls-- > 0)
	{
		# others wait meanwhile
		$self->command('SELECT pg_sleep(0.005)') if chance(10);
		my $has_savepoint = $self->{state} eq 'T' && chance(70) && $self->command('SAVEPOINT s');

		$self->single if $self->{state} eq 'T';
		next unless $has_savepoint;
		$self->command('ROLLBACK TO s') if $self->{state} eq 'E' || chance(20);
		$self->command('RELEASE s') if $self->{state} eq 'T' && chance(50);
	}
	$self->finish(pick(qw(COMMIT COMMIT COMMIT ROLLBACK PREPARE)));
	return;
}

sub finish
{
	my ($self, $how) = @_;
	my $name = "'generated $self->{number}'";

	if ($how eq 'PREPARE' && $self->{state} eq 'T')
	{
		$self->insist(pick(qw(COMMIT ROLLBACK)) . " PREPARED $name")
		  if $self->command("PREPARE TRANSACTION $name");
	}
	elsif ($self->{state} ne 'I')
	{
		$self->command($how eq 'PREPARE' ? 'ROLLBACK' : $how);
	}
	$self->insist('ROLLBACK') if $self->{state} ne 'I';
	return;
}

# Some calls by parallel workers, where functions are safe for that.
sub parallel
{
	my ($self) = @_;
	my $set = "SELECT set_config(name, '%s', false) FROM pg_settings
		WHERE name IN ('force_parallel_mode', 'debug_parallel_query')";

	$self->insist(sprintf($set, 'on'));
	$self->single foreach 1 .. 3;
	$self->insist(sprintf($set, 'off'));
	return;
}

# Some calls under extremes of the settings, the clock among them.
sub with_settings
{
	my ($self) = @_;
	my ($setting, @values) = @{ pick(@settings) };

	$self->insist("SET idemstore.$setting = '" . pick(@values) . "'");
	chance(50) ? $self->single : $self->transaction foreach 1 .. 3;
	$self->insist("RESET idemstore.$setting");
	return;
}

# Some calls with little time each, which may wait for as long as they like.
sub hurried
{
	my ($self) = @_;
	my $setting = pick(@timeouts);

	$self->insist("SET $setting = " . (1 + int(rand(8))));
	$self->{is_bounded} = $setting eq 'statement_timeout';
	chance(50) ? $self->single : $self->transaction foreach 1 .. 3;
	$self->{is_bounded} = 0;
	$self->insist("RESET $setting");
	return;
}

# True if it is done. A cancel may hit it, and the end of a transaction may be
# refused.
sub command
{
	my ($self, $sql) = @_;
	my $answer = $self->note_state($self->{wire}->query($sql));

	$self->complain("$sql: $answer->{message}") unless $answer->{sqlstate} =~ /^(?:00000|57014|40001)$/;
	return $answer->{sqlstate} eq '00000';
}

# Until it is done.
sub insist
{
	my ($self, $sql) = @_;
	my $tries = 0;

	until ($self->command($sql))
	{
		die "$sql is not to be had" if ++$tries == 1000;
	}
	return;
}

# Outside of a transaction, nothing stays locked, except against serializable
# transactions that were open meanwhile.
sub check_locks
{
	my ($self) = @_;
	my $locks = $self->ask(q(
		SELECT string_agg(locktype || ' ' || mode, ', ') AS answer FROM pg_locks
		WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid' AND mode <> 'SIReadLock'
			AND relation IS DISTINCT FROM 'pg_locks'::regclass));

	$self->complain("locks stay: $locks") if defined($locks);
	return;
}

# The second half of the calls needs no more memory than the first.
sub check_memory
{
	my ($self) = @_;
	my $more = $self->used_memory - $self->{used};

	$self->complain("the session grows, by $more bytes") if $more > $growth;
	return;
}

# But for plans, which a function makes when it is first called.
sub used_memory
{
	my ($self) = @_;

	return $self->ask(q(
		SELECT sum(used_bytes) AS answer FROM pg_backend_memory_contexts
		WHERE name NOT IN ('CachedPlan', 'CachedPlanQuery', 'CachedPlanSource', 'SPI Plan', 'PL/pgSQL function', 'relation rules')));
}

sub check_alive
{
	my ($self) = @_;
	my $outcome = $self->ask("SELECT outcome AS answer FROM idemstore.start_processing('alive $self->{number}')");

	$self->complain('the session does not work') if ($outcome // '') ne 'started';
	return;
}

# A value, whatever is cancelled.
sub ask
{
	my ($self, $sql) = @_;
	my $answer;

	do { $answer = $self->{wire}->query($sql) } while $answer->{sqlstate} eq '57014';
	return $answer->{row}{answer};
}

sub note_state
{
	my ($self, $answer) = @_;

	$self->{state} = $answer->{in_transaction};
	return $answer;
}

sub note_answer
{
	my ($self, $call, $sqlstate, $message) = @_;
	my $function = $call->{function};
	my $complaint = $self->{fault_of}->($call, $sqlstate);

	$self->{made}++;
	$self->{seen}{calls}{ $function->{name} }++;
	$self->{seen}{states}{$sqlstate}++;
	$self->{seen}{successes}{ $function->{name} }++ if $sqlstate eq '00000';
	$complaint = 'waited for ever' if $message =~ /statement timeout/ && !$self->{is_bounded};
	$self->complain("$complaint: $sqlstate $message in " . IdemCalls::with_literals($call)) if $complaint;
	return;
}

# What was seen, as lines of kind, what and how often.
sub report
{
	my ($self) = @_;
	my @lines;

	foreach my $kind (sort keys %{ $self->{seen} })
	{
		push(@lines, map { "$kind\t$_\t$self->{seen}{$kind}{$_}\n" } sort keys %{ $self->{seen}{$kind} });
	}
	return join('', @lines);
}

sub complain
{
	my ($self, $complaint) = @_;

	$complaint =~ s/[^ -~]/?/g;
	$self->{seen}{complaint}{ substr($complaint, 0, 500) }++;
	return;
}

1;
