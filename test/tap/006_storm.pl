#!/usr/bin/perl
#
# Everything at once, on few keys: claims, completions, failures, releases,
# takeovers and expiry, while the table is rewritten and its indexes are built,
# rebuilt and dropped under them.
#
# Whatever the order, no claim is completed twice and none is lost; every owner
# writes into the ledger in the transaction of its completion.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = 20;

my $node = new_node('main', "log_line_prefix = 'state=%e '", 'max_wal_size = 4GB');

# An owner's work, and what it met. The errors that a late owner gets take the
# ledger row with them. The response tells whose it is.
$node->safe_psql('postgres', q{
	CREATE TABLE claims (id bigserial, key text, fence bigint);
	CREATE TABLE ledger (id bigserial, key text, fence bigint);
	CREATE TABLE met (call text, state text);

	CREATE FUNCTION pay(k text, f bigint) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		INSERT INTO ledger (key, fence) VALUES (k, f);
		PERFORM idemstore.complete(k, 200, NULL, repeat(f || ' ', 20), fence => f);
		INSERT INTO met VALUES ('complete', '00000');
	EXCEPTION WHEN OTHERS THEN
		INSERT INTO met VALUES ('complete', SQLSTATE);
	END $$;

	CREATE FUNCTION try(call text, k text, f bigint) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE format('SELECT idemstore.%s', call) USING k, f;
		INSERT INTO met VALUES (split_part(call, '(', 1), '00000');
	EXCEPTION WHEN OTHERS THEN
		INSERT INTO met VALUES (split_part(call, '(', 1), SQLSTATE);
	END $$});

# Claim and work in one transaction that is rolled back at times.
my $payment = "
	\\set i :i + 1
	\\set n :i + random(-10, 10)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('payment ' || :n) \\gset
	\\if :is_owner
		SELECT pay('payment ' || :n, :fence);
	\\endif
	\\set luck random(1, 4)
	\\if :luck = 1
		ROLLBACK;
	\\else
		COMMIT;
	\\endif\n";

# Claim and work in two transactions, under leases so short that many an owner
# comes too late.
my $takeover = "
	\\set i :i + 1
	\\set n :i / 4 + random(0, 9)
	WITH verdict AS MATERIALIZED (
		SELECT * FROM idemstore.start_processing('contested ' || :n, lease => '2 ms')),
	claim AS (
		INSERT INTO claims (key, fence)
		SELECT 'contested ' || :n, fence FROM verdict WHERE outcome = 'started')
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence FROM verdict \\gset
	\\if :is_owner
		\\set pause random(0, 5000)
		\\sleep :pause us
		\\set luck random(1, 4)
		\\if :luck = 1
			SELECT try('fail(\$1, retryable => true, fence => \$2)', 'contested ' || :n, :fence);
		\\elif :luck = 2
			SELECT try('extend_lease(\$1, \$2, ''3 ms'')', 'contested ' || :n, :fence);
			SELECT pay('contested ' || :n, :fence);
		\\else
			SELECT pay('contested ' || :n, :fence);
		\\endif
	\\endif\n";

# Few keys used again and again: records that are given back or expire almost at
# once, by themselves and under those who wait.
my $reuse = "
	\\set n random(1, 10)
	\\set luck random(1, 4)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('brief ' || :n, wait => '5 ms') \\gset
	\\if :is_owner
		\\if :luck = 1
			SELECT idemstore.release('brief ' || :n, :fence);
		\\elif :luck = 2
			SELECT idemstore.fail('brief ' || :n, fence => :fence, ttl => '1 ms');
		\\else
			INSERT INTO ledger (key, fence) VALUES ('brief ' || :n, :fence);
			SELECT idemstore.complete('brief ' || :n, 200, fence => :fence, ttl => '1 ms');
		\\endif
	\\endif
	COMMIT;
	SELECT * FROM idemstore.expire(50);\n";

