# The plots, drawn by gnuplot as SVG, to be read at a glance.
package BenchPlot;

use v5.36;
use BenchReport;
use Exporter qw(import);
use IPC::Run;

our @EXPORT = qw(plot_family plot_growth plot_snapshot);

# our own colour for idemstore, one for each kind of rival
my %colour_of = (
	idemstore => '#1a7f5a', sql => '#8da0cb', plpgsql => '#b3b9d9', select => '#8da0cb', select1 => '#cccccc',
	redis => '#d9725c', window => '#d9725c', log => '#e8a598', memcached => '#e5c494', postgres => '#4f63a8',
	flexible => '#a83c2a');

# Bars of throughput with ours as 1, for the least and the greatest number of
# clients one below the other.
sub plot_family ($file, $title, @results)
{
	my %seen;
	my @sides = grep { $colour_of{$_} && !$seen{$_}++ }
	  map { ('idemstore', map { $_->[0] } @{ $_->{work}{against} }) } @results;
	my %title_of = map { my $sides = $_->{work}{sides}; map { $_ => $sides->{$_}{title} } keys %$sides } @results;
	my @shown = @{ $results[0]{loads} };

	@shown = @shown[ 0, -1 ] if @shown > 1;
	my $script = _head($file, 960, 120 + 260 * @shown)
	  . "set multiplot layout " . @shown . ",1 title \"$title: operations a second, idemstore = 1\" font ',16'\n"
	  . "set style data histograms\nset style histogram errorbars gap 1.5 lw 1\nset style fill solid 0.95 noborder\n"
	  . "set errorbars 0.4 lc rgb '#444444'\nset yrange [0:*]\nset grid ytics lc rgb '#dddddd'\nset datafile missing '?'\n"
	  . "set key outside right top reverse Left samplen 2\nset xtics nomirror scale 0\n"
	  . "set lmargin 8\nset rmargin 36\nset bmargin 4\nset border 3\nset ytics nomirror\n"
	  . "set arrow from graph 0, first 1 to graph 1, first 1 nohead lc rgb '#1a7f5a' dt 3\n";

	for my $load (@shown)
	{
		my $data = _bars($load, \@sides, grep { $_->{samples}{$load} } @results);
		my $plots = join(", \\\n", map {
			my $column = 2 + 3 * $_;
			"\$bars$load using $column:" . ($column + 1) . ':' . ($column + 2)
			  . ($_ ? '' : ':xtic(1)') . " title \"$title_of{ $sides[$_] }\" lc rgb '$colour_of{ $sides[$_] }'";
		} 0 .. $#sides);
		$script .= "\$bars$load << EOD\n${data}EOD\nset ylabel '" . clients_of($load) . "'\nplot $plots\nunset key\n";
	}
	_draw($script . "unset multiplot\n");
	return;
}

# Of each side the median and the quartiles, as shares of ours.
sub _bars ($load, $sides, @results)
{
	my $data = '';

	for my $result (@results)
	{
		my @cells = map {
			if (!$result->{samples}{$load}{$_}) { '? ? ?' }
			else
			{
				my ($low, $median, $high) = ratio_of($result, $_, $load);
				join(' ', 1 / $median, 1 / $high, 1 / $low);
			}
		} @$sides;
		my $name = $result->{work}{title} =~ s/, /,\\n/r;
		$data .= "\"$name\" @cells\n";
	}
	return $data;
}

# The cost of each call, with that on the smallest table as 1.
sub plot_growth ($file, $growth)
{
	my @calls = @{ $growth->{sizes}{calls} };
	my @curves = (@calls, @{ $growth->{sizes}{floors} });
	my $script = _head($file, 960, 420)
	  . "set title 'Cost of a call by the number of records, smallest table = 1'\n"
	  . "set logscale x\nset format x '%.0s%c'\nset xrange [800:*]\nset yrange [0:*]\nset grid lc rgb '#dddddd'\nset border 3\n"
	  . "set tics nomirror\nset xlabel 'records'\nset key outside right top reverse Left\n"
	  . "set arrow from graph 0, first 1.3 to graph 1, first 1.3 nohead lc rgb '#d9725c' dt 3\n";
	my $number = 0;

	for my $curve (@curves)
	{
		$number++;
		$script .= "\$curve$number << EOD\n"
		  . join('', map { join(' ', $_->{rows}, @{ $_->{ratio} }[ 1, 0, 2 ]) . "\n" } @{ $curve->{points} }) . "EOD\n";
	}
	_draw($script . 'plot '
		. join(', ', map { "\$curve$_ using 1:2:3:4 with yerrorlines pt 7 ps 0.5 " . ($_ > @calls ? "lw 1 dt 2 lc rgb '#888888'" : 'lw 2')
			  . " title '$curves[ $_ - 1 ]{title}'" } 1 .. $number)
		. "\n");
	return;
}

sub plot_snapshot ($file, $snapshot)
{
	my ($from, $to) = @{ $snapshot->{held} };
	my $sides = $snapshot->{sides};
	my $script = _head($file, 960, 420)
	  . "set title 'One hot key while another session holds an old snapshot'\n"
	  . "set xlabel 'seconds'\nset ylabel 'µs a call'\nset yrange [0:*]\nset xrange [0:*]\nset grid lc rgb '#dddddd'\n"
	  . "set border 3\nset tics nomirror\nset key outside right top reverse Left\n"
	  . "set object rectangle from $from, graph 0 to $to, graph 1 behind fc rgb '#f2f2f2' fs noborder\n"
	  . "set label 'snapshot held' at $from, graph 0.95 offset 1,0\n";

	for my $name (sort keys %$sides)
	{
		$script .= "\$$name << EOD\n" . join('', map { "$_->{at} $_->{us}\n" } @{ $sides->{$name}{points} }) . "EOD\n";
	}
	_draw($script . 'plot '
		. join(', ', map { "\$$_ with linespoints lw 2 pt 7 ps 0.4 lc rgb '$colour_of{$_}' title '$sides->{$_}{title}'" } sort keys %$sides)
		. "\n");
	return;
}

sub _head ($file, $width, $height)
{
	return "set terminal svg size $width,$height noenhanced font 'sans-serif,13' background 'white'\nset output '$file'\n";
}

sub _draw ($script)
{
	my $output = '';

	IPC::Run::run(['gnuplot'], '<', \$script, '>&', \$output) or die "gnuplot failed:\n$output\n$script";
	return;
}

1;
