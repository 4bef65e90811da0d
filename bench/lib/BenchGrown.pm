# Tables that have grown: how they are filled, the calls that are made on them,
# and short runs of these calls in databases that differ in what they hold.
#
# A database is { name, rows, values }. Its keys come from numbers of rows, which
# values says: row r has the key first + 100 * (r * factor % modulus). Those keys
# are even; what a run adds has odd ones, all over their range, and is gone
# before the next run where it would make the tables much larger.
package BenchGrown;

use v5.36;
use BenchFigures;
use BenchLoad;
use BenchWork;
use Exporter qw(import);
use List::Util qw(shuffle);

our @EXPORT = qw(grown_values fill_tables grown_calls grown_floors time_calls summary);

my $old_key = "\\set r random(:from, :to)\n\\set k :first + 100 * (:r * :factor % :modulus)\n";
my $new_key = "\\set i :i + 1\n\\set k :first + 2 * permute(:i, 50 * :modulus, :run) + 1\n";
my $columns = 'key, scope, fingerprint, status, fence, attempt, lease_expires_at, expires_at, created_at';
my $headers = q({"content-type": "application/json"});
my $print = '999999999989';    # a prime, so that fingerprints are in no order
my $print_of = "\\set print :k * 48271 % $print\n";

# Of rows from .. to of so many that there ever were.
sub grown_values ($from, $to, $ever, $factor = 1)
{
	return { first => 100_000_000_000, from => $from, to => $to, factor => $factor, modulus => $ever, i => 0 };
}

# As after months: everything live, nothing dead. There is no checkpoint after it:
# every page was written since the last one, so that none goes into the WAL in full,
# as it is with tables that are in constant use.
sub fill_tables ($db, $database)
{
	my $values = $database->{values};

	_do($db, 'SET maintenance_work_mem = \'512MB\'', $values);
	_do($db, 'SET synchronous_commit = off', $values);
	_fill($db, 'idempotency_records', <<~"SQL", $values);
		INSERT INTO idemstore.idempotency_records
			($columns, completed_at, response_status, response_headers, response_body)
		SELECT k, '', k * 48271 % $print, 'complete', 1, 1, NULL, now() + '1 day' + r * interval '10 ms', now(), now(),
			200, '$headers', convert_to(rpad(md5(k::text), 100, 'x'), 'UTF8')
		FROM generate_series({from}, {to}) AS r, LATERAL (SELECT {first} + 100 * (r * {factor} % {modulus}) AS k) AS keys
		SQL
	_fill($db, 'dedupe_jobs', <<~'SQL', $values);
		INSERT INTO idemstore.dedupe_jobs (hash, job_id, status, value, expires_at, created_at, completed_at)
		SELECT {first} + 100 * (r * {factor} % {modulus}), gen_random_uuid(), 'completed', '{"answer": 42}',
			now() + '1 day' + r * interval '10 ms', now(), now()
		FROM generate_series({from}, {to}) AS r
		SQL
	# every fourth has tags
	_fill($db, 'cache_entries', <<~'SQL', $values);
		INSERT INTO idemstore.cache_entries (key, value, is_json, tags, expires_at, expires_bucket, written_at, written_by)
		SELECT {first} + 100 * (r * {factor} % {modulus}), convert_to(to_json(rpad(md5(r::text), 98, 'x'))::text, 'UTF8'),
			true, CASE r % 4 WHEN 0 THEN ARRAY['tenant-' || r % 1000, 'user-' || r / 10] END, t, floor(extract(epoch FROM t) / 3600),
			now(), pg_current_xact_id()
		FROM generate_series({from}, {to}) AS r, LATERAL (SELECT now() + (2 + r % 23) * interval '1 hour' AS t) AS expiry
		SQL
	_do($db, "SELECT idemstore.set_rate_limit('*', 1000000000, '1 hour')", $values);
	_fill_rate_limits($db, $values);
	$db->do('VACUUM ANALYZE');
	return;
}

