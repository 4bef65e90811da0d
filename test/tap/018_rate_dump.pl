#!/usr/bin/perl
#
# Rate limits that move: a dump takes along the limits and not what they have
# counted, pg_upgrade takes along both. And age: the state has a horizon as every
# table has, which VACUUM moves on, and never holds anybody back.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $state = 'idemstore.rate_limit_state';
my $node = new_node('main', 'autovacuum = off', 'autovacuum_freeze_max_age = 300000', 'vacuum_freeze_min_age = 0',
	'vacuum_freeze_table_age = 0', 'autovacuum_naptime = 1s');
my $session = IdemTest::Session->new($node);

# Every kind of limit, and names that text would spoil.
$session->ask("
	SELECT idemstore.set_rate_limit('plain', 5, '1 day'),
		idemstore.set_rate_limit('api *', 100, '1 h'), idemstore.set_rate_limit('api *', 1000, '1 day', policy => 'day'),
		idemstore.set_rate_limit(E'tab\\tline\\nback\\\\slash', 7, '1 week 0.000001 s', 'token_bucket', burst => 70),
		idemstore.set_rate_limit('*', 0, '1 us', 'fixed_window', policy => '\\N'),
		idemstore.set_adaptive_rate_limit('adaptive', 300, '1 h', max_user_scaling => 1.1, min_user_reserved => 7);
	CREATE ROLE operator;
	SELECT idemstore.grant_usage('operator'), idemstore.grant_usage('operator', 'operator')");
$session->ask("
	SELECT idemstore.acquire('plain', 3), idemstore.acquire('api 1'), idemstore.acquire(E'tab\\tline\\nback\\\\slash'),
		idemstore.acquire('adaptive', priority => 'user'), idemstore.set_cooldown('origin', now() + interval '1 day');
	SELECT idemstore.acquire('key ' || n, $huge) FROM generate_series(1, 5000) AS n, generate_series(1, 3)");

sub limits
{
	my ($in, $database) = @_;

	return $in->safe_psql($database, 'COPY (SELECT * FROM idemstore.rate_limits ORDER BY resource, policy) TO STDOUT');
}

# Dumped whole, and as data alone into a database that has limits of its own.
my $limits = limits($node, 'postgres');
is(scalar(split(/\n/, $limits)), 6, 'there are limits');
my $file = PostgreSQL::Test::Utils::tempdir . '/dump.sql';
$node->command_ok([ 'pg_dump', '--file', $file, $node->connstr('postgres') ], 'the database is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok(
	[ 'psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--file', $file, $node->connstr('copy') ],
	'the dump is restored');
is(limits($node, 'copy'), $limits, 'the limits are restored byte for byte');
is( $node->safe_psql('copy', "
	SELECT (SELECT count(*) FROM $state), (SELECT count(*) FROM idemstore.cooldowns),
		(SELECT array_agg(relpersistence::text || (age(relfrozenxid) < 1000)) FROM pg_class AS c JOIN pg_am AS a ON a.oid = relam
			WHERE amname = 'idemstore_slots')"),
	'0|0|{utrue,utrue,utrue}', 'what they have counted is not, nor the cooldowns');
my $copy = IdemTest::Session->new($node, 'copy');
is( $copy->ask("SET ROLE operator; SELECT idemstore.acquire('plain', 5), idemstore.acquire('plain'),
		idemstore.acquire('api 1', 100), idemstore.acquire('api 1'), idemstore.acquire('none'),
		idemstore.acquire(E'tab\\tline\\nback\\\\slash', 70), idemstore.acquire('adaptive', priority => 'user')"),
	't|f|t|f|f|t|t', 'the limits hold in the copy');
is($copy->sqlstate("SELECT idemstore.set_rate_limit('plain', 6, '1 day')"), '00000', 'and can be set');
is($copy->ask("SELECT idemstore.acquire('plain'), idemstore.acquire('plain')"), 't|f', 'at once');
is($copy->sqlstate("SELECT * FROM $state"), '42501', 'the state is nobody\'s to read');
$copy->quit;

# A session that is there already, and has used other limits, sees what a dump
# brings in at its next call.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$copy = IdemTest::Session->new($node, 'other');
$copy->ask("CREATE EXTENSION idemstore; SELECT idemstore.set_rate_limit('mine', 1, '1 day')");
is($copy->ask("SELECT idemstore.acquire('mine')"), 't', 'a limit is used');
$node->command_ok([ 'pg_dump', '--data-only', '--file', "$file.data", $node->connstr('postgres') ], 'the data is dumped');
$node->command_ok(
	[ 'psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--file', "$file.data", $node->connstr('other') ],
	'and restored beside it');
is($copy->ask("SELECT idemstore.acquire('plain', 5), idemstore.acquire('plain'), idemstore.acquire('mine')"),
	't|f|f', 'all limits hold in a session that was there before');
$copy->quit;

# A database made after this one is a copy of its files, and so of the state.
my $taken = taken($node, '%');
$session->quit;
$node->safe_psql('template1', "CREATE DATABASE $_ TEMPLATE postgres STRATEGY $_") foreach 'wal_log', 'file_copy';
foreach my $database ('wal_log', 'file_copy')
{
	is(taken($node, '%', $database), $taken, "$database: the state is copied with its database");
	check_resources($node, "in a database made by $database", $database);
}
$node->safe_psql('postgres', "DROP DATABASE $_") foreach 'wal_log', 'file_copy';
$session = IdemTest::Session->new($node);

# Age. Rows carry no transaction id; what the catalog says of the table moves on
# with every VACUUM.
my $age = "SELECT age(relfrozenxid) FROM pg_class WHERE oid = '$state'::regclass";

# Take so many transaction ids.
sub burn
{
	my ($count) = @_;

	$session->ask("DO \$\$ BEGIN
		FOR i IN 1 .. $count LOOP
			BEGIN
				INSERT INTO burnt DEFAULT VALUES;
			EXCEPTION WHEN division_by_zero THEN
			END;
		END LOOP;
	END \$\$");
	return;
}

my $sum = taken($node, 'key %');
$session->ask('CREATE UNLOGGED TABLE burnt ()');
foreach my $step (
	[ 'as it came', '' ],
	[ 'written anew', "VACUUM FULL $state" ],
	[ 'logged', "ALTER TABLE $state SET LOGGED; ALTER TABLE idemstore.cooldowns SET LOGGED" ],
	[ 'unlogged and logged again', "ALTER TABLE $state SET UNLOGGED; ALTER TABLE $state SET LOGGED" ])
{
	my ($name, $sql) = @$step;

	$session->ask($sql) if $sql ne '';
	burn(10_000);
	cmp_ok($session->ask($age), '>=', 10_000, "$name: it becomes old");
	$session->ask("VACUUM $state");
	cmp_ok($session->ask($age), '<', 100, "$name: VACUUM moves it on");
}

# Autovacuum against wraparound finds the state.
burn(310_000);
$node->adjust_conf('postgresql.conf', 'autovacuum', 'on');
$node->reload;
ok( $node->poll_query_until('postgres', 'SELECT bool_and(age(datfrozenxid) < 300000) FROM pg_database'),
	'no database is held back');
is(taken($node, 'key %'), $sum, 'and nothing is lost');
check_resources($node, 'after all that');

# An upgrade takes along what is logged, and it works on.
my $statuses = "
	SELECT r.resource, s.remaining, s.reset_at, s.policy
	FROM unnest(array['plain', 'api 1', E'tab\\tline\\nback\\\\slash']) AS r (resource),
		LATERAL idemstore.rate_limit_status(r.resource) AS s
	WHERE s.policy <> 'default' OR r.resource <> E'tab\\tline\\nback\\\\slash'
	ORDER BY 1, 4";
my $before = $session->ask($statuses);
$session->quit;
$node->stop;
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init(extra => [ '--encoding=UTF8', '--no-locale' ]);
my $bindir = $node->config_data('--bindir');
chdir(PostgreSQL::Test::Utils::tempdir) or die;
command_ok(
	[ 'pg_upgrade', '--no-sync', '--old-datadir', $node->data_dir, '--new-datadir', $new->data_dir,
		'--old-bindir', $bindir, '--new-bindir', $bindir, '--socketdir', $node->host,
		'--old-port', $node->port, '--new-port', $new->port ],
	'pg_upgrade');
$new->start;
is(limits($new, 'postgres'), $limits, 'the limits are there');
$session = IdemTest::Session->new($new);
is($session->ask($statuses), $before, 'and what they have counted');
is(taken($new, 'key %'), $sum, 'all of it');
check_resources($new, 'after the upgrade');
is($session->ask("SELECT idemstore.get_cooldown('origin') > now()"), 't', 'a cooldown holds');
is($session->ask("SELECT idemstore.acquire('plain', 2), idemstore.acquire('plain'), idemstore.acquire('new', $huge)"),
	't|f|t', 'acquire goes on from there');
$session->ask("VACUUM FULL $state");
is($session->ask("SELECT idemstore.rate_limit_reset('plain'), idemstore.acquire('plain', 5), idemstore.acquire('plain')"),
	't|t|f', 'also in a table that is written anew');
$session->ask("DROP EXTENSION idemstore; CREATE EXTENSION idemstore");
is($session->ask("SELECT idemstore.acquire('new', 2, quota => 2, per => '1 day'), idemstore.acquire('new', 2, quota => 2, per => '1 day')"),
	't|f', 'and in an extension made anew');
$session->quit;

done_testing();
