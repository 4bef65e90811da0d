# The parts of the report that are about what lasts: growth, an old snapshot, new
# names, first calls, what calls write and what keys take.
package BenchReportGrowth;

use v5.36;
use BenchFigures;
use BenchReport;
use Exporter qw(import);

our @EXPORT = qw(growth_targets growth_section snapshot_section flood_section first_section footprint_section);

# The greatest size against the smallest; a cost, so less is better. A call may
# have a bound of its own.
my $usual_most = 1.3;

sub growth_targets ($growth)
{
	return map {
		my $last = $_->{points}[-1];
		my $most = $_->{most} // $usual_most;
		my ($low, $median, $high) = @{ $last->{ratio} };
		[ $_->{title}, thousands($last->{rows}), sprintf('%.2f', $most), shown($median), spread($low, $high),
			$median <= $most ? 'yes' : $low <= $most ? 'within the noise' : 'no' ];
	} @{ $growth->{sizes}{calls} };
}

sub growth_section ($growth)
{
	my $sizes = $growth->{sizes};
	my $text = <<~"TEXT";
		## Growth

		![Growth: cost of a call by the number of records](growth.svg)

		\u$sizes->{title}. The ratio is to the smallest table, within a round.
		The lookups in larger indexes and what is not in the processor's caches cost plain
		SQL more as well; with small pages in place of huge ones, much more.

		TEXT

	$text .= table([ 'call', 'records', 'µs', 'quartiles', 'ratio', 'quartiles', 'CPU of the server, µs', 'blocks read' ],
		map { my $call = $_; map { _growth_row($call, $_) } @{ $call->{points} } } @{ $sizes->{calls} }, @{ $sizes->{floors} });
	$text .= _bytes_text(@{ $sizes->{sizes} });
	$text .= _waiters_text($growth->{waiters}) if $growth->{waiters};
	$text .= _churn_text($growth->{churn}) if $growth->{churn};
	return $text;
}

sub _bytes_text (@sizes)
{
	return "\nBytes of a row, with its share of the indexes, when the tables were filled:\n\n"
	  . table([ 'table', map { thousands($_->{rows}) . ' rows' } @sizes ],
		map {
			my $table = $_;
			[ "`$table`", map { thousands($_->{bytes}{$table} / $_->{rows}) } @sizes ];
		} sort keys %{ $sizes[0]{bytes} });
}

sub _growth_row ($call, $point)
{
	return [ $call->{title}, thousands($point->{rows}), sprintf('%.1f', $point->{us}[1]),
		sprintf('%.1f to %.1f', @{ $point->{us} }[ 0, 2 ]), _ratio(@{ $point->{ratio} }),
		sprintf('%.1f', $point->{cpu}[1]), sprintf('%.2f', $point->{reads}[1]) ];
}

sub _waiters_text ($waiters)
{
	return "\n### Keys and waiters\n\n\u$waiters->{title}.\n\n"
	  . table([ 'waiters', 'keys in the transaction', 'µs a key', 'ratio', 'quartiles' ],
		map { [ $_->{waiters}, thousands($_->{keys}), sprintf('%.1f', $_->{us}[1]), _ratio(@{ $_->{ratio} }) ] }
		  @{ $waiters->{points} });
}

sub _churn_text ($churn)
{
	return "\n### After a time of work\n\n\u$churn->{title}: " . thousands($churn->{requests})
	  . " requests, of which " . thousands($churn->{live}) . " are live, $churn->{vacuums} times VACUUM; "
	  . 'expire_all removed ' . thousands($churn->{expire}{removed}) . ' in '
	  . sprintf('%.1f', $churn->{expire}{seconds}) . " s.\n\n"
	  . table([ 'call', 'fresh, µs', 'after it, µs', 'ratio', 'quartiles' ],
		map { [ $_->{title}, sprintf('%.1f', $_->{fresh}{us}[1]), sprintf('%.1f', $_->{aged}{us}[1]), _ratio(@{ $_->{aged}{ratio} }) ] }
		  @{ $churn->{calls} })
	  . "\n"
	  . table([ 'relation', 'fresh, kB', 'after it, kB' ],
		map { [ "`$_->{relation}`", thousands($_->{fresh} / 1024), thousands($_->{aged} / 1024) ] } @{ $churn->{sizes} });
}

