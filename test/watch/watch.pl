#!/usr/bin/perl
#
# examples/watch, with Debian's exporter and Prometheus: a role that may monitor
# and no more is enough, the queries read no table of keys, every rule fires when
# its fault is made and ends when it is mended, and every panel of the dashboard
# has figures. alerts.test.yaml tries the rules as they are; here those durations
# and bounds that take hours are short.
#
use strict;
use warnings;
use Cwd qw(abs_path);
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../tap/lib";
use IdemTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Prometheus;
use Test::More;

my $folder = abs_path("$FindBin::Bin/../../examples/watch");
my $node = new_node('main', 'max_locks_per_transaction = 10', 'autovacuum = off');
my %query = (split_queries('queries.yaml'));
my $rules = slurp_file("$folder/alerts.yaml");
my @rules = $rules =~ /- alert: (\w+)/g;
my $dashboard = decode_json(slurp_file("$folder/dashboard.json"));

sub sql { return $node->safe_psql('postgres', $_[0]); }

# namespace and query
sub split_queries
{
	my ($file) = @_;

	return slurp_file("$folder/$file") =~ /^(\w+):\n  query: \|\n((?:    .*\n)+)/mg;
}

sub promtool
{
	my ($name, @arguments) = @_;
	my $output = '';

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(IPC::Run::run([ 'promtool', @arguments ], '<', \undef, '>&', \$output), $name) || diag($output);
}

# As they are.
promtool('the rules are rules', 'check', 'rules', "$folder/alerts.yaml");
chdir($folder) or die;
promtool('each fires and ends as it is', 'test', 'rules', 'alerts.test.yaml');
my $tried = slurp_file('alerts.test.yaml');
is(join(' ', grep { $tried !~ /eval_time: \w+\n +alertname: $_\n/ } @rules), '', 'none is left out');
like(slurp_file("$folder/queries.yaml"), qr/^$_:$/m, "$_ is asked") foreach sort keys %query;

# A role that may monitor, and no more. What it asks reads no more of a large table;
# its second time, since the first one reads catalogs.
sql(q{CREATE ROLE watch LOGIN; SELECT idemstore.grant_usage('watch', 'monitor')});
my $limit = 150;
foreach my $rows (0, 50_000)
{
	sql("SELECT count(idemstore.set_nx('row ' || i, 'x')), count(idemstore.cache_set('row ' || i, '1')),
			count(idemstore.dedupe_register('row ' || i)), count(idemstore.acquire('row ' || i, quota => 5, per => '1 day'))
		FROM generate_series(1, $rows) AS i");
	foreach my $name (sort keys %query)
	{
		my $plan = decode_json($node->safe_psql('postgres', "SET ROLE watch; DO \$do\$ BEGIN PERFORM * FROM ($query{$name}) AS q; END \$do\$; EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) $query{$name}"))->[0]{Plan};
		my $blocks = $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};

		cmp_ok($blocks, '<', $limit, "$name reads few blocks beside $rows rows");
		note("$name: $blocks blocks");
	}
}
cmp_ok(sql("SELECT min(pg_relation_size(o::regclass)) / 8192 FROM unnest('{idemstore.idempotency_records,idemstore.dedupe_jobs,idemstore.cache_entries,idemstore.rate_limit_state}'::text[]) AS o"),
	'>', $limit, 'which is fewer than any table has');
sql('TRUNCATE idemstore.idempotency_records, idemstore.dedupe_jobs, idemstore.cache_entries, idemstore.rate_limit_state');

# The rules in a hurry: seconds for hours, hundreds for a million.
my %hurried = (
	qr/for: \w+/ => 'for: 1s', qr/\[15m\]/ => '[20s]', qr/> (?:3600|7200)/ => '> 8', qr/> 1000000/ => '> 500',
	qr/chain_pages > 12/ => 'chain_pages > 1');
my $short = $rules;
$short =~ s/$_/$hurried{$_}/g || die $_ foreach keys %hurried;
my $prometheus = Prometheus->new(
	'host=' . $node->host . ' port=' . $node->port . ' user=watch dbname=postgres sslmode=disable',
	slurp_file("$folder/queries.yaml") . slurp_file("$folder/oldest.yaml") =~ s/cache_seconds: 300/cache_seconds: 1/r, $short);

# A small storm, and expiry while it is not stopped.
my $traffic = start_storm($node, [ '--client=2', '--rate=60', '--time=3600' ],
	"\\set n random(1, 1000)
	SELECT outcome = 'started' AS is_owner FROM idemstore.start_processing('request ' || :n, ttl => '3 s') \\gset
	\\if :is_owner
		SELECT idemstore.complete('request ' || :n, 200);
	\\endif\n" => 2,
	"\\set n random(1, 100)
	SELECT idemstore.cache_get('page ' || :n) IS NULL AS is_missing \\gset
	\\if :is_missing
		SELECT idemstore.cache_set('page ' || :n, '1', '3 s');
	\\endif\n" => 2,
	"SELECT idemstore.acquire('user ' || random(1, 5), quota => 20, per => '10 s');\n" =~ s/' \|\| random\(1, 5\)/1'/r => 1,
	"SELECT idemstore.dedupe_register('job ' || :client_id), idemstore.dedupe_complete('job ' || :client_id, '1');\n" => 1);

