# What is measured: for each piece of work, the sides that do it, each the way
# its users run it, and what ours is held against.
#
# A piece of work has a name and a title, the family that it belongs to, and
#
#	sides	name => what BenchLoad runs, and title
#	against	[ side, the least ratio of ours to its throughput, by which number
#		of clients, where not all ]; a side more than once where it differs by that
#	loads	those it is run with, where not all
#	before	SQL to be run once before the first round
#	durable	the answer is on the disc before it is given
#
# In what is run, {name} and :name stand for the values of work_values().
package BenchWork;

use v5.36;
use Digest::MD5 qw(md5_hex);
use Exporter qw(import);

our @EXPORT = qw(all_work family_titles work_values start_sql insert_claim_sql select_record_sql select_entry_sql);

my $first_key = 100_000_000_000;     # all keys have twelve digits, as redis-benchmark's
my $new_keys = 2_000_000_000;        # the most that redis-benchmark takes
my $day = 86_400_000;                # in milliseconds
my $headers = q({"content-type": "application/json"});
my %sizes = (100 => '100 B', 1000 => '1 kB', 10_000 => '10 kB');
my $cached = 10_000;                 # entries of each size
my $resources = 100_000;

my %title_of = (
	idemstore => 'idemstore', plpgsql => 'PL/pgSQL', sql => 'SQL, prepared', redis => 'Redis',
	rows => '100 rows of acquire', window => 'Redis, Lua window', log => 'Redis, Lua log', memcached => 'memcached', select1 => 'SELECT 1',
	nextval => 'nextval', empty => 'empty C function', select => 'SELECT by primary key', insert => 'plain INSERT',
	postgres => 'rate-limiter-flexible, PostgreSQL', flexible => 'rate-limiter-flexible, Redis',
	one => 'cache_get, one by one', single => 'acquire, one by one');

sub family_titles
{
	return (
		idempotency => 'Idempotency', ratelimit => 'Rate limits', cache => 'Cache', dedupe => 'Dedupe');
}

