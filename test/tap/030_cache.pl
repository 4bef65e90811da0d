#!/usr/bin/perl
#
# What the cache does under load, across a crash, on a standby, and over time.
#
# About a minute; IDEM_LONG=1 makes the storms ten times as long.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $bound = 5;    # seconds, where the answer should take milliseconds
my $times = $ENV{IDEM_LONG} ? 10 : 1;

my $node = new_node('main', 'max_connections = 150', 'wal_level = replica', 'max_wal_senders = 5',
	'autovacuum_naptime = 1', 'autovacuum_vacuum_cost_delay = 0', 'max_wal_size = 4GB');

sub sql
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# No client met an error, nor a deadlock, which pgbench only counts.
sub ok_storm
{
	my ($storm, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(finish_storm($storm), "$name: no error");
	like($storm->{output}, qr/^number of failed transactions: 0 /m, "$name: no deadlock, nothing to serialize");
	return;
}

# Tables and indexes agree, and an entry is found under its tags and nothing else.
sub check_cache
{
	my ($when) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is( sql("
		SELECT h.* FROM pg_class AS c, verify_heapam(c.oid, check_toast => true) AS h
		WHERE c.oid::regclass::text ~ '^idemstore.cache_' AND c.relkind = 'r';
		SELECT x FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
			JOIN pg_am AS a ON a.oid = c.relam AND a.amname = 'btree',
			LATERAL (SELECT bt_index_check(i.indexrelid, heapallindexed => true)::text AS x) AS checked
		WHERE i.indrelid::regclass::text ~ '^idemstore.cache_' AND x <> ''"),
		'', "amcheck finds nothing $when");
	is( sql("
		SET enable_seqscan = off;
		SELECT tag, count(*) FROM (SELECT DISTINCT unnest(tags) AS tag FROM idemstore.cache_entries) AS t
		WHERE (SELECT count(*) FROM idemstore.cache_entries WHERE tags @> ARRAY[tag])
			<> (SELECT count(*) FILTER (WHERE tag = ANY (tags)) FROM idemstore.cache_entries)
		GROUP BY 1"),
		'', "the index on tags finds every entry $when");
	return;
}

# --- No stale survivor -------------------------------------------------------
#
# Writers bump the version of a product and invalidate what was cached of it, in
# one transaction, in either order, in several ways, and sometimes roll back.
# Readers cache the version they find, under a fence, in one transaction or in
# several, also under a REPEATABLE READ snapshot that is older than their fetch.
#
# Since both commit together, a snapshot that sees a cached version sees the
# very same one in the table: not only in the end, but in every statement. That
# is looked for all the time; in the end, it is at rest.

sql('CREATE TABLE product (id int PRIMARY KEY, version int NOT NULL);
	INSERT INTO product SELECT i, 1 FROM generate_series(1, 40) AS i;
	CREATE TABLE met (call text, answer text);
	CREATE TABLE survivor (id int, version int, cached text);
	CREATE VIEW wrong AS
	SELECT id, version, cached FROM (
		SELECT id, version, idemstore.cache_get(\'product \' || id)::text AS cached FROM product) AS p
	WHERE cached <> version::text');

my %ways = (
	"invalidate_by_tag('tag ' || :id)" => 3,
	"invalidate_by_tags(ARRAY['unseen', 'tag ' || :id, 'other'])" => 2,
	"cache_delete('product ' || :id)" => 3,
	"cache_delete_many(ARRAY['absent', 'product ' || :id])" => 2,
	"cache_clear('product ' || :id)" => 1,
	"invalidate_by_tag('all')" => 1);
my @writers = map { ("
	\\set id random(1, 40)
	\\set pause random(0, 2000)
	\\set order random(1, 2)
	\\set luck random(1, 10)
	BEGIN;
	SELECT version FROM product WHERE id = :id FOR UPDATE;
	\\if :order = 1
		SELECT idemstore.$_;
		\\sleep :pause us
		UPDATE product SET version = version + 1 WHERE id = :id;
	\\else
		UPDATE product SET version = version + 1 WHERE id = :id;
		\\sleep :pause us
		SELECT idemstore.$_;
	\\endif
	\\if :luck = 1
		ROLLBACK;
	\\else
		COMMIT;
	\\endif\n" => $ways{$_}) } sort keys %ways;

my $fetch = "SELECT outcome = 'compute' AS computes, coalesce(fence, 0) AS fence
	FROM idemstore.cache_fetch('product ' || :id, lease => '20 ms')";
my $set = "INSERT INTO met SELECT 'set', idemstore.cache_set('product ' || :id, to_json(:version), '1 h', ARRAY['all', 'tag ' || :id], :fence)";
sub reader
{
	my ($begin, $between, $commit) = @_;

	return "
		\\set id random(1, 40)
		\\set pause random(0, 4000)
		$begin
		$fetch \\gset
		$between
		\\if :computes
			SELECT version FROM product WHERE id = :id \\gset
			\\sleep :pause us
			$set;
		\\endif
		$commit\n";
}
my $check = 'INSERT INTO survivor SELECT * FROM wrong;';

my $race = start_storm($node,
	[ '--client=16', '--jobs=2', '--transactions=' . 1500 * $times, '--random-seed=1' ],
	@writers,
	reader('', '', '') => 4,
	reader('BEGIN;', '', 'COMMIT;') => 3,
	reader('BEGIN;', 'COMMIT; BEGIN;', '\sleep :pause us
		COMMIT;') => 3,
	reader('BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT count(*) FROM met WHERE false;
		\sleep :pause us', '', 'COMMIT;') => 4,
	"$check SELECT * FROM idemstore.expire(100);\n" => 3);
ok_storm($race, 'ten thousand rounds of set against invalidate');
note('answers: ' . sql('SELECT call, answer, count(*) FROM met GROUP BY 1, 2 ORDER BY 1, 2'));
note('versions: ' . sql('SELECT sum(version) FROM product'));
note('cached in the end: ' . sql("SELECT count(idemstore.cache_get('product ' || id)) FROM product"));
cmp_ok(sql("SELECT count(*) FROM met WHERE answer = '$_'"), '>', 200 * $times, "many values are stored: $_")
  foreach ('true', 'false');
cmp_ok(sql('SELECT sum(version) FROM product'), '>', 5000 * $times, 'many invalidations are committed');
is(sql('SELECT * FROM survivor LIMIT 5'), '', 'no statement saw another version in the cache than in the table');
is(sql('SELECT * FROM wrong'), '', 'no stale value survives');
is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"), '0', 'no lock is left behind');
check_cache('after the storm');

# The same at rest: a value is cached for every product, and it is the last one.
sql("SELECT idemstore.cache_set('product ' || id, to_json(version), '1 h', ARRAY['all'], fence)
	FROM product, LATERAL idemstore.cache_fetch('product ' || id, wait => '1 s') WHERE outcome = 'compute'");
is( sql("SELECT count(*) FROM product WHERE idemstore.cache_get('product ' || id)::text = version::text"),
	'40', 'what is computed after the storm is stored');

# --- No stampede ---------------------------------------------------------------
#
# 64 clients want one key that is slow to compute and expires again and again. A
# value is computed only when the one before it has expired.

sql('CREATE TABLE recompute (id serial, started timestamptz, stored timestamptz, is_stored boolean);
	CREATE TABLE hit (n int)');
my $ttl = '300 ms';
my $stampede = start_storm($node, [ '--client=64', '--jobs=2', '--time=' . 5 * $times ], "
	SELECT outcome = 'compute' AS computes, (outcome = 'hit')::int AS is_hit, coalesce(fence, 0) AS fence
	FROM idemstore.cache_fetch('slow', lease => '30 s', wait => '30 s') \\gset
	\\if :computes
		INSERT INTO recompute (started) VALUES (clock_timestamp()) RETURNING id \\gset
		\\sleep 100 ms
		UPDATE recompute SET stored = clock_timestamp(),
			is_stored = idemstore.cache_set('slow', '\"value\"', '$ttl', fence => :fence)
		WHERE id = :id;
	\\else
		SELECT 1 / :is_hit;
		\\sleep 5 ms
	\\endif\n" => 1);
ok_storm($stampede, '64 clients and one value');
note('recomputed: ' . sql('SELECT count(*) FROM recompute'));
cmp_ok(sql('SELECT count(*) FROM recompute'), '>=', 5 * $times, 'the value expired many times');
is( sql("
	SELECT id, started, expired, is_stored FROM (
		SELECT *, lag(stored) OVER (ORDER BY started) + '$ttl' AS expired FROM recompute) AS r
	WHERE started < expired OR NOT is_stored OR expired IS NULL AND id > (SELECT min(id) FROM recompute)"),
	'', 'one recompute per expiry, by one of 64');

# Whatever ends the wait of a fetch wakes it, ten times in a row: to sleep until
# the next look at the clock would take about half a second each.
my $owner = IdemTest::Session->new($node);
my $other = IdemTest::Session->new($node);
foreach my $end (
	[ "cache_set('%s', '1', fence => %s)", 'hit', '' ],
	[ "cache_set('%s', '1')", 'hit', '' ],
	[ "cache_increment('%s')", 'hit', '' ],
	[ "cache_set('%s', '1', fence => %s)", 'compute', "SELECT idemstore.cache_delete('%s')" ])
{
	my ($call, $answer, $before) = @$end;
	my $sum = 0;
	my %answers;

	foreach my $i (1 .. 10)
	{
		my $key = "woken $call $before $i" =~ s/\W+/ /gr;
		my $fence = $owner->ask("SELECT fence FROM idemstore.cache_fetch('$key', '10 min')");

		$owner->ask(sprintf($before, $key)) if $before;
		$other->send("SELECT outcome, extract(epoch FROM clock_timestamp())
			FROM idemstore.cache_fetch('$key', '10 min', wait => '30 s')");
		wait_for_sleepers($node, 1, 'Extension', $key);
		my $since = time();
		$owner->ask('SELECT idemstore.' . sprintf($call, $key, $fence));
		my ($outcome, $answered) = split(/\|/, $other->receive);
		$answers{$outcome}++;
		$sum += $answered - $since;
	}
	note("ten calls of $call after '$before' reached a waiter after $sum s in sum");
	is_deeply(\%answers, { $answer => 10 }, "a waiter is answered $answer by $call");
	cmp_ok($sum, '<', 2, "a waiter is woken by $call");
}

# A client that dies while it computes: the next one computes when the lease
# ends, or at once if the transaction with the lease was still open.
my $doomed = IdemTest::Session->new($node);
my $late = $doomed->ask("SELECT fence FROM idemstore.cache_fetch('doomed', '2 s')");
my $since = time();
$doomed->kill;
is($other->ask("SELECT outcome FROM idemstore.cache_fetch('doomed')"), 'in_progress', 'the lease outlives its client');
my ($outcome, $fence) = split(/\|/, $other->ask("SELECT outcome, fence FROM idemstore.cache_fetch('doomed', wait => '30 s')"));
my $took = time() - $since;
note("the next one computes after $took s");
is($outcome, 'compute', 'another one computes in the end');
cmp_ok($took, '>', 1.9, 'not before the lease is over');
cmp_ok($took, '<', 2 + $bound, 'and soon after');
is($other->ask("SELECT idemstore.cache_set('doomed', '1', fence => $late)"), 'f', 'the fence of the dead is refused');
is($other->ask("SELECT idemstore.cache_set('doomed', '2', fence => $fence)"), 't', 'the fence of the next one is not');
$doomed = IdemTest::Session->new($node);
$doomed->ask("BEGIN; SELECT idemstore.cache_fetch('open', '10 min')");
$other->send("SELECT outcome FROM idemstore.cache_fetch('open', wait => '60 s')");
wait_for_sleepers($node, 1, 'Lock', 'open');
$since = time();
$doomed->kill;
is($other->receive, 'compute', 'an open lease dies with its client');
cmp_ok(time() - $since, '<', $bound, 'at once');

# --- Ten minutes of churn ------------------------------------------------------
#
# 10 000 entries, overwritten 200 000 times in ten minutes of the extension's
# clock, some with other tags or a short life, while expire() and autovacuum run,
# at a pace at which autovacuum comes about as often as in ten minutes.

$owner->quit;
$other->quit;
sql('TRUNCATE idemstore.cache_entries, idemstore.cache_leases, idemstore.cache_invalidations;
	SELECT pg_stat_reset()');
my $entry = "'entry ' || i, to_json(repeat(md5(i::text), 10)), CASE WHEN i % 10 > 0 THEN '1 h' ELSE '10 s' END::interval";
sql("SET idemstore.test_clock = '2030-01-01 00:00:00+00';
	SELECT count(idemstore.cache_set($entry, ARRAY['all', 'tag ' || i % 100])) FROM generate_series(1, 10000) AS i");
my $rounds = 1250 * $times;
my $clock = "\\set i :i + 1
	SELECT set_config('idemstore.test_clock', timestamptz '2030-01-01 00:00:00+00' + '600 s'::interval * :i / $rounds || '', false)
	FROM set_config('timezone', 'UTC', false);\n";
# in one order, so that no two wait for each other
my $keys = '(SELECT floor(random() * 10000)::int + 1 AS i FROM generate_series(1, 20) ORDER BY 1) AS r';
my $churn = start_storm($node, [ '--client=8', '--jobs=2', '--rate=800', "--transactions=$rounds", '--define=i=0' ],
	"$clock SELECT count(idemstore.cache_set($entry)) FROM $keys;\n" => 95,
	"$clock SELECT count(idemstore.cache_set($entry, ARRAY['all', 'tag ' || :i % 100])) FROM $keys;\n" => 3,
	"$clock SELECT * FROM idemstore.expire();\n" => 2);
ok_storm($churn, '200 000 overwrites');
sleep(3);
my @sizes = split(/\n/, sql("
	SELECT c.oid::regclass, pg_relation_size(c.oid) FROM pg_class AS c LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
	WHERE 'idemstore.cache_entries'::regclass IN (c.oid, i.indrelid) ORDER BY 1"));
note('updated, HOT %, dead, autovacuums: ' . sql("
	SELECT n_tup_upd, round(100.0 * n_tup_hot_upd / n_tup_upd, 1), n_dead_tup, autovacuum_count
	FROM pg_stat_user_tables WHERE relname = 'cache_entries'"));
cmp_ok(sql("SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'cache_entries'"),
	'>', 150_000 * $times, 'most of them updated a row');
sql('VACUUM FULL idemstore.cache_entries');
# an index of a few pages keeps as many until the next vacuum lets them be used
my $slack = 256 * 1024;
my ($all, $all_live) = (0, 0);
foreach (@sizes)
{
	my ($relation, $size) = split(/\|/);
	my $live = sql("SELECT pg_relation_size('$relation')");

	note("$relation: $size bytes, live $live, " . sprintf('%.2f', $size / $live) . ' times');
	cmp_ok($size, '<=', 2 * $live + ($relation =~ /entries$/ ? 0 : $slack), "$relation is at most twice its live size");
	$all += $size;
	$all_live += $live;
}
cmp_ok($all, '<=', 2 * $all_live, 'all together are at most twice their live size');
check_cache('after the churn');

# --- Standby -------------------------------------------------------------------

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $reader = IdemTest::Session->new($standby);
my @reads = ("cache_get('k')", "cache_get_bytes('k')", "cache_ttl('k')", "cache_get_many(ARRAY['k'])");
my @writes = ("cache_set('k', '1')", "cache_set_bytes('k', '1')", "cache_delete('k')", 'cache_clear()',
	"invalidate_by_tag('t')", "invalidate_by_tags(ARRAY['t'])", "cache_touch('k', '1')", "cache_increment('k')",
	"cache_set_many('{}', '{}')", "cache_delete_many('{}')", "cache_fetch('k')");

sub check_standby
{
	my ($how, $expected) = @_;

	is($reader->sqlstate("SELECT idemstore.$_"), $expected, "standby, $how: $_") foreach @reads;
	is($reader->sqlstate("SELECT idemstore.$_"), '25006', "standby, $how: $_ is refused") foreach @writes;
	return;
}

check_standby('unlogged', '0A000');
my ($exit, $stdout, $stderr) = $standby->psql('postgres', "SELECT idemstore.cache_get('k')");
like($stderr, qr/cannot access unlogged table "idemstore\.cache_entries" during recovery\n.*HINT: .*SET LOGGED/s, 'it says why');

# --- SET LOGGED ------------------------------------------------------------------

sql("ALTER TABLE idemstore.$_ SET LOGGED") foreach ('cache_entries', 'cache_leases', 'cache_invalidations');
sql("SELECT idemstore.cache_set('k', '{\"a\":  1}', '1 h', '{t}'), idemstore.cache_set('doomed', '1', '1 h', '{u}')");
$node->wait_for_catchup($standby);
check_standby('logged', '00000');
is($reader->ask("SELECT idemstore.cache_get('k'), idemstore.cache_ttl('k') > '59 min'"), '{"a":  1}|t', 'standby: the value');
my $kept = sql("SELECT fence FROM idemstore.cache_fetch('kept', '1 h')");
my $refused = sql("SELECT fence FROM idemstore.cache_fetch('refused', '1 h')");
sql("SELECT idemstore.invalidate_by_tag('u'), idemstore.cache_increment('n', 5)");
$node->stop('immediate');
$node->start;
is( sql("SELECT idemstore.cache_get('k'), idemstore.cache_get('doomed') IS NULL, idemstore.cache_increment('n')"),
	'{"a":  1}|t|6', 'logged: entries survive a crash, and what was invalidated does not');
is( sql("SELECT (idemstore.cache_fetch('kept')).outcome, idemstore.cache_set('kept', '1', '1 h', '{t}', $kept),
		idemstore.cache_set('refused', '1', '1 h', '{t,u}', $refused)"),
	'in_progress|t|f', 'logged: so do leases and what they must not see');
is(sql("SELECT idemstore.invalidate_by_tag('t')"), '2', 'logged: the index on tags survives');
check_cache('after a crash, logged');
$node->wait_for_catchup($standby);
$reader->quit;
$reader = IdemTest::Session->new($standby);
is($reader->ask("SELECT idemstore.cache_get('k') IS NULL, idemstore.cache_get('n')"), 't|6', 'standby: sees what was invalidated');
$standby->promote;
is( $reader->ask("SELECT idemstore.cache_increment('n'), (idemstore.cache_fetch('k')).outcome,
		idemstore.cache_set('k', '2', '1 h', '{t}'), idemstore.invalidate_by_tag('t')"),
	'7|compute|t|1', 'promoted: everything works');
$reader->quit;
$standby->stop;

# --- Crash ---------------------------------------------------------------------

sql("ALTER TABLE idemstore.$_ SET UNLOGGED") foreach ('cache_entries', 'cache_leases', 'cache_invalidations');
sql("SELECT count(idemstore.cache_set('k ' || i, '1', '1 h', '{t}')) FROM generate_series(1, 1000) AS i");
my $lost = sql("SELECT fence FROM idemstore.cache_fetch('lost', '1 h')");
sql("SELECT idemstore.cache_delete('deleted')");
$node->stop('immediate');
$node->start;
is( sql('SELECT (SELECT count(*) FROM idemstore.cache_entries), (SELECT count(*) FROM idemstore.cache_leases),
		(SELECT count(*) FROM idemstore.cache_invalidations)'),
	'0|0|0', 'a crash leaves the cache empty');
is( sql("SELECT idemstore.cache_set('lost', '1', fence => $lost), idemstore.cache_get('lost') IS NULL"),
	'f|t', 'a lease from before the crash is lost');
is( sql("SELECT idemstore.cache_set('k', '1', '1 h', '{t}'), idemstore.invalidate_by_tag('t'), (idemstore.cache_fetch('k')).outcome,
		idemstore.cache_clear(), idemstore.cache_increment('n')"),
	't|1|compute|0|1', 'and everything works');
check_cache('after a crash');

$node->stop;
done_testing();
