# Whole files at once.
package Files;

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(read_file write_file c_sources);

sub read_file
{
	my ($name) = @_;
	open(my $handle, '<', $name) or die "could not read $name: $!\n";
	local $/ = undef;
	return scalar(<$handle>) // '';
}

sub write_file
{
	my ($name, $text) = @_;
	open(my $handle, '>', $name) or die "could not write $name: $!\n";
	print $handle $text;
	close($handle) or die "could not write $name: $!\n";
	return;
}

# The C code, relative to the root of the tree.
sub c_sources { return sort map { glob("src/$_\[ch]") } '*.', '*/*.', '*/*/*.'; }

1;
