#include "tests/bench/tool.h"

#include "common/async/task.h"
#include "common/kafka/kafka.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <istream>
#include <memory>
#include <ostream>
#include <stdexcept>

namespace calbridge::bench {

namespace {

task<void> produce_all(std::unique_ptr<kafka::producer> producer, produce_options with, std::vector<kafka::record> records,
                       std::ostream& times) {
    // The first record pays for connections and metadata; it goes where nobody minds.
    kafka::record first{with.warm_topic, "warm", "warm", {}};
    auto const warm = co_await producer->send(std::move(first));
    if (!warm) throw std::runtime_error("Kafka: " + warm.error().context);
    auto const began = std::chrono::steady_clock::now() + std::chrono::milliseconds(100);
    auto const began_us = now_us() + 100000;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < records.size(); ++i) {
        auto const after = std::chrono::microseconds(static_cast<std::int64_t>(static_cast<double>(i) * 1e6 / with.per_second));
        co_await sleep_until(began + after);
        times << began_us + after.count() << '\n';
        producer->send(std::move(records[i]), [&refused](result<void> const& done) { refused += done ? 0 : 1; });
    }
    co_await producer->flush(in(std::chrono::seconds(10)));
    if (refused > 0 || producer->in_flight() > 0) throw std::runtime_error("Kafka did not take every record");
}

}  // namespace

void run_produce(produce_options const& with, std::istream& lines, std::ostream& times) {
    std::vector<kafka::record> records;
    for (std::string line; std::getline(lines, line);) {
        auto const tab = line.find('\t');
        if (tab == std::string::npos) throw std::runtime_error("a line is a key, a tab and a value");
        records.push_back({with.topic, line.substr(0, tab), line.substr(tab + 1), {}});
    }
    asio::io_context ioc(1);
    kafka::producer_options options;
    options.brokers = with.brokers;
    options.client_id = "bench";
    auto producer = kafka::make_producer(ioc.get_executor(), std::move(options));
    std::exception_ptr failed;
    asio::co_spawn(ioc, produce_all(std::move(producer), with, std::move(records), times), [&](std::exception_ptr e) { failed = e; });
    ioc.run();
    if (failed) std::rethrow_exception(failed);
}

}  // namespace calbridge::bench