# What the load generators put in for names. A run gets keys that no other had.
sub work_values ($work, $ops)
{
	state $runs = 0;
	my $size = $work->{bytes} // 1000;

	return {
		first => $first_key,
		last => $first_key + ($work->{keys} // 1) - 1,
		keys => $work->{keys} // ($work->{storm} ? int($ops / 5) + 1 : $new_keys),
		run => ++$runs,
		text => _text(1024),
		body => '\x' . unpack('H*', _text(1024)),
		json => '"' . _text($size - 2) . '"' };
}

# Text that does not shrink much when it is compressed.
sub _text ($bytes)
{
	return substr(join('', map { md5_hex($_) } 0 .. $bytes / 32), 0, $bytes);
}

sub all_work
{
	return map { _with_titles($_) } _idempotency(), _ratelimit(), _cache(), _dedupe();
}

sub _with_titles ($work)
{
	for my $name (keys %{ $work->{sides} })
	{
		my $side = $work->{sides}{$name};
		$side->{title} //= $title_of{$name} // die "no title for side $name";
		$side->{system} //= $side->{redis} ? 'redis' : $side->{memcached} ? 'memcached' : 'postgres';
	}
	return $work;
}

sub _pgbench ($script)
{
	return { pgbench => $script };
}

# A call as a service makes it, which does not know what it will be told.
sub start_sql ($schema, $key, $fingerprint)
{
	return 'SELECT outcome, fence, response_status, response_headers, response_body, retry_after_seconds'
	  . " FROM $schema.start_processing($key, $fingerprint);\n";
}

sub insert_claim_sql ($schema, $fingerprint)
{
	return <<~"SQL";
		INSERT INTO $schema.idempotency_records
			(key, scope, fingerprint, status, fence, attempt, lease_expires_at, expires_at, created_at)
		VALUES (:k, '', $fingerprint, 'processing', 1, 1, now() + '5 min', now() + '1 day', now())
		ON CONFLICT (key, scope) DO NOTHING;
		SQL
}

sub select_record_sql ($schema)
{
	return <<~"SQL";
		SELECT status, fingerprint, response_status, response_headers, response_body, error
		FROM $schema.idempotency_records WHERE key = :k AND scope = '';
		SQL
}

sub select_entry_sql ($table)
{
	return "SELECT value FROM $table WHERE key = :k AND (expires_at IS NULL OR expires_at > now());\n";
}

# Answered with the key in doubt: one command claims it or shows what is there.
sub _redis_claim ($key)
{
	return [ 'SET', $key, 'processing', 'NX', 'GET', 'PX', $day ];
}

sub _idempotency
{
	my $new_key = "\\set k random($first_key, 900000000000000000)\n";
	my $old_key = "\\set k random(:first, :last)\n";
	my $start = start_sql('%s', ':k', q('print'));
	my $insert = insert_claim_sql('rival', q('print'));
	my $update = <<~'SQL';
		UPDATE rival.idempotency_records SET
			status = 'complete', completed_at = now(), lease_expires_at = NULL,
			response_status = 200, response_headers = HEADERS, response_body = :body
		WHERE key = :k AND scope = '' AND status = 'processing' AND fence = 1;
		SQL
	my $complete = "SELECT %s.complete(:k, 200, HEADERS, :text);\n";
	my @emptied = map { "TRUNCATE $_.idempotency_records" } qw(idemstore rival);
	my $in_one = sub ($call, $completion) {
		return _pgbench($new_key . "BEGIN;\n" . $call . $completion =~ s/HEADERS/'$headers'/r . "COMMIT;\n");
	};
	my $of = sub ($side, $text) { return sprintf($text, $side) };
	my $new_sides = sub ($system) {
		return {
			idemstore => _pgbench($new_key . $of->(idemstore => $start)),
			sql => _pgbench($new_key . $insert),
			plpgsql => _pgbench($new_key . $of->(rival => $start)),
			redis => { system => $system, redis => [ _redis_claim('claim:__rand_int__') ] } };
	};
	my $work_sides = sub ($system) {
		return {
			idemstore => $in_one->($of->(idemstore => $start), $of->(idemstore => $complete)),
			sql => $in_one->($insert, $update),
			plpgsql => $in_one->($of->(rival => $start), $of->(rival => $complete)),
			redis => { system => $system, redis => [
				_redis_claim('work:__rand_int__'), [ 'SET', 'work:__rand_int__', '{json}', 'PX', $day ] ] } };
	};

	return (
		{
			family => 'idempotency', name => 'claim', title => 'claim of a new key', before => \@emptied,
			sides => $new_sides->('redis'), against => [ [ 'sql' ], [ 'plpgsql' ], [ 'redis' ] ] },
		{
			family => 'idempotency', name => 'work', title => 'claim and complete, 1 kB, in one transaction', before => \@emptied,
			sides => $work_sides->('redis'),
			against => [ [ 'sql', 1.0 ], [ 'plpgsql', 1.0 ], [ 'redis' ] ] },
		{
			family => 'idempotency', name => 'replay', title => 'replay, 1 kB body', keys => 20_000,
			filled => 'replay:',
			before => [ @emptied, 'CALL bench.make_records(20000)' ],
			sides => {
				idemstore => _pgbench($old_key . $of->(idemstore => $start)),
				select => _pgbench($old_key . select_record_sql('rival')),
				plpgsql => _pgbench($old_key . $of->(rival => $start)),
				redis => { redis => [ _redis_claim('replay:__rand_int__') ] } },
			against => [ [ 'select', 0.85 ], [ 'plpgsql' ], [ 'redis' ] ] },
		{
			family => 'idempotency', name => 'storm', title => 'storm: 4 duplicates to each claim', storm => 1, before => \@emptied,
			sides => {
				(map {
					my $schema = $_ eq 'idemstore' ? $_ : 'rival';
					$_ => _pgbench("\\set k random(1, :keys)\n"
						. start_sql($schema, q('storm-' || :run || '-' || :k), q('print')));
				} qw(idemstore plpgsql)),
				redis => { redis => [ _redis_claim('storm:{run}:__rand_int__') ] } },
			against => [ [ 'plpgsql' ], [ 'redis' ] ] },
		{
			family => 'idempotency', name => 'claim-durable', title => 'claim of a new key, durable', durable => 1, before => \@emptied,
			sides => { %{ $new_sides->('redis-durable') },
				insert => _pgbench("\\set k random($first_key, 900000000000000000)\nINSERT INTO bench.plain VALUES (:k);\n") },
			against => [ [ 'sql' ], [ 'plpgsql' ], [ 'insert' ], [ 'redis' ] ] },
		{
			family => 'idempotency', name => 'work-durable', title => 'claim and complete, durable', durable => 1, before => \@emptied,
			sides => $work_sides->('redis-durable'), against => [ [ 'sql', 1.0 ], [ 'plpgsql', 1.0 ], [ 'redis' ] ] });
}

sub _ratelimit
{
	my $key = "\\set k random(:first, :last)\n";
	# A fixed window, as most write it. It admits twice the quota around its end.
	my $window = <<~'LUA';
		local n = redis.call('INCRBY', KEYS[1], 1)
		if n == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
		return n <= tonumber(ARGV[1]) and 1 or 0
		LUA
	# A log of the requests in a sorted set, which admits what idemstore admits.
	my $log = <<~'LUA';
		local t = redis.call('TIME')
		local now = t[1] * 1000000 + t[2]
		redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2] * 1000)
		if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
		redis.call('ZADD', KEYS[1], now, t[1] .. t[2] .. math.random(1000000))
		redis.call('PEXPIRE', KEYS[1], ARGV[2])
		return 1
		LUA
	my $redis = sub ($lua, $name, $quota, $period) {
		return { lua => $lua, redis => [ [ 'EVALSHA', '{sha}', 1, $name, $quota, $period ] ] };
	};
	my $many = join('', map { "\\set k$_ random(:first, :last)\n" } 1 .. 100);
	my $names = 'ARRAY[' . join(', ', map { ":k$_\::text" } 1 .. 100) . ']';
	my $floors = sub {
		return (
			select1 => _pgbench("SELECT 1;\n"),
			nextval => _pgbench("SELECT nextval('bench.numbers');\n"),
			empty => _pgbench($key . "SELECT bench.empty(:k);\n"));
	};
	my $upsert = <<~'SQL';
		INSERT INTO counter.limits AS t VALUES (:k, now(), 1)
		ON CONFLICT (resource) DO UPDATE SET
			began_at = CASE WHEN t.began_at + '1 hour' <= now() THEN now() ELSE t.began_at END,
			n = CASE WHEN t.began_at + '1 hour' <= now() THEN 0 ELSE t.n END + 1
		WHERE t.began_at + '1 hour' <= now() OR t.n < 1000000000;
		SQL
	my $sides = sub ($quota, $script, $period = 3_600_000) {
		return (
			idemstore => _pgbench($script . "SELECT idemstore.acquire(:k);\n"),
			plpgsql => _pgbench($script . "SELECT counter.acquire(:k, $quota, '1 hour');\n"),
			window => $redis->($window, 'window:__rand_int__', $quota, $period),
			log => $redis->($log, 'log:__rand_int__', $quota, $period));
	};

	return (
		{
			family => 'ratelimit', name => 'keys', title => 'acquire, 100,000 keys', keys => $resources,
			before => ["CALL bench.make_resources($first_key, $resources)"],
			sides => { $sides->(1_000_000, $key), sql => _pgbench($key . $upsert), $floors->() },
			against => [ [ 'select1', 0.9, 1 ], [ 'window', 1.0, 1 ], [ 'log' ], [ 'plpgsql' ], [ 'sql' ],
				[ 'nextval' ], [ 'empty' ] ] },
		{
			family => 'ratelimit', name => 'hot', title => 'acquire, one hot key', keys => 1,
			sides => { $sides->(1_000_000, $key), sql => _pgbench($key . $upsert), select1 => _pgbench("SELECT 1;\n") },
			against => [ [ 'select1', 0.9, 1 ], [ 'window', 1.0, 1 ], [ 'log' ], [ 'plpgsql' ], [ 'sql' ] ] },
		{
			# redis-benchmark's pipeline answers in the end, as one call does
			family => 'ratelimit', name => 'many', title => 'acquire_many of 100, 100,000 keys', keys => $resources, batch => 100,
			before => [ "CALL bench.make_resources($first_key, $resources)" ],
			sides => {
				idemstore => _pgbench($many . "SELECT idemstore.acquire_many($names);\n"),
				rows => _pgbench($many . "SELECT idemstore.acquire(k) FROM unnest($names) AS k;\n"),
				window => { %{ $redis->($window, 'window:__rand_int__', 1_000_000, 3_600_000) }, pipeline => 100 } },
			against => [ [ 'rows' ], [ 'window', 1.5, 1 ], [ 'window', 1.0, 2 ] ] },
		{
			family => 'ratelimit', name => 'denied', title => 'acquire, 99 % denied', keys => 100,
			sides => {
				idemstore => _pgbench("\\set k random(200000000000, 200000000099)\nSELECT idemstore.acquire(:k);\n"),
				plpgsql => _pgbench("\\set k random(200000000000, 200000000099)\n"
					. "SELECT counter.acquire(:k, CASE :k::bigint WHEN 200000000000 THEN 1000000000 ELSE 1 END, '1 hour');\n"),
				window => $redis->($window, 'denied:__rand_int__', 1, 3_600_000),
				log => $redis->($log, 'denied-log:__rand_int__', 1, 3_600_000) },
			against => [ [ 'window', 1.0, 1 ], [ 'log' ], [ 'plpgsql' ] ] },
		{
			family => 'ratelimit', name => 'node', title => 'from Node.js, 100,000 keys', keys => $resources,
			sides => {
				idemstore => { node => ['idemstore'] },
				postgres => { node => ['postgres'] },
				flexible => { node => ['redis'], system => 'redis' } },
			against => [ [ 'postgres', 3.0 ], [ 'flexible' ] ] },
		{
			family => 'ratelimit', name => 'gathered', title => 'from Node.js, gathered, 100,000 keys', keys => $resources,
			loads => [ '1', '100', '1000' ],
			sides => {
				idemstore => { node => ['gathered'] },
				single => { node => ['idemstore'] },
				postgres => { node => ['postgres'] },
				flexible => { node => ['redis'], system => 'redis' },
				window => { node => ['window'], system => 'redis' } },
			against => [ [ 'postgres', 2.0, 1 ], [ 'postgres', 15.0, 100 ], [ 'flexible', 2.0, 100 ], [ 'flexible', 3.0, 1000 ],
				[ 'window' ], [ 'single' ] ] });
}

