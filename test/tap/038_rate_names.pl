#!/usr/bin/perl
#
# Any number of exact names may have limits: a session remembers little of them,
# reads little after a change, finds what a plain search finds, and looks into no
# index for a stranger's name. No transaction keeps locks for what it sets.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;

my $limits = 'idemstore.rate_limits';
my $node = new_node('main', 'autovacuum = off');
my $dba = IdemTest::Session->new($node);
my $session = IdemTest::Session->new($node);

sub set_exact
{
	my ($names) = @_;

	return "INSERT INTO $limits (resource, policy, algorithm, quota, period)
		SELECT name, 'default', 'sliding_window', 1000000 + i, '1 day' FROM $names AS t (i, name)";
}

# The blocks that a session's call touches, its own catalog look-ups included.
sub blocks_of
{
	my ($call) = @_;
	my $plan = $session->ask("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT $call");
	my ($hit) = $plan =~ /shared hit=(\d+)/;
	my ($read) = $plan =~ /read=(\d+)/;

	return ($hit // 0) + ($read // 0);
}

# How often the session looks for a name while it runs something.
sub scans_in
{
	my ($query) = @_;
	my $count = "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE schemaname = 'idemstore' AND relname = 'rate_limits'";

	$session->ask('SELECT pg_stat_force_next_flush()');
	my $before = $session->ask($count);
	$session->ask($query);
	$session->ask('SELECT pg_stat_force_next_flush()');
	return $session->ask($count) - $before;
}

# A few names, and patterns among which a stranger falls; then very many more.
my $stranger = "idemstore.acquire('user/stranger')";
my $change = "SELECT idemstore.set_rate_limit('user/17', 1000000 + %d, '1 day')";
my %blocks;
$dba->ask(set_exact("(SELECT i, 'user/' || i FROM generate_series(1, 1000) AS i)"));
$dba->ask("SELECT count(idemstore.set_rate_limit(CASE i WHEN 1 THEN '' ELSE 'user/' || i || '-' END || '*', i, '1 day')) FROM generate_series(1, 100) AS i");
foreach my $many (1000, 100_000)
{
	$dba->ask(set_exact("(SELECT i, 'user/' || i FROM generate_series(1001, 100000) AS i)") . "; VACUUM ANALYZE $limits") if $many > 1000;
	foreach my $call ($stranger, "idemstore.acquire('user/17')", "idemstore.acquire('user/9-x')")
	{
		$session->ask("SELECT $call");
		foreach my $i (1 .. 3)
		{
			$dba->ask(sprintf($change, $i));
			push(@{ $blocks{$call}{$many} }, blocks_of($call));
		}
	}
}
foreach my $call (sort keys %blocks)
{
	my ($few, $many) = map { (sort { $a <=> $b } @{ $blocks{$call}{$_} })[-1] } 1000, 100_000;

	diag("$call after a change: $few blocks beside 1,000 limits, $many beside 100,000");
	# three levels of an index instead of two, and what a stretch of names spreads over
	cmp_ok($many, '<=', $few + 20, "$call after a change reads no more beside a hundred times as many");
}

# Strangers: at first it is learnt where names are, and then nothing is looked for.
my $strangers = "SELECT count(idemstore.acquire('user/' || i || 'x')) FROM generate_series(1, 100000, 7) AS i";
my $learning = scans_in($strangers);
cmp_ok($learning, '<', 6000, "a hundred thousand names are learnt in fewer looks than strangers ($learning)");
is(scans_in($strangers), 0, 'and then no index is looked into for a stranger');
is(scans_in("SELECT count(idemstore.acquire('user/' || i || 'y')) FROM generate_series(1, 100000, 11) AS i"), 0, 'nor for a new one');
is(scans_in("SELECT count(idemstore.acquire('user/17')) FROM generate_series(1, 100)"), 1, 'a name that has a limit is looked up once');

# What the plain search finds, for strangers and for names that have limits.
my $wrong = "SELECT count(*) FROM (SELECT name, (SELECT quota FROM idemstore.rate_limit_status(name)) AS quota FROM (%s) AS n (name) OFFSET 0) AS found
	WHERE quota IS DISTINCT FROM coalesce((SELECT quota FROM $limits WHERE resource = name),
		(SELECT quota FROM $limits WHERE resource LIKE '%%*' AND starts_with(name, left(resource, -1)) ORDER BY length(resource) DESC LIMIT 1))";
my $names = "SELECT 'user/' || i || CASE i %% 4 WHEN 0 THEN '' WHEN 1 THEN '-' || i WHEN 2 THEN 'x' ELSE '' END
	FROM (SELECT (%d + n * 7919::bigint) %% 120000 FROM generate_series(1, 4000) AS n) AS t (i)";
is($session->ask(sprintf($wrong, sprintf($names, 0))), 0, 'what holds is what a plain search finds');
# From 18 on a context has a path of numbers in place of its parent's name.
my $memory = $node->pg_version < 18 ? "SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'idemstore%' OR parent LIKE 'idemstore%'"
  : "WITH contexts AS MATERIALIZED (SELECT * FROM pg_backend_memory_contexts)
	SELECT sum(total_bytes) FROM contexts WHERE EXISTS (SELECT FROM contexts AS ours WHERE ours.name LIKE 'idemstore%' AND ours.path <@ contexts.path)";
cmp_ok($session->ask($memory), '<', 1024 * 1024,
	'for all that less than 1 MB is remembered');
diag($session->ask("SELECT string_agg(name || ' ' || total_bytes, ', ') FROM pg_backend_memory_contexts WHERE name LIKE 'idemstore%'"));

# So many and so long that they do not fit: the same, in no more memory.
$dba->ask(set_exact("(SELECT i, 'long/' || repeat(md5(i::text), 4) || i FROM generate_series(1, 60000) AS i)") . "; VACUUM ANALYZE $limits");
my $long = "SELECT 'long/' || repeat(md5(i::text), 4) || i || CASE i %% 3 WHEN 0 THEN 'x' ELSE '' END FROM generate_series(1, 60000, 10) AS i";
is($session->ask(sprintf($wrong, sprintf($long))), 0, 'names that do not fit into memory are found all the same');
is($session->ask(sprintf($wrong, sprintf($names, 1))), 0, 'and others after them');
is($session->ask("SELECT sum(total_bytes) < 1024 * 1024 FROM pg_backend_memory_contexts WHERE name LIKE 'idemstore%'"), 't',
	'in less than 1 MB, too');

# Names change hands: what was learnt is forgotten.
foreach my $step (
	[ "SELECT idemstore.set_rate_limit('user/stranger', 5, '1 day')", 5 ],
	[ "BEGIN; SELECT idemstore.drop_rate_limit('user/stranger'), idemstore.set_rate_limit('user/str*', 6, '1 day'); COMMIT", 6 ],
	[ "SELECT idemstore.drop_rate_limit('user/str*')", 1 ])
{
	my ($sql, $quota) = @$step;

	$dba->ask($sql);
	is($session->ask("SELECT quota FROM idemstore.rate_limit_status('user/stranger')"), $quota, $sql);
}

# Without the indexes it is slower, and right.
$dba->ask("DROP INDEX idemstore.rate_limits_pattern_idx; DELETE FROM $limits WHERE length(resource) > 9 AND resource NOT LIKE '%*'");
is($session->ask(sprintf($wrong, sprintf($names, 2))), 0, 'without the index of patterns the same is found');
$dba->ask("ALTER TABLE $limits DROP CONSTRAINT rate_limits_pkey, ADD CONSTRAINT rate_limits_pkey PRIMARY KEY (policy, resource)");
$dba->ask("DELETE FROM $limits WHERE quota > 1000300");
is($session->ask(sprintf($wrong, "SELECT 'user/' || i || '-' FROM generate_series(1, 300) AS i UNION ALL SELECT 'user/' || i FROM generate_series(1, 300) AS i")), 0,
	'and with the columns of the primary key the other way round');

# However many limits a transaction sets, it keeps no lock for them.
my $sets = "SELECT count(idemstore.set_rate_limit('set/' || i, i, '1 day')), count(idemstore.drop_rate_limit('set/' || i - 1)) FROM generate_series(1, 5000) AS i";
$dba->ask("BEGIN; $sets");
is($dba->ask("SELECT count(*) < 20 AND count(*) FILTER (WHERE locktype = 'userlock') = 0 FROM pg_locks WHERE pid = pg_backend_pid()"), 't',
	'who sets 5,000 limits has few locks');
$dba->ask('ROLLBACK');

# 500 patterns, and no more; exact names beside.
$dba->ask("TRUNCATE $limits; CREATE INDEX rate_limits_pattern_idx ON $limits (resource, policy) WHERE resource LIKE '%*'");
$dba->ask("SELECT count(idemstore.set_rate_limit('p' || i || '*', i, '1 day')) FROM generate_series(1, 500) AS i");
is($dba->sqlstate("SELECT idemstore.set_rate_limit('more*', 1, '1 day')"), '54000', 'a pattern too many is refused');
is($dba->sqlstate("SELECT idemstore.set_rate_limit('p500*', 1, '1 h', policy => 'hour'), idemstore.set_rate_limit('p1*', 7, '1 day'), idemstore.set_rate_limit('more', 1, '1 day')"),
	'00000', 'but no policy of one that is there, and no exact name');

# Two who set the last one at once: one of them is refused, whoever commits first.
$dba->ask("SELECT idemstore.drop_rate_limit('p500*')");
$dba->ask("BEGIN; SELECT idemstore.set_rate_limit('one*', 1, '1 day')");
is($session->sqlstate("SELECT idemstore.set_rate_limit('two*', 1, '1 day')"), '54000', 'one that is not committed counts');
$dba->ask('ROLLBACK');
is($session->sqlstate("SELECT idemstore.set_rate_limit('two*', 1, '1 day')"), '00000', 'until it is rolled back');

$dba->quit;
$session->quit;
done_testing();
