#!/usr/bin/perl
#
# While REINDEX CONCURRENTLY replaces the primary key, it has two unique
# indexes.  A rival met in the second one is a rival like any other: nobody
# waits for it, and nobody meets a unique violation.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

# An old snapshot keeps REINDEX in the phase in which both indexes are written.
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class');
my $reindex = $node->background_psql('postgres');
$reindex->query_until(qr/begun/, "\\echo begun
	REINDEX INDEX CONCURRENTLY idemstore.idempotency_records_pkey;\n");
$node->poll_query_until('postgres', "
	SELECT count(*) = 1 FROM pg_index AS i JOIN pg_stat_activity AS a ON a.query LIKE 'REINDEX%'
	WHERE i.indrelid = 'idemstore.idempotency_records'::regclass AND i.indisready
		AND i.indexrelid::regclass::text LIKE '%pkey_ccnew' AND a.wait_event_type = 'Lock'")
  or die 'REINDEX should wait for the reader, with both indexes ready';

# All clients start the same new keys, one after the other.
run_storm('rivals that meet in both indexes meet no error', $node,
	[ '--client=8', '--jobs=2', '--transactions=2000', '--define=i=0' ],
	"\\set i :i + 1
	SELECT outcome FROM idemstore.start_processing('key ' || :i);\n" => 1);
is( $node->safe_psql('postgres', "
	SELECT count(*) FROM pg_index WHERE indrelid = 'idemstore.idempotency_records'::regclass
		AND indexrelid::regclass::text LIKE '%pkey_ccnew'"),
	'1', 'both indexes were there to the end');
is( $node->safe_psql('postgres', 'SELECT count(*), sum(attempt) FROM idemstore.idempotency_records'),
	'2000|2000', 'one claim a key');

$reader->query_safe('COMMIT');
$reader->quit;
$reindex->quit;
check_table($node, 'afterwards');

done_testing();
