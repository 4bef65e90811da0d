#!/usr/bin/perl
#
# No space for the state of rate limits: the server may not make a file larger,
# and the file of rate_limit_state is as large as it may be. What has expired
# goes nevertheless, there and everywhere.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $largest = 20 * 1024 * 1024;    # above a segment of WAL
my $node = new_node('main', 'autovacuum = off');

# What the server starts from now on may not make a file larger than that.
my ($postmaster) = split(/\n/, slurp_file($node->data_dir . '/postmaster.pid'));
$node->command_ok([ 'prlimit', "--pid=$postmaster", "--fsize=$largest" ], 'the server is kept short');
my $session = IdemTest::Session->new($node);

$session->ask("SET idemstore.test_clock = '2026-01-01 00:00:00+00'");
my $begun = "SELECT count(idemstore.start_processing('k' || i, ttl => '1 s')), count(idemstore.dedupe_register('j' || i, '1 s')),
	count(idemstore.cache_set('c' || i, '1', '1 s')), count(idemstore.set_cooldown('o' || i, '2026-01-01 00:00:01+00'))
	FROM generate_series(1, 100) AS i";
is($session->sqlstate($begun), '00000', 'the other tables have room');

# Fill it, until that fails, most of it with what lives on.
my ($names, $sqlstate) = (0, '00000');
while ($sqlstate eq '00000' && $names < 1_000_000)
{
	$sqlstate = $session->sqlstate("SELECT count(idemstore.acquire(rpad('$names ' || i, 500, '.'), quota => 5, per => CASE i % 20 WHEN 0 THEN '1 min' ELSE '10 days' END::interval)) FROM generate_series(1, 1000) AS i");
	$names += 1000;
}
isnt($sqlstate, '00000', 'no more names fit');
like(slurp_file($node->logfile), qr/could not extend file/, 'for the lack of space');
cmp_ok($session->ask("SELECT pg_relation_size('idemstore.rate_limit_state')"), '>', $largest / 2, 'into a file that is as large as it may be');

$session->ask("SET idemstore.test_clock = '2026-01-02 00:00:00+00'");
my $expired = $session->ask("SELECT count(*) FROM idemstore.rate_limit_state WHERE expires_at < '2026-01-02 00:00:00+00'");
cmp_ok($expired, '>', 1000, 'some of which expires');
is( $session->ask("SELECT string_agg(relation || ' ' || (removed > 0), ', ') FROM idemstore.expire(1000000) WHERE relation NOT IN ('cache_leases', 'cache_invalidations')"),
	'idempotency_records true, dedupe_jobs true, cache_entries true, rate_limit_state true, cooldowns true', 'it goes all the same, from every table');
is($session->sqlstate('CALL idemstore.expire_all()'), '00000', 'batch by batch as well');
is($session->ask("SELECT count(*) FROM idemstore.rate_limit_state WHERE expires_at < '2026-01-02 00:00:00+00'"), 0, 'till nothing of it is left');
$session->quit;

done_testing();
