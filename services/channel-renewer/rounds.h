#pragma once
// What the clock does besides channels, one bounded step each; every step returns how much it did.

#include "account/leave.h"
#include "account/tokens.h"
#include "clients/google/google.h"
#include "store/clockwork.h"

#include "common/base/random.h"
#include "common/kafka/kafka.h"

namespace calbridge::renewer {

struct round_parts {
    pg::database& db;
    kafka::producer& out;
    google::calendar_api& api;
    account::token_source& tokens;
    clock const& now;
    random_source& random;
};

struct round_limits {
    std::chrono::milliseconds poll_active{}, poll_idle{}, overdue_grace{}, call_time_max{}, orphan_age{};
};

inline constexpr int polls_at_once = 200, messages_at_once = 500, wakeups_at_once = 500, grants_at_once = 8, removed_at_once = 1000,
                     orphans_at_once = 500;

// Calendars whose turn has come get their counter raised and a wake-up; channels that miss what polls find are told of.
task<result<std::size_t>> poll_round(round_parts const& with, round_limits const& within);
// Messages their writers did not publish. Sent twice at worst: readers drop repeats by id and sequence.
task<result<std::size_t>> outbox_round(round_parts const& with);
// Work that lies longer than it should gets its wake-up again; tasks that wait for a calendar are placed when there is one.
task<result<std::size_t>> overdue_round(round_parts const& with, round_limits const& within);
// Calendar lists that were never read, or not for a day, or that a push announced.
task<result<std::size_t>> discovery_round(round_parts const& with, round_limits const& within);
// What something dead left behind for half an hour is put right and woken; messages that do not get out are told of.
task<result<std::size_t>> orphan_round(round_parts const& with, round_limits const& within);
// Connections that were ended while Google was away: their channels are stopped, their grant is revoked, their keys destroyed.
task<result<std::size_t>> departure_round(round_parts const& with, account::leave_parts const& leaving, round_limits const& within);
// Grants nobody used for a day are refreshed, so that Google keeps them.
task<result<std::size_t>> idle_grant_round(round_parts const& with);
task<result<std::size_t>> retention_round(round_parts const& with);
// Measures the backlog into gauges; does nothing to it.
task<result<std::size_t>> backlog_round(round_parts const& with);

}  // namespace calbridge::renewer
