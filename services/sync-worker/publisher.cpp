#include "publisher.h"

#include "wire/topics.h"

#include "common/base/rfc3339.h"
#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/observe/trace.h"

namespace calbridge::worker {

namespace {

store::outbox_message cloud_event(tenant_id tenant, std::string_view topic, std::string key, std::string type, uuid message_id, instant at,
                                  wire::encoding as, std::string value, observe::trace_context const& cause) {
    store::outbox_message m;
    m.tenant = std::move(tenant);
    m.message_id = message_id;
    m.topic = std::string(topic);
    m.key = std::move(key);
    m.headers = {{"ce_specversion", "1.0"},
                 {"ce_id", to_string(message_id)},
                 {"ce_source", "/calbridge/sync-worker"},
                 {"ce_type", std::move(type)},
                 {"ce_time", rfc3339(at)},
                 {"traceparent", observe::to_traceparent(observe::child_of(cause))},
                 {"content-type", as == wire::encoding::json ? "application/json" : "application/protobuf"}};
    m.value = std::move(value);
    return m;
}

}  // namespace

publisher::publisher(asio::any_io_executor executor, kafka::producer& producer, pg::database& db)
    : producer_(producer), db_(db), acknowledged_(executor) {}

void publisher::publish(std::vector<store::outbox_message> messages) {
    for (store::outbox_message& m : messages) {
        kafka::record record{m.topic, m.key, m.value, m.headers};
        ++in_flight_;
        auto done = [this, m = std::move(m)](result<void> r) mutable {
            --in_flight_;
            if (r) {
                m.value.clear();
                done_.push_back(std::move(m));
                acknowledged_.notify();
                return;
            }
            // The row stays pending and is swept later.
            log::warn("outbox.not_published", log::with({{"tenant_id", m.tenant}, {"topic", m.topic}}, r.error()));
        };
        producer_.send(std::move(record), std::move(done));
    }
}

task<void> publisher::run() {
    for (;;) {
        co_await acknowledged_.wait();
        co_await mark();
    }
}

task<void> publisher::mark() {
    while (!done_.empty()) {
        std::vector<store::outbox_message> batch = std::move(done_);
        done_.clear();
        auto marked = co_await store::mark_sent(db_, batch);
        if (!marked) {
            // Sent twice at worst: the consumer drops repeats by message id and sequence.
            log::warn("outbox.not_marked", log::with({{"messages", static_cast<std::int64_t>(batch.size())}}, marked.error()));
            co_return;
        }
    }
}

store::outbox_message message_of(domain::task_update const& update, uuid message_id, instant at, bool as_json,
                                 observe::trace_context const& cause) {
    wire::encoding const as = as_json ? wire::encoding::json : wire::encoding::protobuf;
    return cloud_event(update.tenant, wire::topic_task_updates, wire::record_key(update.tenant, update.user), "calbridge.tasks.updated.v1",
                       message_id, at, as, wire::encode_task_update(update, as), cause);
}

}  // namespace calbridge::worker
