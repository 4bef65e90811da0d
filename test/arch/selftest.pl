#!/usr/bin/perl
#
# A check that cannot fail is a defect: plant a fault for each one in a copy of
# the tree, and see exactly that check fail.
#
use strict;
use warnings;
use FindBin;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;
use lib $FindBin::Bin;
use Files;
use Meta qw(meta_complaints);

my $api = 'src/api/planted.c';
my $engine = 'src/engine/common/planted.c';
my $script = 'src/sql/schema.sql';

# What is planted: the check that must fail, and files with the text added to each.
my @faults = (
	[ 'includes point down', 'src/slots/planted.h', qq(#include "store/table.h"\n) ],
	[ 'includes point down', 'src/store/planted.h', qq(#include "engine/common/count.h"\n) ],
	[ 'includes point down', 'src/engine/common/planted.h', qq(#include "engine/claims/claims.h"\n) ],
	[ 'includes point down', 'src/engine/claims/planted.h', qq(#include "engine/cache/cache.h"\n) ],
	[ 'includes point down', 'src/engine/limits/planted.h', qq(#include "engine/claims/claims.h"\n) ],
	[ 'includes point down', 'src/engine/limits/planted.h', qq(#include "engine/cache/cache.h"\n) ],
	[ 'includes point down', 'src/engine/cache/planted.h', qq(#include "engine/limits/limits.h"\n) ],
	[ 'includes point down', 'src/engine/limits/planted.h', qq(#include "engine/care/expiry.h"\n) ],
	[ 'includes point down', 'src/engine/care/planted.h', qq(#include "api/args.h"\n) ],
	[ 'includes point down', 'src/engine/common/planted.h', qq(#include "count.h"\n) ],
	[ 'no files include each other in a circle', 'src/pg/clock.h', qq(#include "pg/clock.h"\n#include "pg/attempt.h"\n),
		'src/pg/attempt.h', qq(#include "pg/clock.h"\n) ],
	[ 'no files include each other in a circle', 'src/engine/cache/entry.h', qq(#include "engine/cache/clear.h"\n),
		'src/engine/cache/clear.h', qq(#include "engine/cache/cache.h"\n), 'src/engine/cache/cache.h', qq(#include "engine/cache/entry.h"\n) ],
	[ 'ratemath is plain arithmetic, and for limits alone', 'src/ratemath/log.c', qq(#include "utils/builtins.h"\n) ],
	[ 'ratemath is plain arithmetic, and for limits alone', 'src/ratemath/planted.h', qq(#include "pg/clock.h"\n) ],
	[ 'ratemath is plain arithmetic, and for limits alone', 'src/engine/care/planted.h', qq(#include "ratemath/log.h"\n) ],
	[ 'no folder has more than 16 sources', map { ("src/pg/planted$_.c", qq(#include "postgres.h"\n)) } 1 .. 16 ],
	[ 'includes point down', 'src/attic/planted.c', qq(#include "postgres.h"\n) ],
	[ 'only the top takes PG_FUNCTION_ARGS', $engine, "extern Datum planted(PG_FUNCTION_ARGS);\n" ],
	[ 'only pg/compat.h looks at PG_VERSION_NUM', $api, "#if PG_VERSION_NUM >= 160000\n#endif\n" ],
	[ 'only pg/clock.c reads a clock', $engine, "int64\t\tplanted = GetCurrentTimestamp();\n" ],
	[ 'every error has an errcode', $engine,
		"static void\nplanted(void)\n{\n\tereport(ERROR,\n\t\t\t(errmsg(\"errcode(\")));\n}\n" ],
	[ 'exported symbols carry our prefix', 'src/sql/released/planted.sql', "AS 'MODULE_PATHNAME', 'idemstore_planted';\n" ],
	[ 'exported symbols carry our prefix', 'src/api/old.c', "\nOLD_FUNCTION(idemstore_complete_0_3)\n" ],
	[ 'the install script creates plainly and qualified', $script, "CREATE OR\nREPLACE FUNCTION idemstore.planted();\n" ],
	[ 'the install script creates plainly and qualified', $script, "CREATE SCHEMA IF NOT EXISTS idemstore;\n" ],
	[ 'the install script creates plainly and qualified', $script, "CREATE UNLOGGED TABLE planted (a int);\n" ],
	[ 'the install script creates plainly and qualified', $script, "CREATE INDEX ON planted (a);\n" ],
	[ 'what SQL loads is ASCII', $script, "-- planted \xE2\x80\xA6\n" ],
	[ 'the code is formatted', $engine, "int planted;\n" ],
	[ 'no trailing white space, every file ends with one newline', 'planted.md', "planted \n" ],
	[ 'no trailing white space, every file ends with one newline', 'planted.md', 'planted' ],
	[ 'functions have at most 60 lines, files 450', $engine,
		"static void\nplanted(void)\n{\n" . "\tplanted();\n" x 59 . "}\n" ],
	[ 'functions have at most 60 lines, files 450', $engine, "/* planted */\n" x 451 ],
	[ 'a header declares what others call, with at most 5 parameters', 'src/pg/clock.h', "\nextern int64 idem_clock_planted(void);\n" ],
	[ 'a header declares what others call, with at most 5 parameters', 'src/pg/planted.h',
		"extern void idem_clock_now(int a, int b, int c,\n\t\t\t\t\t\t   int d, int e, int f);\n" ],
	[ 'each TAP test has a number of its own', 'test/tap/001_planted.pl', "use strict;\n" ],
	[ 'what the manual quotes is what the report says', 'docs/speed.md', "\n<!-- quoted: bench/report.md, Growth, 2 -->\n| planted |\n|---|\n" ],
	[ 'no link of the manual is dead', 'docs/speed.md', "\n[planted](planted.md)\n" ],
	[ 'no link of the manual is dead', 'docs/speed.md', "\n[planted](cache.md#planted)\n" ],
	[ 'a block of the manual is run, shown, or says why not', 'docs/speed.md', "\n```bash\nplanted\n```\n" ],
	[ 'a block of the manual is run, shown, or says why not', 'docs/speed.md', "\n```sh\nplanted\n" ],
	[ 'a block of the manual is run, shown, or says why not', 'docs/speed.md', "\n<!-- run by: planted -->\n```sh\nplanted\n```\n" ],
	[ 'every page of the manual is in its contents', 'docs/planted.md', "# Planted\n" ],
	[ 'README has at most 12,288 bytes', 'README.md', "planted\n" x 1536 ],
	[ 'META.json follows its specification', 'META.json', "}\n" ],
	[ 'META.json follows its specification', 'idemstore.control', "default_version = '9.9.9'\n" ],
	[ 'nothing is left to be done', $engine, '/* TO' . "DO: this */\n" ],
);

# The same for what idemstore.so exports: a line of C.
my @exports = (
	'int planted;',
	'int idemstore_planted;',
	'int pg_finfo_idemstore_planted;',
	'int idemstore_planted, pg_finfo_idemstore_planted;',
);

# What is done to META.json.
my @meta_faults = (
	(map { my $field = $_; [ "no $field", sub { delete $_[0]{$field} } ] } qw(abstract maintainer license provides meta-spec name version)),
	[ 'no file', sub { delete $_[0]{provides}{idemstore}{file} } ],
	[ 'no version of the extension', sub { delete $_[0]{provides}{idemstore}{version} } ],
	[ 'an unknown field', sub { $_[0]{author} = 'planted' } ],
	[ 'an unknown field further down', sub { $_[0]{provides}{idemstore}{files} = 'planted' } ],
	[ 'an empty string', sub { $_[0]{abstract} = '' } ],
	[ 'null', sub { $_[0]{description} = undef } ],
	[ 'a list for a string', sub { $_[0]{abstract} = ['planted'] } ],
	[ 'no maintainer', sub { $_[0]{maintainer} = [] } ],
	[ 'a space in the name', sub { $_[0]{name} = 'idem store' } ],
	[ 'a slash in a tag', sub { $_[0]{tags} = ['cache/limits'] } ],
	[ 'a long tag', sub { $_[0]{tags} = [ 'a' x 256 ] } ],
	[ 'a version of two numbers', sub { $_[0]{version} = '0.3' } ],
	[ 'a version with a leading zero', sub { $_[0]{version} = '0.03.0' } ],
	[ 'a meta-spec to come', sub { $_[0]{'meta-spec'}{version} = '2.0.0' } ],
	[ 'an unknown license', sub { $_[0]{license} = 'postgres' } ],
	[ 'a license that is no URI', sub { $_[0]{license} = { PostgreSQL => 'planted' } } ],
	[ 'an absolute path', sub { $_[0]{provides}{idemstore}{file} = '/schema.sql' } ],
	[ 'a way out of the tree', sub { $_[0]{provides}{idemstore}{docfile} = 'docs/../../README.md' } ],
	[ 'an unknown phase', sub { $_[0]{prereqs}{run} = $_[0]{prereqs}{runtime} } ],
	[ 'an unknown relationship', sub { $_[0]{prereqs}{runtime}{needs} = $_[0]{prereqs}{runtime}{requires} } ],
	[ 'a range of no versions', sub { $_[0]{prereqs}{runtime}{requires}{PostgreSQL} = '15+' } ],
	[ 'an unknown status', sub { $_[0]{release_status} = 'beta' } ],
	[ 'a home page that is no URI', sub { $_[0]{resources}{homepage} = 'planted' } ],
);
# and what it may have besides
my @meta_variants = (
	[ 'a pre-release', sub { $_[0]{version} = '0.3.0-rc1' } ],
	[ 'two maintainers', sub { $_[0]{maintainer} = [qw(one two)] } ],
	[ 'two licenses', sub { $_[0]{license} = [qw(postgresql mit)] } ],
	[ 'a license by its URI', sub { $_[0]{license} = { PostgreSQL => 'https://licence.example/' } } ],
	[ 'any version', sub { $_[0]{prereqs}{test}{requires}{pgTAP} = 0 } ],
	[ 'a range of versions', sub { $_[0]{prereqs}{runtime}{requires}{PostgreSQL} = '>= 15.0.0, != 16.0.0, < 20.0.0' } ],
	[ 'a field of its own', sub { $_[0]{x_planted} = { anything => [] } } ],
);

my $tree = tempdir(CLEANUP => 1);
system(qq(tar --create --exclude=node_modules --exclude=tmp_check -- *.md META.json LICENSE Makefile idemstore.control debian docs src test bench examples clients idemstore.so | tar --extract --directory="$tree")) == 0 or BAIL_OUT('could not copy the tree');
chdir($tree) or BAIL_OUT("could not enter $tree");

# What fails already is check.pl's to report.
my %failed_before = map { $_ => 1 } failed_checks();

foreach my $fault (@faults)
{
	my ($check, %planted) = @$fault;
	my ($file) = sort keys %planted;
	my %before = map { $_ => -e $_ ? read_file($_) : undef } keys %planted;

	foreach my $name (keys %planted)
	{
		mkdir($name =~ s!/[^/]+$!!r) if $name =~ m!/!;
		write_file($name, ($before{$name} // '') . $planted{$name});
	}
	expect($check, [ keys %planted ], $file . ': ' . substr($planted{$file}, 0, 40) =~ s/\s+/ /gr);
	defined $before{$_} ? write_file($_, $before{$_}) : unlink($_) foreach keys %planted;
}
foreach my $export (@exports)
{
	write_file('planted.c', "$export\n");
	system('gcc -shared -fPIC -o idemstore.so planted.c') == 0 or BAIL_OUT('could not compile');
	expect('exported symbols carry our prefix', ['planted.c'], "exported: $export");
}
my $meta = read_file('META.json');
foreach my $change ((map { [ @$_, 1 ] } @meta_faults), map { [ @$_, 0 ] } @meta_variants)
{
	my ($name, $edit, $is_fault) = @$change;
	my $changed = decode_json($meta);

	$edit->($changed);
	my @complaints = meta_complaints($changed);
	is(@complaints ? 1 : 0, $is_fault, "META.json: $name");
}
chdir('/');
done_testing();

sub expect
{
	my ($check, $changed, $fault) = @_;
	my @failed = grep { $_ eq $check || !$failed_before{$_} } failed_checks(@$changed);
	is_deeply(\@failed, [$check], $fault);
	return;
}

sub failed_checks { return qx(perl test/arch/check.pl @_ 2>/dev/null) =~ /^not ok \d+ - (.*)$/gm; }
