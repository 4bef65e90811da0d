# Debian's exporter and Prometheus, started for a test, and what they say.
package Prometheus;

use strict;
use warnings;
use HTTP::Tiny;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

# Scrapes $source, a connection string, each second, by these queries and rules.
sub new
{
	my ($class, $source, $queries, $rules) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir;
	my %port = map { $_ => PostgreSQL::Test::Cluster::get_free_port() } qw(exporter prometheus);
	my $self = bless({ url => "http://127.0.0.1:$port{prometheus}", log => '', http => HTTP::Tiny->new }, $class);

	append_to_file("$folder/queries.yaml", $queries);
	append_to_file("$folder/rules.yaml", $rules);
	append_to_file("$folder/prometheus.yaml", <<"END");
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
  - job_name: idemstore
    static_configs: [{targets: ['127.0.0.1:$port{exporter}']}]
END
	$self->run([ 'prometheus-postgres-exporter', "--extend.query-path=$folder/queries.yaml", '--disable-default-metrics',
			'--disable-settings-metrics', '--no-collector.database', '--no-collector.bgwriter', "--web.listen-address=127.0.0.1:$port{exporter}" ],
		DATA_SOURCE_NAME => $source);
	$self->run([ 'prometheus', "--config.file=$folder/prometheus.yaml", "--storage.tsdb.path=$folder/data",
			"--web.listen-address=127.0.0.1:$port{prometheus}" ]);
	return $self;
}

sub run
{
	my ($self, $command, %environment) = @_;

	local @ENV{ keys %environment } = values %environment;
	push(@{ $self->{runs} }, IPC::Run::start($command, '<', \undef, '>&', \$self->{log}));
	return;
}

sub stop
{
	my ($self) = @_;

	$_->kill_kill(grace => 10) foreach @{ $self->{runs} };
	return;
}

# Of an answer the data, or nothing while there is none.
sub get
{
	my ($self, $path, %arguments) = @_;
	my $answer = $self->{http}->get("$self->{url}/api/v1/$path?" . $self->{http}->www_form_urlencode(\%arguments));

	$_->pump_nb foreach @{ $self->{runs} };
	return $answer->{success} ? decode_json($answer->{content})->{data} : undef;
}

# The names of the alerts that fire, in their order.
sub firing
{
	my ($self) = @_;
	my $data = $self->get('alerts') or return ('no answer');
	my %names = map { $_->{labels}{alertname} => 1 } grep { $_->{state} eq 'firing' } @{ $data->{alerts} };

	return sort keys %names;
}

# Series of points [time, number] over the last seconds.
sub range
{
	my ($self, $query, $seconds) = @_;
	my $now = time;
	my $data = $self->get('query_range', query => $query, start => $now - $seconds, end => $now, step => 1);

	return @{ $data->{result} };
}

# Wait until what is passed says yes, at most as long as any test waits.
sub wait_until
{
	my ($self, $is_done) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;

	until ($is_done->())
	{
		return 0 if time > $end;
		sleep(0.5);
	}
	return 1;
}

1;
