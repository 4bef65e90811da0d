# What a key takes: on the disc of PostgreSQL with its share of the indexes, and in
# the memory of Redis and memcached, as each says itself.
#
# Nothing is rewritten for the occasion: tables are as the calls have left them,
# after VACUUM and expire, which come by in practice.
package BenchBytes;

use v5.36;
use BenchLoad;
use BenchSetup;
use BenchWork;
use Exporter qw(import);
use IO::Socket::INET;
use List::Util qw(max min);

our @EXPORT = qw(measure_bytes);

# As many as make the least size of a table of ours not count.
my %resources_of = (1 => 100_000, 10 => 100_000, 64 => 40_000, 1000 => 8000);

# each with the tables that it fills, the first of which has a row a key
my @stores = (
	{
		work => 'idempotency-work', title => 'completed record, 1 kB body',
		tables => { idemstore => ['idemstore.idempotency_records'], sql => ['rival.idempotency_records'] } },
	{
		work => 'cache-set-1000', title => 'cache entry, 1 kB', keys => 10_000, memcached => 1,
		tables => { idemstore => ['idemstore.cache_entries'], sql => ['swept.json_entries'] } },
	{
		work => 'cache-set-tags', title => 'cache entry, 1 kB, 3 tags', keys => 10_000,
		tables => { idemstore => ['idemstore.cache_entries'], sql => [ 'tagged.json_entries', 'tagged.tags' ] } });

# What comes back: [ { title, sides => { name => { title, bytes, keys } } } ], where
# bytes are those of one of so many keys.
sub measure_bytes ($servers, %options)
{
	my %work = map { ("$_->{family}-$_->{name}" => $_) } all_work();
	my @sizes;

	for my $store (@stores)
	{
		$options{progress}->("size of a key: $store->{title}");
		push(@sizes, { title => $store->{title}, sides => _store_sizes($servers, $work{ $store->{work} }, $store, $options{scale}) });
	}
	for my $requests (sort { $a <=> $b } keys %resources_of)
	{
		$options{progress}->("size of a key: resource after $requests requests");
		push(@sizes, {
			title => "resource after $requests requests",
			sides => _resource_sizes($servers, $work{'ratelimit-keys'}, $requests, max(10, int($resources_of{$requests} * $options{scale}))) });
	}
	return \@sizes;
}

sub _store_sizes ($servers, $work, $store, $scale)
{
	my $keys = max(10, int(10_000 * $scale));
	my %sides;

	$work->{keys} = $keys if $store->{keys};
	$work->{before} = [ 'TRUNCATE ' . join(', ', map { @$_ } values %{ $store->{tables} }) ];
	prepare_work($servers, $work);
	for my $name (keys %{ $store->{tables} })
	{
		# random keys: after three times as many calls nearly all are there
		_call($servers, $work, $work->{sides}{$name}, $store->{keys} ? 3 * $keys : $keys);
		$sides{$name} = _size_of_tables($servers->db($work->{database}), @{ $store->{tables}{$name} });
	}
	$sides{redis} = _in_redis($servers, sub ($redis) { return _set_values($redis, $work, $keys) });
	$sides{memcached} = _in_memcached($servers, $keys, $work->{bytes}) if $store->{memcached};
	$sides{$_}{title} = $work->{sides}{$_}{title} for keys %sides;
	return \%sides;
}

sub _resource_sizes ($servers, $work, $requests, $resources)
{
	$work->{before} = ['TRUNCATE idemstore.rate_limit_state, counter.limits'];
	prepare_work($servers, $work);
	my $db = $servers->db($work->{database});
	my %sides = (idemstore => _size_of_resources($db, $requests, $resources), sql => _size_of_counters($db, $requests, $resources));

	for my $name (qw(window log))
	{
		my $keys = max(10, int($resources / 10));
		$sides{$name} = _in_redis($servers, sub ($redis) {
			_call_lua($redis, $work->{sides}{$name}{lua}, $keys, $requests, "{'$name:' .. i}", "{1000000, 3600000}");
			return $redis->dbsize;
		});
	}
	$sides{$_}{title} = $work->{sides}{$_}{title} for keys %sides;
	return \%sides;
}

