#include "common/runtime/private_port.h"

#include "common/observe/metrics.h"

#include <fmt/format.h>

#include <fstream>
#include <sys/resource.h>
#include <unistd.h>

namespace calbridge::runtime {

namespace {

double seconds(timeval const& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

// Read when somebody asks, not on a timer.
void measure_process() {
    static metrics::gauge& memory = metrics::get_gauge("calbridge_process_resident_memory_bytes", "Resident memory of this process.");
    static metrics::counter& cpu = metrics::get_counter("calbridge_process_cpu_seconds_total", "Processor time used by this process.");
    std::size_t total_pages = 0, resident_pages = 0;
    if (std::ifstream("/proc/self/statm") >> total_pages >> resident_pages) {
        memory.set(static_cast<double>(resident_pages) * static_cast<double>(::sysconf(_SC_PAGESIZE)));
    }
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) == 0) cpu.add(seconds(used.ru_utime) + seconds(used.ru_stime) - cpu.value());
}

std::string describe(health const& health) {
    std::string out;
    for (auto const& line : health.lines()) {
        out += fmt::format("[{}] {}{}{}\n", line.ok ? '+' : '-', line.check, line.detail.empty() ? "" : ": ", line.detail);
    }
    return out;
}

task<http::response> answer_live(http::server_request const&) { co_return http::text_response(200, "ok\n"); }

task<http::response> answer_ready(health const& health, bool verbose) {
    bool const ready = health.ready();
    std::string const details = verbose ? describe(health) : std::string();
    co_return http::text_response(ready ? 200 : 503, details + (ready ? "ready\n" : "not ready\n"));
}

task<http::response> answer_metrics(http::server_request const&) {
    measure_process();
    http::response answer;
    answer.fields = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
    answer.body = metrics::render();
    co_return answer;
}

}  // namespace

std::vector<http::route> private_routes(health const& health, std::string const& service) {
    metrics::get_gauge("calbridge_build_info", "Always 1; the labels say what runs.",
                       {{"service", service}, {"version", CALBRIDGE_VERSION}})
        .set(1);
    auto const ready = [&health](http::server_request const& request) {
        return answer_ready(health, request.query == "verbose" || request.query.starts_with("verbose="));
    };
    return {{.method = "GET", .pattern = "/livez", .handle = answer_live},
            {.method = "GET", .pattern = "/readyz", .handle = ready},
            {.method = "GET", .pattern = "/metrics", .handle = answer_metrics}};
}

std::unique_ptr<http::server> make_private_server(asio::any_io_executor executor, common_settings const& common, health const& health,
                                                  std::string const& service) {
    http::server_options options;
    options.address = common.private_address;
    options.port = static_cast<std::uint16_t>(common.private_port);
    options.connections_max = 64;
    options.total_time_max = std::chrono::seconds(5);
    return http::make_server(std::move(executor), std::move(options), private_routes(health, service));
}

}  // namespace calbridge::runtime
