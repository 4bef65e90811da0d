#!/usr/bin/perl
#
# Invalidations in prepared transactions, over a crash, a restart and a failover.
#
# A: changes the truth, invalidates, PREPARE TRANSACTION
# the server crashes: the transaction outlives that, its marks do not
# B: fetches, and reads the truth as it was
# A: COMMIT PREPARED
# B: stores what it has read under its fence: refused
#
# Nothing of the cache is left after a crash, so nobody can tell which names A has
# invalidated. Where its marks are left, only these are refused.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', 'max_prepared_transactions = 10', 'wal_level = replica', 'max_wal_senders = 5', 'autovacuum = off');

sub sql
{
	my ($query, $on) = @_;

	return ($on // $node)->safe_psql('postgres', $query);
}

my %ways = (
	tag => "idemstore.invalidate_by_tag('t')",
	delete => "idemstore.cache_delete('delete')",
	clear => "idemstore.cache_clear('cl')",
	remove => "idemstore.cache_set('remove', '0', '-1 s')",
);

sub prepare
{
	my @ways = @_ ? @_ : sort keys %ways;

	sql("BEGIN; UPDATE truth SET version = version + 1 WHERE name = '$_'; SELECT $ways{$_}; PREPARE TRANSACTION '$_'") foreach @ways;
	return;
}

# The fence of every key, and the version that each has read.
my %fence;

sub fetch
{
	my ($on) = @_;

	$fence{$_} = sql("SELECT fence FROM idemstore.cache_fetch('$_', '1 h')", $on) foreach sort keys(%ways), 'other';
	return;
}

sub commit_prepared
{
	my ($on) = @_;

	sql("COMMIT PREPARED '$_'", $on) foreach sort keys %ways;
	return;
}

# Who stores what; without a fence if nothing was fetched, and not where that was a hit.
sub stored
{
	my ($on) = @_;

	return join(' ', grep {
		my $fence = defined($fence{$_}) ? ", fence => $fence{$_}" : '';
		sql("SELECT idemstore.cache_set('$_', '1', '1 h', '{" . ($_ eq 'tag' ? 't' : '') . "}'$fence)", $on) eq 't'
	} grep { !%fence || $fence{$_} } sort keys(%ways), 'other');
}

sub start_anew
{
	sql('TRUNCATE idemstore.cache_entries, idemstore.cache_leases');
	%fence = ();
	return;
}

sub crash
{
	$node->stop('immediate');
	$node->start;
	return;
}

sql("CREATE TABLE truth AS SELECT name, 0 AS version FROM unnest(ARRAY['tag', 'delete', 'clear', 'remove']) AS name");

# as ever, and after a restart: what they have invalidated is refused, and nothing else
foreach my $restart (0, 1)
{
	start_anew();
	prepare();
	$node->restart if $restart;
	fetch();
	is(stored(), 'other', 'prepared' . ($restart ? ', over a restart' : '') . ': what they have not invalidated is stored');
	commit_prepared();
	start_anew();
	prepare();
	fetch();
	$node->restart if $restart;
	commit_prepared();
	is(stored(), 'other', 'likewise when they have committed');
	fetch();
	is(stored(), 'clear delete remove tag', 'and what was fetched after that is stored');
}

# over a crash
start_anew();
prepare();
crash();
fetch();
is(stored(), '', 'prepared, over a crash: nothing is stored');
fetch();
commit_prepared();
is(stored(), '', 'nor when they have committed: it was read before that');
fetch();
is(stored(), 'clear delete other remove tag', 'what was fetched after that is stored');

# without a fence, too, whichever way it is that was invalidated
foreach my $way (sort keys %ways)
{
	start_anew();
	prepare($way);
	crash();
	is(stored(), '', "prepared by $way, over a crash: nothing is stored without a fence");
	is(sql("SELECT count(*) FROM idemstore.cache_entries WHERE value <> ''"), '0', 'nothing stays');
	sql("COMMIT PREPARED '$way'");
	is(stored(), 'clear delete other remove tag', 'when it has committed, all is stored');
}

# marks that came after the crash are not lost
start_anew();
sql("SELECT idemstore.cache_fetch('any')");
prepare();
fetch();
is(stored(), 'other', 'prepared after the crash: what they have not invalidated is stored');
commit_prepared();

# over a failover
start_anew();
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
prepare();
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$node->stop('immediate');
$standby->promote;
fetch($standby);
commit_prepared($standby);
is(stored($standby), '', 'prepared, over a failover: nothing that was read before they commit is stored');
fetch($standby);
is(stored($standby), 'clear delete other remove tag', 'what was fetched after that is stored');

done_testing();
