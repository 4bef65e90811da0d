#!/usr/bin/perl
#
# Fifty sessions at once: the first call ever, the first one on a resource, and
# very many resources while what has expired is removed.
#
# IDEM_LONG=1 makes it a million resources instead of 100 000; give it
# PG_TEST_TIMEOUT_DEFAULT=900 then.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemSlots;
use IdemTest;
use Test::More;
use Time::HiRes qw(sleep);

my $state = 'idemstore.rate_limit_state';
my $node = new_node('main', 'autovacuum = off', 'shared_buffers = 512MB', 'max_connections = 120');
my $session = IdemTest::Session->new($node);

# The first call ever, of the extension and of the table, by all at one moment:
# they are let go together. Eight buckets, a page each, and one page for the table.
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
		'9', 'the table is set up once');
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
# as many that expire at once; two of the clients expire as they go. The table
# grows from nothing while they do, and nobody makes it anew.
sub file
{
	return $node->safe_psql('postgres', "SELECT pg_relation_filenode('$state')");
}

my $blocks = $ENV{IDEM_LONG} ? 400 : 40;
$node->safe_psql('postgres', "TRUNCATE $state");
my $file = file();
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
my ($removed, $longest, %modes) = (0, 0);
while ($storm->{run}->pumpable)
{
	$storm->{run}->pump_nb;
	$removed += care($node, "SELECT removed FROM idemstore.expire(50000) WHERE relation = 'rate_limit_state'");
	$modes{$_}++
	  foreach split(/\n/, care($node, "SELECT DISTINCT mode FROM pg_locks WHERE relation = '$state'::regclass AND locktype = 'relation'"));
	my $now = longest_chain($node);
	$longest = $now if $now > $longest;
	sleep(0.2);
}
ok(finish_storm($storm), 'fifty sessions make very many resources');
my $most = 100 * 25 * $blocks;
my $buckets = buckets($node);
note("$most resources, " . ($buckets - 8) . " splits, longest chain $longest, $removed expired ones removed");
is(file(), $file, 'the table is the same file');
is(join(' ', grep { !/^(?:AccessShareLock|RowExclusiveLock)$/ } keys(%modes)), '', 'nobody asks for a stronger lock on it');
cmp_ok($longest, '<=', 6, 'chains stay short');
cmp_ok($removed, '>', 0, 'what had expired was removed meanwhile');
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
is(file(), $file, 'in the same file');
check_resources($node, 'after all that');
$session->quit;

done_testing();
