#!/usr/bin/perl
#
# The rules on the code itself. Each check returns a list of complaints, and is
# passed if there are none. Run at the root of the tree, after make. With files as
# arguments, the others are taken for formatted.
#
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Test::More;
use lib $FindBin::Bin, "$FindBin::Bin/../manual";
use Files;
use Manual;
use Meta qw(meta_complaints);

# From the ground up; what a folder is not listed with below, it sees.
my @floors = qw(pg slots store engine/common engine/claims engine/cache engine/limits engine/care api);
my %height = map { $floors[$_] => $_ } 0 .. $#floors;
my %unseen = ('engine/cache' => ['engine/limits'], 'engine/limits' => [qw(engine/claims engine/cache)]);
my $most_sources = 16;
my $most_parameters = 5;

my @sources = c_sources();
my @fragments = sort glob('src/sql/*.sql src/sql/upgrade/*.sql');
my %text = map { $_ => read_file($_) } @sources, @fragments;
my %code = map { $_ => strip_c($text{$_}) } @sources;
my %sql = map { $_ => strip_sql($text{$_}) } @fragments;

my @checks = (
	'includes point down' => \&includes_point_down,
	'no files include each other in a circle' => \&include_circle,
	'ratemath is plain arithmetic, and for limits alone' => \&plain_arithmetic,
	"no folder has more than $most_sources sources" => \&crowded_folders,
	'only the top takes PG_FUNCTION_ARGS' =>
	  sub { only_in(qr/\bPG_FUNCTION_ARGS\b/, qr!^src/(?:api/.*|idemstore\.c)$!) },
	'only pg/compat.h looks at PG_VERSION_NUM' =>
	  sub { only_in(qr/\bPG_VERSION_NUM\b/, qr!^src/pg/compat\.h$!) },
	'only pg/clock.c reads a clock' =>
	  sub { only_in(qr/\b(?:GetCurrent\w*Timestamp|GetSQLCurrentTime\w*|gettimeofday|clock_gettime|INSTR_TIME_SET_CURRENT\w*|time)\s*\(/,
		qr!^src/pg/clock\.c$!) },
	'every error has an errcode' => \&errors_have_codes,
	'exported symbols carry our prefix' => \&exported_symbols,
	'the install script creates plainly and qualified' => \&install_script,
	'what SQL loads is ASCII' => \&ascii_scripts,
	'the code is formatted' => \&formatting,
	'no trailing white space, every file ends with one newline' => \&white_space,
	'functions have at most 60 lines, files 450' => \&lengths,
	"a header declares what others call, with at most $most_parameters parameters" => \&headers_for_others,
	'each TAP test has a number of its own' => \&numbers_of_tests,
	'what the manual quotes is what the report says' => \&wrong_quotes,
	'no link of the manual is dead' => \&dead_links,
	'a block of the manual is run, shown, or says why not' => \&bad_blocks,
	'every page of the manual is in its contents' => \&unlisted_pages,
	'README has at most 12,288 bytes' => sub { -s 'README.md' > 12288 ? 'README.md: ' . -s 'README.md' : () },
	'META.json follows its specification' => \&meta,
	'nothing is left to be done' => sub { matches(qr/\b(?:TODO|FIXME|XXX|HACK)\b/, \%text) },
);

BAIL_OUT('no sources') unless @sources && @fragments;
plan tests => @checks / 2;
while (my ($name, $check) = splice(@checks, 0, 2))
{
	my @complaints = $check->();
	ok(!@complaints, $name) or diag(join("\n", @complaints));
}

sub includes_point_down
{
	my @complaints;
	foreach my $file (grep { $_ ne 'src/idemstore.c' } @sources)
	{
		my $folder = folder_of($file);

		next if $folder eq 'ratemath';
		push(@complaints, "$file: not on a floor") unless defined $height{$folder};
		foreach my $header (headers_of($file))
		{
			my $target = folder_of("src/$header");
			my $complaint =
			  !-f "src/$header" ? (is_ours($header) ? 'is named without its folder' : undef)
			  : $target eq 'ratemath' ? undef
			  : ($height{$target} // @floors) > ($height{$folder} // -1) ? 'is above'
			  : (grep { $_ eq $target } @{ $unseen{$folder} // [] }) ? 'is beside'
			  : undef;
			push(@complaints, "$file: \"$header\" $complaint") if $complaint;
		}
	}
	return @complaints;
}

# A source and its header are one file here.
sub include_circle
{
	my %below;
	foreach my $file (@sources)
	{
		my $part = $file =~ s/\.[ch]$//r;
		$below{$part} //= {};
		$below{$part}{$_} = 1 foreach grep { $_ ne $part } map { "src/$_" =~ s/\.h$//r } grep { -f "src/$_" } headers_of($file);
	}

	# take away whatever stands on nothing, until all is gone or goes round
	while (my @ground = grep { !grep { $below{$_} } keys %{ $below{$_} } } keys %below)
	{
		delete @below{@ground};
	}
	return %below ? walk_circle(\%below) : ();
}

sub walk_circle
{
	my ($below) = @_;
	my ($part) = sort keys %$below;
	my (@path, %at);

	until (defined $at{$part})
	{
		$at{$part} = @path;
		push(@path, $part);
		($part) = sort grep { $below->{$_} } keys %{ $below->{$part} };
	}
	return join(' -> ', @path[ $at{$part} .. $#path ], $part);
}

sub plain_arithmetic
{
	my @complaints;
	foreach my $file (@sources)
	{
		my $folder = folder_of($file);
		foreach my $header (headers_of($file))
		{
			push(@complaints, "$file: \"$header\" is not plain arithmetic")
			  if $folder eq 'ratemath' && $header !~ m!^(?:postgres\.h$|ratemath/)!;
			push(@complaints, "$file: \"$header\" is for limits alone")
			  if $header =~ m!^ratemath/! && $folder !~ m!^(?:ratemath|engine/limits)$!;
		}
	}
	return @complaints;
}

sub crowded_folders
{
	my %count;
	$count{$_}++ foreach map { m!^src/(?:(.*)/)?! ? $1 // '' : () } grep { /\.c$/ } @sources;
	return map { "src/$_: $count{$_} sources" } grep { $count{$_} > $most_sources } sort keys %count;
}

# The floor or the wing, and of what stands on the top floor just that.
sub folder_of { return $_[0] =~ s!^src/!!r =~ s!/?[^/]*$!!r =~ s!^(api|store)/.*!$1!r; }
sub headers_of { return $text{ $_[0] } =~ /^\s*#\s*include\s+"([^"]+)"/gm; }

sub is_ours
{
	my ($header) = @_;
	return $header !~ m!/! && grep { m!/\Q$header\E$! } @sources;
}

sub only_in
{
	my ($pattern, $allowed) = @_;
	return matches($pattern, { map { $_ => $code{$_} } grep { !/$allowed/ } @sources });
}

sub errors_have_codes
{
	my @complaints;
	foreach my $file (@sources)
	{
		while ($code{$file} =~ /\bereport(?:_domain)?\s*(\((?:[^()]++|(?1))*\))/g)
		{
			my ($call, $line) = ($1, line_in($code{$file}, $-[0]));
			next if $call =~ /^\(\s*(?:DEBUG\d|LOG\w*|INFO|NOTICE|WARNING)\s*,/;
			push(@complaints, "$file:$line: ereport without errcode") if $call !~ /\berrcode\w*\s*\(/;
		}
	}
	return @complaints;
}

# idemstore_* are exactly the functions that SQL can call, that of earlier versions
# too: what they call and the present one does not is what api/old.c refuses.
sub exported_symbols
{
	my @symbols = qx(nm --dynamic --defined-only idemstore.so) =~ /^\S* \w (\S+)$/gm;
	my %exported = map { $_ => 1 } @symbols;
	my %in_sql = map { $_ => 1 } called_in(@text{@fragments});
	my %in_old_sql = map { $_ => 1 } grep { !$in_sql{$_} } called_in(map { read_file($_) } glob('src/sql/released/*.sql'));
	my %refused = map { $_ => 1 } $code{'src/api/old.c'} =~ /^OLD_FUNCTION\((\w+)\)/gm;
	my @complaints;

	return 'idemstore.so exports nothing: built?' unless @symbols;
	foreach my $symbol (@symbols)
	{
		next if $symbol =~ /^(?:idem_\w+|_PG_init|Pg_magic_func)$/;
		if ($symbol =~ /^(?:pg_finfo_)?(idemstore_\w+)$/)
		{
			push(@complaints, "$1: not SQL-callable, or PG_FUNCTION_INFO_V1 without a function")
			  unless $exported{$1} && $exported{"pg_finfo_$1"};
			push(@complaints, "$1: no SQL function calls it") unless $in_sql{$1} || $in_old_sql{$1};
		}
		else
		{
			push(@complaints, "$symbol: not our prefix");
		}
	}
	push(@complaints, map { "$_: called in SQL, not exported" } grep { !$exported{$_} } sort keys %in_sql);
	push(@complaints, map { "$_: called in earlier SQL, not refused" } grep { !$refused{$_} } sort keys %in_old_sql);
	push(@complaints, map { "$_: refused, not only in earlier SQL" } grep { !$in_old_sql{$_} } sort keys %refused);
	return @complaints;
}

sub called_in { return map { /\bAS\s+'MODULE_PATHNAME'\s*,\s*'(\w+)'/gi } @_; }

sub install_script
{
	# "IF NOT EXISTS (SELECT ..." is PL/pgSQL
	my @complaints = (
		matches(qr/\bCREATE\s+OR\s+REPLACE\b/i, \%sql),
		matches(qr/\bIF\s+NOT\s+EXISTS\b(?!\s*\()/i, \%sql));

	foreach my $file (@fragments)
	{
		while ($sql{$file} =~ /\bCREATE\s+(?:(?:UNLOGGED|TEMP|TEMPORARY|RECURSIVE|DEFAULT|MATERIALIZED)\s+)*
			(?:FUNCTION|PROCEDURE|AGGREGATE|TABLE|TYPE|DOMAIN|VIEW|SEQUENCE|OPERATOR(?:\s+(?:CLASS|FAMILY))?|STATISTICS)\s+([^\s(]+)/gix)
		{
			push(@complaints, "$file:" . line_in($sql{$file}, $-[0]) . ": $1 is not in idemstore")
			  unless $1 =~ /^idemstore\./;
		}
		while ($sql{$file} =~ /\bCREATE\s+(?:UNIQUE\s+)?(?:INDEX|TRIGGER|RULE|POLICY)\s[^;]*?\bON\s+(?:ONLY\s+)?(\S+)/gi)
		{
			push(@complaints, "$file:" . line_in($sql{$file}, $-[0]) . ": $1 is not in idemstore")
			  unless $1 =~ /^idemstore\./;
		}
	}
	return @complaints;
}

# Any other character keeps the extension out of databases whose encoding has
# it not.
sub ascii_scripts
{
	return matches(qr/[^\x00-\x7F]/, { map { $_ => read_file($_) } @fragments, glob('src/sql/released/*.sql') });
}

sub formatting
{
	my $diffs = qx(test/arch/format --check @ARGV 2>&1);
	return $? == 0 ? () : ($diffs, 'make format cures it');
}

sub white_space
{
	my $list = -e '.git'
	  ? qx(git -c safe.directory='*' ls-files -z --cached --others --exclude-standard)
	  : qx(find . -type f -print0);
	my @files = grep { -f && -T && !m!(?:^|/)(?:(?:expected|results|output_iso|tmp_check|log|node_modules)/|build\.flags$|[^/]*\.svg$)! } split(/\0/, $list);
	my @complaints;

	return 'no files found' unless @files;
	foreach my $file (@files)
	{
		my $content = read_file($file);
		push(@complaints, matches(qr/[ \t\r]+$/m, { $file => $content }));
		push(@complaints, "$file: does not end with one newline")
		  if $content ne '' && $content !~ /[^\n]\n\z/;
	}
	return @complaints;
}

# And what else is told the version says the same.
sub meta
{
	my $meta = eval { decode_json(read_file('META.json')) } or return "META.json: $@";
	my ($version) = read_file('idemstore.control') =~ /.*^default_version = '(.*?)'$/ms;
	my ($package_version) = read_file('debian/changelog') =~ /\A\S+ \(([^)]*)-[^-)]*\)/;
	my $extension = $meta->{provides}{idemstore} // {};

	return (
		meta_complaints($meta),
		(map { "META.json: no file $_" } grep { !-f } grep { defined } @$extension{qw(file docfile)}),
		(map { "version $_ is not $version" } grep { $_ ne $version } map { $_ // 'none' } $meta->{version},
			$extension->{version}, $package_version));
}

# In formatted code, the braces of a function, and only they, stand alone in
# the first column.
sub lengths
{
	my @complaints;
	foreach my $file (@sources)
	{
		my ($number, $start) = (0, 0);
		foreach my $line (split(/\n/, $text{$file}))
		{
			$number++;
			$start = $number if $line eq '{';
			push(@complaints, "$file:$start: function of " . ($number - $start + 1) . ' lines')
			  if $line eq '}' && $number - $start >= 60;
		}
		push(@complaints, "$file: $number lines") if $number > 450;
	}
	return @complaints;
}

sub headers_for_others
{
	my @complaints;
	foreach my $header (grep { /\.h$/ } @sources)
	{
		my @others = grep { /\.c$/ && $_ ne $header =~ s/h$/c/r } @sources;

		while ($code{$header} =~ /^\s*(?:pg_noreturn )?extern\s[^;(]*?(\w+)\(([^;]*)\);/mg)
		{
			my ($name, $parameters) = ($1, 1 + ($2 =~ tr/,//));

			push(@complaints, "$header: $name is called from nowhere else")
			  unless grep { $code{$_} =~ /\b$name\b/ } @others;
			push(@complaints, "$header: $name has $parameters parameters") if $parameters > $most_parameters;
		}
	}
	return @complaints;
}

sub numbers_of_tests
{
	my %tests;
	push(@{ $tests{ $_ =~ m!/(\d+)! ? $1 : '' } }, $_) foreach glob('test/tap/*.pl');
	return map { join(' ', @{ $tests{$_} }) } grep { @{ $tests{$_} } > 1 } sort keys %tests;
}

# Where the pattern occurs in the texts: complaints that quote the line.
sub matches
{
	my ($pattern, $texts) = @_;
	my @complaints;
	foreach my $file (sort keys %$texts)
	{
		while ($texts->{$file} =~ /$pattern/g)
		{
			my $line = line_in($texts->{$file}, $-[0]);
			push(@complaints, "$file:$line: " . (split(/\n/, $texts->{$file}))[ $line - 1 ]);
		}
	}
	return @complaints;
}

# Comments and the content of strings blanked out, line numbers kept.
sub strip_c
{
	my ($c) = @_;
	$c =~ s{(/\*.*?\*/|//[^\n]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')}
		{defined $1 ? blank($1) : '""'}gse;
	return $c;
}

sub strip_sql
{
	my ($s) = @_;
	$s =~ s{(/\*.*?\*/|--[^\n]*)|('(?:[^']|'')*')}{defined $1 ? blank($1) : "''" . blank($2)}gse;
	return $s;
}

sub blank { return $_[0] =~ s/[^\n]//gr; }
sub line_in { my ($string, $offset) = @_; return 1 + (substr($string, 0, $offset) =~ tr/\n//); }
