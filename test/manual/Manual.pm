# The pages of the manual: what they link to, the blocks that are to be run, and
# the tables and outputs that they quote. Paths are from the root of the tree.
#
# What a comment before a block or a table says:
#
#	<!-- not run: why -->		a block of SQL or shell that no test runs
#	<!-- run by: test -->		one that this test runs
#	<!-- server: port -->		a command that goes on, and listens there
#	<!-- file: name -->		a block that goes to this file, as the reader is told
#	<!-- prepare: SQL -->		what has to be there, and the reader has already
#	<!-- quoted: file, title, keys -->	rows of the table of that chapter, each known by
#					its first cells, so many as keys says
#	<!-- quoted: file -->		a block that is that file
package Manual;

use strict;
use warnings;
use Exporter qw(import);
use Files;

our @EXPORT = qw(pages blocks bad_blocks dead_links links resolve unlisted_pages requote wrong_quotes);

# What is run, and what is shown only.
my $runs = qr/^(?:sql|sh|crontab|ini)$/;
my $shown = qr/^(?:text|js|python|c|go|java|ruby|json|http|yaml)$/;

# All that a reader comes by, the front door first.
sub pages { return ('README.md', sort(glob('docs/*.md'), glob('docs/*/*.md'))); }

# A block is {page, line, language, text}, and what the comment before it says.
sub blocks
{
	my ($page, $text) = @_;
	my @blocks;

	$text //= read_file($page);
	while ($text =~ /^( *)(?:<!-- (not run|run by|file|server|quoted): ([^\n]*?) -->\n *)?```(\w*)\n(.*?)^ *```$|^<!-- (prepare): ([^\n]*?) -->$/msg)
	{
		my ($indent, $word, $value, $language, $block, $preparation) = ($1, $2, $3, $4, $5, $7);
		my $line = 1 + (substr($text, 0, $-[0]) =~ tr/\n//);

		($word, $value, $language, $block) = ('prepare', 1, 'sql', $preparation) if defined $preparation;
		$block =~ s/^$indent//mg if $indent;
		push(@blocks, { page => $page, line => $line, language => $language, text => $block, $word ? ($word => $value) : () });
	}
	return @blocks;
}

# Blocks that would be passed by without a word.
sub bad_blocks
{
	my @complaints;
	foreach my $page (pages())
	{
		my $text = read_file($page);
		my @blocks = blocks($page, $text);
		my $nfences = () = $text =~ /^ *```/mg;

		push(@complaints, "$page: a block that does not end") if $nfences != 2 * grep { !exists($_->{prepare}) } @blocks;
		foreach my $block (@blocks)
		{
			my $place = "$page:$block->{line}";
			push(@complaints, "$place: \"$block->{language}\" is no language that is run or shown")
			  unless $block->{language} =~ $runs || $block->{language} =~ $shown;
			push(@complaints, "$place: $block->{'run by'} is no test")
			  if defined $block->{'run by'} && !-f $block->{'run by'};
		}
	}
	return @complaints;
}

# What a page links to: [target, line]. Not in code.
sub links
{
	my ($text) = @_;
	my @links;
	my $plain = $text =~ s/^( *```.*?^ *```$)/"\n" x ($1 =~ tr!\n!!)/msger =~ s/`[^`\n]*`/x/gr;

	while ($plain =~ /\]\(([^)\s]+)\)/g)
	{
		push(@links, [ $1, 1 + (substr($plain, 0, $-[0]) =~ tr/\n//) ]);
	}
	return @links;
}

# Files that are not there, and headings. Addresses elsewhere are not looked at.
sub dead_links
{
	my @complaints;
	foreach my $page (pages(), glob('clients/*/README.md'), 'CONTRIBUTING.md', 'CHANGELOG.md')
	{
		foreach my $link (links(read_file($page)))
		{
			my ($target, $line) = @$link;
			next if $target =~ m!^[a-z]+:!;
			my ($path, $anchor) = split(/#/, $target);
			my $file = $path ? resolve($page, $path) : $page;

			if (!-f $file)
			{
				push(@complaints, "$page:$line: no file $target");
			}
			elsif (defined $anchor && !grep { $_ eq $anchor } anchors(read_file($file)))
			{
				push(@complaints, "$page:$line: no heading $target");
			}
		}
	}
	return @complaints;
}

sub resolve
{
	my ($page, $path) = @_;
	my @parts = split(m!/!, $page);

	pop(@parts);
	foreach my $part (split(m!/!, $path))
	{
		$part eq '..' ? pop(@parts) // return '' : $part eq '.' ? next : push(@parts, $part);
	}
	return join('/', @parts);
}

# The contents are docs/README.md.
sub unlisted_pages
{
	my %listed = map { resolve('docs/README.md', $_->[0]) => 1 } links(read_file('docs/README.md'));

	return map { "$_: not in docs/README.md" } grep { !$listed{$_} } grep { !/README\.md$/ } pages();
}

# As the site and the usual viewers of a repository make them, where both agree.
sub anchors
{
	my ($text) = @_;
	my $plain = $text =~ s/^ *```.*?^ *```$//msgr;
	my @anchors;

	foreach my $heading ($plain =~ /^#+ +(.*)$/mg)
	{
		my $slug = lc($heading =~ s/[^\w\s-]//gr =~ s/^\s+|\s+$//gr) =~ s/\s/-/gr;
		push(@anchors, $slug) if $slug !~ /--/;
	}
	return @anchors;
}

# The page with all that it quotes as it is now in what it is quoted from; and
# what cannot be found there.
sub requote
{
	my ($page, $text) = @_;
	my @missing;

	$text =~ s{(<!-- quoted: ([^,\n]+), ([^,\n]+), (\d+) -->\n)((?:\|.*\n)+)}{
		$1 . requote_table("$page: $2, $3", $5, $4, [ tables($2, $3) ], \@missing)}ge;
	$text =~ s{(<!-- quoted: ([^,\n]+) -->\n```\w*\n)(.*?)(^```$)}{$1 . quoted_file($2, \@missing) . $4}msge;
	return ($text, @missing);
}

sub requote_table
{
	my ($place, $table, $nkeys, $candidates, $missing) = @_;
	my ($header, $rule, @rows) = split(/\n/, $table);
	my ($source) = grep { $_->[0] eq $header } @$candidates;
	my %row;

	unless ($source)
	{
		push(@$missing, "$place: no table with the header $header");
		return $table;
	}
	$row{ key_of($_, $nkeys) } //= $_ foreach @$source[ 2 .. $#$source ];
	foreach my $row (@rows)
	{
		my $key = key_of($row, $nkeys);
		push(@$missing, "$place: no row $key") unless defined $row{$key};
		$row = $row{$key} // $row;
	}
	return join('', map { "$_\n" } $header, $source->[1], @rows);
}

sub key_of { my ($row, $nkeys) = @_; return join('|', (split(/ *\| */, $row))[ 1 .. $nkeys ]); }

# The tables of a chapter, each a list of its lines.
sub tables
{
	my ($file, $title) = @_;
	my @chapters = split(/^(?=#+ )/m, -f $file ? read_file($file) : '');

	return map { [ split(/\n/) ] } map { /((?:^\|.*\n)+)/mg } grep { /^#+ \Q$title\E\n/ } @chapters;
}

sub quoted_file
{
	my ($file, $missing) = @_;

	return read_file($file) if -f $file;
	push(@$missing, "no file $file");
	return '';
}

# Quotes that are not what they were quoted from says.
sub wrong_quotes
{
	my ($nquotes, @complaints) = (0);
	foreach my $page (pages())
	{
		my $text = read_file($page);
		my ($right, @missing) = requote($page, $text);
		my @lines = split(/\n/, $text);
		my @right_lines = split(/\n/, $right);

		$nquotes += () = $text =~ /^<!-- quoted:/mg;
		push(@complaints, @missing);
		push(@complaints, "$page: not as in the report (test/manual/quote): $_")
		  foreach grep { my $line = $_; !grep { $_ eq $line } @right_lines } @lines;
		push(@complaints, "$page: not as in the report (test/manual/quote)") if $text ne $right && !@complaints;
	}
	return $nquotes ? @complaints : 'nothing is quoted';
}

1;