sub _cache
{
	my $key = "\\set k random(:first, :last)\n";
	my @work;

	for my $bytes (sort { $a <=> $b } keys %sizes)
	{
		push(@work, {
			family => 'cache', name => "get-$bytes", title => "get, $sizes{$bytes}", keys => $cached, bytes => $bytes,
			before => [ "CALL bench.make_entries($first_key, $cached, $bytes)" ],
			filled => 'entry:',
			sides => {
				idemstore => _pgbench($key . "SELECT idemstore.cache_get(:k);\n"),
				select => _pgbench($key . select_entry_sql('plain.json_entries')),
				redis => { redis => [ [ 'GET', 'entry:__rand_int__' ] ] },
				memcached => { memcached => { get => $bytes } } },
			against => [ [ 'select', 1.0 ], [ 'redis', 0.6, 1 ], [ 'memcached' ] ] },
		{
			family => 'cache', name => "set-$bytes", title => "set, $sizes{$bytes}", keys => $cached, bytes => $bytes,
			sides => {
				idemstore => _pgbench($key . "SELECT idemstore.cache_set(:k, :json, '1 hour');\n"),
				sql => _pgbench($key . <<~'SQL'),
					INSERT INTO swept.json_entries VALUES (:k, :json, now() + interval '1 hour')
					ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at;
					SQL
				redis => { redis => [ [ 'SET', 'entry:__rand_int__', '{json}', 'PX', 3_600_000 ] ] },
				memcached => { memcached => { set => $bytes } } },
			against => [ [ 'sql' ], [ 'redis' ], [ 'memcached' ] ] });
	}
	return (@work, _cache_tags($key), _cache_many());
}

