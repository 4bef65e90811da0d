#!/usr/bin/perl
#
# A name is often a secret: an e-mail address, a session. With terse messages in
# the log and no statements, no error of any function puts there what the caller
# passed as a key, hash, tag, resource, origin, fingerprint, owner or scope.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemCalls;
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $secret = 'ada@example.org';
my $node = new_node('main', 'log_error_verbosity = terse', 'log_min_error_statement = panic', "idemstore.default_wait = '1 ms'");

# What can stand under a name, each with statements that make it so.
my %standing = (
	nothing => '',
	claimed => "SELECT idemstore.start_processing('NAME', 'NAME print', owner => 'NAME')",
	abandoned => "SELECT idemstore.start_processing('NAME', 'NAME print', lease => '0')",
	complete => "SELECT idemstore.start_processing('NAME', 'NAME print'), idemstore.complete('NAME', 200, '{}', 'NAME')",
	failed => "SELECT idemstore.start_processing('NAME'), idemstore.fail('NAME', '\"NAME\"')",
	given_up => "SELECT idemstore.start_processing('NAME'), idemstore.fail('NAME', '\"NAME\"', true)",
	cached => "SELECT idemstore.cache_set('NAME', '\"NAME\"', tags => '{NAME}'), idemstore.dedupe_register('NAME')",
	cached_bytes => "SELECT idemstore.cache_set_bytes('NAME', 'NAME', tags => '{NAME}'), idemstore.dedupe_register('NAME'), idemstore.dedupe_complete('NAME', '\"NAME\"')",
	limited => "SELECT idemstore.set_rate_limit('NAME', 1, '1 h'), idemstore.set_cooldown('NAME', 'tomorrow')",
	adaptive => "SELECT idemstore.set_adaptive_rate_limit('NAME')");

# Values of which there are a few, and which are in the message when there is no
# such one; those of other types are no names either.
my %is_word = map { $_ => 1 } qw(priority algorithm level role schedule time_zone);

# What else is passed: nothing, what is sensible, and what is not.
my %others = (
	bigint => [ '1', '0', '-1', '9223372036854775807' ], integer => [ '1', '0', '-1' ], 'double precision' => [ '1', 'NaN' ],
	interval => [ '1 ms', '-1 ms', '11 years', '0' ], 'timestamp with time zone' => [ 'tomorrow', 'infinity' ], boolean => [ 't', 'f' ],
	json => [ '"NAME"', '{"NAME": "NAME"}', '1' ], bytea => ['NAME'], uuid => ['00000000-0000-4000-8000-000000000000'],
	'json[]' => [ '{"\"NAME\""}', '{1,2}' ], 'integer[]' => [ '{1}', '{1,2}' ], 'bigint[]' => [ '{1}', '{1,2}' ]);

my $calls = IdemCalls->from_catalog($node, 'postgres');
my @functions = grep { $_->{name} !~ /^(?:grant_usage|revoke_usage|schedule_expiry|expire_all|slots_handler|rate_limits_changed|start_processing_support)$/ } $calls->functions;
my $session = IdemTest::Session->new($node);
my %seen;
my $ncalls = 0;

foreach my $standing (sort keys %standing)
{
	my $number = 0;

	foreach my $function (@functions)
	{
		# other arguments than the first get their values in turn
		foreach my $turn (0 .. 7)
		{
			my $name = "$secret $standing " . ++$number;
			my $call = call($function, $name, $turn);

			$session->ask($standing{$standing} =~ s/NAME/$name/gr) if $standing{$standing} ne '';
			my $sqlstate = $session->sqlstate($call);
			$seen{$sqlstate}{ $function->{name} } = 1;
			$ncalls++;
		}
	}
}

# All arguments by name: names where there are names, each of the others absent,
# NULL, or one of its values. In the last two turns those that it must have, in the
# last with a fence.
sub call
{
	my ($function, $name, $turn) = @_;
	my @arguments;
	my $number = 0;

	foreach (@{ $function->{arguments} })
	{
		my ($argument, $type) = @$_;
		my $is_optional = @arguments >= @{ $function->{arguments} } - $function->{defaults};
		my $values = $others{$type};
		my $value;

		$number++;
		next if $argument eq '';
		if ($type eq 'text' && !$is_word{$argument}) { $value = $argument eq 'scope' ? '' : $argument eq 'fingerprint' && $turn % 2 ? "$name print" : $name }
		elsif ($type eq 'text[]') { $value = $turn == 4 ? "{{$name},{$name}}" : $turn == 5 ? "{$name,NULL}" : "{$name}" }
		elsif ($type eq 'text') { next }
		elsif (!$values) { next if $is_optional; $value = undef }
		else { $value = $values->[ ($turn + $number) % @$values ] }
		next if $is_optional && ($turn < 6 ? ($turn * 7 + $number) % 3 == 0 : $turn == 6 || $argument ne 'fence');
		push(@arguments, "$argument => " . (defined($value) ? "'" . ($value =~ s/NAME/$name/gr) . "'" : 'NULL'));
	}
	return "SELECT * FROM idemstore.$function->{name}(" . join(', ', @arguments) . ')';
}

note("$ncalls calls: " . join(', ', map { "$_ of " . keys(%{ $seen{$_} }) . ' functions' } sort keys %seen));
# by whom each is raised at least
my %raised = (
	ID404 => [qw(complete fail extend_lease checkpoint assert_owner success)],
	ID408 => ['wait'],
	ID412 => [qw(complete fail release extend_lease checkpoint assert_owner success)],
	ID425 => [qw(complete fail success)],
	ID428 => [qw(acquire consume acquire_all can_proceed record_request get_wait_time rate_limit_status adaptive_rate_limit_status)],
	22023 => [qw(start_processing complete cache_set)],
	42804 => [qw(cache_get cache_increment)],
	'22P02' => ['cache_increment']);
is(join(' ', map { my $state = $_; grep { !$seen{$state}{$_} } @{ $raised{$state} } } sort keys %raised), '', 'every error was met');
is(join(' ', grep { my $name = $_->{name}; !grep { $_->{$name} } values %seen } @functions), '', 'by every function');

$session->quit;
my @log = split(/\n/, slurp_file($node->logfile));
my @errors = grep { /ERROR:/ } @log;
cmp_ok(@errors, '>', $ncalls / 10, 'the log has the errors');
is(join("\n", grep { /\Q$secret\E/ } @log), '', 'and no name');

done_testing();
