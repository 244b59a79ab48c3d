#include "common/observe/log.h"

#include "common/observe/metrics.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <mutex>
#include <poll.h>
#include <unistd.h>

namespace calbridge::log {

namespace {

constexpr std::size_t value_bytes_max = 4096;
constexpr int stalled_reader_ms = 100;
constexpr std::array<std::string_view, 5> reserved{"ts", "level", "service", "version", "event"};

struct state {
    std::mutex guard;  // librdkafka's threads log too
    std::string service{"unnamed"};
    std::atomic<level> least{level::info};
    std::vector<std::string>* sink{nullptr};
    bool stalled{false};    // the last line was lost: do not wait for the reader again
    bool cut_short{false};  // its beginning went out
};

// Never destroyed: a thread may log while statics are torn down.
state& global() {
    static state* const it = new state;
    return *it;
}

std::string_view name(level l) {
    switch (l) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warn: return "warn";
    case level::error: return "error";
    }
    return "error";
}

// Length of the valid UTF-8 sequence at `at`, or 0; `code` is its code point.
std::size_t sequence(std::string_view text, std::size_t at, char32_t& code) {
    auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    unsigned char const lead = byte(at);
    std::size_t const size = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    if (size == 0 || text.size() - at < size) return 0;
    code = size == 1 ? lead : lead & (0xff >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(at + i) & 0xc0) != 0x80) return 0;
        code = code << 6 | (byte(at + i) & 0x3f);
    }
    bool const overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    bool const outside = (code >= 0xd800 && code < 0xe000) || code > 0x10ffff;
    return overlong || outside ? 0 : size;
}

// A JSON string that is one printable line: controls of both blocks and the Unicode line ends are escaped, so that neither
// a log reader nor a terminal takes them for structure.
std::string json_quoted(std::string_view text) {
    std::string out = "\"";
    for (std::size_t at = 0; at < text.size();) {
        if (at >= value_bytes_max) {
            out += "…";
            break;
        }
        char32_t code{};
        std::size_t const size = sequence(text, at, code);
        if (size == 0) {
            out += "\\ufffd";
            ++at;
            continue;
        }
        switch (code) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default:
            if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029) {
                out += fmt::format("\\u{:04x}", static_cast<unsigned>(code));
            } else {
                out += text.substr(at, size);
            }
        }
        at += size;
    }
    return out += '"';
}

std::string encode(double v) { return std::isfinite(v) ? fmt::format("{}", v) : std::string("null"); }

std::string timestamp() {
    auto const now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    auto const seconds = std::chrono::floor<std::chrono::seconds>(now);
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), (now - seconds).count());
}

// The whole line in one write where the kernel allows it. A reader that stalls costs a line (counted), never the event loop.
void write_out(state& s, std::string line) {
    static metrics::counter& dropped =
        metrics::get_counter("calbridge_log_lines_dropped_total", "Log lines lost because standard output could not take them.");
    if (s.cut_short) line.insert(line.begin(), '\n');
    for (std::string_view rest = line; !rest.empty();) {
        auto const written = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (written >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(written));
            continue;
        }
        if (errno == EINTR) continue;
        pollfd waiting{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
        int const patience = s.stalled ? 0 : stalled_reader_ms;
        if (errno == EAGAIN && ::poll(&waiting, 1, patience) > 0 && (waiting.revents & POLLOUT) != 0) continue;
        if (rest.size() < line.size()) s.cut_short = true;
        s.stalled = true;
        dropped.add();
        return;
    }
    s.stalled = s.cut_short = false;
}

}  // namespace

field::field(std::string_view n, std::string_view v) : name(n), json(json_quoted(v)) {}
field::field(std::string_view n, bool v) : name(n), json(v ? "true" : "false") {}
field::field(std::string_view n, std::int64_t v) : name(n), json(fmt::to_string(v)) {}
field::field(std::string_view n, std::uint64_t v) : name(n), json(fmt::to_string(v)) {}
field::field(std::string_view n, double v) : name(n), json(encode(v)) {}
field::field(std::string_view n, std::chrono::microseconds v)
    : name(fmt::format("{}_ms", n)), json(encode(static_cast<double>(v.count()) / 1000.0)) {}

void start(std::string service, level least) {
    state& s = global();
    std::scoped_lock const lock(s.guard);
    s.service = std::move(service);
    s.least = least;
}

void write(level l, std::string_view event, std::vector<field> fields) {
    state& s = global();
    if (l < s.least.load(std::memory_order_relaxed)) return;
    std::string line = fmt::format(R"({{"ts":"{}","level":"{}",)", timestamp(), name(l));
    std::scoped_lock const lock(s.guard);
    line +=
        fmt::format(R"("service":{},"version":{},"event":{})", json_quoted(s.service), json_quoted(CALBRIDGE_VERSION), json_quoted(event));
    for (auto const& f : fields) {
        bool const clash = std::ranges::find(reserved, std::string_view(f.name)) != reserved.end();
        line += fmt::format(",{}:{}", json_quoted(clash ? "field_" + f.name : f.name), f.json);
    }
    line += '}';
    if (s.sink) {
        s.sink->push_back(std::move(line));
        return;
    }
    line += '\n';
    write_out(s, std::move(line));
}

std::vector<field> with(std::vector<field> fields, calbridge::error const& e) {
    fields.emplace_back("err", calbridge::name(e.code));
    fields.emplace_back("err_context", e.context);
    return fields;
}

void capture(std::vector<std::string>* sink) {
    state& s = global();
    std::scoped_lock const lock(s.guard);
    s.sink = sink;
}

}  // namespace calbridge::log
