#pragma once
// What arrives on Kafka becomes durable here, one short transaction a batch, across tenants.

#include "store/rows.h"

#include "domain/scope.h"

#include "common/pg/database.h"

namespace calbridge::store {

struct task_intake {
    domain::task_changed message;
    domain::task_place place;  // which row it belongs to
};
struct hint_intake {
    calendar_id calendar;
    std::string source, message_id;  // empty id: cannot be recognised when repeated
    bool raises{true};               // false: wakes only
    std::optional<channel_id> channel;
    std::int64_t message_number{};
};
struct poison {
    tenant_id tenant;  // may be empty
    std::string source;
    std::optional<std::int32_t> partition;
    std::optional<std::int64_t> offset;
    std::string subject, reason, detail, value;
    std::vector<std::pair<std::string, std::string>> headers;
};

class intake {
public:
    explicit intake(pg::database& db) : db_(db) {}
    // All or nothing. Returns where work waits now (one entry per calendar).
    task<result<std::vector<wake>>> take_in(std::vector<task_intake> tasks, std::vector<hint_intake> hints, std::vector<poison> poisons);
    // Calendars with work that nobody holds.
    task<result<std::vector<wake>>> due_work(int most);

private:
    pg::database& db_;
};

}  // namespace calbridge::store
