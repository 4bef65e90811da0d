# One good call of every function, for tests of who may call it and of what it
# looks at. A new function needs a line here.
package IdemGood;

use strict;
use warnings;

# Its arguments, or these and an SQLSTATE, where a good call cannot succeed in a
# server as it comes. KEY is a name of the call's own: a claim, a job, an entry of
# the cache, its tag, a limit and a cooldown have it, and an adaptive limit is on
# KEY/*. ROLE is a role.
my %arguments = (
	acquire => "'KEY'",
	acquire_all => "'{KEY,KEY/1}'",
	acquire_many => "'{KEY,KEY/1,KEY}'",
	adaptive_rate_limit_status => "'KEY/1'",
	assert_owner => "'KEY', (idemstore.get('KEY')).fence",
	cache_add => "'KEY absent', '1'",
	cache_clear => "'KEY'",
	cache_compare_and_set => "'KEY', '1', '2'",
	cache_delete => "'KEY'",
	cache_delete_many => "'{KEY,absent}'",
	cache_fetch => "'KEY absent', wait => '1 ms'",
	cache_get => "'KEY'",
	cache_get_bytes => "'KEY'",
	cache_get_many => "'{KEY,absent}'",
	cache_increment => "'KEY', 2",
	cache_list => "'KEY'",
	cache_set => "'KEY', '2', '1 min', '{KEY}'",
	cache_set_bytes => "'KEY', '2', '1 min', '{KEY}'",
	cache_set_many => "'{KEY,KEY 2}', '{1,2}', '1 min', '{KEY}'",
	cache_touch => "'KEY', '1 min'",
	cache_ttl => "'KEY'",
	can_proceed => "'KEY'",
	checkpoint => "'KEY', 'half', '{}'",
	clear_cooldown => "'KEY'",
	complete => "'KEY', 200, '{}', 'body'",
	consume => "'KEY/1', 1, 'user', origin => 'KEY absent'",
	consume_many => "'{KEY,KEY/1}', '{1,2}', '{NULL,user}'",
	cooldown_list => "'KEY'",
	dedupe_clear => "'KEY'",
	dedupe_complete => "'KEY', '1'",
	dedupe_fail => "'KEY', '1'",
	dedupe_is_in_progress => "'KEY'",
	dedupe_list => "'KEY'",
	dedupe_register => "'KEY new'",
	dedupe_register_or_join => "'KEY'",
	dedupe_wait_for => "'KEY', '1 ms'",
	drop_rate_limit => "'KEY'",
	expire => '10',
	expire_all => "10, '1 min'",
	expiry_job => '',
	extend_lease => "'KEY', (idemstore.get('KEY')).fence",
	fail => "'KEY', '{}', true",
	fingerprint => qq('{"b": 1, "a": [2, null]}', '{b}'),
	forget => "'KEY'",
	forget_scope => "'KEY'",
	get => "'KEY'",
	get_cooldown => "'KEY'",
	get_value => "'KEY'",
	get_value_text => "'KEY'",
	get_wait_time => "'KEY'",
	grant_usage => "'ROLE', 'operator'",
	in_flight_by_key => "'KEY', 'KEY'",
	in_flight_claims => '',
	initiate => "'KEY new', '{}'",
	invalidate_by_tag => "'KEY'",
	invalidate_by_tags => "'{KEY,absent}'",
	lookup => "'KEY', 'KEY print'",
	rate_limit_clear => "'KEY'",
	rate_limit_list => "'KEY'",
	rate_limit_reset => "'KEY'",
	rate_limit_status => "'KEY'",
	record_request => "'KEY'",
	refund => "'KEY', 1, 'now'",
	release => "'KEY'",
	revoke_usage => "'ROLE', 'monitor'",
	schedule_expiry => [ '', '55000' ],    # without pg_cron
	set_adaptive_rate_limit => "'KEY'",
	set_cooldown => "'KEY', 'tomorrow'",
	set_nx => "'KEY new', 'value'",
	set_rate_limit => "'KEY', 7, '1 hour', 'token_bucket', 9",
	set_value => "'KEY', 'value'",
	shard => "'KEY', 4",
	start_processing => "'KEY new', 'print', unique_fingerprint => true",
	stats_backlog_since => "'cache', '2026-01-01'",
	stats_counts => '',
	stats_expired => "'cache', '2026-01-01'",
	stats_live => "'cache', '2026-01-01'",
	stats_longest_chain => '',
	stats_marks => '',
	stats_oldest_in_progress => "'cache', '2026-01-01'",
	stats_reset => '',
	stats_sizes => "'cache'",
	stats_table => "'cache'",
	success => "'KEY', '1'",
	unschedule_expiry => '',
	usage_privileges => '',
	wait => "'KEY absent', '1 ms'");

# Those that nobody calls.
my %is_internal = map { $_ => 1 } (
	'rate_limits_changed',    # a trigger
	'slots_handler',          # for the server itself
	'start_processing_support');    # likewise

# The names of those, of functions as IdemCalls has them, that need a line here.
sub unknown
{
	return grep { !exists $arguments{$_} && !$is_internal{$_} } map { $_->{name} } @_;
}

# A statement and the SQLSTATE it ends in, with names that begin with prefix.
# Nothing for a function that nobody calls.
sub good_call
{
	my ($function, $prefix, $role) = @_;
	my $name = $function->{name};
	my $known = $arguments{$name} // return;
	my ($arguments, $sqlstate) = ref($known) ? @$known : ($known, '00000');

	$arguments =~ s/KEY/$prefix $name/g;
	$arguments =~ s/ROLE/$role/g;
	return (($function->{kind} eq 'p' ? 'CALL' : 'SELECT * FROM') . " idemstore.$name($arguments)", $sqlstate);
}

# What good calls begin from, as a superuser makes it.
sub prepare
{
	my ($prefix, @functions) = @_;

	return join(";\n", map {
		my $key = "$prefix $_->{name}";

		"SELECT idemstore.start_processing('$key', '$key print', scope => scope) FROM (VALUES (''), ('$key')) AS s (scope)",
		"SELECT idemstore.start_processing('$key expired', ttl => '1 us')",
		"SELECT idemstore.dedupe_register('$key')",
		"SELECT idemstore.cache_set('$key', '1', tags => '{$key}')",
		"SELECT idemstore.set_rate_limit('$key', 5, '1 hour'), idemstore.set_adaptive_rate_limit('$key/*')",
		"SELECT idemstore.set_cooldown('$key', 'tomorrow')"
	} @functions);
}

1;
