#!/usr/bin/perl
#
# Where nothing may be written: on a hot standby, and in a read-only transaction
# of the primary. Reading and waiting work there, and after promotion all else.
# No function is left out, so that none can be forgotten.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(time);

my $bound = 10;    # seconds, where the answer should take milliseconds

my $primary = new_node('primary', 'wal_level = replica', 'max_wal_senders = 5');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

my $owner = IdemTest::Session->new($primary);
my $reader = IdemTest::Session->new($standby);

$owner->ask("SELECT idemstore.start_processing('complete', 'print');
	SELECT idemstore.complete('complete', 201, '{\"a\":  1}', response_body => '\\x000189ff')");
$owner->ask("SELECT idemstore.set_nx('text', E'C:\\\\\\\\dir')");
$owner->ask("SELECT idemstore.start_processing('failed'),
	idemstore.fail('failed', '\"why\"', response_status => 500)");
$owner->ask("CREATE ROLE clerk; SELECT idemstore.set_adaptive_rate_limit('split')");
my $fence = $owner->ask("SELECT fence FROM idemstore.start_processing('claimed', 'print 2')");
$owner->ask("SELECT idemstore.start_processing('expired', ttl => '0'), idemstore.start_processing('released');
	SELECT idemstore.release('released')");
$primary->wait_for_catchup($standby);

# What only reads: of records, and of tables that come unlogged.
my @readers = ("fingerprint('{}')", "shard('k', 4)", "get('k')", "lookup('k')", "get_value('k')", "get_value_text('k')", "wait('k')",
	'expiry_job()', "stats_sizes('cache')", 'in_flight_claims()',
	'stats_counts()', "stats_table('cache')",
	(map { "stats_$_('cache', now())" } qw(live expired oldest_in_progress backlog_since)),
	'stats_marks()', 'stats_longest_chain()', 'usage_privileges()', "in_flight_by_key('k')");
my @unlogged_readers = (
	"dedupe_is_in_progress('k')", "dedupe_wait_for('k')", 'dedupe_list()', 'cache_list()',
	"cache_get('k')", "cache_get_bytes('k')", "cache_get_many('{k}')", "cache_ttl('k')",
	"can_proceed('k', $huge)", "get_wait_time('k', $huge)", "rate_limit_status('k', $huge)",
	"adaptive_rate_limit_status('split')", "get_cooldown('k')", 'rate_limit_list()', 'cooldown_list()');

# What writes, also where there is nothing to write.
my @writers = (
	"start_processing('new')", "start_processing('complete')",
	"complete('claimed', 200)", "complete('complete', 201, '{\"a\":  1}', response_body => '\\x000189ff')",
	"fail('claimed')", "release('claimed')",
	"release('absent')", "extend_lease('claimed', $fence)",
	"checkpoint('claimed', 'half way')", "assert_owner('claimed', $fence)",
	"set_nx('new', 'value')", "set_value('new', 'value')",
	"initiate('new')", "success('claimed', '1')",
	"forget('absent')", "forget_scope('absent')",
	"dedupe_register('k')", "dedupe_register_or_join('k')", "dedupe_complete('k', '1')",
	"dedupe_fail('k')", "dedupe_clear('k')",
	"cache_set('k', '1')", "cache_add('k', '1')", "cache_compare_and_set('k', '1', '2')", "cache_set_bytes('k', '1')", "cache_fetch('k')", "cache_delete('k')",
	"cache_clear('k')", "invalidate_by_tag('t')", "invalidate_by_tags('{}')", "cache_touch('k', '1')",
	"cache_increment('k')", "cache_set_many('{}', '{}')", "cache_delete_many('{}')",
	"acquire('k', $huge)", "consume('k', $huge)", "acquire_all('{split}')", "record_request('k', $huge)",
	"acquire_many('{k}', $huge)", "consume_many('{k}', $huge)", "refund('k', 1, now(), $huge)", "rate_limit_clear('k')",
	"rate_limit_reset('k')", "set_rate_limit('k', 1, '1 s')", "set_adaptive_rate_limit('k')",
	"drop_rate_limit('k')", "set_cooldown('k', 'tomorrow')", "clear_cooldown('k')",
	'expire()', 'stats_reset()', "grant_usage('clerk')", "revoke_usage('clerk')");

# What reading answers, wherever it is done.
sub check_reading
{
	my ($session, $where) = @_;

	is( $session->ask("SELECT status, response_status, response_headers, response_body FROM idemstore.get('complete')"),
		'complete|201|{"a":  1}|\x000189ff', "$where: get returns a complete record");
	is( $session->ask("SELECT status, error, response_status FROM idemstore.get('failed')"),
		'failed|"why"|500', "$where: get returns a failed record");
	is( $session->ask("SELECT status, fence = $fence FROM idemstore.get('claimed')"),
		'processing|t', "$where: get returns a claim");
	is( $session->ask("SELECT idemstore.get('absent') IS NULL, idemstore.get('released') IS NULL,
			idemstore.get('expired') IS NULL"),
		't|t|t', "$where: get returns nothing for what is absent");
	is( $session->ask("SELECT string_agg(concat_ws(' ', matched, key, status), ', ' ORDER BY matched DESC) FROM idemstore.lookup('claimed', 'print')"),
		'key claimed processing, fingerprint complete complete', "$where: lookup finds by key and by fingerprint");
	is($session->ask("SELECT idemstore.get_value('complete')"), '\\x000189ff', "$where: get_value returns a body");
	is($session->ask("SELECT idemstore.get_value_text('text')"), 'C:\\\\dir', "$where: get_value_text returns a text");
	is( $session->ask("SELECT response_status FROM idemstore.wait('complete')"),
		'201', "$where: wait returns a complete record");
	is($session->sqlstate("SELECT idemstore.wait('claimed', '100 ms')"), 'ID408', "$where: wait times out");
	return;
}

# Nothing that writes gets through, not even where there is nothing to write.
sub check_refusals
{
	my ($session, $where) = @_;

	foreach my $call (@writers)
	{
		is($session->sqlstate("SELECT idemstore.$call"),
			'25006', "$where: " . ($call =~ s/$fence/fence/r) . ' is refused');
	}
	is($session->sqlstate('CALL idemstore.expire_all()'), '25006', "$where: expire_all() is refused");
	return;
}

is( $primary->safe_psql('postgres', "
	SELECT proname FROM pg_proc
	WHERE pronamespace = 'idemstore'::regnamespace
		AND prorettype NOT IN ('trigger'::regtype, 'table_am_handler'::regtype, 'internal'::regtype)
		AND proname NOT IN (" . join(', ', map { /^(\w+)/ ? "'$1'" : () } @readers, @unlogged_readers, @writers,
		'expire_all', 'schedule_expiry', 'unschedule_expiry') . ')'),
	'', 'every function is tried');
check_reading($reader, 'standby');
check_refusals($reader, 'standby');

# A standby has no unlogged table. In the very sessions that were refused it has
# what is made logged.
foreach my $call (@unlogged_readers)
{
	my ($exit, $output, $errors) = $standby->psql('postgres', "\\set VERBOSITY verbose\nSELECT idemstore.$call");

	like($errors, qr/0A000: cannot access unlogged table ".*" during recovery\n.*HINT:  ALTER TABLE .* SET LOGGED/s,
		"standby: $call says that its table is unlogged");
	is($reader->sqlstate("SELECT idemstore.$call"), '0A000', "standby: $call is refused");
}
$owner->ask($primary->safe_psql('postgres', "
	SELECT string_agg(format('ALTER TABLE %s SET LOGGED', oid::regclass), ';') FROM pg_class
	WHERE relnamespace = 'idemstore'::regnamespace AND relkind = 'r' AND relpersistence = 'u'"));
$primary->wait_for_catchup($standby);
is($reader->sqlstate("SELECT idemstore.$_"), '00000', "standby, all logged: $_ reads") foreach @readers, @unlogged_readers;
check_refusals($reader, 'standby, all logged');

# wait() on the standby sees what the primary does meanwhile.
foreach my $end (
	[ 'completion', "complete('awaited', 200)", 'complete|200' ],
	[ 'failure', "fail('awaited', response_status => 500)", 'failed|500' ],
	[ 'release', "release('awaited')", '|' ])
{
	my ($name, $call, $answer) = @$end;

	$owner->ask("SELECT idemstore.start_processing('awaited', ttl => '1 h')");
	$primary->wait_for_catchup($standby);
	$reader->send("SELECT status, response_status FROM idemstore.wait('awaited', '60 s')");
	wait_for_sleepers($standby, 1, 'Extension', 'awaited');
	my $since = time();
	$owner->ask("SELECT idemstore.$call");
	is($reader->receive, $answer, "wait() on the standby sees a $name on the primary");
	note("seen after " . (time() - $since) . ' s');
	cmp_ok(time() - $since, '<', $bound, "the $name is seen soon");
	$owner->ask("DELETE FROM idemstore.idempotency_records WHERE key = 'awaited'");
}

# ... and what a transaction of the primary does, only when it is committed.
$owner->ask("SELECT idemstore.start_processing('slow')");
$primary->wait_for_catchup($standby);
$reader->send("SELECT status, extract(epoch FROM clock_timestamp()) FROM idemstore.wait('slow', '60 s')");
wait_for_sleepers($standby, 1, 'Extension', 'slow');
$owner->ask("BEGIN; SELECT idemstore.complete('slow', 200)");
$primary->wait_for_catchup($standby);
my $committed = time();
$owner->ask('COMMIT');
my ($status, $answered) = split(/\|/, $reader->receive);
is($status, 'complete', 'wait() on the standby returns the completed record');
cmp_ok($answered, '>', $committed, 'and not before the commit');

# The primary in a read-only transaction: the same answers.
my $read_only = IdemTest::Session->new($primary);
$read_only->ask('SET default_transaction_read_only = on');
check_reading($read_only, 'read-only transaction');
is($read_only->sqlstate("SELECT idemstore.$_"), '00000', "read-only transaction: $_ reads")
  foreach @readers, @unlogged_readers;
check_refusals($read_only, 'read-only transaction');
is($owner->ask("SELECT status FROM idemstore.get('claimed')"), 'processing', 'the claim has not been touched');

# After promotion, in the very session that was refused before.
$owner->quit;
$read_only->quit;
$primary->stop;
$standby->promote;
is( $reader->ask("SELECT outcome, response_status, response_body FROM idemstore.start_processing('complete')"),
	'replay|201|\x000189ff', 'promoted: a record of the former primary is replayed');
is($reader->ask("SELECT outcome FROM idemstore.start_processing('claimed')"),
	'in_progress', 'promoted: a claim of the former primary holds');
is($reader->sqlstate("SELECT idemstore.extend_lease('claimed', $fence)"), '00000', 'promoted: extend_lease writes');
is($reader->sqlstate("SELECT idemstore.complete('claimed', 200, fence => $fence)"),
	'00000', 'promoted: the owner completes his claim');
is($reader->ask("SELECT outcome FROM idemstore.start_processing('new')"), 'started', 'promoted: a new claim is made');
is($reader->sqlstate("SELECT idemstore.fail('new')"), '00000', 'promoted: fail writes');
is( $reader->ask("SELECT outcome, idemstore.release('newer') FROM idemstore.start_processing('newer')"),
	'started|t', 'promoted: release writes');
is($reader->sqlstate('CALL idemstore.expire_all()'), '00000', 'promoted: expire_all writes');
check_table($standby, 'after promotion');
$reader->quit;

done_testing();
