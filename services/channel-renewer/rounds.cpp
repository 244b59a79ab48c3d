#include "rounds.h"

#include "wakeups.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

namespace calbridge::renewer {

task<result<std::size_t>> poll_round(round_parts const& with, round_limits const& within) {
    auto const polls = co_await store::claim_polls(with.db, polls_at_once, within.poll_active, within.poll_idle, with.random.uniform());
    if (!polls) co_return polls.error();
    std::vector<store::wake> where;
    for (store::poll_duty const& each : *polls) where.push_back(each.where);
    co_await send_wakeups(with.out, std::move(where), with.now.now());
    co_return polls->size();
}

task<result<std::size_t>> outbox_round(round_parts const& with) {
    auto const messages = co_await store::claim_outbox(with.db, messages_at_once);
    if (!messages) co_return messages.error();
    if (messages->empty()) co_return std::size_t{0};
    std::vector<kafka::record> records;
    for (store::outbox_message const& each : *messages) records.push_back(record_of(each));
    auto const answers = co_await with.out.send_all(std::move(records));
    std::vector<store::outbox_message> sent;
    std::optional<error> problem;
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i]) sent.push_back((*messages)[i]);
        else problem = answers[i].error();
    }
    // What was not sent is claimed for a minute and then found again.
    auto const marked = co_await store::outbox_sent(with.db, sent);
    if (!marked) co_return marked.error();
    if (!sent.empty()) log::info("outbox.swept", {{"messages", static_cast<std::int64_t>(sent.size())}});
    if (problem) co_return *problem;
    co_return sent.size();
}

task<result<std::size_t>> overdue_round(round_parts const& with, round_limits const& within) {
    auto placed = co_await store::place_waiting(with.db, wakeups_at_once);
    if (!placed) co_return placed.error();
    auto overdue = co_await store::overdue_work(with.db, wakeups_at_once, within.overdue_grace);
    if (!overdue) co_return overdue.error();
    std::size_t const found = placed->size() + overdue->size();
    if (!overdue->empty()) log::info("work.overdue", {{"calendars", static_cast<std::int64_t>(overdue->size())}});
    overdue->insert(overdue->end(), std::make_move_iterator(placed->begin()), std::make_move_iterator(placed->end()));
    co_await send_wakeups(with.out, std::move(*overdue), with.now.now());
    co_return found;
}

task<result<std::size_t>> discovery_round(round_parts const& with, round_limits const& within) {
    auto const stale = co_await store::stale_discoveries(with.db, grants_at_once);
    if (!stale) co_return stale.error();
    for (store::idle_grant const& each : *stale) {
        std::vector<log::field> fields{{"tenant_id", each.tenant}, {"connection_id", each.connection}};
        auto const token = co_await with.tokens.access_token(each.tenant, each.connection);
        if (!token) {
            log::warn("discovery.failed", log::with(std::move(fields), token.error()));
            continue;
        }
        deadline const at = in(within.call_time_max);
        auto wakes = co_await account::discover_calendars(with.db, with.api, *token, each.tenant, each.connection, at);
        if (!wakes && wakes.error().code == errc::unauthorized) {
            auto const fresh = co_await with.tokens.access_token(each.tenant, each.connection, *token);
            if (fresh) wakes = co_await account::discover_calendars(with.db, with.api, *fresh, each.tenant, each.connection, at);
        }
        if (!wakes) {
            log::warn("discovery.failed", log::with(std::move(fields), wakes.error()));
            continue;
        }
        log::info("discovery.finished", std::move(fields));
        co_await send_wakeups(with.out, std::move(*wakes), with.now.now());
    }
    co_return stale->size();
}

task<result<std::size_t>> idle_grant_round(round_parts const& with) {
    auto const idle = co_await store::idle_grants(with.db, grants_at_once);
    if (!idle) co_return idle.error();
    for (store::idle_grant const& each : *idle) {
        // Asking is enough: the token is long past its end, so the source refreshes it.
        auto const token = co_await with.tokens.access_token(each.tenant, each.connection);
        if (!token)
            log::warn("grant.not_refreshed", log::with({{"tenant_id", each.tenant}, {"connection_id", each.connection}}, token.error()));
    }
    co_return idle->size();
}

task<result<std::size_t>> retention_round(round_parts const& with) {
    auto const removed = co_await store::retain(with.db, removed_at_once);
    if (!removed) co_return removed.error();
    co_return static_cast<std::size_t>(*removed);
}

task<result<std::size_t>> backlog_round(round_parts const& with) {
    auto const b = co_await store::read_backlog(with.db);
    if (!b) co_return b.error();
    metrics::get_gauge("calbridge_backlog_calendars", "Calendars with hints not synced yet").set(static_cast<double>(b->pending_calendars));
    metrics::get_gauge("calbridge_backlog_tasks", "Tasks with changes not synced yet").set(static_cast<double>(b->pending_tasks));
    metrics::get_gauge("calbridge_backlog_outbox_messages", "Messages not published yet").set(static_cast<double>(b->outbox_pending));
    metrics::get_gauge("calbridge_backlog_calendars_without_channel", "Calendars that could have a push channel and have none")
        .set(static_cast<double>(b->calendars_without_channel));
    metrics::get_gauge("calbridge_backlog_oldest_seconds", "Age of the oldest work not done yet").set(b->oldest_pending_seconds);
    co_return std::size_t{0};
}

}  // namespace calbridge::renewer
