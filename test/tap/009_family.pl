#!/usr/bin/perl
#
# What the idempotency family promises at numbers: one winner among twenty
# keys with one fingerprint, and forgetting a scope beside a million records.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_wal_size = 4GB');
$node->safe_psql('postgres', '
	CREATE TABLE answers (print int, key text, outcome text, conflicting_key text)');

# Every client starts a key of its own for each of fifty fingerprints. Half of
# the clients stay in their transaction for a while after they have asked.
run_storm('twenty clients ask for the same fingerprints', $node,
	[ '--client=20', '--jobs=2', '--transactions=50', '--define=print=0' ],
	"\\set print :print + 1
	\\set linger 1000 * (:client_id % 2)
	BEGIN;
	INSERT INTO answers
	SELECT :print, 'key ' || :client_id || '/' || :print, outcome, conflicting_key
	FROM idemstore.start_processing('key ' || :client_id || '/' || :print, 'print ' || :print,
		unique_fingerprint => true);
	\\sleep :linger us
	COMMIT;\n" => 1);
is( $node->safe_psql('postgres', "
	SELECT count(*) FILTER (WHERE outcome = 'started'), count(*) FILTER (WHERE outcome = 'duplicate'), count(*)
	FROM answers"),
	'50|950|1000', 'one of twenty is started, nineteen are duplicates');
is( $node->safe_psql('postgres', "
	SELECT a.key, a.conflicting_key, winner.key
	FROM answers AS a JOIN answers AS winner ON winner.print = a.print AND winner.outcome = 'started'
	WHERE a.outcome = 'duplicate' AND a.conflicting_key IS DISTINCT FROM winner.key"),
	'', 'every duplicate names the winner');
is( $node->safe_psql('postgres', 'SELECT count(*) FROM idemstore.idempotency_records'),
	'50', 'a duplicate leaves nothing behind');

# A million records in other scopes, a thousand in the one to be forgotten.
$node->safe_psql('postgres', "
	INSERT INTO idemstore.idempotency_records (key, scope, fingerprint, status, fence, attempt, expires_at, created_at)
	SELECT 'k' || i, 'scope ' || i % 1000, 'f' || i, 'complete', 1, 1, now() + interval '1 day', now()
	FROM generate_series(1, 1000000) AS i;
	ANALYZE idemstore.idempotency_records");
my $before = scan_counts();
is( $node->safe_psql('postgres', "SELECT idemstore.forget_scope('scope 7')"),
	'1000', 'a scope is forgotten');
is(scan_counts(), $before, 'without a look at the million records beside it');
is( $node->safe_psql('postgres', "
	SELECT count(*) FILTER (WHERE scope = 'scope 7'), count(*) FROM idemstore.idempotency_records"),
	'0|999050', 'and nothing else');

done_testing();

sub scan_counts
{
	return $node->safe_psql('postgres', "
		SELECT pg_stat_force_next_flush();
		SELECT pg_stat_get_numscans('idemstore.idempotency_records'::regclass)");
}
