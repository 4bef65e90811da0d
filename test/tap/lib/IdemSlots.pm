# The pages of a table of slots, as pageinspect shows them: how long the chains
# are. It reads the special space as src/slots lays it out.
package IdemSlots;

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT = qw(buckets chains longest_chain free_pages);

my $table = 'idemstore.rate_limit_state';

sub ask
{
	my ($node, $sql, $database) = @_;

	return $node->safe_psql($database // 'postgres', $sql);
}

# A number of four bytes in a page, least byte first, and one of two.
sub number
{
	my ($page, $at) = @_;

	return join(' + ', map { "get_byte($page, $at + $_)::bigint * " . 256**$_ } 0 .. 3);
}

sub short
{
	my ($page, $at) = @_;

	return "(get_byte($page, $at) + 256 * get_byte($page, $at + 1))";
}

# How many buckets there are; 0 before there is any.
sub buckets
{
	my ($node, $of, $database) = @_;

	$of //= $table;
	ask($node, 'SET client_min_messages = warning; DO $$ BEGIN IF NOT pg_is_in_recovery() THEN CREATE EXTENSION IF NOT EXISTS pageinspect; END IF; END $$', $database);
	my $at = short('page', 16) . ' + 24';    # magic, version, key
	return ask($node, "
		SELECT coalesce(sum(" . number('page', $at) . "), 0)
		FROM (SELECT get_raw_page('$of', 0) AS page WHERE pg_relation_size('$of') > 0) AS p
		WHERE " . short('page', 14) . " > 0", $database);
}

# How many chains there are of each length, as "length:number length:number".
# Pages of a chain that is changing meanwhile may be counted with another.
sub chains
{
	my ($node, $of, $database) = @_;

	$of //= $table;
	my $buckets = buckets($node, $of, $database);
	my $special = short('page', 16);
	return ask($node, "
		WITH pages AS MATERIALIZED (
			SELECT get_byte(page, $special + 8) AS kind, " . number('page', "$special + 4") . " AS bucket
			FROM generate_series(1, pg_relation_size('$of') / 8192 - 1) AS block,
				LATERAL get_raw_page('$of', block) AS page
			WHERE " . short('page', 14) . " > 0)
		SELECT string_agg(length || ':' || number, ' ' ORDER BY length)
		FROM (SELECT length, count(*) AS number
			FROM (SELECT count(*) AS length FROM pages WHERE kind IN (1, 2) AND bucket < $buckets GROUP BY bucket) AS c
			GROUP BY length) AS l", $database);
}

sub longest_chain
{
	my ($node, $of, $database) = @_;

	return (chains($node, $of, $database) =~ /(\d+):\d+$/)[0] // 0;
}

sub free_pages
{
	my ($node, $of, $database) = @_;

	$of //= $table;
	my $special = short('page', 16);
	return ask($node, "
		SELECT count(*)
		FROM generate_series(1, pg_relation_size('$of') / 8192 - 1) AS block,
			LATERAL get_raw_page('$of', block) AS page
		WHERE " . short('page', 14) . " > 0 AND get_byte(page, $special + 8) = 3", $database);
}

1;
