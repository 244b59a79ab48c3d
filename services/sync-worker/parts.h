#pragma once
// What the worker's coroutines work with.

#include "publisher.h"

#include "account/tokens.h"
#include "account/zoom.h"
#include "clients/google/google.h"

#include "common/base/random.h"
#include "common/crypto/crypto.h"
#include "common/pg/database.h"
#include "common/retry/backoff.h"

#include <functional>

namespace calbridge::worker {

struct limits {
    std::chrono::milliseconds lease_life{30000};
    std::chrono::milliseconds lease_renew_before{15000};
    std::chrono::milliseconds call_time_max{20000};
    std::chrono::milliseconds idle_release{3000};
    int tasks_per_look{50};
    int pushes_at_once{8};
    int calendars_at_once{64};
    int pages_max{10000};
    std::chrono::milliseconds echo_patience{800};  // most that a listing waits for which only our own writes can be the reason
    std::chrono::hours blocked_horizon{24 * 90};   // how far ahead busy times of series are known
    int passes_burst{2};                           // passes of one calendar at once, refilled one a second
    retry::policy backoff{};
};

struct parts {
    pg::database& db;
    google::calendar_api& api;
    account::token_source& tokens;
    publisher& out;
    crypto::key_ring const& stamps;
    clock const& now;
    random_source& random;
    std::string owner;  // lease owner: stable per replica
    limits within{};
    bool updates_as_json{true};
    zoom::meetings_api* zoom{nullptr};  // both or none: without them no tenant has Zoom
    account::zoom_directory* zoom_accounts{nullptr};
};

// Runs `call` with the connection's access token; when Google answers 401, once more with a refreshed one.
template <class T>
task<google::answer<T>> authorised(parts const& with, tenant_id tenant, connection_id connection,
                                   std::function<task<google::answer<T>>(secret const&)> call);

}  // namespace calbridge::worker
