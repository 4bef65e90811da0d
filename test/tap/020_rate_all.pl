#!/usr/bin/perl
#
# acquire_all over random resources in random orders, from eight clients, beside
# single acquires, resets, expiry and rewrites: nobody hangs, nobody deadlocks,
# and each takes all or nothing.
#
# IDEM_LONG=1 makes it a minute.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;

my $seconds = $ENV{IDEM_LONG} ? 60 : 5;
my $state = 'idemstore.rate_limit_state';
my $node = new_node('main', 'deadlock_timeout = 100ms', 'autovacuum = off');

# Crowded buckets, so that those who ask share chains of pages: long names that
# nobody asks for.
$node->safe_psql('postgres', "
	CREATE UNLOGGED TABLE takings (resource text, cost int);
	SELECT idemstore.set_rate_limit('r*', 1000000000000, '1 day');
	SELECT idemstore.set_rate_limit('tight*', 50, '1 day');
	SELECT idemstore.set_rate_limit('few*', 40, '100 ms');
	SELECT count(idemstore.acquire(repeat('crowd ', 130) || n, $huge)) FROM generate_series(1, 14000) AS n");

# A client takes a cost from up to 64 of 200 resources, in any order, some twice;
# half of the time from one, too, that has not enough. Next, one that many want
# which is soon used up, with others; and single ones. Each notes what he got.
my $many = "
	\\set some random(1, 64)
	\\set mixed random(0, 1)
	WITH wanted AS MATERIALIZED (
		SELECT CASE WHEN :mixed = 1 AND random() < 0.05 THEN 'few ' || (random() * 3)::int
				ELSE 'r' || (random() * 199)::int END AS resource, (random() * 3)::int AS cost
		FROM generate_series(1, :some)),
	answer AS MATERIALIZED (
		SELECT idemstore.acquire_all(array_agg(resource), array_agg(cost)) AS is_taken FROM wanted)
	INSERT INTO takings SELECT resource, sum(cost) FROM wanted, answer WHERE is_taken GROUP BY 1;\n";
my $tight = "
	\\set n random(1, 20)
	WITH answer AS MATERIALIZED (
		SELECT idemstore.acquire_all(array['tight ' || :n, 'r' || :n, 'tight ' || 21 - :n, 'r' || 100 + :n]) AS is_taken)
	INSERT INTO takings SELECT unnest(array['tight ' || :n, 'r' || :n, 'tight ' || 21 - :n, 'r' || 100 + :n]), 1
	FROM answer WHERE is_taken;\n";
my $single = "
	\\set n random(0, 199)
	WITH answer AS MATERIALIZED (SELECT idemstore.acquire('r' || :n, 2) AS is_taken)
	INSERT INTO takings SELECT 'r' || :n, 2 FROM answer WHERE is_taken;\n";
my $grow = "
	\\set n random(1, 100000)
	SELECT idemstore.acquire_all(array_agg('rbrief ' || :n + n)), idemstore.rate_limit_reset('rbrief ' || :n)
	FROM generate_series(1, 10) AS n;\n";
my $storm = start_storm($node, [ '--client=8', '--jobs=2', "--time=$seconds" ],
	$many => 5, $tight => 3, $single => 3, $grow => 1);
my $rounds = 0;
while ($storm->{run}->pumpable)
{
	care($node, 'SELECT idemstore.expire(), pg_sleep(0.1)');
	care($node, "SELECT count(*) FROM $state; ANALYZE $state");
	# this ends the chains of pages, so not before there was time for them
	care($node, "VACUUM FULL $state") if $rounds++ > $seconds / 2;
	$storm->{run}->pump_nb;
}
ok(finish_storm($storm), 'no client meets an error, and nobody waits for ever');
note("$rounds rounds of care");

is( $node->safe_psql('postgres', "
	SELECT resource, t.taken, s.quota - s.remaining
	FROM (SELECT resource, sum(cost) AS taken FROM takings WHERE resource NOT LIKE 'few%' GROUP BY 1) AS t,
		LATERAL idemstore.rate_limit_status(t.resource) AS s
	WHERE t.taken <> s.quota - s.remaining"),
	'', 'of each resource so much is taken as its takers got');
is( $node->safe_psql('postgres', "
	SELECT n, s.quota - s.remaining
	FROM generate_series(0, 199) AS n, LATERAL idemstore.rate_limit_status('r' || n) AS s
	WHERE NOT EXISTS (SELECT FROM takings WHERE resource = 'r' || n) AND s.remaining <> s.quota"),
	'', 'and nothing of one that nobody got');
cmp_ok($node->safe_psql('postgres', "SELECT sum(cost) FROM takings WHERE resource LIKE 'few%'"),
	'>', 0, 'some took from those that have little');
is($node->safe_psql('postgres', "SELECT max(taken) FROM (SELECT sum(cost) AS taken FROM takings WHERE resource LIKE 'tight%' GROUP BY resource) AS t"),
	'50', 'what has a quota is used up, and not overdrawn');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE relation = '$state'::regclass"), '0', 'no lock is left behind');
is($node->safe_psql('postgres', "SELECT count(*) FROM $state WHERE resource LIKE 'crowd%'"), '14000', 'the others are there');

done_testing();
