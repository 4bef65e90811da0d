#!/usr/bin/perl
#
# DROP EXTENSION leaves nothing behind: no row in any catalog, no file, no lock,
# nothing that keeps a role from being dropped. Sessions that have used it go on,
# and use it again when it is created anew.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Nobody but this test may change a catalog.
my $node = new_node('main', 'autovacuum = off');
$node->safe_psql('postgres', 'CREATE DATABASE shop; CREATE ROLE clerk; CREATE ROLE janitor; CREATE ROLE auditor');
$node->safe_psql('shop', "
	CREATE FUNCTION pay(k text) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE
		verdict text := outcome FROM idemstore.start_processing(k);
	BEGIN
		IF verdict = 'started' THEN
			PERFORM idemstore.complete(k, 200);
		END IF;
		RETURN verdict;
	END \$\$");

# Every row of every catalog, also of those that all databases share.
sub catalog_rows
{
	my @catalogs = split(/\n/, $node->safe_psql('shop', "
		SELECT relname FROM pg_class
		WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' ORDER BY 1"));
	my $rows = $node->safe_psql('shop', join(';',
		map { "SELECT '$_', replace(t::text, chr(10), ' ') FROM pg_catalog.$_ AS t" } @catalogs));

	return { map { $_ => 1 } split(/\n/, $rows) };
}

# The numbers of all files of the database.
sub files
{
	my $folder = $node->data_dir . '/' . $node->safe_psql('shop', "
		SELECT 'base/' || oid FROM pg_database WHERE datname = current_database()");

	return { map { /^(\d+)/ ? ($1 => 1) : () } slurp_dir($folder) };
}

# What is in the second set and not in the first.
sub added
{
	my ($before, $after) = @_;

	return join("\n", sort grep { !$before->{$_} } keys %$after);
}

my $rows = catalog_rows();
my $files = files();

sub check_nothing_is_left
{
	my ($when) = @_;
	my $now = catalog_rows();

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(added($rows, $now), '', "$when: no catalog has a row more");
	is(added($now, $rows), '', "$when: nor one less");
	$node->safe_psql('postgres', 'CHECKPOINT');
	is(added($files, files()), '', "$when: no file is left");
	is($node->safe_psql('shop', "SELECT count(*) FROM pg_locks WHERE locktype = 'userlock'"), '0', "$when: and no lock");
	return;
}

# One call of each family, and what it answers when the tables are empty, and the
# second time.
my $calls = "SELECT pay('key'), (idemstore.dedupe_register_or_join('job')).is_owner,
	(idemstore.cache_fetch('entry')).outcome, idemstore.acquire('limit'), idemstore.get_cooldown('origin') IS NULL";
my ($first, $again) = ('started|t|compute|t|t', 'replay|f|in_progress|f|f');
my $prepare = "PREPARE start AS SELECT outcome FROM idemstore.start_processing('key')";

sub set_up
{
	my ($session, $when) = @_;

	is($session->sqlstate('CREATE EXTENSION idemstore'), '00000', "$when: the extension is created");
	$session->ask("SELECT idemstore.set_rate_limit('limit', 1, '1 day')");
	return;
}

sub check_at_work
{
	my ($session, $answer, $when) = @_;

	is($session->ask($calls), $answer, $when);
	$session->ask("SELECT idemstore.set_cooldown('origin', 'tomorrow')");
	return;
}

my $session = IdemTest::Session->new($node, 'shop');
my $other = IdemTest::Session->new($node, 'shop');
set_up($session, 'at first');
check_at_work($session, $first, 'at first: every family is at work');
check_at_work($other, $again, 'at first: in another session, too');
is($other->sqlstate("$prepare; EXECUTE start"), '00000', 'at first: a statement is prepared');

# Grants, rewritten tables, statistics, indexes, comments.
$session->ask("
	SELECT idemstore.grant_usage('clerk'), idemstore.grant_usage('janitor', 'operator');
	GRANT SELECT ON ALL TABLES IN SCHEMA idemstore TO auditor WITH GRANT OPTION;
	GRANT USAGE ON TYPE idemstore.idempotency_record TO auditor;
	CREATE INDEX mine ON idemstore.idempotency_records (owner);
	CREATE STATISTICS both_columns ON key, owner FROM idemstore.idempotency_records;
	COMMENT ON COLUMN idemstore.cooldowns.until IS 'mine';
	ALTER TABLE idemstore.cache_entries SET LOGGED;
	ALTER TABLE idemstore.rate_limit_state SET LOGGED;
	ALTER TABLE idemstore.dedupe_jobs SET (fillfactor = 50);
	SELECT idemstore.cache_set('large ' || n, to_json(repeat(md5(n::text), 1000)), tags => '{tag}'),
		idemstore.complete('large ' || n, response_body => convert_to(repeat(md5(n::text), 1000), 'UTF8'))
	FROM generate_series(1, 100) AS n, LATERAL idemstore.start_processing('large ' || n)");
$session->ask("VACUUM FULL $_; ANALYZE $_") foreach map { "idemstore.$_" } 'idempotency_records', 'cache_entries', 'rate_limit_state';
isnt(added($rows, catalog_rows()), '', 'meanwhile, the catalogs have more rows');
isnt(added($files, files()), '', 'and the database more files');

# Who still uses it: an open claim holds it up, a view and a table of its own kind
# keep it, a waiter is told.
my $drop = 'DROP EXTENSION idemstore';
$other->ask("BEGIN; SELECT idemstore.start_processing('open')");
is($session->sqlstate("SET lock_timeout = '200 ms'; $drop"), '55P03', 'an open claim holds up DROP EXTENSION');
$other->ask('COMMIT');
$session->ask('RESET lock_timeout');
is($session->sqlstate("CREATE VIEW overview AS SELECT key FROM idemstore.idempotency_records; $drop"),
	'2BP01', 'a view on its tables keeps it');
is($session->sqlstate("BEGIN; $drop CASCADE; ROLLBACK"), '00000', 'to drop it can be undone');
is($other->ask($calls), $again, 'and nothing is lost');
$other->send("SELECT idemstore.wait('open', '100 s')");
wait_for_sleepers($node, 1, 'Extension', 'open');
is($session->sqlstate("$drop CASCADE"), '00000', 'the extension is dropped');
is(($other->receive)[1], '42P01', 'who waits for a record is told');
check_nothing_is_left('dropped');
foreach my $user ($session, $other)
{
	is($user->sqlstate("SELECT $_"), '3F000', "dropped: $_ is no more")
	  foreach "pay('key')", "idemstore.get('key')", "idemstore.dedupe_register('job')", "idemstore.cache_fetch('entry')",
	  "idemstore.acquire('limit')", "idemstore.get_cooldown('origin')";
}
is($other->sqlstate('EXECUTE start'), '3F000', 'dropped: nor is a prepared statement');

# Anew, for sessions of before and a new one, and dropped by the other session.
set_up($session, 'anew');
check_at_work($other, $first, 'anew: the tables are empty');
check_at_work($session, $again, 'anew: every family is at work');
is($other->ask('EXECUTE start'), 'replay', 'anew: a prepared statement is at work');
my $new = IdemTest::Session->new($node, 'shop');
check_at_work($new, $again, 'anew: in a new session, too');
$new->ask("SELECT idemstore.start_processing('awaited')");
$session->send("SELECT status FROM idemstore.wait('awaited', '100 s')");
$other->send("SELECT outcome FROM idemstore.start_processing('awaited', wait => '100 s')");
wait_for_sleepers($node, 2, 'Extension', 'awaited');
is($new->sqlstate("BEGIN; $drop; CREATE EXTENSION idemstore; COMMIT"), '00000', 'replaced at one go');
is($session->receive, '', 'replaced: who waits for a record finds it gone');
is(($other->receive)[1], '42704', 'replaced: who waits to start it has asked for a type that is gone');
is($other->ask("SELECT outcome FROM idemstore.start_processing('awaited')"), 'started', 'replaced: and when he asks again, he starts it');
$new->ask("SELECT idemstore.set_rate_limit('limit', 1, '1 day')");
check_at_work($new, $first, 'replaced: the tables are empty');
check_at_work($_, $again, 'replaced: every session is at work') foreach $session, $other;
is($other->sqlstate($drop), '00000', 'dropped by another session');
check_nothing_is_left('dropped again');

# ... also when the server dies before it has removed the files.
set_up($session, 'once more');
check_at_work($session, $first, 'once more: every family is at work');
$node->safe_psql('postgres', 'CHECKPOINT');
$session->ask('ALTER TABLE idemstore.cache_entries SET LOGGED');
is($session->sqlstate($drop), '00000', 'dropped just before a crash');
$_->quit foreach $session, $other, $new;
$node->stop('immediate');
$node->start;
check_nothing_is_left('after a crash');
is($node->safe_psql('postgres', "DROP ROLE clerk; DROP ROLE janitor; DROP ROLE auditor; SELECT 'dropped'"),
	'dropped', 'the roles that had privileges can be dropped');
is($node->safe_psql('postgres', "SELECT outcome FROM idemstore.start_processing('elsewhere')"),
	'started', 'and another database still has it');

done_testing();
