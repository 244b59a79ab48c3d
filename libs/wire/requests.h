#pragma once
// What people ask for, as JSON: the body of the gateway's POST /api/v1/requests and the stored `detail`.

#include "domain/requests.h"

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/json/json.h"

#include <optional>
#include <string>
#include <string_view>

namespace calbridge::wire {

// One request, understood and bounded. What a kind does not need is empty.
struct request_body {
    domain::request_kind kind{};
    task_id task;            // resolve_conflict, retry: the CRM's task
    std::string occurrence;  // of a series, as an occurrence key or as task-changed spells it
    domain::conflict_choice choice;
    std::optional<operation_id> operation;
    std::optional<connection_id> connection;  // bulk_sync
    std::optional<calendar_id> calendar;      // deletions, full_resync
    std::optional<quarantine_id> item;
    bool dry_run{false};
    bool confirm{false};                  // deletions: let them through; else the events are put back
    std::optional<std::int64_t> missing;  // deletions: how many the user was shown; another number by now is refused
};
// errc::malformed names the member and what it may be.
result<request_body> read_request(std::string_view body);

// The part of it the worker needs again.
std::string store_choice(domain::conflict_choice const& c);
result<domain::conflict_choice> load_choice(json::object const& detail);

}  // namespace calbridge::wire
