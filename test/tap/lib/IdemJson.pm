# JSON for tests: texts drawn at random, written in all the ways in which JSON
# can be written, and what published test suites for parsers try.
package IdemJson;

use strict;
use warnings;
use Exporter qw(import);
use FindBin;
use PostgreSQL::Test::Utils;

our @EXPORT_OK = qw(random_json json_cases);

my @words = ('', 'a', 'b', 'ab', 'abc', 'id', 'amount', 'Z', '10', '~', "\x7f");
my @escapes = ('\n', '\t', '\b', '\f', '\r', '\"', '\\\\', '\/', '\u0001', '\u001F', '\u0020', '\u0041', '\u0061', '\u007f');
my @foreign_escapes = ('\u00e9', '\u00E9', '\u00a6', '\u20ac', '\u3042', '\uffff', '\ud83d\ude00', '\uDBFF\uDFFF');
my @spaces = ('') x 12;
push(@spaces, ' ', "\n", "\t", "\r", '  ');

# A text in which strings hold the characters given, too, and escapes of what
# may not be in the database's encoding if is_foreign.
sub random_json
{
	my ($characters, $is_foreign, $depth) = @_;
	my $draw = int(rand(($depth // 0) > 5 ? 5 : 9));
	my $deeper = sub { random_json($characters, $is_foreign, ($depth // 0) + 1) };
	my $string = sub { random_string($characters, $is_foreign) };

	return space() . ($draw == 0 ? pick(qw(true false null))
		: $draw < 3 ? random_number()
		: $draw < 5 ? $string->()
		: $draw < 7 ? '[' . join(',', map { $deeper->() } 1 .. rand(5)) . space() . ']'
		: '{' . join(',', map { space() . $string->() . space() . ':' . $deeper->() } 1 .. rand(7)) . space() . '}') . space();
}

sub random_string
{
	my ($characters, $is_foreign) = @_;
	my @parts = (\@words, \@words, \@escapes, $characters, $is_foreign ? \@foreign_escapes : ());

	return '"' . join('', map { pick(@{ pick(@parts) }) } 1 .. rand(4)) . '"';
}

# Written in plain, none has more than 1,000 digits.
sub random_number
{
	my $zeros = sub { '0' x pick(0, 0, 0, 1, 2, 5, 30, 200) };
	my $digits = sub { join('', map { int(rand(10)) } 1 .. pick(1, 1, 1, 2, 3, 8, 20, 150)) };
	my $whole = pick('0', '0', (1 + int(rand(9))) . pick('', $digits->()) . $zeros->());
	my $fraction = pick('', '', '.' . $zeros->() . $digits->() . $zeros->(), '.0');
	my $exponent = pick('', '', '', pick('e', 'E') . pick('', '+', '-') . $zeros->() . pick(0, 1, 2, 7, int(rand(150))));

	return pick('', '', '-') . $whole . $fraction . $exponent;
}

sub space { return pick(@spaces); }
sub pick { return $_[ rand(@_) ]; }

# Of each: verdict (y, n or u), name, text.
sub json_cases
{
	my @cases;

	foreach (split(/\n/, slurp_file("$FindBin::Bin/lib/json_cases.txt")))
	{
		next if /^#/;
		my ($verdict, $name, $text) = /^([ynu]) (\S+) ?(.*)$/ or die "no case: $_";

		$text =~ s/%([0-9A-F]{2})/chr(hex($1))/ge;
		push(@cases, { verdict => $verdict, name => $name, text => $text });
	}
	return @cases;
}

1;
