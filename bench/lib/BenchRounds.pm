# Short runs of all sides of a piece of work, in random order, again and again.
# What counts is the ratio within a round, so that a busy moment weighs on all.
#
# Sessions live long where people have a pool of them, and here for a second. So
# what the first calls of a session take, which load the library, fill caches and
# make plans, is taken off each run: what runs of these calls alone take.
package BenchRounds;

use v5.36;
use BenchFigures;
use BenchLoad;
use BenchWork;
use Exporter qw(import);
use List::Util qw(max shuffle sum);

our @EXPORT = qw(first_calls);

# PostgreSQL has settled for one plan by then.
sub first_calls
{
	return 10;
}

# rounds, seconds of a run, loads, progress => called with text
#
# A load is a number of clients: "1", where all runs on one core, "1 apart", where
# client and server have one each, or more, anywhere.
sub new ($class, $servers, %options)
{
	return bless({ servers => $servers, %options }, $class);
}

# Run a piece of work. What comes back:
#	loads	[ those that it was run with ]
#	samples	{ load }{ side }[ round ] => sample
#	starts	{ load }{ side } => sample of a session's first calls, where there are such
sub measure ($self, $work)
{
	my $sides = $work->{sides};
	my $loads = $work->{loads} // $self->{loads};
	my (%samples, %starts);

	local $ENV{PGOPTIONS} = '-c client_min_messages=warning -c synchronous_commit=' . ($work->{durable} ? 'on' : 'off');
	my %rate = map { $_ => $self->_first_rate($work, $_) } keys %$sides;
	for my $round (0 .. $self->{rounds})
	{
		for my $load (@$loads)
		{
			my ($n) = $load =~ /^(\d+)/;
			$self->{progress}->("$work->{title}: round $round of $self->{rounds}, clients: $load");
			for my $name (shuffle keys %$sides)
			{
				# the first round finds out how many it takes
				my $seconds = $self->{seconds} * ($round ? 1 : 0.3);
				my $first = $n * ($sides->{$name}{pgbench} ? first_calls() : $sides->{$name}{node} ? 1 : 0);
				my $ops = ($rate{"$name $load"} // $rate{$name}) * $seconds;
				my $sample = $self->_run($work, $name, $load, max($ops, 5 * $first));

				$rate{"$name $load"} = $sample->{ops} / $sample->{seconds};
				next unless $round;
				push(@{ $samples{$load}{$name} }, $sample);
				push(@{ $starts{$load}{$name} }, $self->_run($work, $name, $load, $first)) if $first;
			}
		}
	}
	_take_off_starts(\%samples, \%starts);
	return (loads => $loads, samples => \%samples, starts => \%starts);
}

sub _take_off_starts ($samples, $starts)
{
	for my $load (keys %$starts)
	{
		for my $name (keys %{ $starts->{$load} })
		{
			my $runs = $starts->{$load}{$name};
			my %start = map { my $what = $_; $what => _typical($what, map { $_->{$what} } @$runs) } keys %{ $runs->[0] };

			$starts->{$load}{$name} = \%start;
			for my $sample (@{ $samples->{$load}{$name} })
			{
				$sample->{$_} -= $start{$_} for keys %start;
			}
		}
	}
	return;
}

# CPU time comes in ticks that are longer than a start.
sub _typical ($what, @values)
{
	return $what =~ /cpu/ ? sum(@values) / @values : median(@values);
}

sub _first_rate ($self, $work, $name)
{
	my $sample = $self->_run($work, $name, 1, 100);

	return $sample->{ops} / $sample->{seconds};
}

sub _run ($self, $work, $name, $load, $ops)
{
	my ($clients, $apart) = $load =~ /^(\d+)( apart)?$/;
	my $side = $work->{sides}{$name};
	my $servers = $self->{servers};
	my $is_postgres = $side->{system} eq 'postgres';
	my $values = work_values($work, $ops);
	my $before = $is_postgres ? $servers->counters($work->{database}) : {};
	my $cpu_before = $servers->cpu($side->{system});

	$values->{sha} = $side->{sha} if $side->{sha};
	my $sample = run_load($servers, $side,
		clients => $clients, $apart ? (cores => 'apart') : (), ops => $ops, values => $values, batch => $work->{batch},
		database => $work->{database});
	$sample->{server_cpu} = $servers->cpu($side->{system}) - $cpu_before;
	if ($is_postgres)
	{
		my $after = $servers->counters($work->{database});
		$sample->{$_} = $after->{$_} - $before->{$_} for keys %$after;
	}
	return $sample;
}

1;
