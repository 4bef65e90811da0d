# What a call costs after a time of work, against a database without a past.
#
# The hour is condensed: the clock of idemstore stands still for as many requests
# as a minute has and then goes on by a minute. At the end of each, expire_all
# comes by as pg_cron has it, and VACUUM when the settings of the table say so,
# as autovacuum would, which is off meanwhile. The hour begins now, so that all
# that lives at its end lives on while it is measured.
package BenchChurn;

use v5.36;
use BenchGrown;
use BenchSetup;
use Exporter qw(import);
use Time::HiRes qw(time);

our @EXPORT = qw(measure_churn);

my $factor = 48271;    # keys come in an order of their own
my $table = 'idemstore.idempotency_records';

# What comes back:
#	title, requests, live, vacuums
#	expire	{ removed, seconds }
#	sizes	[ { relation, fresh, aged } ] in bytes
#	calls	[ { name, title, fresh, aged } ], each { us, cpu, wal, reads, ratio } in quartiles
#
#	minutes, per_second, ttl_minutes, rounds, seconds, progress
sub measure_churn ($servers, %options)
{
	%options = (minutes => 60, per_second => 100, ttl_minutes => 10, rounds => 12, seconds => 0.5, progress => sub ($text) { }, %options);
	my %database = map { $_ => _database($servers, $_, %options) } qw(fresh aged);
	my @calls = grep { $_->{name} =~ /^(?:claim|complete|replay)$/ } grown_calls();
	my $oldest = $options{minutes} - $options{ttl_minutes} + 1;
	my $past = _work($servers, $database{aged}, 1, %options);

	_work($servers, $database{fresh}, $oldest < 1 ? 1 : $oldest, %options);
	my %sizes = map { $_ => _sizes($servers->db($database{$_}{name})) } keys %database;
	my $samples = time_calls($servers, [ values %database ], \@calls, %options);
	drop_database($servers, "churn_$_") for keys %database;

	return {
		title => "cost per call after $options{minutes} minutes of $options{per_second} claims a second,"
		  . ' completed and expired, against the same live records without a past',
		requests => $options{minutes} * 60 * $options{per_second}, live => $database{aged}{rows}, %$past,
		sizes => [ map { +{ relation => $_, fresh => $sizes{fresh}{$_}, aged => $sizes{aged}{$_} } } sort keys %{ $sizes{aged} } ],
		calls => [ map { _compared($_, $samples->{ $_->{name} }, \%database) } @calls ] };
}

sub _compared ($call, $samples, $database)
{
	my %of = map { $_ => $samples->{ $database->{$_}{name} } } keys %$database;

	return { name => $call->{name}, title => $call->{title}, map { $_ => summary($of{$_}, $of{fresh}) } keys %of };
}

sub _database ($servers, $age, %options)
{
	my $name = make_database($servers, "churn_$age");
	my $db = $servers->db($name);
	my $ever = $options{minutes} * 60 * $options{per_second};
	my $live = $ever * ($options{ttl_minutes} < $options{minutes} ? $options{ttl_minutes} / $options{minutes} : 1);

	$db->do("ALTER TABLE $table SET (autovacuum_enabled = off)");
	$db->do('SET synchronous_commit = off');
	$db->do('CREATE SCHEMA bench');
	# the answer of a request comes in a transaction of its own
	$db->do(<<~'SQL');
		CREATE PROCEDURE bench.work(first bigint, factor bigint, modulus bigint, from_request bigint, to_request bigint, ttl interval)
		LANGUAGE plpgsql
		AS $$
		DECLARE
			k bigint;
		BEGIN
			FOR r IN from_request .. to_request LOOP
				k := first + 100 * (r * factor % modulus);
				PERFORM idemstore.start_processing(k::text, (k * 48271 % 999999999989)::text, ttl);
				COMMIT;
				PERFORM idemstore.complete(k::text, 200, '{"content-type": "application/json"}', rpad(md5(k::text), 100, 'x'));
				COMMIT;
			END LOOP;
		END
		$$
		SQL
	return { name => $name, rows => $live, values => grown_values($ever - $live, $ever - 1, $ever, $factor) };
}

# From the start of a minute to the end of the last.
sub _work ($servers, $database, $first_minute, %options)
{
	my $db = $servers->db($database->{name});
	my $values = $database->{values};
	my $requests = 60 * $options{per_second};
	my $began_at = $db->selectrow_array('SELECT now()');
	my %past = (vacuums => 0, expire => { removed => 0, seconds => 0 });

	for my $minute ($first_minute .. $options{minutes})
	{
		my $from = ($minute - 1) * $requests;

		$options{progress}->("minute $minute of $options{minutes}");
		$db->do("SELECT set_config('idemstore.test_clock', (?::timestamptz + ? * interval '1 min')::text, false)", {}, $began_at, $minute);
		$db->do("CALL bench.work($values->{first}, $values->{factor}, $values->{modulus}, $from, "
			. ($from + $requests - 1) . ", '$options{ttl_minutes} min')");
		_expire($db, $past{expire});
		$past{vacuums} += _vacuum_if_due($db);
	}
	$db->do($_) for 'RESET idemstore.test_clock', "ANALYZE $table", 'CHECKPOINT';
	return \%past;
}

sub _expire ($db, $expire)
{
	my $rows_before = _rows($db);
	my $began_at = time;

	$db->do('CALL idemstore.expire_all()');
	$expire->{seconds} += time - $began_at;
	$expire->{removed} += $rows_before - _rows($db);
	return;
}

sub _rows ($db)
{
	return $db->selectrow_array("SELECT count(*) FROM $table");
}

sub _vacuum_if_due ($db)
{
	$db->do('SELECT pg_stat_force_next_flush()');
	my $is_due = $db->selectrow_array(<<~'SQL', {}, $table);
		SELECT s.n_dead_tup > current_setting('autovacuum_vacuum_threshold')::integer + c.scale * greatest(c.reltuples, 0)
			OR s.n_ins_since_vacuum > current_setting('autovacuum_vacuum_insert_threshold')::integer
				+ c.insert_scale * greatest(c.reltuples, 0)
		FROM pg_stat_user_tables AS s
		JOIN (
			SELECT oid, reltuples,
				substring(reloptions::text FROM 'autovacuum_vacuum_scale_factor=([0-9.]+)')::float8 AS scale,
				substring(reloptions::text FROM 'autovacuum_vacuum_insert_scale_factor=([0-9.]+)')::float8 AS insert_scale
			FROM pg_class
		) AS c ON c.oid = s.relid
		WHERE s.relid = ?::regclass
		SQL

	$db->do("VACUUM ANALYZE $table") if $is_due;
	return $is_due ? 1 : 0;
}

# of the table and of each of its indexes
sub _sizes ($db)
{
	return { map { @$_ } @{ $db->selectall_arrayref(<<~'SQL', {}, $table, $table) } };
		SELECT c.relname, CASE c.relkind WHEN 'i' THEN pg_relation_size(c.oid) ELSE pg_table_size(c.oid) END
		FROM pg_class AS c
		WHERE c.oid = ?::regclass OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ?::regclass)
		SQL
}

1;
