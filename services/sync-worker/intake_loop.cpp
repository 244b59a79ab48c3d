#include "intake_loop.h"

#include "wire/topics.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"
#include "common/retry/backoff.h"

namespace calbridge::worker {

namespace {

std::string_view header(kafka::headers const& fields, std::string_view wanted) {
    for (auto const& [n, v] : fields)
        if (n == wanted) return v;
    return {};
}

store::poison poison_of(kafka::consumed const& record, tenant_id tenant, std::string reason, std::string detail) {
    store::poison p;
    p.tenant = std::move(tenant);
    p.source = record.topic;
    p.partition = record.partition;
    p.offset = record.offset;
    p.subject = record.key ? scrub_text(*record.key) : std::string();
    p.reason = std::move(reason);
    p.detail = scrub_text(detail);
    p.value = record.value.value_or(std::string());
    for (auto const& [n, v] : record.fields) p.headers.emplace_back(scrub_text(n), scrub_text(v));
    return p;
}

void count(std::string_view topic, std::string_view outcome, double by = 1) {
    metrics::get_counter("calbridge_worker_records_total", "Records taken from Kafka by topic and outcome",
                         {{"topic", std::string(topic)}, {"outcome", std::string(outcome)}})
        .add(by);
}

}  // namespace

understood understand(kafka::consumed const& record) {
    if (!record.value) return {poison_of(record, {}, "empty_value", "The record has no value; a deletion is said with \"deleted\": true.")};
    auto const as = wire::encoding_of(header(record.fields, "content-type"), *record.value);
    if (!as) return {poison_of(record, {}, "unknown_content_type", as.error().context)};
    if (record.topic == wire::topic_task_changed) {
        auto message = wire::decode_task_changed(*record.value, *as);
        if (!message) return {poison_of(record, {}, std::string(name(message.error().code)), message.error().context)};
        auto place = domain::place_of(*message);
        if (auto const* why = std::get_if<domain::refusal>(&place))
            return {poison_of(record, message->tenant, why->code, why->explanation)};
        return {store::task_intake{std::move(*message), std::move(std::get<domain::task_place>(place))}};
    }
    auto message = wire::decode_calendar_changed(*record.value, *as);
    if (!message) return {poison_of(record, {}, std::string(name(message.error().code)), message.error().context)};
    store::hint_intake hint;
    hint.calendar = message->calendar;
    hint.source = std::string(header(record.fields, "ce_source"));
    hint.message_id = std::string(header(record.fields, "ce_id"));
    hint.raises = message->why != domain::cause::retry;
    hint.channel = message->channel;
    hint.message_number = message->message_number;
    return {std::move(hint)};
}

std::optional<observe::trace_context> traces::of(store::wake const& where) const {
    auto found = by_place.find(where.calendar.str());
    if (found == by_place.end()) found = by_place.find(wire::record_key(where.tenant, where.user));
    if (found == by_place.end()) return {};
    return found->second;
}

intake_loop::intake_loop(kafka::consumer& consumer, store::intake& intake, scheduler& work, runtime::health& health, random_source& random)
    : consumer_(consumer), intake_(intake), work_(work), health_(health), random_(random) {}

task<result<std::vector<store::wake>>> intake_loop::try_take_in(std::vector<kafka::consumed> const& batch, traces& causes) {
    std::vector<store::task_intake> tasks;
    std::vector<store::hint_intake> hints;
    std::vector<store::poison> poisons;
    for (kafka::consumed const& record : batch) {
        understood u = understand(record);
        if (auto trace = observe::parse_traceparent(header(record.fields, "traceparent"))) {
            if (auto* hint = std::get_if<store::hint_intake>(&u.what)) causes.by_place[hint->calendar.str()] = *trace;
            else if (auto* task = std::get_if<store::task_intake>(&u.what))
                causes.by_place[wire::record_key(task->message.tenant, task->message.user)] = *trace;
        }
        if (auto* t = std::get_if<store::task_intake>(&u.what)) tasks.push_back(std::move(*t));
        else if (auto* h = std::get_if<store::hint_intake>(&u.what)) hints.push_back(std::move(*h));
        else {
            store::poison& p = std::get<store::poison>(u.what);
            log::warn("record.quarantined", {{"topic", record.topic},
                                             {"partition", static_cast<std::int64_t>(record.partition)},
                                             {"offset", record.offset},
                                             {"reason", p.reason},
                                             {"detail", p.detail}});
            poisons.push_back(std::move(p));
        }
    }
    auto const taken = tasks.size(), hinted = hints.size(), poisoned = poisons.size();
    auto wakes = co_await intake_.take_in(std::move(tasks), std::move(hints), std::move(poisons));
    if (wakes) {
        if (taken) count(wire::topic_task_changed, "taken", static_cast<double>(taken));
        if (hinted) count(wire::topic_calendar_changed, "taken", static_cast<double>(hinted));
        if (poisoned) count("any", "quarantined", static_cast<double>(poisoned));
    }
    co_return wakes;
}

task<void> intake_loop::take_in(std::vector<kafka::consumed> batch) {
    for (int failures = 0;;) {
        traces causes;
        auto wakes = co_await try_take_in(batch, causes);
        if (wakes) {
            health_.report("postgres", true);
            consumer_.store(batch);
            for (store::wake const& where : *wakes) work_.wake(where, causes.of(where));
            co_return;
        }
        errc const code = wakes.error().code;
        bool const passing = code == errc::unavailable || code == errc::timed_out || code == errc::conflict;
        if (!passing && batch.size() > 1) {
            // One record of the batch cannot be stored: each gets its own transaction, so its neighbours are not held up.
            for (kafka::consumed const& record : batch) {
                std::vector<kafka::consumed> one{record};
                co_await take_in(std::move(one));
            }
            co_return;
        }
        if (!passing) {
            std::vector<store::poison> aside;
            aside.push_back(poison_of(batch.front(), {}, "cannot_be_stored", wakes.error().context));
            auto kept = co_await intake_.take_in({}, {}, std::move(aside));
            if (kept) {
                count("any", "quarantined");
                log::warn("record.quarantined",
                          log::with({{"topic", batch.front().topic}, {"offset", batch.front().offset}}, wakes.error()));
                consumer_.store(batch);
                co_return;
            }
        }
        health_.report("postgres", false, wakes.error().context);
        ++failures;
        log::warn("intake.waits", log::with({{"records", static_cast<std::int64_t>(batch.size())}, {"failures", failures}}, wakes.error()));
        retry::policy const pause{std::chrono::milliseconds(250), std::chrono::milliseconds(5000), std::chrono::milliseconds(50)};
        co_await sleep_for(retry::wait(pause, failures, random_.uniform()));
    }
}

task<void> intake_loop::run() {
    for (;;) {
        std::vector<kafka::consumed> batch = co_await consumer_.poll();
        co_await take_in(std::move(batch));
    }
}

}  // namespace calbridge::worker
