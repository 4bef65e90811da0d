#!/usr/bin/perl
#
# A logged table of slots where its changes are replayed. On a standby that
# follows, every reader sees each name while buckets are split under it, and each
# once. And at every moment of a split that a crash may leave, between the switch
# and the forgetting above all, each name is there once.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemSlots;
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $state = 'idemstore.rate_limit_state';
my $known = 3000;
my $primary = new_node('primary', 'wal_level = replica', 'max_wal_senders = 5', 'autovacuum = off',
	"wal_consistency_checking = 'generic'");

$primary->safe_psql('postgres', "
	CREATE EXTENSION pageinspect;
	ALTER TABLE $state SET LOGGED;
	SELECT count(idemstore.acquire('known ' || i, $huge)) FROM generate_series(1, $known) AS i");
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# While names come, grow, move and go.
my $reading = start_storm($standby, [ '--client=4', '--jobs=1', '--time=6' ],
	"\\set n random(1, $known)
	SELECT 1 / (quota - remaining = 1)::int FROM idemstore.rate_limit_status('known ' || :n, $huge);\n" => 200,
	"SELECT 1 / (count(*) = $known AND count(DISTINCT resource) = $known)::int FROM $state WHERE resource LIKE 'known %';\n" => 1);
my $writing = start_storm($primary, [ '--client=3', '--jobs=1', '--time=6', '--define=i=0' ],
	"\\set i :i + 1
	SELECT count(idemstore.acquire('new ' || :client_id || ' ' || 50 * :i + n, $huge)) FROM generate_series(1, 50) AS n;\n" => 2,
	"\\set n random(1, 2000)
	SELECT idemstore.acquire('grows ' || :n, $huge), idemstore.rate_limit_reset('grows ' || :n - 1);\n" => 2,
	"SELECT idemstore.expire(100);\n" => 1);
ok(finish_storm($writing), 'names come, grow and go');
ok(finish_storm($reading), 'every reader of the standby sees each name, and once');
note(buckets($primary) - 8 . ' splits; chains: ' . chains($primary));
$primary->wait_for_catchup($standby);
is(longest_chain($standby), longest_chain($primary), 'the standby has the same chains');
is(taken($standby, '%'), taken($primary, '%'), 'and the same counts');
$standby->stop;

# Archive recovery that ends at each record of one split.
$primary->safe_psql('postgres', "TRUNCATE $state; SELECT count(idemstore.acquire(rpad(i::text, 900, '.'), $huge)) FROM generate_series(1, 60) AS i; CHECKPOINT");
$primary->backup('split');
my $begin = $primary->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my $buckets = buckets($primary);
my $names = 60;
while (buckets($primary) < $buckets + 2)
{
	$names++;
	$primary->safe_psql('postgres', "SELECT idemstore.acquire(rpad('$names', 900, '.'), $huge)");
}
my $end = $primary->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my $filenode = $primary->safe_psql('postgres', "SELECT pg_relation_filenode('$state')");
$primary->stop;
my ($records) = run_command([ 'pg_waldump', '--path', $primary->data_dir . '/pg_wal', '--start', $begin, '--end', $end ]);
my @moments;
foreach my $record (split(/\n/, $records))
{
	next unless $record =~ /rmgr: Generic .*lsn: ([0-9A-F\/]+).*\/$filenode\b/;
	my $lsn = $1;
	my $switches = () = $record =~ /blkref #/g;
	push(@moments, { lsn => $lsn, is_switch => $switches == 3 && $record =~ m!/$filenode(?: fork main)? blk 0\b! });
}
my @switches = grep { $moments[$_]{is_switch} } 0 .. $#moments;
cmp_ok(scalar(@switches), '>=', 1, 'there are records that switch');
my $with_strays = 0;
my %around = map { $_ => 1 } map { ($_ - 1, $_, $_ + 1) } grep { defined } @switches[ 0, 1 ];
foreach my $i (sort { $a <=> $b } keys %around)
{
	next if $i < 0 || $i > $#moments;
	my $node = PostgreSQL::Test::Cluster->new("moment$i");
	my $name = "record $i" . ($moments[$i]{is_switch} ? ', which switches' : '');

	$node->init_from_backup($primary, 'split');
	PostgreSQL::Test::Utils::system_or_bail('sh', '-c', 'cp ' . $primary->data_dir . '/pg_wal/0* ' . $node->data_dir . '/pg_wal/');
	$node->append_conf('postgresql.conf',
		"restore_command = 'false'\nrecovery_target_lsn = '$moments[$i]{lsn}'\nrecovery_target_action = 'promote'\nrecovery_target_timeline = 'current'");
	append_to_file($node->data_dir . '/recovery.signal', '');
	$node->start;
	$node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
	my $session = IdemTest::Session->new($node);
	my $there = $session->ask("SELECT count(*) FROM generate_series(1, $names) AS i, LATERAL idemstore.rate_limit_status(rpad(i::text, 900, '.'), $huge) AS s WHERE s.quota - s.remaining = 1");
	my $on_pages = $session->ask("SELECT count(*) FROM generate_series(1, pg_relation_size('$state') / 8192 - 1) AS b, LATERAL heap_page_items(get_raw_page('$state', b::int)) WHERE lp_flags = 1 AND t_infomask & 256 <> 0");
	$with_strays++ if $moments[$i]{is_switch} && $on_pages > $there;
	is($session->ask("SELECT count(*), count(DISTINCT resource) FROM $state"), "$there|$there", "$name: SQL reads each name that is found, once");
	$session->ask("ANALYZE $state");
	is($session->ask("SELECT reltuples FROM pg_class WHERE oid = '$state'::regclass"), $there, "$name: ANALYZE counts each once");
	is($session->ask("SELECT count(*) FROM $state TABLESAMPLE SYSTEM (100)"), $there, "$name: so does a sample");
	is($session->ask("SELECT count(idemstore.acquire(rpad(i::text, 900, '.'), $huge)) FROM generate_series(1, 200) AS i; SELECT idemstore.expire(); SELECT count(*), count(DISTINCT resource) FROM $state") =~ s/.*\n//sr,
		'200|200', "$name: and the table goes on");
	check_resources($node, $name);
	is($session->ask("SELECT sum(s.quota - s.remaining) FROM generate_series(1, 200) AS i, LATERAL idemstore.rate_limit_status(rpad(i::text, 900, '.'), $huge) AS s"),
		200 + $there, "$name: counting each");
	$session->quit;
	$node->stop;
}
cmp_ok($with_strays, '>', 0, 'a crash after a switch does leave rows that moved');

done_testing();
