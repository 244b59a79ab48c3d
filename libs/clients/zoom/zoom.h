#pragma once
// Zoom meetings of a tenant's server-to-server OAuth app, as typed calls over http::client.

#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/http/client.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace calbridge::zoom {

struct endpoints {
    std::string oauth{"https://zoom.us"};
    std::string api{"https://api.zoom.us/v2"};
};

struct account {
    std::string id, client_id;
    secret client_secret;
};

struct call_error {
    errc code{errc::internal};
    int status{};
    std::string context;
    bool outcome_unknown{};  // a write may have taken effect
    std::optional<std::chrono::seconds> retry_after;
};
template <class T>
using answer = boost::system::result<T, call_error>;
[[noreturn]] void throw_exception_from_error(call_error const& e, boost::source_location const& where);

struct meeting_write {
    std::string topic;
    std::string start;  // wall time in `time_zone`, "2026-11-25T10:00:00"; empty: a meeting without a fixed time
    std::string time_zone;
    int minutes{60};
    std::string agenda;  // empty: not sent
};
struct meeting {
    std::string id, join_url, agenda;
};

class meetings_api {
public:
    virtual ~meetings_api() = default;
    // errc::client_rejected: Zoom does not accept the account's credentials. errc::malformed: it does not accept the meeting.
    virtual task<answer<meeting>> create(account const& of, meeting_write what, deadline at) = 0;
    // errc::not_found: the meeting is gone.
    virtual task<answer<void>> update(account const& of, std::string id, meeting_write what, deadline at) = 0;
    // Success when it is gone already.
    virtual task<answer<void>> remove(account const& of, std::string id, deadline at) = 0;
    // The meeting whose agenda begins with `marker`. errc::too_large: more meetings than can be looked through.
    virtual task<answer<std::optional<meeting>>> find(account const& of, std::string marker, deadline at) = 0;
};
// One per process; it remembers access tokens by account. Runs on the executor of the http client.
std::unique_ptr<meetings_api> make_meetings_api(http::client& over, endpoints at, clock const& now);

}  // namespace calbridge::zoom