# The same request under different keys.
my $unique = "
	\\set i :i + 1
	\\set n :i + random(-10, 10)
	\\set k random(1, 3)
	BEGIN;
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('twin ' || :n || '/' || :k, 'print ' || :n, scope => 'twins',
		unique_fingerprint => true) \\gset
	\\if :is_owner
		INSERT INTO ledger (key, fence) VALUES ('print ' || :n, :fence);
		SELECT idemstore.complete('twin ' || :n || '/' || :k, 200, fence => :fence, scope => 'twins');
	\\endif
	COMMIT;\n";

my $storm = start_storm($node,
	[ '--client=8', '--jobs=2', "--time=$seconds", '--define=i=0', '--random-seed=1' ],
	$payment => 3, $takeover => 5, $reuse => 2, $unique => 2);

my $rounds = 0;
my $end = time() + $seconds;
while (time() < $end)
{
	foreach my $command (
		'CREATE INDEX CONCURRENTLY extra ON idemstore.idempotency_records (status, completed_at)',
		'REINDEX TABLE CONCURRENTLY idemstore.idempotency_records',
		'VACUUM idemstore.idempotency_records',
		'DROP INDEX CONCURRENTLY idemstore.extra',
		'VACUUM FULL idemstore.idempotency_records',
		'ANALYZE idemstore.idempotency_records')
	{
		$node->safe_psql('postgres', $command);
	}
	$rounds++;
}
ok(finish_storm($storm), 'no client of the storm meets an error');
note("rounds of maintenance: $rounds");
cmp_ok($rounds, '>', 0, 'the table was rewritten and its indexes rebuilt meanwhile');

note('met: ' . $node->safe_psql('postgres', 'SELECT call, state, count(*) FROM met GROUP BY 1, 2 ORDER BY 1, 2'));
is( $node->safe_psql('postgres', "
	SELECT call, state, count(*) FROM met WHERE state NOT IN ('00000', 'ID412') GROUP BY 1, 2"),
	'', 'late owners meet no other error than a lost claim');
is( join("\n", slurp_file($node->logfile) =~ /^(state=\w+ (?:ERROR|FATAL|PANIC):.*)$/mg),
	'', 'the server logs no error');

note('paid: ' . $node->safe_psql('postgres', "
	SELECT split_part(key, ' ', 1), count(*) FROM ledger GROUP BY 1 ORDER BY 1"));
foreach my $kind ('payment', 'contested', 'brief', 'print')
{
	cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM ledger WHERE key LIKE '$kind %'"),
		'>', 20, "owners were at work on $kind keys");
}
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM met WHERE call = 'complete' AND state = 'ID412'"),
	'>', 0, 'some owners lost their claim to a takeover');

is( $node->safe_psql('postgres', '
	SELECT key, fence, count(*) FROM ledger GROUP BY 1, 2 HAVING count(*) > 1'),
	'', 'no claim is completed twice');
foreach my $kind ('payment', 'contested', 'print')
{
	is( $node->safe_psql('postgres', "
		SELECT key, count(*) FROM ledger WHERE key LIKE '$kind %' GROUP BY 1 HAVING count(*) > 1"),
		'', "no $kind key is paid twice");
}
is( $node->safe_psql('postgres', "
	SELECT r.key, r.status, l.key
	FROM (SELECT * FROM idemstore.idempotency_records WHERE key ~ '^(payment|contested)') AS r
		FULL JOIN (SELECT * FROM ledger WHERE key ~ '^(payment|contested)') AS l USING (key, fence)
	WHERE (r.status IS NOT DISTINCT FROM 'complete') <> (l.key IS NOT NULL)"),
	'', 'complete records and ledger match one to one, fence by fence');
is( $node->safe_psql('postgres', "
	SELECT key, fence, response_body FROM idemstore.idempotency_records
	WHERE key ~ '^(payment|contested)' AND status = 'complete'
		AND response_body IS DISTINCT FROM convert_to(repeat(fence || ' ', 20), 'UTF8')"),
	'', 'every response is that of the last claim');
is( $node->safe_psql('postgres', '
	SELECT key, fence, former FROM (
		SELECT key, fence, lag(fence) OVER (PARTITION BY key ORDER BY id) AS former FROM claims) AS c
	WHERE fence <= former'),
	'', 'every takeover has a larger fence');
is( $node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"),
	'0', 'no lock is left behind');
check_table($node, 'after the storm');

done_testing();
