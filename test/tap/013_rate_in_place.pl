#!/usr/bin/perl
#
# What an acquire costs the database, to the byte: no dead row, no WAL, no
# transaction id and no space, whether or not somebody holds an old snapshot. A
# denial and a question change nothing at all.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;

# Nobody but this test may take transaction ids or write WAL.
my $node = new_node('main', 'autovacuum = off', 'checkpoint_timeout = 1h', 'bgwriter_lru_maxpages = 0');
my $state = 'idemstore.rate_limit_state';

$node->safe_psql('postgres', "
	CREATE EXTENSION pageinspect;
	SELECT idemstore.set_rate_limit('open*', 1000000000000, '1 day');
	SELECT idemstore.set_rate_limit('closed', 5, '1 day');
	SELECT idemstore.set_rate_limit('closed', 1000, '1 day', 'token_bucket', policy => 'bucket');
	SELECT idemstore.set_rate_limit('closed', 1000, '1 day', 'fixed_window', policy => 'fixed')");

sub position
{
	return $node->safe_psql('postgres',
		'SELECT pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())');
}

# From here on: whoever reads a page of the catalogs may clear away what is dead
# there, and write WAL, unless that was done before.
sub settled_position
{
	$node->safe_psql('postgres', 'VACUUM');
	return position();
}

sub size
{
	return $node->safe_psql('postgres', "SELECT pg_total_relation_size('$state'), pg_relation_size('$state')");
}

# Rows that are there, and rows that are gone: the inserter of the latter counts
# as aborted. What the statistics say of dead rows, and ANALYZE.
sub rows
{
	return $node->safe_psql('postgres', "
		SELECT count(*) FILTER (WHERE t_infomask & 768 = 768) || ' rows, ' ||
			count(*) FILTER (WHERE t_infomask & 768 <> 768) || ' gone'
		FROM generate_series(1, pg_relation_size('$state') / 8192 - 1) AS block,
			LATERAL heap_page_items(get_raw_page('$state', block)) AS item
		WHERE item.lp_len > 0");
}

sub dead_rows
{
	$node->safe_psql('postgres', "ANALYZE $state");
	return $node->safe_psql('postgres', "
		SELECT n_tup_ins + n_tup_upd + n_tup_del, n_dead_tup, pg_stat_get_live_tuples(relid)
		FROM pg_stat_user_tables WHERE relid = '$state'::regclass");
}

sub fingerprint
{
	return $node->safe_psql('postgres', "
		SELECT md5(string_agg(md5(get_raw_page('$state', block)), '' ORDER BY block))
		FROM generate_series(0, pg_relation_size('$state') / 8192 - 1) AS block");
}

# A resource is known, and its log has grown to its full size. A rewrite leaves
# nothing of its growth.
run_storm('a resource becomes known', $node, [ '--client=1', '--transactions=200' ],
	"SELECT 1 / idemstore.acquire('open')::int;\n" => 1);
$node->safe_psql('postgres', "VACUUM FULL $state");
is(rows(), '1 rows, 0 gone', 'its row is the only one');

my @hundred_thousand = ($node, [ '--client=8', '--jobs=2', '--transactions=12500' ],
	"SELECT 1 / idemstore.acquire('open')::int;\n" => 1);
my ($before, $size) = (settled_position(), size());
run_storm('100 000 acquires on it', @hundred_thousand);
is(position(), $before, 'not a byte of WAL, and no transaction id');
is(size(), $size, 'the table is as large as before');
is(rows(), '1 rows, 0 gone', 'no row is gone');
is(dead_rows(), '0|0|1', 'the statistics know of no write and no dead row');
is($node->safe_psql('postgres', "SELECT quota - remaining FROM idemstore.rate_limit_status('open')"),
	'100200', 'all of them are counted');

# Who holds a snapshot all the while is in nobody's way: resources come and grow,
# and leave just as much behind as without him. How full buckets are is chance,
# and with it whether the last split made a segment.
my $growth = sub {
	my ($when) = @_;

	$node->safe_psql('postgres', "TRUNCATE $state");
	run_storm("1000 resources come and grow $when", $node,
		[ '--client=1', '--transactions=75' ],
		"SELECT 1 / idemstore.acquire('open ' || i)::int FROM generate_series(1, 1000) AS i;\n" => 1);
	return (size(), rows());
};
my ($grown, $left) = $growth->('with nobody about');
my $reader = IdemTest::Session->new($node);
$reader->ask("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class; SELECT txid_current()");
my @under_snapshot = $growth->('under an old snapshot');
my ($less, $more) = sort { $a <=> $b } $grown, $under_snapshot[0];
cmp_ok($more, '<=', 2 * $less, 'about the same size: pages come in segments, the last of which is half of them');
is($under_snapshot[1] =~ s/,.*//r, $left =~ s/,.*//r, 'and the same rows');
($before, $size) = (settled_position(), size());
run_storm('20 000 acquires under an old snapshot', $node, [ '--client=8', '--jobs=2', '--transactions=2500' ],
	"SELECT 1 / idemstore.acquire('open ' || 1 + :client_id)::int;\n" => 1);
is(size(), $size, 'the table is as large as before');
is(position(), $before, 'not a byte of WAL, and no transaction id');
is($reader->ask('SELECT txid_current_if_assigned() = pg_snapshot_xmin(pg_current_snapshot())::text::bigint'),
	't', 'the snapshot is an old one to the end');
$reader->quit;

# What is denied, or only asked, is not written.
$node->safe_psql('postgres', "SELECT idemstore.acquire('closed') FROM generate_series(1, 5)");
$before = settled_position();
my $bytes = fingerprint();
run_storm('4000 denials, 4000 questions', $node, [ '--client=8', '--jobs=2', '--transactions=500' ], "
	SELECT 1 / (NOT idemstore.acquire('closed'))::int;
	SELECT 1 / (NOT allowed)::int FROM idemstore.consume('closed', 2);
	SELECT 1 / (NOT idemstore.acquire_all('{open,closed,open 1}', '{1,1,2}'))::int;
	SELECT 1 / idemstore.acquire('open', 0)::int;
	SELECT idemstore.can_proceed('open'), idemstore.get_wait_time('closed'), idemstore.rate_limit_status('closed');\n" => 1);
is(fingerprint(), $bytes, 'no byte of the table is another one');
is(position(), $before, 'not a byte of WAL, and no transaction id');

# The other side of the scale: what does write is seen by these measures.
$node->safe_psql('postgres', "SELECT idemstore.acquire('open')");
isnt(fingerprint(), $bytes, 'an acquire changes bytes');
is(position(), $before, 'and writes no WAL');
$node->safe_psql('postgres', "SELECT idemstore.acquire('open new')");
is(position(), $before, 'nor does the first one on a resource');
$node->safe_psql('postgres', "ALTER TABLE $state SET LOGGED");
$before = position();
$node->safe_psql('postgres', "SELECT idemstore.acquire('open')");
isnt(position(), $before, 'it does in a logged table');

done_testing();
