# Calls of whatever functions and procedures the catalog has in schema idemstore.
# What is drawn depends on srand(), on the catalog, and on what was answered.
package IdemCalls;

use strict;
use warnings;
use List::Util qw(shuffle max);
use IdemValues qw(pick chance sensible_value odd_value);

# How often a function is called. Those that begin something come
# more often, those that end everything, or change catalogs, less.
my %weight = (
	start_processing => 16, dedupe_register_or_join => 8, cache_set => 8, set_rate_limit => 8, acquire => 8,
	forget_scope => 1, cache_clear => 1, dedupe_clear => 1, expire => 1, expire_all => 1, grant_usage => 1, revoke_usage => 1);
my $default_weight = 4;

# Each with its name, kind, number of arguments that have defaults, comment, and
# the name and type of every argument.
sub from_catalog
{
	my ($class, $node, $database) = @_;
	my $rows = $node->safe_psql($database, q(
		SELECT p.oid, p.proname, p.prokind, p.pronargdefaults,
			(SELECT string_agg(coalesce(p.proargnames[n], '') || ':' || format_type(type, NULL), ',' ORDER BY n)
			FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a (type, n)
			WHERE p.proargmodes IS NULL OR p.proargmodes[n] IN ('i', 'b', 'v')),
			replace(obj_description(p.oid, 'pg_proc'), E'\n', ' ')
		FROM pg_proc AS p WHERE p.pronamespace = 'idemstore'::regnamespace ORDER BY p.proname));
	my @functions;

	foreach (split(/\n/, $rows))
	{
		my %function;

		@function{qw(oid name kind defaults arguments comment)} = split(/\|/, $_, 6);
		$function{arguments} = [ map { [ split(/:/) ] } split(/,/, $function{arguments}) ];
		push(@functions, \%function);
	}
	return bless({
		functions => \@functions, seen => {},
		lots => [ map { ($_) x ($weight{ $_->{name} } // $default_weight) } @functions ] }, $class);
}

sub functions
{
	my ($self) = @_;

	return @{ $self->{functions} };
}

# A function, all its arguments, each with name, value and whether it is binary,
# and those that are passed. may_wait: something ends waits of any length.
sub draw
{
	my ($self, $may_wait) = @_;
	my $function = pick(@{ $self->{lots} });
	my $oddity = chance(60) ? 'none' : chance(60) ? 'one' : 'many';
	my $odd_one = int(rand(@{ $function->{arguments} }));
	my @arguments;
	my %drawn;

	foreach my $n (0 .. $#{ $function->{arguments} })
	{
		my ($name, $type) = @{ $function->{arguments}[$n] };
		my $is_odd = $oddity eq 'one' && $n == $odd_one || $oddity eq 'many' && chance(30);
		my ($value, $is_binary) =
		    $is_odd ? odd_value($name, $type, $may_wait)
		  : $name =~ /^(?:fence|job_id)$/ ? $self->remembered($function, \%drawn)
		  : sensible_value($name, $type);

		$drawn{$name} = $value;
		push(@arguments, { name => $name, value => $value, is_binary => $is_binary, is_odd => $is_odd });
	}
	return {
		function => $function, all => \@arguments, has_rubbish => scalar(grep { $_->{is_binary} } @arguments),
		$self->notation($function, $oddity, @arguments) };
}

# Some first arguments by position, the others by name and in any order; what has
# a default is often left out. An odd call may get the notation wrong.
sub notation
{
	my ($self, $function, $oddity, @arguments) = @_;
	my $required = @arguments - $function->{defaults};
	my $by_position = chance(50) ? $required : int(rand(@arguments + 1));
	my @optional;

	$by_position = @arguments if @arguments && $arguments[0]{name} eq '';
	@optional = grep { $_->{is_odd} || chance(40) } @arguments[ max($by_position, $required) .. $#arguments ];
	my @named = (@arguments[ $by_position .. $required - 1 ], @optional);
	my $is_misnamed = $oddity eq 'many' && chance(20);
	if ($is_misnamed)
	{
		push(@named, pick({ name => 'nonsense', value => 1 }, $named[0] // ()));
		shift(@named) if chance(30);
	}
	return (
		is_misnamed => $is_misnamed,
		by_position => [ @arguments[ 0 .. $by_position - 1 ] ],
		by_name => [ shuffle(@named) ]);
}

# What the function that begins something answered for the key.
sub remembered
{
	my ($self, $function, $drawn) = @_;
	my $about = about($function, $drawn);

	return if chance(10);
	return $self->{seen}{$about} // ($function->{name} =~ /^dedupe_/ ? undef : 1);
}

sub remember
{
	my ($self, $call, $row) = @_;
	my %value = map { $_->{name} => $_->{value} } @{ $call->{all} };
	my $answer = $row->{fence} // $row->{job_id};

	$self->{seen}{ about($call->{function}, \%value) } = $answer if defined($answer);
	return;
}

sub about
{
	my ($function, $value) = @_;
	my ($family) = $function->{name} =~ /^(cache|dedupe)_/;

	return join(' ', $family // '', map { $_ // '' } $value->{key} // $value->{hash}, $value->{scope});
}

# As a statement with placeholders; its values, and whether they are binary.
sub with_placeholders
{
	my ($call) = @_;
	my @arguments = (@{ $call->{by_position} }, @{ $call->{by_name} });
	my $number = 0;

	return (
		statement($call, sub { '$' . ++$number }),
		[ map { $_->{value} } @arguments ],
		[ map { $_->{is_binary} } @arguments ]);
}

# As a statement with everything in it.
sub with_literals
{
	my ($call) = @_;

	return statement($call, sub { literal($_[0]{value}) });
}

sub literal
{
	my ($value) = @_;

	return 'NULL' unless defined($value);
	$value =~ tr/\0//d;
	$value =~ s/'/''/g;
	return "'$value'";
}

sub statement
{
	my ($call, $value_of) = @_;
	my $function = $call->{function};
	my $arguments = join(', ',
		map({ $value_of->($_) } @{ $call->{by_position} }),
		map({ "$_->{name} => " . $value_of->($_) } @{ $call->{by_name} }));
	my $verb = $function->{kind} eq 'p' ? 'CALL' : chance(20) ? 'SELECT' : 'SELECT * FROM';

	return "$verb idemstore.$function->{name}($arguments)";
}

1;
