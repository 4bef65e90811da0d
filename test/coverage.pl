#!/usr/bin/perl
#
# Sum up what gcov counted:
#
#	test/coverage.pl FILE.gcov...
#
# Prints the lines of src/ that were not run, by the reasons in
# test/coverage.reasons, and the share of each file and of all. The exit status
# is 1 when less than 95 % were run or a reason is for no line that there is.
#
use strict;
use warnings;

my $reasons = 'test/coverage.reasons';
my %lines;

read_counts($_) foreach @ARGV;
my @all = sort { $a->{file} cmp $b->{file} || $a->{number} <=> $b->{number} } values %lines;
my $is_stale = print_missing();
my $share = print_shares();
exit($is_stale || $share < 95 ? 1 : 0);

# Each line once, though a header is counted in every file that includes it.
sub read_counts
{
	my ($path) = @_;
	my ($file, $function) = ('', '');

	open(my $in, '<', $path) or die "$path: $!\n";
	while (<$in>)
	{
		my ($count, $number, $text) = /^\s*([^:]+):\s*(\d+):(.*)/ or next;

		$file = $1 if $text =~ /^Source:(.*)/;
		$function = "$1()" if $text =~ /^(\w+)\(/;
		next if $number == 0 || $count eq '-' || $file !~ m!^src/!;
		my $line = $lines{"$file:$number"} //= { file => $file, number => $number, text => $text, function => $function, runs => 0 };
		$line->{runs} = 1 if $count !~ /[#=]/;
	}
}

# Group by reason; true when one of them is for no line at all.
sub print_missing
{
	my @missing = runs_of_missing();
	my ($reason, $is_stale) = ('', 0);
	my %group;

	open(my $in, '<', $reasons) or die "$reasons: $!\n";
	while (<$in>)
	{
		chomp;
		$reason = $_ if /^[^#\s]/;
		my ($file, $what) = /^\t(.*?): (.*)/ or next;
		my $is_meant = sub {
			grep { $_->{file} eq $file && ($_->{function} eq $what || index($_->{text}, $what) >= 0) } @_;
		};

		push(@{ $group{$reason} }, map { @$_ } grep { $is_meant->(@$_) } @missing);
		@missing = grep { !$is_meant->(@$_) } @missing;
		next if $is_meant->(@all);
		print "$reasons: no line is meant by \"$file: $what\"\n";
		$is_stale = 1;
	}
	print_group($_, @{ $group{$_} }) foreach sort keys %group;
	print_group('no reason is known', map { @$_ } @missing);
	return $is_stale;
}

# Lines that were not run, each with those that follow it, as a list of lists.
sub runs_of_missing
{
	my @result;
	my $former = { runs => 1, file => '' };

	foreach my $line (@all)
	{
		push(@result, []) if $former->{runs} || $former->{file} ne $line->{file};
		push(@{ $result[-1] }, $line) unless $line->{runs};
		$former = $line;
	}
	return grep { @$_ } @result;
}

sub print_group
{
	my ($reason, @group) = @_;

	return unless @group;
	print "not run, $reason:\n";
	print "\t$_->{file}:$_->{number}: ", $_->{text} =~ s/^\s+//r, "\n" foreach @group;
}

sub print_shares
{
	my (%all, %run);

	foreach my $line (@all)
	{
		$_->{ $line->{file} }++ foreach \%all, $line->{runs} ? \%run : ();
	}
	my %share = map { $_ => 100 * ($run{$_} // 0) / $all{$_} } keys %all;
	printf("%6.2f %% of %4d lines: %s\n", $share{$_}, $all{$_}, $_)
	  foreach sort { $share{$a} <=> $share{$b} || $a cmp $b } keys %all;
	my $share = @all ? 100 * (grep { $_->{runs} } @all) / @all : 0;
	printf("%.2f %% of %d lines of src/ are run\n", $share, scalar(@all));
	return $share;
}
