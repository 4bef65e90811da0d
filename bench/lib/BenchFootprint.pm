# What a call leaves behind, and what a key takes: from the servers' own counters,
# not from the clock.
#
# One side runs at a time, so what changes in its database is its own. All that it
# touches was touched by as many calls before, after the CHECKPOINT: so no page is
# written to the WAL in full, and fpi says whether one was nevertheless.
package BenchFootprint;

use v5.36;
use BenchBytes;
use BenchFigures;
use BenchLoad;
use BenchSetup;
use BenchWork;
use Exporter qw(import);
use List::Util qw(max min sum);

our @EXPORT = qw(measure_footprint);

my %is_measured = map { $_ => 1 } qw(
	idempotency-claim idempotency-work idempotency-replay ratelimit-keys ratelimit-hot ratelimit-denied
	cache-get-1000 cache-set-1000 cache-set-tags dedupe-job);
my %is_side = map { $_ => 1 } qw(idemstore sql plpgsql select);

# What comes back:
#
#	title
#	calls	[ { family, name, title, sides => { name => { title, and per call:
#		wal	bytes of WAL, full pages included
#		fpi	full pages in it
#		xids	transaction ids
#		dead	row versions that died
#		left	of these, what is left to VACUUM at the end
#		hot	the share of updates that are HOT, or undef where none is made
#		} } } ]
#	keys	as measure_bytes() says
#
#	count		calls of each side in a run
#	runs		of which the median counts: other processes write WAL too
#	warm		calls of each side before it is counted, at most three a key
#	scale		factor on the number of keys; with fewer, the least size of a
#			table of ours counts
#	progress	called with text
sub measure_footprint ($servers, %options)
{
	%options = (count => 2000, runs => 3, warm => 30_000, scale => 1, progress => sub ($text) { }, %options);
	my @work = grep { $is_measured{"$_->{family}-$_->{name}"} } all_work();
	my @calls;

	make_databases($servers, qw(idempotency ratelimit cache dedupe));
	for my $work (@work)
	{
		$options{progress}->("counting: $work->{title}");
		prepare_work($servers, $work);
		$servers->db($work->{database})->do("CREATE EXTENSION IF NOT EXISTS $_") for qw(pgstattuple pageinspect);
		my %sides = map { $_ => _footprint($servers, $work, $_, %options) } grep { $is_side{$_} } keys %{ $work->{sides} };
		push(@calls, { %$work{qw(family name title)}, sides => \%sides });
	}
	return {
		title => "what a call writes, of $options{count} calls in transactions of their own",
		calls => \@calls, keys => measure_bytes($servers, %options) };
}

sub _footprint ($servers, $work, $name, %options)
{
	my $side = $work->{sides}{$name};
	my $count = $options{count};

	# the first call on a key can leave behind more than the next ones
	_call($servers, $work, $side, max($count, min($options{warm}, 3 * ($work->{keys} // 0))));
	my @done = map { _done($servers, $work, $side, $count) } 1 .. $options{runs};
	my %sum = map { my $counter = $_; $counter => sum(map { $_->{$counter} } @done) } qw(updates hot_updates);

	return {
		title => $side->{title}, hot => $sum{updates} ? $sum{hot_updates} / $sum{updates} : undef,
		map { my $counter = $_; $counter => median(map { $_->{$counter} / $count } @done) } qw(wal fpi xids dead left) };
}

# The difference that a run makes.
sub _done ($servers, $work, $side, $count)
{
	$servers->db($work->{database})->do('VACUUM');
	my $before = _counters($servers, $work->{database});
	_call($servers, $work, $side, $count);
	my $after = _counters($servers, $work->{database});

	return { map { $_ => $after->{$_} - $before->{$_} } keys %$after };
}

sub _call ($servers, $work, $side, $count)
{
	local $ENV{PGOPTIONS} = '-c client_min_messages=warning -c synchronous_commit=off';

	run_load($servers, $side,
		clients => 1, ops => $count, values => work_values($work, $count), database => $work->{database});
	# a session says what it has done when it ends
	$servers->wait_for_backends;
	return;
}

sub _counters ($servers, $database)
{
	my $db = $servers->db($database);
	my $counters = $servers->counters($database);

	$counters->{fpi} = $db->selectrow_array('SELECT wal_fpi FROM pg_stat_wal');
	@$counters{qw(updates hot_updates dead)} = $db->selectrow_array(
		'SELECT sum(n_tup_upd), sum(n_tup_hot_upd), sum(n_tup_upd + n_tup_del) FROM pg_stat_user_tables');
	$counters->{left} = _dead_on_pages($db);
	return $counters;
}

# The exact number. Our own access method marks what is gone as never committed.
sub _dead_on_pages ($db)
{
	my $in_heaps = $db->selectrow_array(<<~'SQL');
		SELECT sum((pgstattuple(c.oid)).dead_tuple_count)
		FROM pg_stat_user_tables AS s
		JOIN pg_class AS c ON c.oid = s.relid
		JOIN pg_am AS am ON am.oid = c.relam
		WHERE am.amname = 'heap'
		SQL
	my $in_slots = $db->selectrow_array(<<~'SQL');
		SELECT count(*)
		FROM pg_stat_user_tables AS s
		JOIN pg_class AS c ON c.oid = s.relid
		JOIN pg_am AS am ON am.oid = c.relam,
			generate_series(1, pg_relation_size(c.oid) / current_setting('block_size')::integer - 1) AS block,
			heap_page_items(get_raw_page(c.oid::regclass::text, block::integer)) AS item
		WHERE am.amname = 'idemstore_slots' AND item.lp_flags = 1
			AND item.t_infomask & x'0300'::integer = x'0200'::integer
		SQL

	return $in_heaps + $in_slots;
}

1;