# expire comes by when a resource is new, and after every few of its requests.
sub _size_of_resources ($db, $requests, $resources)
{
	my $from = 1;

	while ($from <= $requests)
	{
		my $to = $from == 1 ? 1 : min($requests, $from + 9);

		$db->do(<<~"SQL");
			SELECT count(idemstore.acquire((100000000000 + i)::text, quota => 1000000, per => '1 hour'))
			FROM generate_series($from, $to), generate_series(1::bigint, $resources) AS i
			SQL
		$db->do('CALL idemstore.expire_all()');
		$from = $to + 1;
	}
	return _size_of_tables($db, 'idemstore.rate_limit_state');
}

# Neighbours on a page are not changed by one transaction. Beyond ten changes of a
# row nothing new comes.
sub _size_of_counters ($db, $requests, $resources)
{
	$db->do("INSERT INTO counter.limits SELECT 100000000000 + i, now(), 1 FROM generate_series(1::bigint, $resources) AS i");
	for (2 .. min($requests, 10))
	{
		$db->do(<<~"SQL");
			DO \$\$ BEGIN
				FOR part IN 0 .. 999 LOOP
					UPDATE counter.limits SET n = n + 1
					WHERE resource = ANY (ARRAY(
						SELECT (100000000000 + i)::text FROM generate_series(1::bigint + part, $resources, 1000) AS i));
					COMMIT;
				END LOOP;
			END \$\$
			SQL
	}
	return _size_of_tables($db, 'counter.limits');
}

sub _call ($servers, $work, $side, $ops)
{
	local $ENV{PGOPTIONS} = '-c client_min_messages=warning -c synchronous_commit=off';

	run_load($servers, $side,
		clients => 1, ops => $ops, values => work_values($work, $ops), database => $work->{database});
	return;
}

sub _size_of_tables ($db, @tables)
{
	my $bytes = 0;
	my $keys = $db->selectrow_array("SELECT count(*) FROM $tables[0]");

	for my $table (@tables)
	{
		$db->do("VACUUM $table");
		$bytes += $db->selectrow_array('SELECT pg_total_relation_size(?)', {}, $table);
	}
	return { bytes => $bytes / $keys, keys => $keys };
}

# $fill says how many keys there are then.
sub _in_redis ($servers, $fill)
{
	my $redis = $servers->redis;

	$redis->flushall;
	my $before = $redis->info->{used_memory};
	my $keys = $fill->($redis);
	my $bytes = ($redis->info->{used_memory} - $before) / $keys;

	$redis->flushall;
	return { bytes => $bytes, keys => $keys };
}

# Sets of tags count, but the keys are the entries'. These have the tags of ours.
sub _set_values ($redis, $work, $keys)
{
	my $tags = $work->{sides}{redis}{lua};
	my $json = work_values($work, 1)->{json};

	_call_lua($redis, $tags // q{redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])}, $keys, 1,
		"{'entry:' .. i" . ($tags ? ", 'tag:tenant:' .. i % 100, 'tag:user:' .. i % 1000, 'tag:page:' .. i}" : '}'),
		"{'$json', 3600000}");
	return $keys;
}

# A script again and again, in Redis itself.
sub _call_lua ($redis, $lua, $count, $times, $keys, $arguments)
{
	return $redis->eval(<<~"LUA", 0);
		local script = function(KEYS, ARGV)
			$lua
		end
		for i = 100000000001, 100000000000 + $count do
			for n = 1, $times do script($keys, $arguments) end
		end
		LUA
}

sub _in_memcached ($servers, $keys, $bytes)
{
	$servers->empty_memcached;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $servers->port)
	  or die "no connection to memcached: $!\n";
	my %before = _memcached_stats($socket);

	for my $i (1 .. $keys)
	{
		print $socket "set entry:", 100_000_000_000 + $i, " 0 3600 $bytes\r\n", 'x' x $bytes, "\r\n";
		my $answer = <$socket> // '';
		die "memcached did not store an entry: $answer\n" unless $answer =~ /^STORED/;
	}
	my %after = _memcached_stats($socket);
	die "memcached had no room for $keys entries\n" if $after{evictions} != $before{evictions};
	return { bytes => ($after{bytes} - $before{bytes}) / ($after{curr_items} - $before{curr_items}), keys => $keys };
}

sub _memcached_stats ($socket)
{
	my %stats;

	print $socket "stats\r\n";
	while (my $line = <$socket>)
	{
		last if $line =~ /^END/;
		$stats{$1} = $2 if $line =~ /^STAT (\w+) (\S+)/;
	}
	return %stats;
}

1;
