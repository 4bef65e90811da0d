#!/usr/bin/perl
#
# The new library under the SQL of an earlier version: installed, and ALTER
# EXTENSION UPDATE not run yet. Every function of that version works as it did, or
# says what to run.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $from = '0.2.0';

# A call of each as it was then, in an order in which each finds what it needs,
# and what it says. Those after the first with the same name are of it, too.
my @calls = (
	[ start_processing => "SELECT outcome, attempt FROM idemstore.start_processing('k', 'print', '1 h', 'scope', '1 min', '0', 'owner', true, false, '{}')", qr/^started\|1$/ ],
	[ start_processing => "SELECT idemstore.start_processing('k2'), idemstore.start_processing('k3'), idemstore.start_processing('k4'), idemstore.start_processing('k5')", qr/^\(started,/ ],
	[ assert_owner => "SELECT idemstore.assert_owner('k2', (idemstore.get('k2')).fence)", qr/^(?:t?)$/ ],
	[ extend_lease => "SELECT idemstore.extend_lease('k2', (idemstore.get('k2')).fence, '2 min') > now()", qr/^t$/ ],
	[ checkpoint => "SELECT idemstore.checkpoint('k2', 'half', '{}')", qr/^(?:t?)$/ ],
	[ complete => "SELECT idemstore.complete('k2', 201, '{\"a\": 1}', 'body')", qr/^(?:t?)$/ ],
	[ fail => "SELECT idemstore.fail('k3', '{}', false, 402)", qr/^(?:t?)$/ ],
	[ release => "SELECT idemstore.release('k4')", qr/^t$/ ],
	[ success => "SELECT idemstore.success('k5', '7')", qr/^(?:t?)$/ ],
	[ get => "SELECT key, status IS NOT NULL FROM idemstore.get('k2')", qr/^k2\|t$/ ],
	[ lookup => "SELECT (by_key).key, (by_fingerprint).key FROM idemstore.lookup('k', 'print', 'scope')", qr/^k\|k$/ ],
	[ wait => "SELECT key FROM idemstore.wait('absent', '1 ms')", qr/^$/ ],
	[ initiate => "SELECT idemstore.initiate('i', '{}')", qr/^t$/ ],
	[ set_nx => "SELECT idemstore.set_nx('v', 'value'), idemstore.set_nx('v', 'other')", qr/^t\|f$/ ],
	[ set_value => "SELECT idemstore.set_value('v', 'other')", qr/^(?:[tf]?)$/ ],
	[ get_value => "SELECT idemstore.get_value('v')", qr/^(?:\\x6f74686572)?$/ ],
	[ forget => "SELECT idemstore.forget('i')", qr/^[tf]$/ ],
	[ forget_scope => "SELECT idemstore.forget_scope('scope')", qr/^[01]$/ ],
	[ fingerprint => q(SELECT idemstore.fingerprint('{"b": 1, "a": [2, null]}', '{b}') = encode(sha256('{"a":[2,null]}'), 'hex')), qr/^t$/ ],
	[ dedupe_register_or_join => "SELECT is_owner FROM idemstore.dedupe_register_or_join('j', '1 min')", qr/^t$/ ],
	[ dedupe_register => "SELECT idemstore.dedupe_register('j2') IS NOT NULL", qr/^t$/ ],
	[ dedupe_is_in_progress => "SELECT idemstore.dedupe_is_in_progress('j')", qr/^t$/ ],
	[ dedupe_wait_for => "SELECT outcome FROM idemstore.dedupe_wait_for('j2', '1 ms')", qr/^timeout$/ ],
	[ dedupe_complete => "SELECT idemstore.dedupe_complete('j', '1')", qr/^t$/ ],
	[ dedupe_fail => "SELECT idemstore.dedupe_fail('j2', '1')", qr/^t$/ ],
	[ dedupe_clear => "SELECT idemstore.dedupe_clear('j')", qr/^2$/ ],
	[ cache_set => "SELECT idemstore.cache_set('c', '2', '1 h', '{t}')", qr/^t$/ ],
	[ cache_set_bytes => "SELECT idemstore.cache_set_bytes('b', '\\x00ff'::bytea, '1 h', '{t}')", qr/^t$/ ],
	[ cache_get => "SELECT idemstore.cache_get('c')", qr/^2?$/ ],
	[ cache_get_bytes => "SELECT idemstore.cache_get_bytes('b')", qr/^(?:\\x00ff)?$/ ],
	[ cache_fetch => "SELECT outcome, value FROM idemstore.cache_fetch('c', '1 s', '0', '0')", qr/^hit\|2$/ ],
	[ cache_ttl => "SELECT idemstore.cache_ttl('c') > '59 min'", qr/^t$/ ],
	[ cache_touch => "SELECT idemstore.cache_touch('c', '2 h')", qr/^t$/ ],
	[ cache_increment => "SELECT idemstore.cache_increment('c', 3)", qr/^5$/ ],
	[ cache_set_many => "SELECT idemstore.cache_set_many('{m,n}', '{1,2}', '1 h', '{t}')", qr/^2$/ ],
	[ cache_get_many => "SELECT string_agg(key || ' ' || coalesce(value::text, 'miss'), ', ') FROM idemstore.cache_get_many('{m,n,absent}')", qr/^m 1, n 2, absent miss$/ ],
	[ cache_delete => "SELECT idemstore.cache_delete('n')", qr/^t$/ ],
	[ cache_delete_many => "SELECT idemstore.cache_delete_many('{m,n}')", qr/^1$/ ],
	[ invalidate_by_tag => "SELECT idemstore.invalidate_by_tag('absent')", qr/^0$/ ],
	[ invalidate_by_tags => "SELECT idemstore.invalidate_by_tags('{t,absent}')", qr/^[012]$/ ],
	[ cache_clear => "SELECT idemstore.cache_clear('')", qr/^0$/ ],
	[ set_rate_limit => "SELECT idemstore.set_rate_limit('r', 5, '1 h', 'sliding_window', NULL, 'default')", qr/^(?:t?)$/ ],
	[ set_adaptive_rate_limit => "SELECT idemstore.set_adaptive_rate_limit('a')", qr/^(?:t?)$/ ],
	[ acquire => "SELECT idemstore.acquire('r', 2, NULL, NULL, NULL, 'o')", qr/^t$/ ],
	[ consume => "SELECT allowed, remaining FROM idemstore.consume('r')", qr/^t\|[24]$/ ],
	[ acquire_all => "SELECT idemstore.acquire_all('{r,a}', '{1,1}')", qr/^t$/ ],
	[ can_proceed => "SELECT idemstore.can_proceed('r')", qr/^t$/ ],
	[ get_wait_time => "SELECT idemstore.get_wait_time('r')", qr/^00:00:00$/ ],
	[ record_request => "SELECT idemstore.record_request('r')", qr/^(?:t?)$/ ],
	[ rate_limit_status => "SELECT quota FROM idemstore.rate_limit_status('r')", qr/^5$/ ],
	[ adaptive_rate_limit_status => "SELECT user_reserved > 0 FROM idemstore.adaptive_rate_limit_status('a')", qr/^t$/ ],
	[ rate_limit_reset => "SELECT idemstore.rate_limit_reset('r')", qr/^[tf]$/ ],
	[ set_cooldown => "SELECT idemstore.set_cooldown('o', now() + interval '1 h')", qr/^(?:t?)$/ ],
	[ get_cooldown => "SELECT idemstore.get_cooldown('o') > now()", qr/^t?$/ ],
	[ clear_cooldown => "SELECT idemstore.clear_cooldown('o')", qr/^[tf]$/ ],
	[ drop_rate_limit => "SELECT idemstore.drop_rate_limit('r')", qr/^t$/ ],
	[ expire => "SELECT count(*) FROM idemstore.expire(10)", qr/^7$/ ],
	[ expire_all => "CALL idemstore.expire_all(10, '1 min')", qr/^$/ ],
	[ expiry_job => 'SELECT job_name FROM idemstore.expiry_job()', qr/^idemstore_expiry$/ ],
	[ unschedule_expiry => 'SELECT idemstore.unschedule_expiry()', qr/^f$/ ],
	[ stats_counts => 'SELECT count(*) FROM idemstore.stats_counts()', qr/^4$/ ],
	[ stats_counts => 'SELECT count(*), count(calls), count(live), count(expired) FROM idemstore.stats', qr/^4\|4\|4\|4$/ ],
	[ stats_sizes => "SELECT table_size > 0 FROM idemstore.stats_sizes('cache')", qr/^t$/ ],
	[ in_flight_claims => "SELECT count(*) >= 0 FROM idemstore.in_flight_claims()", qr/^t$/ ],
	[ in_flight_claims => "SELECT count(age) >= 0 FROM idemstore.in_flight", qr/^t$/ ],
	[ stats_reset => 'SELECT idemstore.stats_reset()', qr/^(?:t?)$/ ],
	[ grant_usage => "SELECT idemstore.grant_usage('shop'), idemstore.grant_usage('janitor', 'operator')", qr/^\|$/ ]);

# Called by others: by the planner, by a statement on rate_limits, for the
# tables; and one that refuses without pg_cron.
my %is_used = map { $_ => 1 } qw(start_processing_support rate_limits_changed slots_handler schedule_expiry);

my $node = new_node('main');
$node->safe_psql('postgres', 'DROP EXTENSION idemstore; CREATE ROLE shop; CREATE ROLE janitor');
$node->safe_psql('postgres', "CREATE EXTENSION idemstore VERSION '$from'");
# The claims that the calls are about: start_processing says what to run.
$node->safe_psql('postgres', "INSERT INTO idemstore.idempotency_records (key, scope, status, fence, attempt, lease_expires_at, expires_at, created_at)
	SELECT key, '', 'processing', 1, 1, now() + '5 min', now() + '1 day', now() FROM unnest('{k2,k3,k4,k5}'::text[]) AS key");
my %is_called = map { $_->[0] => 1 } @calls;
my @functions = split(/\n/, $node->safe_psql('postgres', "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'idemstore'::regnamespace"));
is_deeply([ sort grep { !$is_used{$_} } @functions ], [ sort keys %is_called ], "a call of every function of $from");

my %says = (works => 0, refuses => 0, in_part => 0);
foreach (@calls)
{
	my ($name, $call, $expected) = @$_;
	my ($exit, $output, $errors) = $node->psql('postgres', "\\set VERBOSITY verbose\n$call");

	# What expiry cannot do in one table is a warning that says the same.
	$says{in_part}++ if $errors =~ s/^.*WARNING:  55000: .*\nDETAIL: .*\nHINT: .*ALTER EXTENSION idemstore UPDATE.*\nLOCATION: .*\n?//mg;
	if ($errors =~ /ERROR:  55000:/)
	{
		like($errors, qr/HINT: .*ALTER EXTENSION idemstore UPDATE/, "says what to run: $call");
		$says{refuses}++;
	}
	else
	{
		like("$errors$output", $expected, "works: $call");
		$says{works}++;
	}
}
note(explain(\%says));
cmp_ok($says{works}, '>', @calls / 2, 'most works');
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'the server is well');

# What it left is there after the update.
$node->safe_psql('postgres', "SELECT idemstore.cache_set('left', '1')");
$node->safe_psql('postgres', 'ALTER EXTENSION idemstore UPDATE');
is($node->safe_psql('postgres', "SELECT idemstore.cache_get('left'), idemstore.stats_sizes('cache') IS NOT NULL"), '1|t', 'and all works after the update');

done_testing();
