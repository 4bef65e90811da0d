# Short runs of all sides of a piece of work, in random order, again and again.
# What counts is the ratio within a round, so that a busy moment weighs on all.
package BenchRounds;

use v5.36;
use BenchLoad;
use BenchWork;
use List::Util qw(shuffle);

# rounds, seconds of a run, clients => [ numbers ], progress => called with text
sub new ($class, $servers, %options)
{
	return bless({ servers => $servers, %options }, $class);
}

# Run a piece of work. What comes back: { clients }{ side }[ round ] => sample
sub measure ($self, $work)
{
	my $sides = $work->{sides};
	my $clients = $work->{clients} // $self->{clients};
	my %samples;

	local $ENV{PGOPTIONS} = '-c client_min_messages=warning -c synchronous_commit=' . ($work->{durable} ? 'on' : 'off');
	my %rate = map { $_ => $self->_first_rate($work, $_) } keys %$sides;
	for my $round (0 .. $self->{rounds})
	{
		for my $n (@$clients)
		{
			$self->{progress}->("$work->{title}: round $round of $self->{rounds}, $n clients");
			for my $name (shuffle keys %$sides)
			{
				# the first round finds out how many it takes
				my $seconds = $self->{seconds} * ($round ? 1 : 0.3);
				my $sample = $self->_run($work, $name, $n, ($rate{"$name $n"} // $rate{$name}) * $seconds);

				$rate{"$name $n"} = $sample->{ops} / $sample->{seconds};
				push(@{ $samples{$n}{$name} }, $sample) if $round;
			}
		}
	}
	return \%samples;
}

sub _first_rate ($self, $work, $name)
{
	my $sample = $self->_run($work, $name, 1, 100);

	return $sample->{ops} / $sample->{seconds};
}

sub _run ($self, $work, $name, $clients, $ops)
{
	my $side = $work->{sides}{$name};
	my $servers = $self->{servers};
	my $is_postgres = $side->{system} eq 'postgres';
	my $values = work_values($work, $ops);
	my $before = $is_postgres ? $servers->counters($work->{database}) : {};
	my $cpu_before = $servers->cpu($side->{system});

	$values->{sha} = $side->{sha} if $side->{sha};
	my $sample = run_load($servers, $side,
		clients => $clients, ops => $ops, values => $values, batch => $work->{batch},
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
