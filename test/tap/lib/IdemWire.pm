# A session that speaks the protocol itself, as drivers do: parameters of any
# bytes, in either format and without a type, functions called by their oid, and
# with every answer its SQLSTATE and the state of the transaction.
package IdemWire;

use strict;
use warnings;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Socket qw(SOL_SOCKET SO_RCVTIMEO);

my $protocol = 3 << 16;

# As the superuser, under a name for pg_stat_activity.
sub new
{
	my ($class, $node, $database, $application) = @_;
	my $address = $node->host . '/.s.PGSQL.' . $node->port;
	my $socket = IO::Socket::UNIX->new(Peer => $address) or die "could not connect to $address: $!";
	my $self = bless({ socket => $socket, input => '' }, $class);
	my %settings =
	  (user => scalar(getpwuid($>)), database => $database, application_name => $application);
	my $startup = pack('N (Z*)* x', $protocol, %settings);

	setsockopt($socket, SOL_SOCKET, SO_RCVTIMEO, pack('l! l!', $PostgreSQL::Test::Utils::timeout_default, 0));
	$self->write_all(pack('N', length($startup) + 4) . $startup);
	$self->answer;
	return $self;
}

# One or more statements.
sub query
{
	my ($self, $sql) = @_;

	$self->write_all(message('Q', pack('Z*', $sql)));
	return $self->answer;
}

# One statement with parameters whose types the server infers. is_binary says
# of each whether it is in the binary format; max_rows 0 fetches all rows.
sub execute
{
	my ($self, $sql, $values, $is_binary, $max_rows) = @_;

	$self->write_all(join('',
		message('P', pack('x Z* n', $sql, 0)),
		message('B', pack('x x') . arguments($values, $is_binary) . pack('n', 0)),
		message('D', 'P', pack('x')),
		message('E', pack('x N', $max_rows)),
		message('S')));
	return $self->answer;
}

# A function, past the parser and the planner.
sub call
{
	my ($self, $oid, $values, $is_binary) = @_;

	$self->write_all(message('F', pack('N', $oid) . arguments($values, $is_binary) . pack('n', 0)));
	return $self->answer;
}

sub message
{
	my ($type, @parts) = @_;
	my $body = join('', @parts);

	return $type . pack('N', length($body) + 4) . $body;
}

sub arguments
{
	my ($values, $is_binary) = @_;

	return join('',
		pack('n/n*', map { $_ ? 1 : 0 } @$is_binary),
		pack('n', scalar(@$values)),
		map { defined($_) ? pack('N/a*', $_) : pack('N', 0xffffffff) } @$values);
}

# All until the server is ready: sqlstate, message, in_transaction (I, T or E),
# and the first row by the names of its columns.
sub answer
{
	my ($self) = @_;
	my %answer = (sqlstate => '00000', message => '', row => {});
	my @names;

	while (1)
	{
		my ($type, $body) = $self->read_message;

		if ($type eq 'E')
		{
			my %field = map { substr($_, 0, 1) => substr($_, 1) } split(/\0/, $body);

			die "the session is gone: $field{M}" if $field{S} =~ /^(?:FATAL|PANIC)$/;
			@answer{qw(sqlstate message)} = @field{qw(C M)};
		}
		elsif ($type eq 'T')
		{
			@names = unpack('x2 (Z* x18)*', $body);
		}
		elsif ($type eq 'D')
		{
			@{ $answer{row} }{@names} = row($body) unless %{ $answer{row} };
		}
		elsif ($type eq 'Z')
		{
			$answer{in_transaction} = $body;
			return \%answer;
		}
	}
}

sub row
{
	my ($body) = @_;
	my ($count) = unpack('n', $body);
	my $at = 2;
	my @values;

	foreach (1 .. $count)
	{
		my $size = unpack('l>', substr($body, $at, 4));

		push(@values, $size < 0 ? undef : substr($body, $at + 4, $size));
		$at += 4 + ($size < 0 ? 0 : $size);
	}
	return @values;
}

sub read_message
{
	my ($self) = @_;
	my ($type, $size) = unpack('a N', $self->read_bytes(5));

	return ($type, $self->read_bytes($size - 4));
}

sub read_bytes
{
	my ($self, $size) = @_;

	while (length($self->{input}) < $size)
	{
		my $got = sysread($self->{socket}, $self->{input}, 65536, length($self->{input}));

		die 'no answer: ' . (defined($got) ? 'it has hung up' : $!) unless $got || (!defined($got) && $!{EINTR});
	}
	return substr($self->{input}, 0, $size, '');
}

sub write_all
{
	my ($self, $bytes) = @_;

	while (length($bytes))
	{
		my $written = syswrite($self->{socket}, $bytes);

		die "the connection is gone: $!" unless $written || (!defined($written) && $!{EINTR});
		substr($bytes, 0, $written // 0, '');
	}
	return;
}

sub is_alive
{
	my ($self) = @_;

	return eval { $self->query('SELECT 1'); 1 };
}

sub quit
{
	my ($self) = @_;

	$self->write_all(message('X'));
	close($self->{socket});
	return;
}

1;
