#include "rounds.h"

#include "decisions.h"
#include "say.h"
#include "wakeups.h"

#include "store/leaving.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <fmt/format.h>

namespace calbridge::renewer {

namespace {

void warn_about(std::string_view what, tenant_id const& tenant, error const& e) { log::warn(what, log::with({{"tenant_id", tenant}}, e)); }

task<void> say_or_warn(pg::database& db, store::alert what, bool raised) {
    tenant_id const tenant = what.tenant;
    auto const told = co_await say(db, std::move(what), raised);
    if (!told) warn_about("alert.not_written", tenant, told.error());
}

task<void> judge_channel(round_parts const& with, store::poll_duty const& poll) {
    verdict const v = judge_misses(poll.misses_before, poll.misses);
    if (poll.misses > poll.misses_before) {
        metrics::get_counter("calbridge_renewer_missed_pushes_total", "Polls that found changes no push had announced").add();
        log::info("channel.missed", {{"tenant_id", poll.where.tenant}, {"calendar_id", poll.where.calendar}, {"misses", poll.misses}});
    }
    if (v == verdict::nothing) co_return;
    bool const silent = v == verdict::silent;
    store::alert what{.tenant = poll.where.tenant,
                      .kind = "push_silent",
                      .subject = poll.where.calendar.str(),
                      .explanation = silent
                                         ? "Google opened push channels for this calendar, and polls keep finding changes that none of "
                                           "them announced: it is polled until they deliver. Check that Google reaches the webhook address."
                                         : "Push channels of this calendar deliver again."};
    co_await say_or_warn(with.db, std::move(what), silent);
}

}  // namespace

task<result<std::size_t>> poll_round(round_parts const& with, round_limits const& within) {
    auto const polls = co_await store::claim_polls(with.db, polls_at_once, within.poll_active, within.poll_idle, with.random.uniform());
    if (!polls) co_return polls.error();
    std::vector<store::wake> where;
    for (store::poll_duty const& each : *polls) where.push_back(each.where);
    co_await send_wakeups(with.out, std::move(where), with.now.now());
    for (store::poll_duty const& each : *polls) co_await judge_channel(with, each);
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

namespace {

task<result<std::vector<store::wake>>> discover(round_parts const& with, round_limits const& within, store::discovery_duty const& duty) {
    auto const token = co_await with.tokens.access_token(duty.tenant, duty.connection);
    if (!token) co_return token.error();
    deadline const at = in(within.call_time_max);
    auto wakes = co_await account::discover_calendars(with.db, with.api, *token, duty.tenant, duty.connection, duty.whole, at);
    if (wakes || wakes.error().code != errc::unauthorized) co_return wakes;
    auto const fresh = co_await with.tokens.access_token(duty.tenant, duty.connection, *token);
    if (!fresh) co_return fresh.error();
    co_return co_await account::discover_calendars(with.db, with.api, *fresh, duty.tenant, duty.connection, duty.whole, at);
}

store::alert discovery_alert(store::discovery_duty const& duty, bool refused) {
    return {.tenant = duty.tenant,
            .kind = "discovery_failing",
            .subject = duty.connection.str(),
            .explanation = refused
                               ? "Google refuses to show this connection's list of calendars: its user should connect the account again "
                                 "and leave every box ticked. The calendars known already go on."
                               : "This connection's list of calendars cannot be read. The calendars known already go on; this is "
                                 "retried by itself."};
}

task<void> undiscovered(round_parts const& with, store::discovery_duty const& duty, error why) {
    std::vector<log::field> fields{{"tenant_id", duty.tenant}, {"connection_id", duty.connection}, {"failures", duty.failures + 1}};
    log::warn("discovery.failed", log::with(std::move(fields), why));
    auto const noted =
        co_await store::discovery_failed(with.db, duty.tenant, duty.connection, discovery_wait(duty.failures + 1, with.random.uniform()));
    if (!noted) warn_about("discovery.not_noted", duty.tenant, noted.error());
    bool const refused = why.code == errc::forbidden;
    if (refused || duty.failures + 1 >= failures_before_alert) {
        store::alert what = discovery_alert(duty, refused);
        co_await say_or_warn(with.db, std::move(what), true);
    }
}

}  // namespace

task<result<std::size_t>> discovery_round(round_parts const& with, round_limits const& within) {
    auto const due = co_await store::claim_discoveries(with.db, grants_at_once);
    if (!due) co_return due.error();
    for (store::discovery_duty const& each : *due) {
        auto wakes = co_await discover(with, within, each);
        if (!wakes) {
            co_await undiscovered(with, each, wakes.error());
            continue;
        }
        log::info("discovery.finished", {{"tenant_id", each.tenant}, {"connection_id", each.connection}, {"whole", each.whole}});
        if (each.failures > 0) {
            store::alert what = discovery_alert(each, false);
            what.explanation = "This connection's list of calendars can be read again.";
            co_await say_or_warn(with.db, std::move(what), false);
        }
        co_await send_wakeups(with.out, std::move(*wakes), with.now.now());
    }
    co_return due->size();
}

task<result<std::size_t>> orphan_round(round_parts const& with, round_limits const& within) {
    auto const found = co_await store::put_right_orphans(with.db, orphans_at_once, within.orphan_age);
    if (!found) co_return found.error();
    std::vector<store::wake> where;
    for (store::orphan const& each : *found) {
        metrics::get_counter("calbridge_renewer_orphans_total", "Work that something dead had left behind, by what it was",
                             {{"what", each.what}})
            .add();
        if (each.where) where.push_back(*each.where);
    }
    if (!found->empty()) log::warn("orphans.put_right", {{"found", static_cast<std::int64_t>(found->size())}});
    co_await send_wakeups(with.out, std::move(where), with.now.now());
    auto const stuck = co_await store::stuck_outboxes(with.db, within.orphan_age);
    if (!stuck) co_return stuck.error();
    for (store::stuck_outbox const& each : *stuck) {
        bool const still = each.messages > 0;
        store::alert what{.tenant = each.tenant,
                          .kind = "outbox_stuck",
                          .subject = each.tenant.str(),
                          .explanation = still ? fmt::format("{} messages have not been published for half an hour. They are kept and "
                                                             "retried; check Kafka and its limits.",
                                                             each.messages)
                                               : std::string("Every message has been published.")};
        co_await say_or_warn(with.db, std::move(what), still);
    }
    co_return found->size();
}

task<result<std::size_t>> departure_round(round_parts const& with, account::leave_parts const& leaving, round_limits const& within) {
    auto const due = co_await store::claim_departures(with.db, grants_at_once, departure_retry);
    if (!due) co_return due.error();
    for (store::departure const& each : *due) {
        deadline const at = in(within.call_time_max);
        account::left const how = co_await account::take_leave_of_google(leaving, each.tenant, each.connection, at);
        if (how == account::left::back) continue;
        bool const given_up = how == account::left::later && with.now.now() - each.since > departure_time_max;
        if (how == account::left::later && !given_up) continue;
        auto const forgotten = co_await store::forget_grant(with.db, each.tenant, each.connection);
        if (!forgotten) {
            warn_about("departure.not_stored", each.tenant, forgotten.error());
            continue;
        }
        log::info("departure.finished", {{"tenant_id", each.tenant}, {"connection_id", each.connection}, {"google_told", !given_up}});
        if (!given_up) continue;
        store::alert what{.tenant = each.tenant,
                          .kind = "revoke_failed",
                          .subject = each.connection.str(),
                          .explanation =
                              "This connection was ended and its keys are destroyed, but Google could not be told for three days: "
                              "its user can remove the app under myaccount.google.com, Security."};
        co_await say_or_warn(with.db, std::move(what), true);
    }
    co_return due->size();
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
