#!/usr/bin/perl
#
# Fifty sessions at once: the first call ever, the first one on a resource, and
# very many resources while what has expired is removed and the table rewritten.
#
# IDEM_LONG=1 makes it a million resources instead of 100 000; give it
# PG_TEST_TIMEOUT_DEFAULT=900 then.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;
use Time::HiRes qw(sleep time);

my $state = 'idemstore.rate_limit_state';
my $node = new_node('main', 'autovacuum = off', 'shared_buffers = 512MB', 'max_connections = 120');
my $session = IdemTest::Session->new($node);

# The first call ever, of the extension and of the table, by all at one moment:
# they are let go together. One bucket page each, and one page for the table.
foreach my $round (1 .. 4)
{
	$node->safe_psql('postgres',
		$round % 2 ? 'DROP EXTENSION idemstore; CREATE EXTENSION idemstore' : "TRUNCATE $state");
	$session->ask('SELECT pg_advisory_lock(1)');
	my $storm = start_storm($node, [ '--client=50', '--jobs=2', '--transactions=1' ], "
		SELECT pg_advisory_lock_shared(1);
		SELECT 1 / idemstore.acquire('client ' || :client_id % 25, $huge)::int;\n" => 1);
	wait_for_sleepers($node, 50, 'Lock', 'pg_advisory_lock_shared');
	is($node->safe_psql('postgres', "SELECT pg_relation_size('$state')"), '0', 'the table is not set up yet');
	$session->ask('SELECT pg_advisory_unlock(1)');
	ok(finish_storm($storm), 'fifty sessions make the first call ever');
	is($node->safe_psql('postgres', "SELECT pg_relation_size('$state') / current_setting('block_size')::int"),
		'1025', 'the table is set up once');
	is(taken($node, 'client %'), '50', 'and everybody is counted');
	check_resources($node, 'after the first call');
}

# All go through the same new resources. The log grows while they do.
run_storm('fifty sessions use each of 100 new resources', $node,
	[ '--client=50', '--jobs=2', '--transactions=100', '--define=i=0' ], "
	\\set i :i + 1
	SELECT 1 / idemstore.acquire('new ' || :i, $huge)::int;\n" => 1);
is( $node->safe_psql('postgres', "
	SELECT count(*), count(DISTINCT resource) FROM $state WHERE resource LIKE 'new %'"),
	'100|100', 'every resource has one row');
is( $node->safe_psql('postgres', "
	SELECT r.i, s.quota - s.remaining
	FROM generate_series(1, 100) AS r (i), LATERAL idemstore.rate_limit_status('new ' || r.i, $huge) AS s
	WHERE s.quota - s.remaining <> 50"),
	'', 'with all fifty in it');

# Blocks of 100 resources, each used by two clients at about the same time, and
# as many that expire at once. The table begins with 1024 buckets and grows; two
# of the clients expire as they go, and so do we.
my $blocks = $ENV{IDEM_LONG} ? 400 : 40;
my $storm = start_storm($node,
	[ '--client=50', '--jobs=2', "--transactions=$blocks", '--define=i=0' ], "
	\\set i :i + 1
	\\set block 100 * (25 * (:i - 1) + :client_id % 25)
	\\set expires :client_id % 25 = 0
	SELECT 1 / idemstore.acquire('many ' || :block + n, $huge)::int,
		idemstore.acquire('brief ' || :block + n, quota => 1, per => '1 us')
	FROM generate_series(1, 100) AS n;
	\\if :expires
		SELECT idemstore.expire(1000);
	\\endif\n" => 1);
my ($rewrites, $removed) = (0, 0);
for (;;)
{
	$storm->{run}->pump_nb;
	last unless $storm->{run}->pumpable;
	$removed += care($node, "SELECT removed FROM idemstore.expire(50000) WHERE relation = 'rate_limit_state'");
	my $began = time();
	care($node, "VACUUM FULL $state");
	$rewrites++;
	# so that they get on meanwhile
	sleep(time() - $began);
}
ok(finish_storm($storm), 'fifty sessions make very many resources');
my $most = 100 * 25 * $blocks;
note("$most resources, $rewrites rewrites, $removed expired ones removed");
cmp_ok($rewrites, '>', 0, 'the table was rewritten meanwhile');
cmp_ok($removed, '>', 0, 'and what had expired was removed');
is( $node->safe_psql('postgres', "
	SELECT count(*), count(DISTINCT resource) FROM $state WHERE resource LIKE 'many %'"),
	"$most|$most", 'no resource is lost, and none is there twice');
is( $node->safe_psql('postgres', "
	SELECT r.n, s.quota - s.remaining
	FROM generate_series(1, $most) AS r (n), LATERAL idemstore.rate_limit_status('many ' || r.n, $huge) AS s
	WHERE s.quota - s.remaining <> 2 LIMIT 10"),
	'', 'both acquires of every resource are counted');
$node->safe_psql('postgres', 'CALL idemstore.expire_all()');
is($node->safe_psql('postgres', "SELECT count(*) FROM $state WHERE resource LIKE 'brief %'"),
	'0', 'what has expired is removed');

# A table whose chains have become long is rewritten by expire, and given back
# when it is far too large; what is live stays.
sub file
{
	return $node->safe_psql('postgres', "SELECT pg_relation_filenode('$state')");
}

$node->safe_psql('postgres', "
	TRUNCATE $state;
	SELECT idemstore.acquire('long ' || n, $huge) FROM generate_series(1, 170000) AS n");
is(taken($node, 'long %'), '170000', 'chains of three pages and more are whole');
foreach my $step (
	[ 'long chains', '', '170000' ],
	[ 'emptied', "SELECT idemstore.rate_limit_reset('long ' || n) FROM generate_series(1, 169000) AS n", '1000' ])
{
	my ($name, $sql, $left) = @$step;

	$node->safe_psql('postgres', $sql);
	my $before = file();
	$node->safe_psql('postgres', 'SELECT idemstore.expire()');
	my $after = file();
	isnt($after, $before, "$name: expire rewrites the table");
	$node->safe_psql('postgres', 'SELECT idemstore.expire()');
	is(file(), $after, "$name: once");
	is(taken($node, 'long %'), $left, "$name: what is live is there");
	check_resources($node, "$name and rewritten");
}
is($node->safe_psql('postgres', "SELECT pg_relation_size('$state') / current_setting('block_size')::int"),
	'1025', 'the table is at its least');
$session->quit;

done_testing();