sub _cache_tags ($key)
{
	my @tags = ("'tenant-' || :k % 100", "'user-' || :k % 1000", "'page-' || :k");
	my $tags = 'ARRAY[' . join(', ', map { s/:k %/:k::bigint %/r } @tags) . ']';
	# An entry leaves the set of a tag only when the tag is invalidated.
	my $lua = <<~'LUA';
		redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
		for i = 2, #KEYS do redis.call('SADD', KEYS[i], KEYS[1]) end
		return 1
		LUA

	return {
		family => 'cache', name => 'set-tags', title => 'set with 3 tags, 1 kB', keys => 1000, bytes => 1000,
		sides => {
			idemstore => _pgbench($key . "SELECT idemstore.cache_set(:k, :json, '1 hour', $tags);\n"),
			sql => _pgbench($key . <<~"SQL"),
				WITH entry AS (
					INSERT INTO tagged.json_entries VALUES (:k, :json, now() + interval '1 hour')
					ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
				), former AS (
					DELETE FROM tagged.tags WHERE key = :k AND tag <> ALL ($tags)
				)
				INSERT INTO tagged.tags SELECT :k, tag FROM unnest($tags) AS tag
				ON CONFLICT DO NOTHING;
				SQL
			redis => {
				lua => $lua,
				redis => [ [ 'EVALSHA', '{sha}', 4, 'tagged:__rand_int__', 'tag:tenant:__rand_int__',
					'tag:user:__rand_int__', 'tag:page:__rand_int__', '{json}', 3_600_000 ] ] } },
		against => [ [ 'sql' ], [ 'redis' ] ] };
}

