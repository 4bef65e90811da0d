#!/usr/bin/perl
#
# Logical replication of the records and the limits: a second server is told all
# that the first one decides, and answers as it would. It only listens: what it
# claims by itself is a conflict.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $bound = 10;    # seconds, where the answer should take one at most

my $records = 'idemstore.idempotency_records';

# Large transactions are sent while they are still open.
my $publisher = new_node('publisher', 'wal_level = logical', 'max_wal_senders = 5', 'max_replication_slots = 5',
	'logical_decoding_work_mem = 64kB', 'autovacuum = off');
my $subscriber = new_node('subscriber', 'wal_retrieve_retry_interval = 100ms', 'autovacuum = off');
my $here = IdemTest::Session->new($publisher);
my $there = IdemTest::Session->new($subscriber);

# So large that it is stored out of line, and does not move with its row.
my $large = "(SELECT to_json(string_agg(sha256(n::text::bytea)::text, '')) FROM generate_series(1, 200) AS n)";

sub catch_up
{
	$publisher->wait_for_catchup('records');
	return;
}

# The same table, and the same answers for every key and fingerprint there is or was.
sub check_same
{
	my ($when) = @_;
	my $table = "COPY (SELECT * FROM $records ORDER BY key, scope) TO STDOUT";
	my $answers = "
		SELECT k.key, l.*
		FROM (SELECT DISTINCT key, scope FROM keys) AS k,
			LATERAL idemstore.lookup(k.key, 'print ' || k.key, k.scope) AS l
		ORDER BY k.key, k.scope, l.matched";

	catch_up();
	my $rows = $publisher->safe_psql('postgres', $table);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	isnt($rows, '', "$when: there are records");
	is($subscriber->safe_psql('postgres', $table), $rows, "$when: the subscriber has the same rows");
	is($subscriber->safe_psql('postgres', $answers),
		$publisher->safe_psql('postgres', $answers), "$when: lookup says the same there");
	return;
}

sub ask_both
{
	my ($sql) = @_;

	catch_up();
	return join(' ', map { scalar($_->ask($sql)) } $here, $there);
}

