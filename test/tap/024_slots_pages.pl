#!/usr/bin/perl
#
# The pages of tables of slots: names that collide under a hash that everybody
# knows lie as wide apart as any others, what is gone is used again, a run of
# expire reads a bounded number of pages, and pages of the format before this one
# are read by SQL alone, till they are written anew.
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
my $node = new_node('main', 'autovacuum = off', 'shared_buffers = 128MB');
my $session = IdemTest::Session->new($node);

sub pages
{
	return $node->safe_psql('postgres', "SELECT pg_relation_size('$state') / 8192");
}

# Names with one hash: the hash takes twelve bytes at a time into a state of
# three words, by steps that can be undone. So for any first twelve bytes there
# are second ones that lead to one and the same state.
sub word { return $_[0] & 0xffffffff }
sub turn { return word($_[0] << $_[1] | ($_[0] & 0xffffffff) >> 32 - $_[1]) }

my @steps = ([ 0, 2, 1, 4 ], [ 1, 0, 2, 6 ], [ 2, 1, 0, 8 ], [ 0, 2, 1, 16 ], [ 1, 0, 2, 19 ], [ 2, 1, 0, 4 ]);

sub mix
{
	my @s = @_;

	foreach (@steps)
	{
		my ($x, $y, $z, $bits) = @$_;
		$s[$x] = word($s[$x] - $s[$y]) ^ turn($s[$y], $bits);
		$s[$y] = word($s[$y] + $s[$z]);
	}
	return @s;
}

sub unmix
{
	my @s = @_;

	foreach (reverse @steps)
	{
		my ($x, $y, $z, $bits) = @$_;
		$s[$y] = word($s[$y] - $s[$z]);
		$s[$x] = word(($s[$x] ^ turn($s[$y], $bits)) + $s[$y]);
	}
	return @s;
}

sub colliding
{
	my ($count) = @_;
	my $begin = word(0x9e3779b9 + 28 + 3923095);
	my @wanted = unmix(1, 2, 3);
	my @names;

	for (my $i = 0; @names < $count; $i++)
	{
		my $first = sprintf('login/%06d', $i);
		my @s = mix(map { word($begin + $_) } unpack('V3', $first));
		my $second = pack('V3', map { word($wanted[$_] - $s[$_]) } 0 .. 2);
		push(@names, unpack('H*', $first . $second . 'tail')) unless $second =~ /\0/;
	}
	return @names;
}

$node->safe_psql('postgres', "CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1'; ");
my $file = PostgreSQL::Test::Utils::tempdir . '/names';
append_to_file($file, join("\n", colliding(5000)) . "\n");
$node->safe_psql('latin1', "CREATE EXTENSION idemstore; CREATE EXTENSION pageinspect; CREATE TABLE hex (hex text); COPY hex FROM '$file'");
my $names = "(SELECT convert_from(decode(hex, 'hex'), 'LATIN1') AS name FROM hex) AS n";
is($node->safe_psql('latin1', "SELECT count(DISTINCT name), count(DISTINCT hashtextextended(name, 0)) FROM $names"),
	'5000|1', 'names that collide under the hash that everybody knows');
$node->safe_psql('latin1', "SELECT count(idemstore.acquire(name, $huge)) FROM $names");
my $collide = chains($node, undef, 'latin1');
$node->safe_psql('latin1', "TRUNCATE $state; SELECT count(idemstore.acquire(rpad('login/' || i, 28, '.'), $huge)) FROM generate_series(1, 5000) AS i");
note("names that collide: $collide; others: " . chains($node, undef, 'latin1'));
cmp_ok(($collide =~ /(\d+):\d+$/)[0], '<=', 2, 'lie as wide apart as others');

# In which bucket 300 names are, before and after the table begins anew.
my $neighbours = "SELECT string_agg((get_byte(page, special + 4) + 256 * get_byte(page, special + 5))::text, ' ' ORDER BY resource)
	FROM (SELECT resource, get_raw_page('$state', (ctid::text::point)[0]::int) AS page FROM $state) AS p,
		LATERAL (SELECT get_byte(page, 16) + 256 * get_byte(page, 17) AS special) AS s";
