#!/usr/bin/perl
#
# DBD::Pg: bytes are bound as PG_BYTEA, all else has no type; an array is one.
#
use strict;
use warnings;
use DBD::Pg qw(:pg_types);
use DBI;
use Digest::SHA qw(sha256_hex);
use JSON::PP;

my $json = JSON::PP->new->allow_nonref->canonical;
my %sessions = map { $_ => DBI->connect('dbi:Pg:', '', '', { RaiseError => 1, PrintError => 0 }) } qw(A B);
my %transaction = (begin => 'begin_work', commit => 'commit', rollback => 'rollback');
my %remembered;

$| = 1;
binmode(STDOUT, ':raw');
open(my $story, '<:encoding(UTF-8)', $ARGV[0]) or die "could not open $ARGV[0]: $!";
while (<$story>)
{
	chomp;
	my ($name, $statement) = split(/\t/);

	print(eval { answer($sessions{$name}, $statement) } // 'error ' . ($sessions{$name}->state || "driver $@" =~ s/\s+/ /gr), "\n");
}
$_->disconnect foreach values %sessions;

sub answer
{
	my ($session, $statement) = @_;

	if (my $method = $transaction{$statement})
	{
		$session->$method;
		return '';
	}
	my $sth = execute($session, parse($statement));
	return '' unless $sth->{NUM_OF_FIELDS};
	my ($names, $types) = @$sth{qw(NAME pg_type)};
	my @rows;
	while (my $row = $sth->fetchrow_arrayref)
	{
		@remembered{@$names} = @$row;
		push(@rows, join('|', map { shown($row->[$_], $types->[$_]) } 0 .. $#$row));
	}
	return join(';', @rows);
}

sub execute
{
	my ($session, $text, @parameters) = @_;
	my $sth = $session->prepare($text);

	$sth->bind_param($_ + 1, @{ $parameters[$_] }) foreach 0 .. $#parameters;
	$sth->execute;
	return $sth;
}

# The statement with $1, $2 and so on, and what is bound to these.
sub parse
{
	my ($statement) = @_;
	my @parameters;

	$statement =~ s{<<(\S+) (.*?)>>}{
		push(@parameters, $1 eq '=' ? [ $remembered{$2} ] : read_as($1, content($1, $2)));
		'$' . @parameters }ge;
	return ($statement, @parameters);
}

sub content
{
	my ($type, $given) = @_;

	return $given unless $given =~ /^@(.*)/;
	open(my $file, $type eq 'bytes' ? '<:raw' : '<:raw:encoding(UTF-8)', $1) or die "could not open $1: $!";
	local $/;
	return <$file>;
}

sub read_as
{
	my ($type, $content) = @_;

	return [ $content, { pg_type => PG_BYTEA } ] if $type eq 'bytes';
	return [ $json->encode($json->decode($content)) ] if $type eq 'json';
	return ["$content seconds"] if $type eq 'duration';
	return [ [ split(/,/, $content) ] ] if $type eq 'texts';
	return [$content];
}

sub shown
{
	my ($value, $type) = @_;

	return 'NULL' unless defined($value);
	return $value ? 'true' : 'false' if $type eq 'bool';
	return hashed('bytes', $value) if $type eq 'bytea';
	$value = $json->encode($value) if ref($value);
	return $value if $value =~ /\A[ -~]{0,80}\z/;
	utf8::encode($value);
	return hashed('text', $value);
}

sub hashed
{
	my ($type, $content) = @_;

	return "$type " . length($content) . ' ' . sha256_hex($content);
}