# What was there before is copied.
$_->safe_psql('postgres', 'CREATE TABLE keys (key text, scope text)') foreach $publisher, $subscriber;
$here->ask("
	SELECT idemstore.start_processing('early', 'print early', context => $large), idemstore.complete('early', 200);
	SELECT idemstore.set_rate_limit('limit', 5, '1 day');
	CREATE PUBLICATION records FOR TABLE $records, idemstore.rate_limits, keys");
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION records
	CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION records WITH (streaming = on)");
$subscriber->wait_for_subscription_sync($publisher, 'records');
is($there->ask("SELECT outcome, response_status FROM idemstore.start_processing('early')"),
	'replay|200', 'a record from before the subscription is replayed');

# One record of every kind.
foreach my $kind (
	[ 'started', '' ],
	[ 'completed', "idemstore.complete('completed', 201, '{\"a\" :  1}', response_body => '\\x00ff')" ],
	[ 'failed', "idemstore.fail('failed', '[ null ]', response_status => 500)" ],
	[ 'retryable', "idemstore.fail('retryable', '0', retryable => true)" ],
	[ 'retried', "idemstore.fail('retried', retryable => true), idemstore.start_processing('retried', owner => 'second')" ],
	[ 'checkpointed', "idemstore.checkpoint('checkpointed', 'half', $large)" ],
	[ 'extended', "idemstore.extend_lease('extended', (idemstore.get('extended')).fence, '1 h')" ],
	[ 'overwritten', "idemstore.set_value('overwritten', 'value')" ],
	[ 'released', "idemstore.release('released')" ],
	[ 'forgotten', "idemstore.complete('forgotten', 200); SELECT idemstore.forget('forgotten')" ],
	[ 'reclaimed', "idemstore.complete('reclaimed', ttl => '0');
		SELECT idemstore.start_processing('reclaimed', 'print reclaimed')" ],
	[ 'expired', "idemstore.complete('expired', ttl => '0'); SELECT idemstore.expire()" ],
	[ 'over', "idemstore.complete('over', ttl => '0')" ])
{
	my ($key, $calls) = @$kind;

	$here->ask("INSERT INTO keys VALUES ('$key', '');
		SELECT idemstore.start_processing('$key', 'print $key', context => $large)");
	check_same("$key, before") if $key eq 'completed';
	is($here->sqlstate($calls ? "SELECT $calls" : 'SELECT'), '00000', "a record is $key");
}
$here->ask("
	INSERT INTO keys VALUES ('forgotten', 'scope'), ('undone', ''), ('undone again', '');
	SELECT idemstore.start_processing('forgotten', scope => 'scope');
	SELECT idemstore.forget_scope('scope')");
$here->ask("BEGIN; SELECT idemstore.start_processing('undone'); SAVEPOINT s;
	SELECT idemstore.complete('undone'); ROLLBACK TO s; ROLLBACK");
$here->ask("BEGIN; SAVEPOINT s; SELECT idemstore.start_processing('undone again'); ROLLBACK TO s; COMMIT");
check_same('one of each');
is($there->ask("SELECT string_agg(key, ' ' ORDER BY key) FROM $records"),
	'checkpointed completed early extended failed over overwritten reclaimed retried retryable started',
	'and what is gone is gone');

# The decisions that write nothing: the same on both sides.
foreach my $case (
	[ 'completed', '', 'replay|201|{"a" :  1}|\x00ff|' ], [ 'failed', '', 'failed|500|||[ null ]' ],
	[ 'started', '', 'in_progress||||' ], [ 'completed', 'other', 'mismatch||||' ])
{
	my ($key, $print, $answer) = @$case;

	is( ask_both("SELECT outcome, response_status, response_headers, response_body, error
			FROM idemstore.start_processing('$key', nullif('$print', ''))"),
		"$answer $answer", "a start of what is $key is answered " . ($answer =~ s/\|.*//r) . ' on either side');
}

# A race writes rows and takes them back; a large transaction arrives in pieces.
run_storm('a storm on the publisher', $publisher, [ '--client=8', '--jobs=2', '--transactions=150', '--define=i=0' ], "
	\\set i :i + 1
	\\set n :i + random(-3, 3)
	\\set luck random(1, 6)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('storm ' || :n, 'print storm ' || :n, lease => '1 ms') \\gset
	\\if :is_owner
		INSERT INTO keys VALUES ('storm ' || :n, '');
		\\if :luck = 1
			SELECT idemstore.release('storm ' || :n, :fence);
		\\elif :luck = 2
			SELECT idemstore.fail('storm ' || :n, retryable => true, fence => :fence);
		\\elif :luck = 3
			SELECT idemstore.complete('storm ' || :n, :n, fence => :fence, ttl => '1 ms');
		\\elif :luck > 4
			SELECT idemstore.complete('storm ' || :n, :n, fence => :fence);
		\\endif
	\\endif
	\\if :luck = 5
		ROLLBACK;
	\\else
		COMMIT;
	\\endif
	SELECT * FROM idemstore.expire(20);\n" => 1);
$here->ask("
	INSERT INTO keys SELECT 'bulk ' || n, 'bulk' FROM generate_series(1, 2000) AS n;
	BEGIN;
	SELECT count(idemstore.start_processing('bulk ' || n, scope => 'bulk')) FROM generate_series(1, 2000) AS n;
	SAVEPOINT s;
	SELECT count(idemstore.complete('bulk ' || n, n, scope => 'bulk')) FROM generate_series(1, 2000) AS n;
	ROLLBACK TO s;
	SELECT count(idemstore.complete('bulk ' || n, -n, scope => 'bulk')) FROM generate_series(1, 2000) AS n;
	COMMIT");
check_same('after the storm');
is($publisher->safe_psql('postgres', 'SELECT stream_count > 0 FROM pg_stat_replication_slots'),
	't', 'the large transaction was sent in pieces');
check_table($subscriber, 'on the subscriber');

# Nobody wakes who waits there: he looks once a second.
foreach my $end (
	[ 'wait', 'completion', "complete('awaited 1', 200)", "SELECT status, response_status FROM idemstore.wait('awaited 1', '60 s')",
		'complete|200' ],
	[ 'start_processing', 'completion', "complete('awaited 2', 200)",
		"SELECT outcome, response_status FROM idemstore.start_processing('awaited 2', wait => '60 s')", 'replay|200' ],
	[ 'wait', 'release', "release('awaited 3')", "SELECT status, response_status FROM idemstore.wait('awaited 3', '60 s')", '|' ])
{
	my ($function, $name, $call, $wait, $answer) = @$end;

	my ($key) = $call =~ /'(.*?)'/;
	$here->ask("SELECT idemstore.start_processing('$key')");
	catch_up();
	$there->send($wait);
	wait_for_sleepers($subscriber, 1, 'Extension', $key);
	my $since = time();
	$here->ask("SELECT idemstore.$call");
	is($there->receive, $answer, "$function on the subscriber notices a $name on the publisher");
	note("noticed after " . (time() - $since) . ' s');
	cmp_ok(time() - $since, '<', $bound, 'soon');
}

# Limits: a session that has used one goes by the new one.
$here->ask("SELECT idemstore.set_rate_limit('limit', 5, '1 day')");
catch_up();
is($there->ask("SELECT idemstore.acquire('limit', 5), idemstore.acquire('limit')"), 't|f', 'a limit holds on the subscriber');
$here->ask("SELECT idemstore.set_rate_limit('limit', 6, '1 day')");
catch_up();
is($there->ask("SELECT idemstore.acquire('limit'), idemstore.acquire('limit')"), 't|f', 'and so does another one in its place');
is($here->ask("SELECT idemstore.acquire('limit', 6)"), 't', 'each server counts for itself');
$here->ask("SELECT idemstore.drop_rate_limit('limit')");
catch_up();
is($there->sqlstate("SELECT idemstore.acquire('limit')"), 'ID428', 'a limit that was dropped is gone');

# A key claimed on both sides: replication stands still until the subscriber
# forgets his.
$there->ask("SELECT idemstore.start_processing('both')");
$here->ask("SELECT idemstore.start_processing('both', owner => 'publisher'), idemstore.complete('both', 200);
	SELECT idemstore.set_nx('afterwards', 'value')");
$subscriber->wait_for_log(qr/unique (?:constraint|index) "idempotency_records_pkey"/);
is($there->ask("SELECT (idemstore.get('both')).status, idemstore.get_value('afterwards') IS NULL"),
	'processing|t', 'a conflict holds up replication');
is($there->ask("SELECT idemstore.forget('both')"), 't', 'the subscriber forgets his record');
check_same('after a conflict');

# The table must say what a row is called by, for whoever changes one.
my $identity = "ALTER TABLE $records REPLICA IDENTITY";
is($here->sqlstate("$identity NOTHING"), '00000', 'a table that does not name its rows');
is($here->sqlstate("SELECT idemstore.complete('started', 200)"), '55000', 'refuses a change');
is($here->sqlstate("$identity FULL"), '00000', 'one that names them in full');
is($here->sqlstate("SELECT idemstore.complete('started', 200), idemstore.forget('failed')"), '00000', 'takes it');
check_same('in full');
$here->ask("$identity DEFAULT");

# All tables published, and all of them logged: every family works, and nothing
# stands in the way of decoding.
$here->ask($publisher->safe_psql('postgres', "
	SELECT string_agg(format('ALTER TABLE %s SET LOGGED', oid::regclass), ';') FROM pg_class
	WHERE relnamespace = 'idemstore'::regnamespace AND relkind = 'r' AND relpersistence = 'u'"));
$here->ask("CREATE PUBLICATION everything FOR ALL TABLES; SELECT pg_create_logical_replication_slot('everything', 'pgoutput')");
foreach my $calls (
	"dedupe_register('job'), idemstore.dedupe_complete('job', '1'), idemstore.dedupe_register('job'), idemstore.dedupe_clear()",
	"cache_set('entry', '1', '1 h', '{tag}'), idemstore.cache_set('entry', '2', '-1'), idemstore.cache_fetch('entry')",
	"cache_set('entry', '3', tags => '{tag}'), idemstore.invalidate_by_tag('tag'), idemstore.cache_clear()",
	"acquire('limit', $huge), idemstore.rate_limit_reset('limit')",
	"set_cooldown('origin', 'tomorrow'), idemstore.clear_cooldown('origin')",
	"start_processing('last'), idemstore.complete('last'), idemstore.forget('last')",
	'expire()')
{
	is($here->sqlstate("SELECT idemstore.$calls"), '00000', 'all tables published: ' . ($calls =~ s/ idemstore\.//gr));
}
cmp_ok($here->ask("
	SELECT count(*) FROM pg_logical_slot_get_binary_changes('everything', NULL, NULL,
		'proto_version', '1', 'publication_names', 'everything')"), '>', 20, 'all that was written is decoded');
catch_up();

# The subscriber is on its own: claims are taken over, under larger fences.
$here->ask("SELECT idemstore.start_processing('lapsed', lease => '1 ms')");
catch_up();
$there->ask('DROP SUBSCRIPTION records');
is( $there->ask("
	SELECT s.outcome, s.attempt, s.fence > former.fence
	FROM idemstore.get('lapsed') AS former, LATERAL idemstore.start_processing(former.key) AS s"),
	'started|2|t', 'a subscriber that is left alone takes over');
$here->quit;
$there->quit;

done_testing();