sub snapshot_section ($snapshot)
{
	my ($from, $to) = map { sprintf('%.0f', $_) } @{ $snapshot->{held} };
	my @rows = map { _snapshot_row($snapshot, $_) } qw(idemstore sql);

	return "## An old snapshot\n\n![A call's time while a snapshot is held](snapshot.svg)\n\n\u$snapshot->{title}, from second $from"
	  . " to second $to; then came VACUUM. The sides run in turn.\n\n"
	  . table([ '', 'before, µs', 'at its end, µs', 'after it, µs', 'calls under it', 'table before, kB', 'at its end, kB' ], @rows);
}

# The medians before, of the last five seconds under it, and after.
sub _snapshot_row ($snapshot, $name)
{
	my $side = $snapshot->{sides}{$name};
	my ($from, $to) = @{ $snapshot->{held} };
	my @points = @{ $side->{points} };
	my @under = grep { $_->{at} >= $from && $_->{at} <= $to } @points;
	my $typical = sub ($is_meant) { return sprintf('%.1f', median(map { $_->{us} } grep { $is_meant->($_->{at}) } @points)) };

	return [ $side->{title}, $typical->(sub ($at) { $at < $from }), $typical->(sub ($at) { $at > $to - 5 && $at <= $to }),
		$typical->(sub ($at) { $at > $to }), thousands($under[-1]{calls} - $under[0]{calls}),
		map { thousands($side->{bytes}{$_} / 1024) } qw(before held) ];
}

sub flood_section ($flood)
{
	my @rows = map {
		my $side = $flood->{sides}{$_};
		[ $side->{title}, thousands($side->{during}), map({ thousands($side->{$_}) } qw(median_us late_us slowest_us)),
			sprintf('%.1f', $side->{names_seconds}), thousands($side->{bytes}) ];
	} ours_first($flood->{sides});

	return "## New names\n\n\u$flood->{title}, one after the other. Each side by itself: " . thousands($flood->{sides}{idemstore}{calls})
	  . " calls of one client, of which those count that end before the last new name has come.\n\n"
	  . table([ '', 'calls', 'median, µs', 'one in a thousand, µs', 'slowest, µs', 'new names came in, s', 'bytes a name' ], @rows);
}

sub first_section ($first)
{
	my @rows = map {
		my ($low, $median, $high) = @{ $_->{ms} };
		[ $_->{title}, significant($median), spread($low, $high), $_->{against}, $_->{against} ? _ratio(@{ $_->{ratio} }) : ('', '') ];
	} @{ $first->{calls} };

	return "## The first call of a session\n\n\u$first->{title}.\n\n"
	  . table([ '', 'ms', 'quartiles', 'against', 'ratio', 'quartiles' ], @rows);
}

sub footprint_section ($footprint)
{
	my @calls = map {
		my $call = $_;
		map { _footprint_row($call, $call->{sides}{$_}) } ours_first($call->{sides});
	} @{ $footprint->{calls} };
	my @keys = map {
		my $key = $_;
		map { [ $key->{title}, $key->{sides}{$_}{title}, thousands($key->{sides}{$_}{bytes}) ] } ours_first($key->{sides});
	} @{ $footprint->{keys} };

	return "## What is written and kept\n\n\u$footprint->{title}, from the server's own counters: bytes of WAL, transaction ids,"
	  . " row versions that died and that are left to VACUUM, the share of HOT updates.\n\n"
	  . table([ '', '', 'WAL', 'transaction ids', 'died', 'left', 'HOT' ], @calls)
	  . "\nBytes of a key, on the disc with its share of the indexes, or in memory:\n\n"
	  . table([ '', '', 'bytes' ], @keys);
}

sub _footprint_row ($call, $side)
{
	return [ $call->{title}, $side->{title}, thousands($side->{wal}),
		map({ sprintf('%.2f', $side->{$_}) } qw(xids dead left)),
		defined($side->{hot}) ? sprintf('%.0f %%', 100 * $side->{hot}) : '' ];
}

sub _ratio ($low, $median, $high)
{
	return (shown($median), spread($low, $high));
}

1;
