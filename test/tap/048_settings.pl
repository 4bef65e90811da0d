#!/usr/bin/perl
#
# What the page on settings says works as it stands there, in sessions that have
# not called anything yet, for the roles that it names.
#
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IdemTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', 'CREATE ROLE tenant LOGIN CREATEROLE; CREATE DATABASE mydb OWNER tenant');
is(as('tenant', 'CREATE ROLE my_application LOGIN'), '', 'a role of the tenant\'s');
is(as('tenant', "CREATE EXTENSION idemstore"), '', 'he creates the extension');
is(as('tenant', "SELECT idemstore.grant_usage('my_application')"), 't', 'and grants');

my $page = slurp_file("$FindBin::Bin/../../docs/settings.md");
my @blocks = $page =~ /^```sql\n(.*?)^```$/msg;
is(scalar(@blocks), 3, 'three blocks');

# Without the first call it is refused.
my ($owner, $superuser, $preload) = @blocks;
like($owner, qr/^SELECT idemstore\./, 'the owner\'s begins with a call');
foreach my $statement (grep { /^ALTER/ } split(/\n/, $owner))
{
	like(as('tenant', $statement), qr/ERROR:  42501/, "refused in a fresh session: $statement");
}
like(as('tenant', $owner), qr/^[0-9a-f]{64}$/, 'with it, it is not');
is(as('my_application', "SELECT idemstore.get_value('k'); SHOW idemstore.default_ttl; SHOW idemstore.default_lease"), "\n2d\n1min", 'and holds');

like(as(undef, $superuser), qr/^[0-9a-f]{64}\nt$/, 'a superuser sets what is his');
is($node->poll_query_until('mydb', "SELECT idemstore.get_value('k') IS NULL AND current_setting('idemstore.max_body_size') = '16MB' AND current_setting('idemstore.cache_max_size') = '1GB'"), 1, 'which holds');
like(as('tenant', "SELECT idemstore.get_value('k'); ALTER DATABASE mydb SET idemstore.cache_max_size = '2GB'"), qr/ERROR:  42501/, 'the owner of the database does not');

is(as(undef, $preload), '', 'loaded at the beginning of every session');
is(as('tenant', "SHOW idemstore.default_ttl; ALTER DATABASE mydb SET idemstore.default_ttl = '3 d'"), '2d', 'they are known without a call');
is(as('my_application', 'SHOW idemstore.default_ttl'), '3d', 'and set');

# Every setting of the table is one, and has this default.
my %documented = $page =~ /^\| `idemstore\.(\w+)` \| ([^|]+?) \|/mg;
is($node->safe_psql('mydb', "SELECT string_agg(substr(name, 11), ' ' ORDER BY name) FROM pg_settings WHERE name LIKE 'idemstore.%'"),
	join(' ', sort keys %documented), 'all are in the table');
$node->stop;

done_testing();

# Rows and errors of a session of its own; of the superuser's without a role.
sub as
{
	my ($role, $sql) = @_;
	my ($exit, $output, $errors) = $node->psql('mydb', "\\set VERBOSITY sqlstate\n$sql",
		extra_params => [ $role ? ('--username', $role) : () ]);

	return "$output$errors" =~ s/^psql:.*?: //mgr;
}
