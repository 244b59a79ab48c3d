#pragma once
// Zoom, in memory: server-to-server OAuth and meetings. Decides every answer and does no I/O; time comes in. One thread at a time.

#include "common/base/clock.h"
#include "tests/emulator/message.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace calbridge::zoom_emulator {

using emulator::answer;
using emulator::request;
namespace bj = boost::json;

struct account {
    std::string id, client_id, client_secret;
    std::vector<std::string> users;  // e-mail addresses
    bool any_user{false};            // every address is a user
};

struct options {
    std::string join_base{"https://us05web.zoom.us"};  // where join and start links point
    std::uint64_t seed{1};
    std::size_t log_max{20000};
};

struct knobs {
    std::int64_t token_ttl_s{3600};
    bool invalid_client{false};                 // /oauth/token refuses every client
    std::int64_t writes_per_user_and_day{100};  // meetings created or updated; 0: no limit
    std::int64_t requests_per_second{0};        // 0: no limit
    std::int64_t page_max{300};                 // pages hold at most this many meetings, whatever was asked
};

class zoom_world {
public:
    // `time` must outlive the world.
    zoom_world(clock const& time, options options);
    ~zoom_world();

    // Answers one request: /oauth/token, /v2/… and /_control/….
    answer handle(request const& r);

    void add_account(account a);
    knobs& settings();
    instant now() const;
    void advance(std::chrono::microseconds by);
    // Requests with fields or parameters Zoom does not know, one sentence each.
    std::vector<std::string> const& violations() const;
    // A living meeting as GET shows it.
    std::optional<bj::object> meeting(std::int64_t id) const;
    std::size_t meetings() const;

private:
    struct state;
    std::unique_ptr<state> state_;
};

}  // namespace calbridge::zoom_emulator
