# The report in markdown. A ratio is always our throughput to theirs: more than 1
# is in favour of idemstore.
package BenchReport;

use v5.36;
use BenchFigures;
use BenchWork;
use Exporter qw(import);
use List::Util qw(sum0 uniq);

our @EXPORT = qw(ratio_of targets_of clients_of family_section invalidation_section shown spread table ours_first);

# Each round against itself: the quartiles of our throughput to a side's.
sub ratio_of ($result, $side, $load)
{
	my ($ours, $theirs) = @{ $result->{samples}{$load} }{ 'idemstore', $side };

	return quartiles(map { _rate($ours->[$_]) / _rate($theirs->[$_]) } 0 .. $#$ours);
}

sub _rate ($sample)
{
	return $sample->{ops} / $sample->{seconds};
}

# What was to be reached, and whether it was: rows of a table.
sub targets_of (@results)
{
	my @rows;

	for my $result (@results)
	{
		for my $against (grep { defined($_->[1]) } @{ $result->{work}{against} })
		{
			my ($side, $target, $clients) = @$against;
			push(@rows, map { _target_row($result, $side, $target, $_) }
				grep { !defined($clients) || /^$clients\b/ } @{ $result->{loads} });
		}
	}
	return @rows;
}

sub _target_row ($result, $side, $target, $load)
{
	my ($low, $median, $high) = ratio_of($result, $side, $load);
	my $work = $result->{work};

	return [ $work->{title}, $work->{sides}{$side}{title}, $load, sprintf('%.2f', $target), shown($median), spread($low, $high),
		$median >= $target ? 'yes' : $high >= $target ? 'within the noise' : 'no' ];
}

sub family_section ($title, $plot, @results)
{
	my $text = "## $title\n\n![$title: throughput by side]($plot)\n";

	$text .= "\n### \u$_->{work}{title}\n\n" . _work_table($_) for @results;
	return $text;
}

sub _work_table ($result)
{
	my ($work, $loads, $samples, $starts) = @$result{qw(work loads samples starts)};
	my $first = $loads->[0];
	my @sides = ('idemstore', uniq map { $_->[0] } @{ $work->{against} });
	my @header = ('', map({ (clients_of($_) . ', a second', 'ratio', 'quartiles') } @$loads),
		'CPU of the server, µs', 'CPU of the client, µs', 'WAL, bytes', 'transaction ids', 'first calls, ms');
	my @rows;

	for my $side (@sides)
	{
		my @cells = ($work->{sides}{$side}{title});
		for my $load (@$loads)
		{
			my ($low, $median, $high) = ratio_of($result, $side, $load);
			push(@cells, thousands(median(map { _rate($_) } @{ $samples->{$load}{$side} })),
				$side eq 'idemstore' ? ('', '') : (shown($median), spread($low, $high)));
		}
		push(@rows, [ @cells, _costs($work->{sides}{$side}, @{ $samples->{$first}{$side} }),
			$work->{sides}{$side}{pgbench} ? sprintf('%.1f', $starts->{$first}{$side}{seconds} * 1e3) : '' ]);
	}
	return table(\@header, @rows);
}

# Of a load, in words.
sub clients_of ($load)
{
	return $load eq '1' ? '1 client on one core' : $load =~ s/^(\d+)/$1 . ($1 > 1 ? ' clients' : ' client')/er;
}

# An operation's share of what one client took in all rounds.
sub _costs ($side, @samples)
{
	my $ops = sum0(map { $_->{ops} } @samples);
	my $each = sub ($what) { return sum0(map { $_->{$what} } @samples) / $ops };

	return (
		(map { sprintf('%.1f', $each->($_) * 1e6) } qw(server_cpu client_cpu)),
		$side->{system} eq 'postgres' ? (sprintf('%.0f', $each->('wal')), sprintf('%.2f', $each->('xids'))) : ('', ''));
}

sub invalidation_section ($result)
{
	my @sides = ours_first($result->{titles});
	my @header = ('entries', map({ "$result->{titles}{$_}, ms" } @sides),
		map { ("$result->{titles}{$_}: ratio", 'quartiles') } @sides[ 1 .. $#sides ]);
	my @rows = map {
		my $row = $_;
		[ thousands($row->{size}), map({ sprintf('%.2f', $row->{ms}{$_}[1]) } @sides),
			map { (shown($row->{ratio}{$_}[1]), spread(@{ $row->{ratio}{$_} }[ 0, 2 ])) } @sides[ 1 .. $#sides ] ];
	} @{ $result->{rows} };

	return "\n### Invalidate by a tag\n\nOne call, client and server on any core. The ratio is their time to ours.\n\n" . table(\@header, @rows);
}

sub ours_first ($sides)
{
	return ('idemstore', grep { $_ ne 'idemstore' } sort keys %$sides);
}

sub shown ($ratio)
{
	return '**' . significant($ratio) . '**';
}

sub spread ($low, $high)
{
	return significant($low) . ' to ' . significant($high);
}

sub table ($header, @rows)
{
	return join('', map { '| ' . join(' | ', @$_) . " |\n" } $header, [ ('---') x @$header ], @rows);
}

1;
