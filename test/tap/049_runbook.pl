#!/usr/bin/perl
#
# What the manual says to do when something is wrong, done as it stands there where
# it is: a key that is stuck, claims that are abandoned, a limit that denies.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $page = slurp_file("$FindBin::Bin/../../docs/runbook.md");
my %block = $page =~ /^\*\*(.*?)\.\*\*.*?^```sql\n(.*?)^```$/msg;

# As an operator, who may do most of it, or the superuser.
sub run_block
{
	my ($name, $role) = @_;
	my ($exit, $output, $errors) = $node->psql('postgres', ($role ? "SET ROLE $role;\n" : '') . $block{$name}, on_error_stop => 1);

	is($errors, '', "$name: all statements can be run");
	return $output;
}

is_deeply([ sort keys %block ], [ 'A claim is `abandoned`', 'A key stays `in_progress`', 'A limit denies too much', 'A table grows' ], 'what the runbook has');
$node->safe_psql('postgres', "CREATE ROLE clerk; GRANT pg_monitor TO clerk; SELECT idemstore.grant_usage('clerk', 'operator')");

# In an open transaction, which nobody will end.
my $lost = IdemTest::Session->new($node);
$lost->ask("BEGIN; SELECT idemstore.start_processing('pay-1')");
my $pid = $lost->pid;
my $start = "SELECT outcome, attempt FROM idemstore.start_processing('pay-1')";
is($node->safe_psql('postgres', $start), 'in_progress|', 'a key is stuck');
like(run_block('A key stays `in_progress`'), qr/^open\|.*\|1\|$pid\n$pid\|idle in transaction\|.*\nt\n(?:f|t)$/s, 'who has it is seen, and ended');
is($node->safe_psql('postgres', $start), 'started|1', 'and the next owns it');
$lost->kill;

# In a claim that is committed.
is($node->safe_psql('postgres', $start), 'in_progress|', 'it is stuck again');
like(run_block('A key stays `in_progress`'), qr/^claimed\|.*\|1\|\nt$/s, 'it is given back');
is($node->safe_psql('postgres', $start), 'started|1', 'and the next owns it');

# Abandoned claims.
$node->safe_psql('postgres', "SELECT idemstore.start_processing(k, lease => '1 us') FROM unnest('{pay-2,pay-3}'::text[]) AS k;
	SELECT idemstore.checkpoint('pay-2', 'charged', '{\"id\": 7}')");
is($node->safe_psql('postgres', "SELECT outcome FROM idemstore.start_processing('pay-2', takeover => false)"), 'abandoned', 'a claim is abandoned');
like(run_block('A claim is `abandoned`', 'clerk'), qr/^\|pay-2\|.*\|1\n\|pay-3\|.*\|1\ncharged\|\{"id": 7\}\nt\nt$/s, 'they are listed, and each is resolved');
is($node->safe_psql('postgres', "SELECT outcome, convert_from(response_body, 'UTF8') FROM idemstore.start_processing('pay-2', takeover => false)"), 'replay|{"ok":true}', 'the one is replayed');
is($node->safe_psql('postgres', "SELECT outcome FROM idemstore.start_processing('pay-3', takeover => false)"), 'started', 'the other done');

# A limit, and a cooldown.
$node->safe_psql('postgres', "SELECT idemstore.set_rate_limit('login/*', 1, '1 day'), idemstore.acquire('login/alice'), idemstore.set_cooldown('bank', 'tomorrow')");
is($node->safe_psql('postgres', "SELECT idemstore.acquire('login/alice'), idemstore.acquire('login/bob', origin => 'bank')"), 'f|f', 'too much is denied');
like(run_block('A limit denies too much', 'clerk'), qr/^default\|1\|0\|.*\|quota\n.*\nt\nt\n/s, 'the policy and the cooldown are seen');
is($node->safe_psql('postgres', "SELECT count(*) FROM generate_series(1, 30) WHERE idemstore.acquire('login/alice', origin => 'bank')"), 20, 'then it lets in what it should');

like(run_block('A table grows', 'clerk'), qr/^idempotency\|.*^rate_limit_state\|\d+$/ms, 'how the tables stand is seen');

done_testing();
