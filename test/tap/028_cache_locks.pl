#!/usr/bin/perl
#
# Locks are few: the lock table is everybody's, and no transaction fills it.
#
# A server as it comes, but for the number of sessions, which is what the lock table
# is made for: each of them has a transaction open that has called all there is, with
# more names than any lock table has room for.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use IdemWire;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 55;
my $times = $ENV{IDEM_LONG} ? 10 : 1;
my $node = new_node('main', 'max_connections = 60', 'autovacuum = off', 'deadlock_timeout = 10s');

sub sql
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

is(sql('SHOW max_locks_per_transaction'), $node->pg_version->major < 19 ? '64' : '128', 'as the server comes');

# Every way to work on many names in one transaction; the session's number keeps them
# apart, so that nobody waits for a row.
my @calls = (
	"SELECT count(idemstore.cache_set('s # ' || i, '1', '1 h', (SELECT array_agg('# ' || i || ' ' || t) FROM generate_series(1, 256) AS t))) FROM generate_series(1, 20) AS i",
	"SELECT count(idemstore.cache_set('f # ' || i, '1', '1 h', (SELECT array_agg('f # ' || i || ' ' || t) FROM generate_series(1, 10) AS t), fence)) FROM generate_series(1, 100) AS i, LATERAL idemstore.cache_fetch('f # ' || i)",
	"SELECT idemstore.cache_set_many(array_agg('m # ' || i), array_agg(to_json(i)), '1 h', '{m #}') FROM generate_series(1, 500) AS i",
	"SELECT idemstore.invalidate_by_tags(array_agg('t # ' || i)) FROM generate_series(1, 2000) AS i",
	"SELECT count(idemstore.invalidate_by_tag('u # ' || i)) FROM generate_series(1, 300) AS i",
	"SELECT idemstore.cache_delete_many(array_agg('d # ' || i)) FROM generate_series(1, 1000) AS i",
	"SELECT count(idemstore.cache_delete('e # ' || i)) FROM generate_series(1, 300) AS i",
	"SELECT count(idemstore.cache_clear('c # ' || i)) FROM generate_series(1, 100) AS i",
	"SELECT count(idemstore.cache_increment('n # ' || i)) FROM generate_series(1, 300) AS i",
	"SELECT count(s.fence) FROM generate_series(1, 100) AS i, LATERAL idemstore.start_processing('k # ' || i, 'p # ' || i, unique_fingerprint => true) AS s",
	"SELECT count(idemstore.complete('k # ' || i, 200)) FROM generate_series(1, 50) AS i",
	"SELECT count(idemstore.dedupe_register('j # ' || i)) FROM generate_series(1, 300) AS i",
	"SELECT count(idemstore.acquire('r # ' || i, quota => 5, per => '1 min')) FROM generate_series(1, 500) AS i",
	"SELECT count(idemstore.set_cooldown('o # ' || i, now() + interval '1 h')) FROM generate_series(1, 300) AS i",
);

my @open = map { IdemWire->new($node, 'postgres', "session $_") } 1 .. $sessions;
my %errors;
foreach my $number (1 .. $sessions)
{
	my $wire = $open[ $number - 1 ];

	$wire->query('BEGIN');
	foreach my $call (@calls)
	{
		my $answer = $wire->query($call =~ s/#/$number/gr);
		$errors{"$answer->{sqlstate} $answer->{message}"}++ if $answer->{sqlstate} ne '00000';
	}
}
# what an operator may do in one transaction
my $answer = $open[0]->query("SELECT count(idemstore.set_rate_limit('limit ' || i, 5, '1 min')) FROM generate_series(1, 4510) AS i");
$errors{"$answer->{sqlstate} $answer->{message}"}++ if $answer->{sqlstate} ne '00000';

is_deeply(\%errors, {}, "$sessions sessions, all of whose transactions are open: no error");
my ($most, $all) = split(/\|/, sql('SELECT max(n), sum(n) FROM (SELECT count(*) AS n FROM pg_locks WHERE pid <> pg_backend_pid() GROUP BY pid) AS s'));
note("locks: $most in the session with the most, $all in all");
cmp_ok($most, '<=', 64, 'no transaction has more locks than its share of the lock table');
($most) = split(/\|/, sql("SELECT max(n) FROM (SELECT count(*) AS n FROM pg_locks WHERE locktype = 'userlock' GROUP BY pid) AS s"));
is($most, '3', 'three of them are not on relations: for storing, for invalidating, for removing');
# whoever comes now
is(sql("SELECT idemstore.cache_set('new', '1', '1 h', '{new}'), idemstore.invalidate_by_tag('new'), idemstore.cache_get('new') IS NULL"),
	't|1|t', 'others work');
foreach my $wire (@open)
{
	$answer = $wire->query('COMMIT');
	$errors{"$answer->{sqlstate} $answer->{message}"}++ if $answer->{sqlstate} ne '00000';
	$wire->quit;
}
is_deeply(\%errors, {}, 'all commit');
is(sql("SELECT count(*) FROM idemstore.cache_entries WHERE key ~ '^s '"), 20 * $sessions, 'what they stored is there');

# --- Many names, and nobody in the way -------------------------------------------
#
# Sets of 128 tags and invalidations of other tags, in transactions that stay open:
# a store is refused only for what it has been invalidated by itself.

sql('CREATE TABLE answer (is_stored boolean)');
my $storm = start_storm($node, [ '--client=8', '--jobs=2', '--transactions=' . 150 * $times, '--random-seed=2' ],
	'\set k random(1, 100000000)
	BEGIN;
	INSERT INTO answer SELECT idemstore.cache_set(\'storm \' || :k, \'1\', \'1 h\', (SELECT array_agg(\'tag \' || :k || \' \' || t) FROM generate_series(1, 128) AS t), fence)
	FROM idemstore.cache_fetch(\'storm \' || :k);
	\sleep 20 ms
	COMMIT;' => 1,
	'\set k random(1, 100000000)
	BEGIN;
	SELECT idemstore.invalidate_by_tags((SELECT array_agg(\'other \' || :k || \' \' || t) FROM generate_series(1, 128) AS t));
	\sleep 20 ms
	COMMIT;' => 1,
	'\set k random(1, 100000000)
	BEGIN;
	INSERT INTO answer SELECT idemstore.cache_set(\'plain \' || :k, \'1\', \'1 h\', (SELECT array_agg(\'tag \' || :k || \' \' || t) FROM generate_series(1, 128) AS t));
	SELECT idemstore.cache_clear(\'other \' || :k);
	\sleep 20 ms
	COMMIT;' => 1);
ok(finish_storm($storm), 'the storm meets no error');
my ($stored, $refused) = split(/\|/, sql('SELECT count(*) FILTER (WHERE is_stored), count(*) FILTER (WHERE NOT is_stored) FROM answer'));
note("$stored stored, $refused refused");
cmp_ok($stored, '>', 300 * $times, 'many are stored');
cmp_ok(100 * $refused, '<=', $stored, 'at most one in a hundred is refused');

done_testing();