# A hundred keys in one call.
sub _cache_many
{
	my $random = join('', map { "\\set k$_ random(:first, :last)\n" } 1 .. 100);
	my $keys = 'ARRAY[' . join(', ', map { ":k$_\::text" } 1 .. 100) . ']';

	return {
		family => 'cache', name => 'get-many', title => 'get_many of 100, 1 kB', keys => $cached, bytes => 1000, batch => 100,
		before => [ "CALL bench.make_entries($first_key, $cached, 1000)" ],
		filled => 'entry:', loads => ['1'],
		sides => {
			idemstore => _pgbench($random . "SELECT * FROM idemstore.cache_get_many($keys);\n"),
			sql => _pgbench($random . "SELECT key, value FROM plain.json_entries"
				. " WHERE key = ANY ($keys) AND (expires_at IS NULL OR expires_at > now());\n"),
			redis => { redis => [ [ 'MGET', ('entry:__rand_int__') x 100 ] ] } },
		against => [ [ 'sql' ], [ 'redis' ] ] };
}

sub _dedupe
{
	my $job = sub ($schema, $complete) {
		return _pgbench("\\set k random($first_key, 900000000000000000)\n"
			. "SELECT * FROM $schema.$complete->[0];\nSELECT $schema.$complete->[1];\n");
	};

	return {
		family => 'dedupe', name => 'job', title => 'register a job and complete it, 1 kB', bytes => 1000,
		sides => {
			idemstore => $job->('idemstore', [ 'dedupe_register(:k)', 'dedupe_complete(:k, :json)' ]),
			plpgsql => $job->('rival', [ "register_or_join(:k, '5 min')", 'complete(:k, :json)' ]),
			redis => { redis => [ [ 'SET', 'job:__rand_int__', 'pending', 'NX', 'PX', 300_000 ],
				[ 'SET', 'job:__rand_int__', '{json}', 'PX', 300_000 ] ] } },
		against => [ [ 'plpgsql' ], [ 'redis' ] ] };
}

1;
