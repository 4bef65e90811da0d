# Medians, quartiles and how a figure is shown.
package BenchFigures;

use v5.36;
use Exporter qw(import);
use List::Util qw(sum);

our @EXPORT = qw(quartiles median significant thousands);

# The lower quartile, the median and the upper quartile, between neighbours.
sub quartiles (@values)
{
	my @sorted = sort { $a <=> $b } @values;

	return map {
		my $at = $_ * $#sorted;
		my $low = int($at);
		$sorted[$low] + ($at - $low) * ($sorted[ $low < $#sorted ? $low + 1 : $low ] - $sorted[$low]);
	} 0.25, 0.5, 0.75;
}

sub median (@values)
{
	return (quartiles(@values))[1];
}

# Two digits behind the point where they count.
sub significant ($value)
{
	return sprintf($value < 9.995 ? '%.2f' : $value < 99.95 ? '%.1f' : '%.0f', $value);
}

sub thousands ($value)
{
	my $digits = sprintf('%.0f', $value);

	1 while $digits =~ s/^(\d+)(\d{3})/$1,$2/;
	return $digits;
}

1;