# What a call is, what has to be done before and after its run, and how much more
# it may cost on the greatest number of records, where that is said.
sub grown_calls
{
	my $open_key = "\\set i :i + 1\n\\set k :first + 2 * (permute(:i, :ops, :run) * 50 * :modulus / :ops + :run) + 1\n";

	return (
		{
			name => 'claim', title => 'claim of a new key', adds_to => 'idempotency_records.key',
			pgbench => $new_key . $print_of . start_sql('idemstore', ':k', ':print') },
		{
			name => 'complete', title => 'complete of an open claim', adds_to => 'idempotency_records.key',
			before => \&_open_claims,
			pgbench => $open_key . "SELECT idemstore.complete(:k, 200, '$headers', '" . 'x' x 100 . "');\n" },
		{
			name => 'replay', title => 'replay',
			pgbench => $old_key . $print_of . start_sql('idemstore', ':k', ':print') },
		{
			name => 'register', title => 'dedupe_register of a new job', adds_to => 'dedupe_jobs.hash',
			pgbench => $new_key . "SELECT * FROM idemstore.dedupe_register(:k);\n" },
		{
			name => 'get', title => 'cache_get',
			pgbench => $old_key . "SELECT idemstore.cache_get(:k);\n" },
		{
			# as a rule it then expires in another hour than before, so that its index changes
			name => 'set', title => 'cache_set of an entry that is there', adds_to => 'cache_entries.key',
			pgbench => $old_key . "\\set hours random(2, 24)\n"
			  . "SELECT idemstore.cache_set(:k, '\"" . 'x' x 98 . "\"', :hours * interval '1 hour');\n" },
		{
			# a resource remembers its requests: what comes next finds it as the first run did
			name => 'acquire', title => 'acquire', most => 1.15, after => \&_forget_requests,
			pgbench => $old_key . "SELECT idemstore.acquire(:k);\n" });
}

# What plain SQL on the same tables cannot do without.
sub grown_floors
{
	return (
		{
			name => 'insert', title => 'plain INSERT of a claim', adds_to => 'idempotency_records.key',
			pgbench => $new_key . $print_of . insert_claim_sql('idemstore', ':print') },
		{
			name => 'select', title => 'plain SELECT of a record',
			pgbench => $old_key . select_record_sql('idemstore') },
		{
			name => 'select-entry', title => 'plain SELECT of an entry',
			pgbench => $old_key . select_entry_sql('idemstore.cache_entries') });
}

# Runs of all calls in all databases, in random order within a call. What comes
# back: { name of the call }{ name of the database }[ round ] => figures
sub time_calls ($servers, $databases, $calls, %options)
{
	my (%rate, %samples, %start);

	local $ENV{PGOPTIONS} = '-c client_min_messages=warning -c synchronous_commit=off';
	$start{ $_->{name} } = _cpu_of_a_start($servers, $_) for @$databases;
	for my $round (0 .. $options{rounds})
	{
		for my $call (@$calls)
		{
			$options{progress}->("$call->{title}: round $round of $options{rounds}");
			for my $database (shuffle @$databases)
			{
				my $rate = \$rate{"$call->{name} $database->{name}"};
				# the first round warms up, and finds out how many it takes
				my $sample = _run($servers, $database, $call, defined($$rate) ? $$rate * $options{seconds} : 200);

				$$rate = $sample->{ops} / $sample->{seconds};
				$sample->{cpu} -= $start{ $database->{name} };
				push(@{ $samples{ $call->{name} }{ $database->{name} } }, _per_call($sample)) if $round;
			}
		}
	}
	return \%samples;
}