my $fill = "TRUNCATE $state; SELECT count(idemstore.acquire('same ' || i, $huge)) FROM generate_series(1, 300) AS i";
$node->safe_psql('postgres', "CREATE EXTENSION pageinspect; $fill");
my $before = $node->safe_psql('postgres', $neighbours);
is($node->safe_psql('postgres', $neighbours), $before, 'names stay in their buckets');
$node->safe_psql('postgres', $fill);
isnt($node->safe_psql('postgres', $neighbours), $before, 'after TRUNCATE, other names share a bucket');

# What a stored row has of a transaction: that it is frozen, and no more.
is( $node->safe_psql('postgres', "
	SELECT DISTINCT to_hex(t_infomask & x'fff0'::int), t_infomask2 & x'f800'::int, t_xmin, t_xmax
	FROM generate_series(1, pg_relation_size('$state') / 8192 - 1) AS b, LATERAL heap_page_items(get_raw_page('$state', b::int))
	WHERE lp_flags = 1"),
	'b00|0|2|0', 'rows are frozen, and hold nothing else of a transaction');

# One name that comes and goes, and one that never is the same, logged or not.
foreach my $kind ('LOGGED', 'UNLOGGED')
{
	foreach my $turns ([ 'one name', "'turn'" ], [ 'ever new names', "'turn ' || i" ])
	{
		my ($name, $resource) = @$turns;

		$node->safe_psql('postgres', "TRUNCATE $state; ALTER TABLE $state SET $kind");
		my $turn = sub {
			my ($from, $to) = @_;
			my $lost = $node->safe_psql('postgres', "
				SELECT count(*) FROM generate_series($from, $to) AS i
				WHERE NOT idemstore.acquire($resource, $huge) OR NOT idemstore.rate_limit_reset($resource)");

			is($lost, '0', "$kind: $name: each turn takes and gives back");
		};
		$turn->(1, 1000);
		my $size = pages();
		$turn->(1001, 30000);
		is(pages(), $size, "$kind: $name: 30,000 turns take not one page more than a thousand");
		is($node->safe_psql('postgres', "SELECT count(*) FROM $state"), '0', "$kind: $name: nothing is left");
	}
}

# A flood of names that live for an hour, and what a run of expire reads of it.
$node->safe_psql('postgres', "TRUNCATE $state; SELECT count(idemstore.acquire('flood ' || i, quota => 1, per => '1 h')) FROM generate_series(1, 200000) AS i");
cmp_ok(pages(), '>', 4000, 'a flood of names');
foreach my $round (1 .. 3)
{
	my $plan = $node->safe_psql('postgres', 'EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM idemstore.expire()');
	my $read = 0;

	$read += $_ foreach $plan =~ /^ +Buffers: shared (?:hit=(\d+))?(?: read=(\d+))?/m ? map { $_ // 0 } $1, $2 : die $plan;
	note("run $round reads $read pages");
	cmp_ok($read, '<', 2500, "run $round of expire reads a bounded number of pages");
}
is( $node->safe_psql('postgres', "
	SET idemstore.test_clock = '2100-01-01 00:00:00+00'; CALL idemstore.expire_all(); SELECT count(*) FROM $state"),
	'0', 'expire_all goes through all of it');
$session->ask("SELECT idemstore.acquire('flood ' || i, quota => 1, per => '1 h') FROM generate_series(1, 100) AS i");
my $size = pages();
is($size, pages(), 'and what it emptied is used again');

# Pages of the format before this one, made from ours by hand: other special
# spaces, and nothing else. Functions say what to run, SQL reads the rows, and
# what writes the table anew makes it ours.
my $former = "
	SELECT idemstore.set_cooldown('old ' || i, now() + interval '1 year') FROM generate_series(1, 100) AS i";

sub make_former
{
	my @tables = @_;
	my %files = map { $_ => $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_')") } @tables;

	# Checksums are on by default from 18, and these pages would fail theirs.
	my $has_checksums = $node->safe_psql('postgres', 'SHOW data_checksums') eq 'on';
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->stop;
	system_or_bail('pg_checksums', '--disable', '-D', $node->data_dir) if $has_checksums;
	foreach my $file (values %files)
	{
		my $content = slurp_file($file);
		for (my $block = 0; 8192 * $block < length($content); $block++)
		{
			my ($lower, $upper) = unpack('v2', substr($content, 8192 * $block + 12, 4));
			substr($content, 8192 * $block + 16, 2) = pack('v', 8184);
			substr($content, 8192 * $block + 12, 4) = pack('v2', 24, 8184) if $block == 0;
			substr($content, 8192 * $block + 8184, 8) = $block == 0 ? pack('V2', 0x1DE50107, length($content) / 8192 - 1) : pack('V2', 0xffffffff, 0x1DE50107);
		}
		open(my $handle, '>:raw', $file) or die;
		print $handle $content;
		close($handle);
	}
	$node->start;
	return;
}

$session->quit;
$node->safe_psql('postgres', "TRUNCATE $state; ALTER TABLE $state SET LOGGED; $former; SELECT count(idemstore.acquire('old ' || i, $huge)) FROM generate_series(1, 100) AS i");
make_former('idemstore.cooldowns', $state, 'idemstore.stats_counters');
$session = IdemTest::Session->new($node);
foreach my $call ("acquire('old 1', $huge)", "can_proceed('old 1', $huge)", "get_cooldown('old 1')", "set_cooldown('new', now() + interval '1 year')", "acquire_all('{a,b}')")
{
	my ($exit, $output, $errors) = $node->psql('postgres', "SELECT idemstore.set_rate_limit('*', 9, '1 day'); SELECT idemstore.$call");
	like($errors, qr/of an earlier version of idemstore\nHINT:  Run ALTER EXTENSION idemstore UPDATE\./, "the format before: $call says what to run");
}
is($session->ask("SELECT idemstore.cache_get('absent'), idemstore.cache_set('c', '1', '1 h')"), '|t', 'the format before: what else there is works');
is( $session->ask("SELECT count(*), count(DISTINCT origin) FROM idemstore.cooldowns; SELECT count(*), count(DISTINCT resource) FROM $state"),
	"100|100\n100|100", 'the format before: SQL reads the rows');
$session->ask("VACUUM $state; ANALYZE $state");
is($session->ask("SELECT reltuples FROM pg_class WHERE oid = '$state'::regclass"), '100', 'the format before: VACUUM and ANALYZE count them');
my ($update) = slurp_file('src/sql/upgrade/0.2.0--0.3.0.sql') =~ /^(DO LANGUAGE plpgsql \$update\$.*?^\$update\$;)/ms;
$session->ask($update);
is( $session->ask("SELECT count(idemstore.get_cooldown('old ' || i)), sum(s.quota - s.remaining)
		FROM generate_series(1, 100) AS i, LATERAL idemstore.rate_limit_status('old ' || i, $huge) AS s"),
	'100|100', 'updated: cooldowns and what was logged are there');
is($session->ask("SELECT idemstore.acquire('old 1', $huge), idemstore.clear_cooldown('old 1')"), 't|t', 'updated: and can be changed');
$session->quit;
make_former('idemstore.cooldowns', $state);
$session = IdemTest::Session->new($node);
$session->ask("VACUUM FULL $state; VACUUM FULL idemstore.cooldowns");
is( $session->ask("SELECT count(idemstore.get_cooldown('old ' || i)), sum(s.quota - s.remaining)
		FROM generate_series(1, 100) AS i, LATERAL idemstore.rate_limit_status('old ' || i, $huge) AS s"),
	'99|101', 'so does VACUUM FULL');
$session->quit;
is(join("\n", slurp_file($node->logfile) =~ /^(.* (?:FATAL|PANIC): .*)$/mg), '', 'no session ends for it');

done_testing();
