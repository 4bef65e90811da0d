# Arguments drawn at random for the generated calls: sensible ones over a small
# pool of keys, so that calls meet each other's work, and whatever a caller might
# get wrong. All are bytes, in the text format or the binary one.
package IdemValues;

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(pick chance sensible_value odd_value);

my @keys = qw(k1 k2 k3 k4 k5);
my @short = ('0', '1 ms', '2 ms', '5 ms', '10 ms');

# What is sensible, by the name of an argument or else by its type.
my %sensible = (
	key => \@keys,
	hash => \@keys,
	resource => [ @keys, '*', 'k*' ],
	origin => \@keys,
	prefix => [ '', 'k', 'k1' ],
	after => [ '', 'k1', 'k3' ],
	tag => [qw(t1 t2 t3)],
	tags => [ '{t1}', '{t2,t3}', '{}' ],
	exclude => [ '{}', '{a}' ],
	payload => [ 'null', '{"a": 1, "b": [2, null]}' ],
	keys => [ '{k1,k2}', '{k2,k3}', '{k4,k1}' ],
	resources => [ '{k1,k2}', '{k3,k1}' ],
	items => [ '{1,2}', '{null,"{}"}' ],
	costs => [ '{1,1}', '{0,2}' ],
	scope => [ '', '', '', '', 's' ],
	fingerprint => [qw(f1 f2)],
	owner => [qw(o1 o2)],
	recovery_point => [qw(half done)],
	response_headers => [ '{}', '{"a": "b"}', '[["a", "b"]]' ],
	response_text => [ '', 'text', 'C:\\\\dir' ],
	value_text => [ '', 'text', 'C:\\\\dir' ],
	algorithm => [qw(sliding_window token_bucket fixed_window)],
	policy => [qw(default p1 p2)],
	priority => [qw(user background)],
	role => [ 'generated_one', '"generated ""two"' ],
	level => [qw(application operator)],
	per => [ '1 s', '1 hour', '10 ms' ],
	cost => [ 0, 1, 2 ],
	quota => [ 1, 5, 100 ],
	wait => \@short,
	timeout => \@short,
	stale => [ '0', '1 s' ],
	max_rows => [ 1, 10, 1000 ],
	batch_size => [ 10, 1000 ],
	max_duration => [ '0', '1 s' ],
	high_activity_threshold => [ 10, 20 ],
	moderate_activity_threshold => [ 2, 3 ],
	interval => [ '1 min', '1 hour', '1 day', '1 min', '1 ms', '0', '-1 s' ],
	'timestamp with time zone' => [qw(tomorrow now yesterday)],
	boolean => [qw(t f)],
	json => [ 'null', '{}', '{"a": [1, 2]}', '"text"', '17' ],
	bytea => [ '\x', '\x00ff', 'bytes' ],
	bigint => [ 1, 2, 17 ],
	integer => [ 1, 5, 200 ],
	'double precision' => [ 1, 2.5 ],
	uuid => ['00000000-0000-4000-8000-000000000000']);

