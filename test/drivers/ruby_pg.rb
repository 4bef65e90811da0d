# The gem pg, with its own type maps for results. A String goes as text, bytes are
# said to be binary.

require 'digest'
require 'json'
require 'pg'

class Session
  def initialize
    @connection = PG.connect
    @connection.type_map_for_results = PG::BasicTypeMapForResults.new(@connection)
    @connection.set_notice_processor {}
  end

  def query(parts, values)
    statement = parts.each_with_index.map { |part, i| i.zero? ? part : "$#{i}#{part}" }.join
    @connection.exec_params(statement, values).to_a
  end

  %w[begin commit rollback].each { |action| define_method(action) { @connection.exec(action) } }

  def close = @connection.close
end

def content(given)
  given.start_with?('@') ? File.binread(given[1..]) : given.b
end

def read(type, content)
  case type
  when 'bytes' then { value: content, format: 1 }
  when 'json' then JSON.generate(JSON.parse(content))
  when 'seconds' then Float(content)
  when 'int', 'long', 'nanoseconds' then Integer(content)
  when 'duration' then "#{content} seconds"
  when 'texts' then PG::TextEncoder::Array.new.encode(content.split(','))
  else content.force_encoding('UTF-8')
  end
end

# The statement around its parameters, and these.
def parse(statement, remembered)
  values = []
  parts = statement.split(/(<<\S+ .*?>>)/, -1).select do |part|
    next true unless part =~ /\A<<(\S+) (.*)>>\z/

    values << ($1 == '=' ? remembered[$2] : read($1, content($2)))
    false
  end
  [parts, values]
end

def hashed(type, content) = "#{type} #{content.bytesize} #{Digest::SHA256.hexdigest(content)}"

def shown(value)
  case value
  when nil then return 'NULL'
  when Hash, Array then value = JSON.generate(value)
  when String then return hashed('bytes', value) if value.encoding == Encoding::BINARY
  end
  value.to_s =~ /\A[ -~]{0,80}\z/ ? value.to_s : hashed('text', value.to_s)
end

sessions = { 'A' => Session.new, 'B' => Session.new }
remembered = {}
$stdout.sync = true
File.readlines(ARGV[0], chomp: true, encoding: 'UTF-8').each do |line|
  name, statement = line.split("\t")
  session = sessions[name]
  if %w[begin commit rollback].include?(statement)
    session.public_send(statement)
    puts
  else
    rows = session.query(*parse(statement, remembered))
    rows.each { |row| remembered.update(row) }
    puts rows.map { |row| row.values.map { |value| shown(value) }.join('|') }.join(';')
  end
rescue PG::Error => e
  puts "error #{e.result&.error_field(PG::Result::PG_DIAG_SQLSTATE) || "driver #{e.message.split.join(' ')}"}"
rescue ArgumentError => e
  puts "error driver #{e.message.split.join(' ')}"
end
sessions.each_value(&:close)