sub start_expiry
{
	return start_storm($node, [ '--client=1', '--time=3600' ], "SELECT count(*) FROM idemstore.expire();\n\\sleep 300 ms\n" => 1);
}

my $expiry = start_expiry();
ok($prometheus->wait_until(sub { "@{[ $prometheus->firing ]}" eq '' && $prometheus->range('idemstore_expiry_age_seconds', 1) }), 'nothing fires')
  or diag(join(' ', $prometheus->firing), "\n$prometheus->{log}");

# Faults, each with what mends it. Those that are counted are made again and again
# until they are seen.
my ($greedy, $worker) = map { IdemTest::Session->new($node) } 1 .. 2;
my %fault = (
	IdemstoreExpiryStopped => sub { $expiry->{run}->kill_kill },
	IdemstoreWorkStuck => sub { $worker->ask("SELECT idemstore.start_processing('stuck', ttl => '1 h', lease => '1 h')") },
	IdemstoreManyMarks => sub { sql("SELECT count(idemstore.invalidate_by_tag('tag ' || i)) FROM generate_series(1, 1000) AS i") },
	IdemstoreLongChain => \&flood,
	IdemstoreLocksNearlyUsed => sub { $greedy->ask('SELECT count(pg_advisory_lock(i)) FROM generate_series(1, 820) AS i') });
my %mended = (
	IdemstoreExpiryStopped => sub { $expiry = start_expiry() },
	IdemstoreWorkStuck => sub { $worker->ask("SELECT idemstore.complete('stuck', 200), idemstore.forget('lost'), idemstore.forget('gone')") },
	IdemstoreLongChain => sub { sql("SELECT idemstore.rate_limit_clear('flood')") },
	IdemstoreLocksNearlyUsed => sub { $greedy->ask('SELECT pg_advisory_unlock_all()') });

# so many names in one call, which splits one bucket, that others overflow: the next
# sweep sees it
sub flood
{
	sql("SELECT count(a) FROM unnest(idemstore.acquire_many(array(SELECT 'flood ' || i FROM generate_series(1, 10000) AS i), quota => 1, per => '1 day')) AS a");
	$node->poll_query_until('postgres', "SELECT longest_chain > 1 FROM idemstore.stats WHERE family = 'rate_limit'")
	  or die 'no chain is long';
	return;
}

sub lose_and_abandon
{
	$node->psql('postgres', "SELECT idemstore.start_processing('lost'); SELECT idemstore.complete('lost', 200, fence => 1)");
	sql("SELECT idemstore.start_processing('gone', lease => '1 ms'); SELECT pg_sleep(0.01);
		SELECT idemstore.start_processing('gone', takeover => false)");
	return;
}

sub becomes
{
	my ($expected, $name, $do) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($prometheus->wait_until(sub { $do->() if $do; return "@{[ $prometheus->firing ]}" eq $expected }), $name)
	  or diag(join(' ', $prometheus->firing), "\n$prometheus->{log}");
	return;
}

$fault{$_}->() foreach qw(IdemstoreLongChain IdemstoreManyMarks IdemstoreExpiryStopped IdemstoreWorkStuck IdemstoreLocksNearlyUsed);
becomes(join(' ', grep { $_ ne 'IdemstoreUnseen' } sort @rules), 'every fault is told of', \&lose_and_abandon);

# Every panel has figures now, the rarest too.
foreach my $panel (@{ $dashboard->{panels} })
{
	foreach my $target (@{ $panel->{targets} })
	{
		my $query = seen_by_grafana($target->{expr});

		promtool("$panel->{title}: a query", 'query', 'instant', $prometheus->{url}, $query);
		ok(scalar(@{ $prometheus->get('query', query => $query)->{result} }), "$panel->{title}: with figures");
	}
}

# what Grafana puts in place of its variables
sub seen_by_grafana { return $_[0] =~ s/\$__rate_interval/10s/gr =~ s/\$instance/.*/gr; }

$_->() foreach values %mended;
becomes('', 'all that is mended ends');

# The figures go, and come back.
sql(q{SELECT idemstore.revoke_usage('watch')});
becomes('IdemstoreUnseen', 'who may not monitor sees nothing, and it is told of');
sql(q{SELECT idemstore.grant_usage('watch', 'monitor')});
becomes('', 'until he may');

$_->{run}->kill_kill foreach $traffic, $expiry;
$_->quit foreach $greedy, $worker;
$prometheus->stop;
done_testing();
