# How long one call takes to invalidate so many entries by a tag, on each side.
# Every entry has two more tags, of a thousand.
package BenchInvalidate;

use v5.36;
use BenchFigures;
use Exporter qw(import);
use List::Util qw(shuffle);
use Time::HiRes qw(time);

our @EXPORT = qw(measure_invalidation);

my $fill_redis = <<~'LUA';
	for i = 1, ARGV[1] do
		local key = KEYS[1] .. ':' .. i
		redis.call('SET', key, ARGV[2], 'PX', 86400000)
		for _, tag in ipairs({ KEYS[1], 'user-' .. i % 1000, 'page-' .. i * 7 % 1000 }) do
			redis.call('SADD', 'tag:' .. tag, key)
		end
	end
	LUA
my $invalidate_redis = <<~'LUA';
	local keys = redis.call('SMEMBERS', KEYS[1])
	for i = 1, #keys, 1000 do
		redis.call('UNLINK', unpack(keys, i, math.min(i + 999, #keys)))
	end
	redis.call('UNLINK', KEYS[1])
	return #keys
	LUA
my %title_of = (idemstore => 'idemstore', plpgsql => 'PL/pgSQL, join table', redis => 'Redis, Lua on a set');

# sizes, rounds, database; back comes { titles, rows => [ { size, ms => { side => [
# quartiles ] }, ratio => { side => [ quartiles of its ms to ours ] } } ] }
sub measure_invalidation ($servers, %options)
{
	my %ms;

	$servers->place('all');
	for my $size (@{ $options{sizes} })
	{
		for my $round (1 .. $options{rounds})
		{
			my $tag = "sale-$size-$round";
			_fill($servers, $options{database}, $tag, $size);
			for my $side (shuffle keys %title_of)
			{
				push(@{ $ms{$size}{$side} }, _invalidate($servers, $options{database}, $side, $tag, $size));
			}
		}
	}
	return { titles => \%title_of, rows => [ map { _row($_, $ms{$_}) } @{ $options{sizes} } ] };
}

sub _fill ($servers, $database, $tag, $size)
{
	my $db = $servers->db($database);

	$db->do('CALL bench.make_tagged(?, ?)', undef, $tag, $size);
	$db->do("VACUUM ANALYZE $_") for qw(idemstore.cache_entries tagged.json_entries tagged.tags);
	$servers->redis->eval($fill_redis, 1, $tag, $size, BenchWork::work_values({}, 1)->{json});
	return;
}

sub _invalidate ($servers, $database, $side, $tag, $size)
{
	my $schema = $side eq 'idemstore' ? 'idemstore' : 'tagged';
	my $db = $servers->db($database);
	my $redis = $servers->redis;
	my $began = time;
	my $removed =
	  $side eq 'redis'
	  ? $redis->eval($invalidate_redis, 1, "tag:$tag")
	  : $db->selectrow_array("SELECT $schema.invalidate_by_tag(?)", undef, $tag);
	my $ms = (time - $began) * 1000;

	die "$side removed $removed of $size entries\n" if $removed != $size;
	return $ms;
}

sub _row ($size, $ms)
{
	my $ours = $ms->{idemstore};

	return {
		size => $size,
		ms => { map { $_ => [ quartiles(@{ $ms->{$_} }) ] } keys %$ms },
		ratio => { map {
			my $theirs = $ms->{$_};
			$_ => [ quartiles(map { $theirs->[$_] / $ours->[$_] } 0 .. $#$ours) ];
		} keys %$ms } };
}

1;