# Quartiles of what was measured, and of the ratio of its time to the base's.
sub summary ($samples, $base)
{
	my %figures = map { my $figure = $_; $figure => [ quartiles(map { $_->{$figure} } @$samples) ] } qw(us cpu wal reads);

	return { %figures, ratio => [ quartiles(map { $samples->[$_]{us} / $base->[$_]{us} } 0 .. $#$samples) ] };
}

sub _run ($servers, $database, $call, $ops)
{
	state $runs = 0;
	my $db = $servers->db($database->{name});
	my $values = { %{ $database->{values} }, ops => $ops < 1 ? 1 : int($ops), run => ++$runs };

	$call->{before}->($db, $values) if $call->{before};
	my %before = _counters($servers, $database->{name});
	my $sample = run_load($servers, $call,
		clients => 1, ops => $values->{ops}, values => $values, database => $database->{name});
	my %after = _counters($servers, $database->{name});
	$sample->{$_} = $after{$_} - $before{$_} for keys %after;
	if ($values->{ops} > $database->{rows} / 100)
	{
		_remove_added($db, $call->{adds_to}) if $call->{adds_to};
		$call->{after}->($db, $values) if $call->{after};
	}
	return $sample;
}

# What a session costs the server before its first call, in seconds.
sub _cpu_of_a_start ($servers, $database)
{
	my $before = $servers->cpu('postgres');

	for (1 .. 20)
	{
		run_load($servers, { pgbench => "SELECT idemstore.cache_get('nothing');\n" },
			clients => 1, ops => 1, values => {}, database => $database->{name});
	}
	return ($servers->cpu('postgres') - $before) / 20;
}

# The CPU time comes first, for that waits until the last session has ended.
sub _counters ($servers, $name)
{
	return (
		cpu => $servers->cpu('postgres'), wal => $servers->counters($name)->{wal},
		reads => $servers->db($name)->selectrow_array(
			'SELECT blks_read FROM pg_stat_database WHERE datname = current_database()'));
}

# Microseconds, microseconds, bytes, and blocks that were not in shared_buffers.
sub _per_call ($sample)
{
	return {
		us => $sample->{seconds} / $sample->{ops} * 1e6, cpu => $sample->{cpu} / $sample->{ops} * 1e6,
		map { $_ => $sample->{$_} / $sample->{ops} } qw(wal reads) };
}

sub _do ($db, $sql, $values)
{
	return $db->do($sql =~ s/\{(\w+)\}/$values->{$1} \/\/ die "no value $1"/ger);
}

# Indexes that are in no order are built afterwards, or it takes twice as long.
sub _fill ($db, $table, $sql, $values)
{
	my $indexes = $db->selectall_arrayref(<<~'SQL', {}, "idemstore.$table");
		SELECT indexrelid::regclass, pg_get_indexdef(indexrelid)
		FROM pg_index
		WHERE indrelid = ?::regclass AND NOT indisprimary
		SQL

	$db->do("DROP INDEX $_->[0]") for @$indexes;
	_do($db, $sql, $values);
	$db->do($_->[1]) for @$indexes;
	return;
}

sub _fill_rate_limits ($db, $values)
{
	return _do($db, <<~'SQL', $values);
		SELECT count(idemstore.acquire(({first} + 100 * (r * {factor} % {modulus}))::text))
		FROM generate_series({from}::bigint, {to}) AS r
		SQL
}

sub _forget_requests ($db, $values)
{
	$db->do('TRUNCATE idemstore.rate_limit_state');
	return _fill_rate_limits($db, $values);
}

# They leave room on their pages, for in practice few claims of a page are open at
# once. One that a former run has left behind is opened again.
sub _open_claims ($db, $values)
{
	$db->do('ALTER TABLE idemstore.idempotency_records SET (fillfactor = 30)');
	_do($db, <<~"SQL", $values);
		INSERT INTO idemstore.idempotency_records ($columns)
		SELECT k, '', k * 48271 % $print, 'processing', 1, 1, now() + '1 hour', now() + '1 day', now()
		FROM generate_series(0::bigint, {ops} - 1) AS j,
			LATERAL (SELECT {first} + 2 * (j * 50 * {modulus} / {ops} + {run}) + 1 AS k) AS keys
		ON CONFLICT (key, scope) DO UPDATE SET
			status = excluded.status, lease_expires_at = excluded.lease_expires_at
		SQL
	$db->do('ALTER TABLE idemstore.idempotency_records SET (fillfactor = 60)');
	return;
}

sub _remove_added ($db, $column)
{
	my ($table, $key) = split(/\./, $column);

	$db->do("DELETE FROM idemstore.$table WHERE right($key, 1) IN ('1', '3', '5', '7', '9')");
	$db->do("VACUUM idemstore.$table");
	return;
}

1;
