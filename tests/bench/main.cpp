// bench-tool COMMAND ...: what the benchmarks' drivers in Python cannot do in time or without the product's own code.

#include "tests/bench/tool.h"

#include <fmt/format.h>

#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <stdexcept>

namespace calbridge::bench {
namespace {

constexpr std::string_view usage = R"(usage:
  bench-tool mint COUNT FOLDER SECRETS             channels for PostgreSQL and requests; SECRETS is a file with a line channel_keys=…
  bench-tool load PORT REQUESTS CONNECTIONS SECONDS FIRST     as fast as answers come
  bench-tool open PORT REQUESTS PER_SECOND         each request once, at its time; a line each
  bench-tool produce BROKERS TOPIC WARM_TOPIC PER_SECOND      lines (key, tab, value) become records, each at its time; prints the times
  bench-tool stamp                                 lines from standard input to standard output, each after the time it came
  bench-tool count                                 calendar-changed values (size, newline, bytes) from standard input
  bench-tool sleeps TIMES | syncs FILE TIMES       probes
)";

secret channel_keys_in(std::string const& file) {
    std::ifstream in(file);
    std::string line;
    constexpr std::string_view name = "channel_keys=";
    while (std::getline(in, line)) {
        if (line.starts_with(name)) return secret(line.substr(name.size()));
    }
    throw std::runtime_error("no channel_keys in " + file);
}

void load(std::vector<std::string> const& with) {
    load_options o;
    o.port = std::stoi(with[0]);
    o.requests = with[1];
    o.connections = std::stoul(with[2]);
    o.seconds = std::stod(with[3]);
    o.first = std::stoul(with[4]);
    auto const done = run_closed(o);
    std::string statuses;
    for (auto const& [status, n] : done.by_status) statuses += fmt::format(R"({}"{}":{})", statuses.empty() ? "" : ",", status, n);
    std::cout << fmt::format(R"({{"sent":{},"broken":{},"by_status":{{{}}},"seconds":{:.4f},"latency_us":{}}})", done.sent, done.broken,
                             statuses, done.seconds, quantiles_json(done.latencies))
              << '\n';
}

void stamp() {
    for (std::string line; std::getline(std::cin, line);) std::cout << now_us() << '\t' << line << '\n' << std::flush;
}

int run(std::vector<std::string> const& words) {
    static std::map<std::string, std::size_t> const wanted{{"mint", 3},  {"load", 5},  {"open", 3},   {"produce", 4},
                                                           {"stamp", 0}, {"count", 0}, {"sleeps", 1}, {"syncs", 2}};
    auto const known = words.empty() ? wanted.end() : wanted.find(words[0]);
    if (known == wanted.end() || words.size() != known->second + 1) {
        std::cerr << usage;
        return 2;
    }
    std::vector<std::string> const with(words.begin() + 1, words.end());
    auto const& command = words[0];
    if (command == "mint") {
        mint(channel_keys_in(with[2]), std::stoul(with[0]), with[1]);
    } else if (command == "load") {
        load(with);
    } else if (command == "open") {
        open_options o;
        o.port = std::stoi(with[0]);
        o.requests = with[1];
        o.per_second = std::stod(with[2]);
        run_open(o, std::cout);
    } else if (command == "produce") {
        produce_options o;
        o.brokers = with[0];
        o.topic = with[1];
        o.warm_topic = with[2];
        o.per_second = std::stod(with[3]);
        run_produce(o, std::cin, std::cout);
    } else if (command == "stamp") {
        stamp();
    } else if (command == "count") {
        auto const n = count_records(std::cin);
        std::cout << fmt::format(R"({{"records":{},"distinct":{},"unreadable":{}}})", n.records, n.distinct, n.unreadable) << '\n';
    } else if (command == "sleeps") {
        std::cout << quantiles_json(sleep_overshoots(std::stoul(with[0]))) << '\n';
    } else {
        std::cout << quantiles_json(sync_times(with[0], std::stoul(with[1]))) << '\n';
    }
    return 0;
}

}  // namespace
}  // namespace calbridge::bench

int main(int argc, char** argv) {
    try {
        std::ios::sync_with_stdio(false);
        std::cin.tie(nullptr);
        return calbridge::bench::run({argv + 1, argv + argc});
    } catch (std::exception const& e) {
        std::cerr << "bench-tool: " << e.what() << '\n';
        return 1;
    }
}
