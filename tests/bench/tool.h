#pragma once
// The parts of bench-tool. Times are microseconds of the system clock, so that they can be compared between processes of one machine.

#include "common/base/secret.h"

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace calbridge::bench {

std::int64_t now_us();
// Sleeps until then, in the kernel.
void sleep_until_us(std::int64_t at);

// The value at that share of the sorted samples, 0 without any.
std::int64_t quantile(std::vector<std::int64_t> const& sorted, double share);
// {"p50":…,"p99":…,"max":…,"n":…}
std::string quantiles_json(std::vector<std::int64_t> samples);

// ---- channels and requests ---------------------------------------------------------------------------------------------

// Message numbers of prepared requests have this many digits, so that the next one can be written over the last.
inline constexpr std::size_t number_digits = 9;
inline constexpr std::int64_t number_first = 100000000;

// A push as Google sends it, with a token made under the ring's primary key.
struct minted_channel {
    std::string connection, calendar, channel, token_hash_hex, resource;
    std::string request;
};
minted_channel mint_channel(secret const& channel_keys, std::size_t index);

// Writes FOLDER/{connections,calendars,channels}.copy for PostgreSQL's COPY and FOLDER/requests.
void mint(secret const& channel_keys, std::size_t count, std::string const& folder);

// A file of requests: each is its size in decimal, a newline, its bytes.
std::vector<std::string_view> split_requests(std::string_view file);
// Where the message number stands in it; npos when it has none.
std::size_t number_at(std::string_view request);

// ---- answers -----------------------------------------------------------------------------------------------------------

struct answer {
    int status{0};
    std::size_t bytes{0};  // of head and body together
    bool closes{false};
    std::int64_t emulator_us{0};  // X-Emulator-Time-Us, 0 when absent
};
// False while the answer is not complete. Understands Content-Length only.
bool read_answer(std::string_view from, answer& out);

// ---- load --------------------------------------------------------------------------------------------------------------

struct load_options {
    int port{};
    std::string requests;  // file
    std::size_t connections{64};
    double seconds{3};
    std::size_t first{0};  // index of the first request; request i is entry i modulo the file, its number grows with each round
};
struct load_result {
    std::size_t sent{0}, broken{0};
    std::map<int, std::size_t> by_status;
    double seconds{0};
    std::vector<std::int64_t> latencies;
};
// As fast as the answers come. Stops sending in time and then waits for every answer, so that what was answered is known exactly.
load_result run_closed(load_options const& with);

struct open_options {
    int port{};
    std::string requests;
    double per_second{100};
};
// Each request of the file once, at its intended time whatever the answers do. One line each: intended, sent, answered, status, emulator
// µs.
void run_open(open_options const& with, std::ostream& out);

// ---- records -----------------------------------------------------------------------------------------------------------

struct count_result {
    std::size_t records{0}, distinct{0}, unreadable{0};
};
// Reads calendar-changed values, each as its size in decimal, a newline, its bytes; a record is its channel and message number.
count_result count_records(std::istream& in);

struct produce_options {
    std::string brokers, topic, warm_topic;
    double per_second{100};
};
// Lines of key, tab, value become records, each at its intended time, which goes to `times`.
void run_produce(produce_options const& with, std::istream& lines, std::ostream& times);

// ---- probes ------------------------------------------------------------------------------------------------------------

// How late a sleep of 1 ms ends.
std::vector<std::int64_t> sleep_overshoots(std::size_t times);
// How long a write of 8 KiB and its fdatasync take.
std::vector<std::int64_t> sync_times(std::string const& file, std::size_t times);

}  // namespace calbridge::bench
