# The rules of PGXN's meta spec 1.0.0, as it publishes them. An empty list or map,
# which it allows in places, says nothing, and is refused in all.
package Meta;

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(meta_complaints);

my $number = qr/(?:0|[1-9]\d*)/;
my $version = qr/$number\.$number\.$number(?:-[0-9A-Za-z.-]+)?/;
my $range = qr/(?:(?:<|<=|>|>=|==|!=)\s*)?(?:$version|0)/;
my %license = map { $_ => 1 } qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3
  gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib
  open_source restricted unrestricted unknown);

# A type is a sub that returns what is wrong with a value at a place.
my $string = matching('a string', qr/\A.+\z/s);
my $term = matching('a term', qr![^/\\[:cntrl:]\s]{2,}!);
my $tag = matching('a tag', qr![^/\\[:cntrl:]]{1,255}!);
my $uri = matching('a URI', qr![A-Za-z][A-Za-z0-9+.-]*:\S+!);
my $path = matching('a relative path', qr!(?\!/|.*(?:^|/)\.\.(?:/|$))[^\\]+!);
my $semver = matching('a version', $version);
my $versions = map_of($term, matching('a range of versions', qr/$range(?:\s*,\s*$range)*/));
my $known_license = matching('a license', sub { $license{ $_[0] } });

my $structure = fields(
	[qw(abstract maintainer license provides meta-spec name version)],
	abstract => $string,
	maintainer => list_of($string),
	license => either(map_of($string, $uri), list_of($known_license)),
	provides => map_of($term,
		fields([qw(file version)], file => $path, version => $semver, abstract => $string, docfile => $path)),
	'meta-spec' => fields(['version'], version => matching('version 1', qr/1\.0\.\d+/), url => $uri),
	name => $term,
	version => $semver,
	description => $string,
	generated_by => $string,
	tags => list_of($tag),
	no_index => fields([], file => list_of($path), directory => list_of($path)),
	prereqs => map_of(matching('a phase', qr/configure|build|test|runtime|develop/),
		map_of(matching('a relationship', qr/requires|recommends|suggests|conflicts/), $versions)),
	release_status => matching('a status', qr/stable|testing|unstable/),
	resources => fields([],
		homepage => $uri,
		bugtracker => fields([], web => $uri, mailto => $string),
		repository => fields([], url => $uri, web => $uri, type => matching('lower case', qr/[a-z]+/))));

sub meta_complaints
{
	my ($meta) = @_;
	return $structure->($meta, 'META.json');
}

# A rule is a pattern of the whole value, or a sub that says yes to it.
sub matching
{
	my ($what, $rule) = @_;
	return sub {
		my ($value, $place) = @_;
		return if defined $value && !ref $value && (ref $rule eq 'CODE' ? $rule->($value) : $value =~ /\A(?:$rule)\z/);
		return "$place is not $what";
	};
}

# One value stands for a list of one.
sub list_of
{
	my ($type) = @_;
	return sub {
		my ($value, $place) = @_;
		my @values = ref $value eq 'ARRAY' ? @$value : ($value);
		return "$place is empty" unless @values;
		return map { $type->($values[$_], "$place\[$_]") } 0 .. $#values;
	};
}

sub map_of
{
	my ($key_type, $type) = @_;
	return sub {
		my ($value, $place) = @_;
		return "$place is not a map" unless ref $value eq 'HASH';
		return "$place is empty" unless %$value;
		return map { $key_type->($_, "$place: key $_"), $type->($value->{$_}, "$place.$_") } sort keys %$value;
	};
}

# A map of known keys; what begins with x_ is anybody's.
sub fields
{
	my ($required, %type) = @_;
	return sub {
		my ($value, $place) = @_;
		return "$place is not a map" unless ref $value eq 'HASH';
		return (
			(map { "$place has no $_" } grep { !exists $value->{$_} } @$required),
			(map { exists $type{$_} ? $type{$_}->($value->{$_}, "$place.$_") : "$place.$_ is not known" }
				grep { !/\Ax_/i } sort keys %$value));
	};
}

sub either
{
	my ($map, $list) = @_;
	return sub { return ref $_[0] eq 'HASH' ? $map->(@_) : $list->(@_); };
}

1;
