#include "wakeups.h"

#include "wire/topics.h"

#include "common/observe/log.h"
#include "common/observe/trace.h"

#include <fmt/chrono.h>

namespace calbridge::renewer {

store::outbox_message wakeup_message(store::wake const& where, std::optional<connection_id> connection, instant at) {
    domain::calendar_changed message;
    message.tenant = where.tenant;
    message.user = where.user;
    if (connection) message.connection = *connection;
    message.calendar = where.calendar;
    message.why = domain::cause::retry;
    message.received_at = at;

    store::outbox_message m;
    m.tenant = where.tenant;
    m.message_id = time_ordered_uuid();
    m.topic = wire::topic_calendar_changed;
    m.key = wire::record_key(where.tenant, where.user);
    auto const second = std::chrono::floor<std::chrono::seconds>(at);
    m.headers = {{"ce_specversion", "1.0"},
                 {"ce_id", to_string(m.message_id)},
                 {"ce_source", "/calbridge/channel-renewer"},
                 {"ce_type", "calbridge.calendar.changed.v1"},
                 {"ce_time", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(second)))},
                 {"traceparent", observe::to_traceparent(observe::new_trace())},
                 {"content-type", "application/protobuf"}};
    m.value = wire::encode_calendar_changed(message, wire::encoding::protobuf);
    return m;
}

kafka::record record_of(store::outbox_message const& message) { return {message.topic, message.key, message.value, message.headers}; }

task<std::size_t> send_wakeups(kafka::producer& to, std::vector<store::wake> where, instant at) {
    std::vector<kafka::record> records;
    for (store::wake const& each : where) records.push_back(record_of(wakeup_message(each, {}, at)));
    std::size_t sent = 0;
    if (records.empty()) co_return sent;
    auto const answers = co_await to.send_all(std::move(records));
    for (auto const& answer : answers) {
        if (answer) ++sent;
    }
    if (sent < answers.size()) log::warn("wakeups.not_sent", {{"lost", static_cast<std::int64_t>(answers.size() - sent)}});
    co_return sent;
}

}  // namespace calbridge::renewer
