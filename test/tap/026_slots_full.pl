#!/usr/bin/perl
#
# No space for rate_limit_state: no file of the server may become larger than 24
# MB, and the table is as large. What has room goes on, what has none says so and
# takes nothing, everything expires, and what that frees is used again.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemSlots;
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $state = 'idemstore.rate_limit_state';
my $limit = 24 * 1024 * 1024;

# the soft limit of this process, which the server inherits
command_ok([ 'prlimit', '--pid', $$, "--fsize=$limit:" ], 'files have a limit');
my $node = new_node('main', 'autovacuum = off', 'min_wal_size = 32MB', 'max_wal_size = 64MB');
my $session = IdemTest::Session->new($node);

sub add_till_full
{
	$session->ask("
		DO \$\$
		BEGIN
			FOR i IN 1 .. 1000000 LOOP
				PERFORM idemstore.acquire('name ' || i, quota => 5, per => '1 h');
			END LOOP;
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO failed VALUES (SQLERRM);
		END
		\$\$");
	return $session->ask('DELETE FROM failed RETURNING message');
}

foreach my $kind ('UNLOGGED', 'LOGGED')
{
	$session->ask("CREATE TABLE IF NOT EXISTS failed (message text); TRUNCATE $state; ALTER TABLE $state SET $kind");
	like(add_till_full(), qr/could not extend file .*File too large/, "$kind: the table becomes full");
	my $names = $session->ask("SELECT count(*) FROM $state");
	note("$kind: $names names, chains: " . chains($node));
	cmp_ok($names, '>', 50000, "$kind: of many names");
	is($session->ask("SELECT count(*), count(DISTINCT resource) FROM $state"), "$names|$names", "$kind: each once");

	is( $session->ask("SELECT bool_and(idemstore.acquire('name ' || i, quota => 5, per => '1 h')) FROM generate_series(1, 1000) AS i"),
		't', "$kind: a name that is there goes on");
	is( $session->ask("SELECT count(*) FROM generate_series(1, 1000) AS i, LATERAL idemstore.rate_limit_status('name ' || i, 5, '1 h') AS s WHERE s.remaining <> 3"),
		'0', "$kind: and is counted");

	# some of them find room, but not all
	$session->ask("SELECT idemstore.set_rate_limit('many*', 5, '1 h')");
	my ($answer, $sqlstate);
	foreach (1 .. 50)
	{
		($answer, $sqlstate) = $session->ask("SELECT idemstore.acquire_all((SELECT array_agg(rpad('many ' || $_ || ' ' || i, 1000, '.')) FROM generate_series(1, 64) AS i))");
		last if $sqlstate ne '00000';
	}
	isnt($sqlstate, '00000', "$kind: acquire_all of many new names finds no room");
	is( $session->ask("
			SELECT bool_and(taken IN (0, 64))
			FROM (SELECT sum(s.quota - s.remaining) AS taken
				FROM generate_series(1, 50) AS n, generate_series(1, 64) AS i,
					LATERAL idemstore.rate_limit_status(rpad('many ' || n || ' ' || i, 1000, '.')) AS s
				GROUP BY n) AS t"),
		't', "$kind: and takes all or nothing");

	# everything expires, the table that is full and the others
	$session->ask("
		SELECT idemstore.start_processing('k', ttl => '0'), idemstore.cache_set('c', '1', '1 us'), idemstore.dedupe_register('j', '1 us');
		SELECT pg_sleep(0.01); SET idemstore.test_clock = '2100-01-01 00:00:00+00'");
	my ($exit, $output, $errors) = $node->psql('postgres', "SET idemstore.test_clock = '2100-01-01 00:00:00+00'; CALL idemstore.expire_all()");
	is("$exit$errors", '0', "$kind: expire_all meets no error, and warns of nothing");
	is( $session->ask("SELECT (SELECT count(*) FROM $state), (SELECT count(*) FROM idemstore.idempotency_records), (SELECT count(*) FROM idemstore.cache_entries)"),
		'0|0|0', "$kind: everything has expired");
	$session->ask('RESET idemstore.test_clock');
	is( $session->ask("SELECT count(*) FROM generate_series(1, 50000) AS i WHERE idemstore.acquire('again ' || i, quota => 5, per => '1 h')"),
		'50000', "$kind: and there is room again");
	check_resources($node, "$kind: after all that");
}
$session->quit;

done_testing();
