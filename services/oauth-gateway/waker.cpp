#include "waker.h"

#include "wire/topics.h"

#include "common/base/rfc3339.h"
#include "common/observe/log.h"
#include "common/observe/trace.h"

#include <utility>

namespace calbridge::gateway {

namespace {

store::outbox_message message_of(connection_id connection, store::wake const& where, domain::cause why, instant at) {
    domain::calendar_changed const message{
        .tenant = where.tenant, .user = where.user, .connection = connection, .calendar = where.calendar, .why = why};
    uuid const id = time_ordered_uuid();
    return {.tenant = where.tenant,
            .message_id = id,
            .topic = std::string(wire::topic_calendar_changed),
            .key = wire::record_key(where.tenant, where.user),
            .headers = {{"ce_specversion", "1.0"},
                        {"ce_id", to_string(id)},
                        {"ce_source", "/calbridge/oauth-gateway"},
                        {"ce_type", "calbridge.calendar.changed.v1"},
                        {"ce_time", rfc3339(at)},
                        {"traceparent", observe::to_traceparent(observe::new_trace())},
                        {"content-type", "application/protobuf"}},
            .value = wire::encode_calendar_changed(message)};
}

}  // namespace

waker::waker(asio::any_io_executor executor, pg::database& db, kafka::producer& producer, clock const& now)
    : db_(db), producer_(producer), now_(now), reports_(std::make_shared<reports>(std::move(executor))) {}

task<result<void>> waker::wake(connection_id connection, std::vector<store::wake> where, domain::cause why) {
    if (where.empty()) co_return result<void>{};
    std::vector<store::outbox_message> messages;
    for (auto const& one : where) messages.push_back(message_of(connection, one, why, now_.now()));
    auto tx = co_await db_.begin(where.front().tenant);
    if (!tx) co_return tx.error();
    auto const written = co_await store::write_outbox(**tx, messages);
    if (!written) co_return written.error();
    auto const committed = co_await (*tx)->commit();
    if (!committed) co_return committed.error();
    publish(std::move(messages));
    co_return result<void>{};
}

void waker::publish(std::vector<store::outbox_message> messages) {
    for (auto& message : messages) {
        kafka::record record{.topic = message.topic, .key = message.key, .value = message.value, .fields = message.headers};
        auto done = [to = reports_, sent = std::move(message)](result<void> outcome) mutable {
            if (!outcome) {
                // The row stays pending and is swept later.
                log::warn("outbox.not_published", log::with({{"tenant", sent.tenant}, {"topic", sent.topic}}, outcome.error()));
                return;
            }
            to->sent.push_back(std::move(sent));
            to->acknowledged.notify();
        };
        producer_.send(std::move(record), std::move(done));
    }
}

task<void> waker::run() {
    for (;;) {
        co_await reports_->acknowledged.wait();
        std::vector<store::outbox_message> const sent = std::exchange(reports_->sent, {});
        auto const marked = co_await store::mark_sent(db_, sent);
        // Sent twice at worst: consumers drop repeats by message id.
        if (!marked) log::warn("outbox.not_marked", log::with({}, marked.error()));
    }
}

}  // namespace calbridge::gateway
