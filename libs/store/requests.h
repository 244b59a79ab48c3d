#pragma once
// What people asked the engine to do: written by the gateway, carried out by the worker under the calendar's lease.

#include "store/rows.h"

#include "common/pg/database.h"
#include "domain/requests.h"

#include <optional>
#include <string>

namespace calbridge::store {

struct request_row {
    tenant_id tenant;
    request_id id;
    user_id user;  // whose connection it is about
    connection_id connection;
    calendar_id calendar;
    domain::request_kind kind{};
    std::string subject;
    std::string detail{"{}"};  // JSON objects, each
    std::string who;
    std::string state{"pending"};  // pending, running, done, failed
    std::string progress{"{}"};
    std::string result;  // empty until it is finished
    int attempts{};
    instant created_at{};
    std::optional<instant> finished_at;
    bool is_open() const { return state == "pending" || state == "running"; }
};

// Gives what is stored: the new row, or, under a key used before, the older one (which may ask for something else: compare).
task<result<request_row>> add_request(pg::transaction& tx, request_row const& row, std::optional<std::string> key);
task<result<std::optional<request_row>>> find_request(pg::database& db, tenant_id tenant, request_id id);

// Where a request about something belongs: whose it is, and whose lease carries it out. Without a calendar it has no place yet.
struct request_place {
    user_id user;
    connection_id connection;
    std::optional<calendar_id> calendar;
    connection_status status{};
};
enum class request_subject { task, operation, connection, calendar, quarantined };
// `subject` is the id of the named thing. A record set aside belongs to the user its key names, an event to its calendar's.
task<result<std::optional<request_place>>> find_place(pg::database& db, tenant_id tenant, request_subject kind, std::string subject);

// The row, locked; empty when it is not open any more. Requests come after calendars and before tasks in the order of locks.
task<result<std::optional<request_row>>> lock_request(pg::transaction& tx, tenant_id tenant, request_id id);
// Saves state, progress, result, calendar; counts the attempt. An open one is looked at again after `wait`.
task<result<void>> save_request(pg::transaction& tx, request_row const& row, std::chrono::milliseconds wait = {});

// --- what requests of their kinds need ------------------------------------------------------------------------------------------------
// An operation, with its link as it is now, open or ended.
struct placed_operation {
    operation_row operation;
    link_row link;
    instant created_at{};
};
task<result<std::optional<placed_operation>>> find_operation(pg::transaction& tx, tenant_id tenant, operation_id id);
// The task counts as open again, whatever its newest message said, until the next one.
task<result<void>> reopen_task(pg::transaction& tx, tenant_id tenant, task_id task);

struct quarantine_row {
    tenant_id tenant;
    quarantine_id id;
    std::string source, subject, reason, detail, value, state;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<std::int64_t> partition, offset;
    int seen{};
    instant created_at{}, last_seen_at{};
};
task<result<std::optional<quarantine_row>>> find_quarantined(pg::transaction& tx, tenant_id tenant, quarantine_id id);
task<result<void>> settle_quarantined(pg::transaction& tx, tenant_id tenant, quarantine_id id, std::string state);
// Open items of one user (of everybody without one), newest first: records under his key, and events of his calendars.
task<result<std::vector<quarantine_row>>> quarantined(pg::database& db, tenant_id tenant, std::optional<user_id> user, int most);

}  // namespace calbridge::store
