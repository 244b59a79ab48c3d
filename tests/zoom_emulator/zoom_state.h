#pragma once
// What the emulated Zoom remembers and does. Inside this folder only.

#include "tests/emulator/faults.h"
#include "tests/zoom_emulator/meeting.h"

#include <deque>
#include <map>
#include <random>

namespace calbridge::zoom_emulator {

struct zoom_reply {
    int status{200};
    bj::value body{};  // null: no body
    http::headers fields{};
};

struct zoom_token {
    std::string account;
    instant expires;
};

struct zoom_request {
    std::uint64_t number{0};
    instant at;
    std::string method, path, query, body;
    int status{0};
};

struct zoom_core {
    zoom_core(clock const& t, options o) : time(t), opts(std::move(o)), random(opts.seed) {}

    answer handle(request const& r);
    answer real(request const& r);
    zoom_reply token(request const& r, emulator::params const& query);
    zoom_reply api(request const& r, emulator::params const& query);
    zoom_reply user_meetings(request const& r, account const& a, std::string const& name, emulator::params const& query,
                             bj::object const& body);
    zoom_reply list(std::string const& email, emulator::params const& query);
    zoom_reply one_meeting(request const& r, account const& a, std::string const& name, emulator::params const& query,
                           bj::object const& body);
    zoom_reply control(request const& r);
    std::optional<zoom_reply> take_rate();
    std::optional<zoom_reply> take_write(std::string const& host);

    instant now() const { return time.now() + offset; }
    // The user's address; empty: unknown.
    std::string user_named(account const& a, std::string_view name) const;
    std::string host_id(std::string_view email) const;
    std::string random_text(std::size_t size);

    clock const& time;
    options opts;
    knobs knob{};
    std::mt19937_64 random;
    std::chrono::microseconds offset{0};
    std::map<std::string, account, std::less<>> accounts;
    std::map<std::string, zoom_token> tokens;
    std::map<std::int64_t, meeting> all;
    std::map<std::string, std::pair<std::int64_t, instant>> pages;   // last id shown, good until
    std::map<std::string, std::pair<instant, std::int64_t>> writes;  // day and count, by user
    instant rate_second{};
    std::int64_t rate_count{0};
    std::vector<emulator::fault> scripted;
    emulator::fault fault_now{};
    std::deque<zoom_request> requests;
    std::vector<std::string> violations;
    std::uint64_t counter{0};
};

}  // namespace calbridge::zoom_emulator
