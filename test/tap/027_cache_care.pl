#!/usr/bin/perl
#
# What care costs the cache: in blocks looked at, and never in time.
#
# The server has so little memory that a pass over a table reads it from the file,
# and a second look at the same page does not: what is read counts passes, what is
# read or found in memory counts looks.
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

my $node = new_node('main', 'shared_buffers = 4MB', 'autovacuum = off', 'max_wal_size = 4GB',
	'work_mem = 64kB');

sub sql
{
	my ($query) = @_;

	return $node->safe_psql('postgres', $query);
}

# What a session does, in blocks: a table's own that were read, and all that were
# looked at, its indexes and what it keeps apart included. A session counts to the
# end when it ends.
sub blocks
{
	my ($table, $what, $sessions) = @_;

	settle($sessions);
	sql('SELECT pg_stat_reset()');
	my $answer = $node->safe_psql('postgres', $what);
	settle($sessions);
	my ($read, $looks) = split(/\|/, sql("
		SELECT heap_blks_read, heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)
			+ coalesce(toast_blks_read + toast_blks_hit + tidx_blks_read + tidx_blks_hit, 0)
		FROM pg_statio_user_tables WHERE relid = 'idemstore.$table'::regclass"));
	note("$table: $read read, $looks looked at; $what");
	return ($read, $looks, $answer);
}

sub settle
{
	my $sessions = $_[0] // 1;

	$node->poll_query_until('postgres',
		"SELECT count(*) = $sessions FROM pg_stat_activity WHERE backend_type = 'client backend'")
	  or die 'sessions do not end';
	return;
}

# Nothing but the epoch is left when all have gone.
sub marks { return sql("SELECT count(*) FROM idemstore.cache_invalidations WHERE name <> 'e'"); }

# --- Marks ---------------------------------------------------------------------

# In one transaction, and in many.
sub leave_marks
{
	my ($n, $transactions) = @_;
	my $each = $n / $transactions;

	sql("DO \$\$
		BEGIN
			FOR t IN 1 .. $transactions LOOP
				PERFORM idemstore.invalidate_by_tags((SELECT array_agg('tag ' || t || ' ' || i) FROM generate_series(1, $each) AS i));
				COMMIT;
			END LOOP;
		END \$\$");
	return;
}

foreach my $transactions (1, 40)
{
	my @looks;
	foreach my $n (200_000, 800_000)
	{
		leave_marks($n, $transactions);
		is(marks(), $n, "$n marks of $transactions transactions");
		push(@looks, (blocks('cache_invalidations', 'CALL idemstore.expire_all(10000)'))[1]);
		is(marks(), 0, 'all go at once');
		sql('VACUUM idemstore.cache_invalidations');
	}
	cmp_ok($looks[1], '<=', 4.4 * $looks[0], "four times as many, of $transactions, cost no more than 4.4 times as much");
}

# Likewise while a snapshot keeps what has been removed from being forgotten: no
# batch goes through what the former ones have left.
{
	my @read;
	foreach my $n (50_000, 200_000)
	{
		leave_marks($n, 1);
		my $report = IdemWire->new($node, 'postgres', 'report');
		$report->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
		push(@read, (blocks('cache_invalidations', 'CALL idemstore.expire_all(10000)', 2))[0]);
		is(marks(), 0, 'all go though a later snapshot is there');
		$report->query('COMMIT');
		$report->quit;
		settle();
		sql('VACUUM idemstore.cache_invalidations');
	}
	cmp_ok($read[1], '<=', 4.4 * $read[0], 'four times as many beside a snapshot are read in no more than 4.4 times as many pages');
}

# While a snapshot, or a lease, is from before them, none is even looked at.
my $reader = IdemWire->new($node, 'postgres', 'reader');
$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
pass_a_bucket();
leave_marks(50_000, 1);
cmp_ok((blocks('cache_invalidations', 'CALL idemstore.expire_all(10000)', 2))[1], '<=', 20, 'an old snapshot: no mark is looked at');
is(marks(), 50_000, 'all stay');
$reader->query('COMMIT');
$reader->quit;
my $fence = sql("SELECT fence FROM idemstore.cache_fetch('k', '1 h')");
sql('CALL idemstore.expire_all(10000)');
is(marks(), 0, 'they go with it');
sql('VACUUM idemstore.cache_invalidations');
pass_a_bucket();
leave_marks(50_000, 1);
cmp_ok((blocks('cache_invalidations', 'CALL idemstore.expire_all(10000)'))[1], '<=', 20, 'an old lease: no mark is looked at');
is(marks(), 50_000, 'all stay');
is(sql("SELECT idemstore.cache_set('k', '1', tags => '{tag 1 7}', fence => $fence)"), 'f', 'and refuse its value');
sql('CALL idemstore.expire_all(10000)');
is(marks(), 0, 'they go with it');

# Invalidating a tag again is HOT.
sql("SELECT idemstore.invalidate_by_tag('hot'); VACUUM idemstore.cache_invalidations; SELECT pg_stat_reset()");
sql("DO \$\$ BEGIN FOR i IN 1 .. 200 LOOP PERFORM idemstore.invalidate_by_tag('hot'); COMMIT; END LOOP; END \$\$");
settle();
is(sql("SELECT n_tup_upd, n_tup_upd - n_tup_hot_upd < 2 FROM pg_stat_user_tables WHERE relid = 'idemstore.cache_invalidations'::regclass"),
	'200|t', 'invalidating one tag again is HOT');

# --- The bound -----------------------------------------------------------------

sub fill
{
	my ($from, $to) = @_;

	sql("DO \$\$ BEGIN
		FOR b IN $from / 10000 .. $to / 10000 - 1 LOOP
			PERFORM count(idemstore.cache_set_bytes('entry ' || i, value => convert_to(repeat(md5(i::text), 3), 'UTF8'), tags => ARRAY['tag ' || i % 1000]))
			FROM generate_series(b * 10000 + 1, (b + 1) * 10000) AS i;
			COMMIT;
		END LOOP;
	END \$\$");
	return;
}

sub entries { return sql('SELECT count(*) FROM idemstore.cache_entries'); }

sub expire_under
{
	my ($bound) = @_;

	return blocks('cache_entries', "SET idemstore.cache_max_size = '$bound'; CALL idemstore.expire_all(10000)");
}

fill(0, 20_000);
my $small = (expire_under('1 GB'))[1];
fill(20_000, 200_000);
my $large = (expire_under('1 GB'))[1];
cmp_ok($large, '<=', $small + 5, 'nothing to trim: the same blocks, however many entries');
cmp_ok($large, '<=', 20, 'and few');
is(entries(), 200_000, 'all are there');

my $pages = sql("SELECT pg_relation_size('idemstore.cache_entries') / 8192");
my $half = sql("SELECT sum(octet_length(key) + pg_column_size(value) + pg_column_size(tags) + 64) / 2 / 1024 FROM idemstore.cache_entries");
my ($read) = expire_under(sprintf('%d kB', $half));
note("$pages pages, half of what is in them is $half kB, " . entries() . ' entries stay');
cmp_ok($read, '<=', 2 * $pages + 100, 'trimming half reads the table twice at most');
cmp_ok($read, '>=', $pages, 'and once at least');
cmp_ok(entries(), '<=', 100_000, 'half is gone');
cmp_ok(entries(), '>', 90_000, 'and a sixteenth of the bound is free');
is(sql("SELECT min(substr(key, 7)::int) > 90000 FROM idemstore.cache_entries"), 't', 'the oldest have gone');
($read, my $looks) = expire_under(sprintf('%d kB', $half));
cmp_ok($looks, '<=', 20, 'nothing written since: the table is not read again');
sql('VACUUM idemstore.cache_entries');
cmp_ok((expire_under(sprintf('%d kB', $half)))[1], '<=', 20, 'nor after VACUUM');
# into the room that VACUUM has found: the file does not grow
fill(200_000, 230_000);
is(sql("SELECT pg_relation_size('idemstore.cache_entries') / 8192"), $pages, 'what is written again takes no more pages');
sql('VACUUM idemstore.cache_entries');
expire_under(sprintf('%d kB', $half));
cmp_ok(entries(), '<=', 100_000, 'and what VACUUM has counted is trimmed');
is(sql("SELECT count(*) FROM idemstore.cache_entries WHERE substr(key, 7)::int > 200000"), 30_000, 'the oldest again');

# In bounded calls, of several sessions: each goes on where the last one stopped.
fill(230_000, 330_000);
my $removed = 0;
($read) = (0);
foreach (1 .. 200)
{
	my ($read_now, undef, $n) = blocks('cache_entries',
		sprintf("SET idemstore.cache_max_size = '%d kB'; SELECT removed FROM idemstore.expire(20000) WHERE relation = 'cache_entries'", $half));
	$read += $read_now;
	$removed += $n;
	last if $n < 20_000;
}
$pages = sql("SELECT pg_relation_size('idemstore.cache_entries') / 8192");
cmp_ok($removed, '>=', 90_000, 'the rest goes in batches');
cmp_ok($read, '<=', 2 * $pages + 200, 'which together read the table twice at most');
cmp_ok(entries(), '<=', 100_000, 'below the bound');

my $log = slurp_file($node->logfile);
is(sql("SELECT sum(temp_files) FROM pg_stat_database"), '0', 'no temporary file was written');
unlike($log, qr/ERROR|WARNING/, 'no error, no warning');

# What is kept apart counts, too, and is not read for that.
sql('TRUNCATE idemstore.cache_entries');
sql("SELECT count(idemstore.cache_set_bytes('large ' || i, value => (SELECT string_agg(sha256((i || '/' || j)::bytea), '') FROM generate_series(1, 1000) AS j))) FROM generate_series(1, 300) AS i");
expire_under('5 MB');
cmp_ok(entries(), '<=', 160, 'large values are trimmed');
cmp_ok(entries(), '>', 100, 'not all');

done_testing();

# Marks of one transaction and of another one do not share a bucket then.
sub pass_a_bucket
{
	sql("DO \$\$ BEGIN FOR i IN 1 .. 16384 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END \$\$");
	return;
}
