#!/usr/bin/perl
#
# The extension and its table under the hands of a DBA: created anew, changed so
# that direct access would be wrong, indexed, made unlogged.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use Test::More;

my $table = 'idemstore.idempotency_records';
my $node = new_node('main');
my $session = IdemTest::Session->new($node);
my $other = IdemTest::Session->new($node);

# Claim and complete a key that nobody used before.
my $keys = 0;
sub work
{
	my $key = 'key ' . ++$keys;

	return join(' ', scalar($session->ask("SELECT outcome FROM idemstore.start_processing('$key')")),
		$session->sqlstate("SELECT idemstore.complete('$key', 200)"),
		scalar($session->ask("SELECT outcome FROM idemstore.start_processing('$key')")));
}

sub is_at_work
{
	my ($when) = @_;

	return is(work(), 'started 00000 replay', "works $when");
}

sub is_refused
{
	my ($sqlstate, $when) = @_;

	foreach my $call ("start_processing('new')", "complete('key 1', 200)", "get('key 1')")
	{
		is($session->sqlstate("SELECT idemstore.$call"), $sqlstate, "$call is refused $when");
	}
	return;
}

# The extension goes and comes back, under sessions that have used it.
is_at_work('at first');
foreach my $dba ($session, $other)
{
	my $where = $dba == $session ? 'in the same session' : 'in another session';

	$dba->ask('DROP EXTENSION idemstore');
	is($session->sqlstate("SELECT idemstore.start_processing('key 1')"), '3F000', "gone: dropped $where");
	is($dba->sqlstate('CREATE EXTENSION idemstore'), '00000', "created anew $where");
	is_at_work("when created anew $where");
	is($dba->sqlstate("BEGIN; DROP EXTENSION idemstore; CREATE EXTENSION idemstore;
		SELECT idemstore.start_processing('inside'); ROLLBACK"), '00000', "replaced and rolled back $where");
	is_at_work("when replaced and rolled back $where");
	$dba->ask('DROP EXTENSION idemstore; CREATE EXTENSION idemstore');
	is_at_work("when replaced at one go $where");
}

# No table, or another one under its name.
$other->ask("ALTER TABLE $table RENAME TO aside");
is_refused('42P01', 'without the table');
my ($exit, $output, $errors) = $node->psql('postgres', "SELECT idemstore.get('key 1')");
like($errors, qr/relation "$table" does not exist\n.*HINT:  Run CREATE EXTENSION idemstore/s,
	'the error says what to do');
$other->ask("CREATE VIEW $table AS TABLE idemstore.aside");
is_refused('55000', 'with a view in its place');
$other->ask("DROP VIEW $table; CREATE TABLE $table (key text, scope text) PARTITION BY LIST (key)");
is_refused('55000', 'with a partitioned table in its place');
$other->ask("DROP TABLE $table; CREATE TABLE $table (key text COLLATE \"C\" PRIMARY KEY)");
is_refused('55000', 'with a table of fewer columns in its place');
$other->ask("DROP TABLE $table; ALTER TABLE idemstore.aside RENAME TO idempotency_records");
is_at_work('with the table back in its place');

# What the executor would have done and direct access does not.
$other->ask("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
my $trigger = "ON $table FOR EACH ROW EXECUTE FUNCTION nothing()";
my $pkey = 'idempotency_records_pkey';
foreach my $change (
	[ 'a row trigger', "CREATE TRIGGER t BEFORE UPDATE $trigger", "DROP TRIGGER t ON $table" ],
	[ 'a statement trigger', "CREATE TRIGGER t AFTER INSERT ON $table EXECUTE FUNCTION nothing()",
		"DROP TRIGGER t ON $table" ],
	[ 'a trigger of TRUNCATE', "CREATE TRIGGER t AFTER TRUNCATE ON $table EXECUTE FUNCTION nothing()",
		"DROP TRIGGER t ON $table" ],
	[ 'a trigger that is then disabled', "CREATE TRIGGER t BEFORE INSERT $trigger",
		"ALTER TABLE $table DISABLE TRIGGER t" ],
	[ 'a rule', "CREATE RULE r AS ON DELETE TO $table DO INSTEAD NOTHING", "DROP RULE r ON $table" ],
	[ 'row security', "ALTER TABLE $table ENABLE ROW LEVEL SECURITY",
		"ALTER TABLE $table DISABLE ROW LEVEL SECURITY" ],
	[ 'a foreign key to it', "CREATE TABLE child (key text COLLATE \"C\", scope text COLLATE \"C\",
			FOREIGN KEY (key, scope) REFERENCES $table)", 'DROP TABLE child' ],
	[ 'a table that inherits', "CREATE TABLE heir () INHERITS ($table)", "DROP TABLE heir" ],
	[ 'no primary key', "ALTER TABLE $table DROP CONSTRAINT $pkey", "ALTER TABLE $table ADD PRIMARY KEY (key, scope)" ],
	[ 'a primary key on other columns', "ALTER TABLE $table DROP CONSTRAINT $pkey, ADD PRIMARY KEY (key, fence)",
		"ALTER TABLE $table DROP CONSTRAINT $pkey, ADD PRIMARY KEY (key, scope)" ],
	[ 'another primary key', "ALTER TABLE $table DROP CONSTRAINT $pkey, ADD PRIMARY KEY (key, scope, fence)",
		"ALTER TABLE $table DROP CONSTRAINT $pkey, ADD PRIMARY KEY (scope, key)" ],
	[ 'a column renamed', "ALTER TABLE $table RENAME COLUMN owner TO holder",
		"ALTER TABLE $table RENAME COLUMN holder TO owner" ],
	[ 'a column of another type', "ALTER TABLE $table ALTER COLUMN attempt TYPE bigint",
		"ALTER TABLE $table ALTER COLUMN attempt TYPE integer" ],
	[ 'another collation', "ALTER TABLE $table ALTER COLUMN key TYPE text COLLATE \"POSIX\"",
		"ALTER TABLE $table ALTER COLUMN key TYPE text COLLATE \"C\"" ],
	[ 'a column more', "ALTER TABLE $table ADD COLUMN more int DEFAULT 1", "ALTER TABLE $table DROP COLUMN more" ])
{
	my ($name, $do, $undo) = @$change;

	is($other->sqlstate($do), '00000', "$name: can be had");
	is_refused('55000', "with $name");
	is($other->sqlstate($undo), '00000', "$name: can be undone");
	is_at_work("after $name");
}

# Start from a fresh table.
$other->ask('DROP EXTENSION idemstore; CREATE EXTENSION idemstore');

# Whatever may be changed.
$other->ask("ALTER TABLE $table ALTER COLUMN owner SET NOT NULL");
is($session->sqlstate("SELECT idemstore.start_processing('nobody''s')"), '23502', 'NOT NULL is obeyed');
$other->ask("ALTER TABLE $table ALTER COLUMN owner DROP NOT NULL");
foreach my $change (
	"ALTER TABLE $table SET UNLOGGED", "ALTER TABLE $table SET LOGGED",
	"ALTER TABLE $table SET (fillfactor = 90)", "CLUSTER $table USING idempotency_records_expires_at_idx",
	"VACUUM FULL $table", "REINDEX TABLE $table",
	"ALTER TABLE $table ADD CHECK (key <> 'forbidden')", "TRUNCATE $table")
{
	is($other->sqlstate($change), '00000', "$change: done");
	is_at_work("after $change");
}
is($session->sqlstate("SELECT idemstore.start_processing('forbidden')"), '23514', 'a check constraint is obeyed');
is($session->ask("SELECT idemstore.get('forbidden') IS NULL"), 't', 'and leaves nothing behind');

# Indexes of the DBA's own stay right under thousands of changes.
$node->safe_psql('postgres', "
	CREATE EXTENSION btree_gin;
	CREATE EXTENSION btree_gist;
	CREATE UNIQUE INDEX same_key ON $table (scope, key);
	CREATE INDEX by_fence ON $table (key, fence) INCLUDE (status);
	CREATE UNIQUE INDEX one_per_order ON $table ((context ->> 'order')) WHERE context IS NOT NULL;
	CREATE INDEX in_progress ON $table (lease_expires_at) WHERE status = 'processing';
	CREATE INDEX upper_key ON $table (upper(key));
	CREATE INDEX by_status ON $table USING hash (response_status);
	CREATE INDEX words ON $table USING gin (string_to_array(key, ' '), status);
	CREATE INDEX life ON $table USING gist (tstzrange(created_at, expires_at), fence);
	CREATE INDEX instants ON $table USING brin (created_at)");
run_storm('thousands of changes under extra indexes', $node,
	[ '--client=8', '--jobs=2', '--transactions=500', '--define=i=0' ], "
	\\set i :i + 1
	\\set n :i + random(-2, 2)
	SELECT outcome = 'started' AS is_owner, coalesce(fence, 0) AS fence
	FROM idemstore.start_processing('work ' || :n, lease => '1 min') \\gset
	\\if :is_owner
		\\set luck random(1, 4)
		\\if :luck = 1
			SELECT idemstore.release('work ' || :n, :fence);
		\\elif :luck = 2
			SELECT idemstore.fail('work ' || :n, retryable => true, fence => :fence);
		\\else
			SELECT idemstore.complete('work ' || :n, 200 + :n % 5, fence => :fence);
		\\endif
	\\endif\n" => 1);
check_table($node, 'under extra indexes');
foreach my $query (
	[ 'a unique index on the key', "scope = '' AND key BETWEEN 'work 1' AND 'work 3'" ],
	[ 'a partial index', "status = 'processing' AND lease_expires_at < 'infinity'" ],
	[ 'an index on an expression', "upper(key) BETWEEN 'WORK 1' AND 'WORK 3'" ],
	[ 'a hash index', 'response_status = 202' ],
	[ 'a GIN index', "string_to_array(key, ' ') && '{21,22,23,321,322,323}' AND status = 'complete'" ],
	[ 'a GiST index', 'tstzrange(created_at, expires_at) @> now()' ],
	[ 'a BRIN index', "created_at > '2000-01-01'" ])
{
	my ($name, $condition) = @$query;
	my $rows = "SELECT count(*), sum(hashtext(r::text)) FROM $table AS r WHERE $condition";
	my $by_index = $node->safe_psql('postgres', "SET enable_seqscan = off; $rows");

	isnt((split(/\|/, $by_index))[0], '0', "$name finds rows") unless $name =~ /partial/;
	is($by_index, $node->safe_psql('postgres', "SET enable_indexscan = off; SET enable_bitmapscan = off;
		SET enable_indexonlyscan = off; $rows"), "$name finds the same rows as the table");
}
is($session->sqlstate("SELECT idemstore.start_processing('first', context => '{\"order\": 1}')"),
	'00000', 'a unique index on something else takes a new value');
is($session->sqlstate("SELECT idemstore.start_processing('second', context => '{\"order\": 1}')"),
	'23505', 'and refuses one that it has');
is($session->ask("SELECT idemstore.get('second') IS NULL"), 't', 'which leaves nothing behind');
is_at_work('after a refusal');

# ... also where its columns are those of the primary key, compared otherwise.
$other->ask("CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE UNIQUE INDEX caseless ON $table (key COLLATE caseless, scope)");
$session->ask("SET statement_timeout = '10 s'; SELECT idemstore.start_processing('Case')");
is($session->sqlstate("SELECT idemstore.start_processing('case')"),
	'23505', 'a unique index with another notion of equality refuses what it has');
$other->ask('DROP INDEX idemstore.caseless');
is_at_work('without it');

# A second unique index on the key must not make anybody wait: twenty sessions
# start one key, and keep their claims open for a while.
my $race = start_storm($node, [ '--client=20', '--jobs=2', '--transactions=20', '--define=i=0' ], "
	\\set i :i + 1
	BEGIN;
	SET LOCAL statement_timeout = '20 s';
	SELECT idemstore.start_processing('race ' || :i);
	SELECT pg_sleep(0.002);
	COMMIT;\n" => 1);
ok(finish_storm($race), 'a second unique index on the key raises no error in a race');

$session->quit;
$other->quit;
done_testing();