my $char = "\xc3\xa4";
my $megabyte = 1024 * 1024;
my @odd_names = (
	'', map({ 'x' x $_ } 63, 64, 65, 254, 255, 256, 257, 1023, 1024, 1025, 8192, 100_000),
	map({ $char x $_ } 127, 128, 512, 513),
	'%', '_', '\\', "'", '"', '*', 'a*b', '**', "a\nb", "\x01", ' ', "\xf0\x9f\x98\x80", 'NULL', 'user', 'nonsense',
	# not UTF-8
	"\xff\xfe", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\x80", "a\0b");
my @odd_json = (
	'"\u0000"', '{"\u0000": "\u0000"}', '"\ud800"', '"\udc00\ud800"', '"\u00e4"', "\"$char\"", "\"\xff\"",
	'1e400', '-0', '1E-5000', 'NaN', '', '{', '[1,]', '{"a": 1, "a": 2}',
	'[' x 100 . ']' x 100, '{"a":' x 100 . '1' . '}' x 100, '[' x 50_000, '"' . 'x' x 8190 . '"');
my @odd_intervals = (
	'1 us', '-1 us', '-1 month', '-1 month 31 days', '10 years 1 us', '3654 days', '120 months 3 days 1 us', '-10 years',
	'178000000 years', '-178000000 years', '2147483647 days', '-2147483648 days', '2562047788:00:54.775807', '1e300 s',
	'infinity', '-infinity', 'x');
my @long_intervals = ('1 month', '1 month -31 days', '10 years', '3653 days', '1 day');

# What is not, by type.
my %odd = (
	text => \@odd_names,
	json => \@odd_json,
	bytea => [ '\x' . '00' x 8192, '\\', "\xff" ],
	interval => [ @odd_intervals, @long_intervals ],
	'timestamp with time zone' => [
		'infinity', '-infinity', 'epoch', '294276-12-31 23:59:59+00', '294277-01-01 00:00:00+00',
		'4714-11-24 00:00:00+00 BC', '2000-02-30', 'x' ],
	bigint => [ 0, -1, '9223372036854775807', '-9223372036854775808', '9223372036854775808', '4294967296', 'x' ],
	integer => [ 0, -1, 65, 2147483647, -2147483648, 2147483648, 'x' ],
	'double precision' => [ 0, -1, 'NaN', 'Infinity', '-Infinity', '1e308', '5e-324', '1e400', 'x' ],
	boolean => [ 'maybe', '' ],
	uuid => [ '00000000-0000-0000-0000-000000000000', 'x' ],
	regrole => [ 'nobody_of_that_name', '-', '0', '4294967295', 'public', 'pg_monitor', 'x' x 100 ],
	internal => [''],
	'text[]' => [
		'{}', '{NULL}', '{k1,NULL}', '{{k1,k2},{k3,k4}}', '[0:1]={k1,k2}', '[-5:-4]={k1,k2}', '{k1,k1}', '{""}', '{"*"}',
		'{k1', map({ '{' . join(',', 1 .. $_) . '}' } 1, 2, 8, 64, 65, 1000),
		map({ '{k1,' . 'x' x $_ . '}' } 255, 256, 1024, 1025), "{k1,$char}", "{k1,\xff}" ],
	'bigint[]' => [ '{}', '{NULL}', '{1}', '{1,-1}', '{9223372036854775807,9223372036854775807}', '{{1,2}}', '[0:1]={1,2}', '{9223372036854775808}' ],
	'integer[]' =>
	  [ '{}', '{NULL,1}', '{{1,2}}', '[0:1]={1,2}', '{-1,1}', '{2147483647,2147483647}', '{1}', '{x,1}' ],
	'json[]' => [ '{}', '{NULL,1}', '{{1,2}}', '[0:1]={1,2}', '{1}', '{x,1}', '{"\"\\\\u0000\"",1}' ]);

# Few, since they are large.
my %large = (
	json => [ map { '"' . 'x' x $_ . '"' } $megabyte - 2, $megabyte ],
	bytea => [ map { 'x' x $_ } $megabyte, $megabyte + 1 ]);

# In binary format: intervals that nobody can write down, and rubbish.
my @odd_bytes = (
	map({ pack('q> l> l>', @$_) }
		[ 2**63 - 1, 2**31 - 1, 2**31 - 1 ], [ -2**63, -2**31, -2**31 ], [ 2**63 - 1, 0, 0 ],
		[ -2**63, 0, 0 ], [ 0, 2**31 - 1, -2**31 ], [ -2**63, 2**31 - 1, 0 ], [ 1, -1, 1 ], [ 0, 0, 0 ]),
	'', "\0", "\x7f", "\xff" x 4, "\x7f" . "\xff" x 3, "\xff" x 8, "\x7f" . "\xff" x 7, "\x80" . "\0" x 7,
	"\x7f\xf8" . "\0" x 6, "\xc3\xa4", 'k1');

sub pick { return $_[ int(rand(@_)) ] }

# True so many times out of a hundred.
sub chance { return rand(100) < $_[0] }

sub sensible_value
{
	my ($name, $type) = @_;

	return pick(@{ $sensible{$name} // $sensible{$type} // [undef] });
}

# In list context also whether it is in binary format. Nobody waits long, unless
# something ends the wait.
sub odd_value
{
	my ($name, $type, $may_wait) = @_;
	my $must_be_short = $name =~ /^(?:wait|timeout)$/ && !$may_wait;

	die "no values for type $type of $name" unless $odd{$type};
	return (undef, 0) if chance(20);
	return (pick(@odd_bytes), 1) if chance(15) && !$must_be_short;
	return (pick(@odd_intervals), 0) if $must_be_short;
	return (pick(@{ $large{$type} }), $type eq 'bytea') if $large{$type} && chance(10);
	return (pick(@{ $odd{$type} }), 0);
}

1;
