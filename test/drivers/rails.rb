# The controller of docs/start/rails.md, with Active Record and its query cache, as
# within a request; in place of Action Controller stands what it uses of that. Prints
# every answer, and what the query cache does to acquire().
#
#	ruby rails.rb CONTROLLER
require "active_record"
require "digest"
require "json"

module ActionController
  class API
    attr_reader :request, :response

    def initialize(request)
      @request = request
      @response = Struct.new(:headers).new({})
    end

    def render(answer)
      puts "#{answer[:status]} #{answer[:body] || answer[:plain]}"
    end
  end
end

class ApplicationRecord < ActiveRecord::Base
  self.abstract_class = true
end

Request = Struct.new(:headers, :raw_post)
load ARGV[0]

ActiveRecord::Base.establish_connection(adapter: "postgresql")
connection = ActiveRecord::Base.connection
ActiveRecord::Base.cache do
  ['{"amount": 9.99}', '{"amount": 9.99}', '{"amount": 100}'].each do |body|
    PaymentsController.new(Request.new({ "Idempotency-Key" => "pay-1" }, body)).create
  end
  PaymentsController.new(Request.new({}, "{}")).create

  ask = -> { connection.select_value("SELECT idemstore.acquire('r', quota => 2, per => '1 day')") }
  puts "from the cache: #{Array.new(4) { ask.call }.join(' ')}"
  puts "uncached: #{Array.new(4) { ApplicationRecord.uncached(&ask) }.join(' ')}"
end
puts connection.select_value("SELECT count(*) FROM ledger")
