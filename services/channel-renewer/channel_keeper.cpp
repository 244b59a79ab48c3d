#include "channel_keeper.h"

#include "decisions.h"
#include "say.h"
#include "wakeups.h"

#include "domain/channel_token.h"
#include "store/alerts.h"
#include "store/work.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

namespace calbridge::renewer {

using namespace std::chrono_literals;

namespace {

void count(std::string what, std::string outcome) {
    metrics::get_counter("calbridge_renewer_channels_total", "Push channels by what was done and how it went",
                         {{"what", std::move(what)}, {"outcome", std::move(outcome)}})
        .add();
}

bool is_list(store::channel_duty const& duty) { return duty.calendar.is_nil(); }

std::vector<log::field> fields_of(store::channel_duty const& duty) {
    std::vector<log::field> fields{{"tenant_id", duty.tenant}, {"connection_id", duty.connection}};
    if (!is_list(duty)) fields.emplace_back("calendar_id", duty.calendar);
    return fields;
}

store::channel_row fresh_row(store::channel_duty const& duty) {
    store::channel_row row;
    row.tenant = duty.tenant;
    row.connection = duty.connection;
    row.calendar = duty.calendar;
    return row;
}

store::alert renewal_alert(store::channel_duty const& duty, bool raised, std::string const& why) {
    std::string const what = is_list(duty) ? "the calendar list of this connection" : "this calendar";
    return {.tenant = duty.tenant,
            .kind = "renewals_failing",
            .subject = is_list(duty) ? duty.connection.str() : duty.calendar.str(),
            .explanation = raised ? "Google does not open a push channel for " + what + " (" + why + "): it is polled until it does."
                                  : "Google opened a push channel for " + what + " again."};
}

store::alert scope_alert(store::channel_duty const& duty, bool raised) {
    return {.tenant = duty.tenant,
            .kind = "scope_missing",
            .subject = duty.connection.str(),
            .explanation = raised ? "Google refuses a call because this connection's user did not allow it: the user should connect the "
                                    "account again and leave every box ticked."
                                  : "This connection's user has allowed what is needed."};
}

}  // namespace

channel_keeper::channel_keeper(asio::any_io_executor executor, channel_parts with, channel_limits within)
    : executor_(std::move(executor)), with_(with), within_(within) {}

task<std::vector<store::channel_duty>> channel_keeper::claim() {
    int const free = within_.at_once - static_cast<int>(at_work_);
    if (free <= 0 || draining_) co_return std::vector<store::channel_duty>{};
    auto duties = co_await store::claim_channel_duties(with_.db, free, within_.claim);
    if (!duties) {
        log::warn("channels.not_claimed", log::with({}, duties.error()));
        co_return std::vector<store::channel_duty>{};
    }
    co_return std::move(*duties);
}

task<void> channel_keeper::look(task_group& group) {
    for (;;) {
        auto duties = co_await claim();
        for (store::channel_duty& duty : duties) {
            ++at_work_;
            group.spawn("channel", perform(std::move(duty)));
        }
        auto const pause = within_.every * (0.75 + 0.5 * with_.random.uniform());
        co_await sleep_for(std::chrono::duration_cast<std::chrono::milliseconds>(pause));
    }
}

task<void> channel_keeper::run() {
    task_group group(executor_);
    group.spawn("look", look(group));
    co_await group.join();
}

task<void> channel_keeper::drain() {
    draining_ = true;
    while (at_work_ > 0) co_await sleep_for(20ms);
}

task<std::size_t> channel_keeper::round() {
    auto duties = co_await claim();
    std::size_t const found = duties.size();
    task_group group(executor_);
    for (store::channel_duty& duty : duties) {
        ++at_work_;
        group.spawn("channel", perform(std::move(duty)));
    }
    co_await group.join();
    co_return found;
}

task<void> channel_keeper::perform(store::channel_duty duty) {
    struct leaving {
        std::size_t& at_work;
        ~leaving() { --at_work; }
    } const leave{at_work_};
    if (duty.what == store::channel_duty::kind::stop) co_await stop(duty);
    else co_await open(duty);
}

task<google::answer<google::watch_answer>> channel_keeper::watch(store::channel_duty const& duty, google::watch_request request,
                                                                 secret token) {
    deadline const at = in(within_.call_time_max);
    auto first = co_await with_.api.watch(token, request, at);
    if (first || first.error().code != errc::unauthorized) co_return first;
    // A refused token opened nothing, so the same channel may be asked for again.
    auto const fresh = co_await with_.tokens.access_token(duty.tenant, duty.connection, token);
    if (!fresh) co_return first;
    co_return co_await with_.api.watch(*fresh, std::move(request), at);
}

task<void> channel_keeper::open(store::channel_duty const& duty) {
    std::optional<std::chrono::milliseconds> old_left;
    if (duty.channel && duty.channel->expires_at) {
        old_left = std::chrono::duration_cast<std::chrono::milliseconds>(*duty.channel->expires_at - with_.now.now());
    }
    store::channel_row row = fresh_row(duty);
    auto const token = co_await with_.tokens.access_token(duty.tenant, duty.connection);
    if (!token) {
        watch_failure const why = judge_missing_token(token.error(), duty.failures, old_left, with_.random.uniform());
        co_await failed(duty, row, why);
        co_return;
    }
    row.id = channel_id{random_uuid()};
    row.created_at = with_.now.now();
    secret const channel_token = domain::make_channel_token(with_.token_keys, row.id, row.connection, row.calendar, row.created_at);
    auto const digest = crypto::sha256(channel_token.reveal());
    bytes const token_hash(digest.begin(), digest.end());
    auto const inserted = co_await store::insert_channel(with_.db, row, token_hash);
    if (!inserted) {
        // Nothing was opened; the claim runs out by itself.
        log::warn("channel.not_inserted", log::with(fields_of(duty), inserted.error()));
        co_return;
    }
    google::watch_request request;
    request.calendar = duty.google_calendar_id;
    request.channel_id = row.id.str();
    request.address = with_.address;
    request.token = channel_token;
    request.life = std::chrono::duration_cast<std::chrono::seconds>(within_.life);
    auto answer = co_await watch(duty, std::move(request), *token);
    if (answer) {
        co_await opened(duty, std::move(row), std::move(*answer));
        co_return;
    }
    watch_failure const why = judge_watch_failure(answer.error(), duty.failures, old_left, with_.random.uniform());
    co_await failed(duty, row, why);
}

task<void> channel_keeper::opened(store::channel_duty const& duty, store::channel_row row, google::watch_answer answer) {
    instant const now = with_.now.now();
    instant const renew_at = renewal_time(now, answer.expires_at, within_.renew_before, with_.random.uniform());
    store::wake const where{duty.tenant, duty.user, duty.calendar};
    std::vector<store::outbox_message> wakeups;
    // The list is read by this service itself.
    if (!is_list(duty)) wakeups.push_back(wakeup_message(where, duty.connection, now));
    result<void> active;
    // PostgreSQL may be away for a moment. If it stays away the row stays pending, and the next opening supersedes it.
    for (int tries = 0; tries < 5; ++tries) {
        if (tries > 0) co_await sleep_for(200ms * tries);
        active = co_await store::activate_channel(with_.db, row, answer.resource_id, answer.expires_at, renew_at, wakeups);
        if (active || active.error().code == errc::gone) break;
    }
    std::string const what = duty.what == store::channel_duty::kind::renew ? "renew" : "open";
    auto fields = fields_of(duty);
    if (!active) {
        count(what, active.error().code == errc::gone ? "unwanted" : "not_stored");
        log::warn("channel.not_activated", log::with(std::move(fields), active.error()));
        co_return;
    }
    count(what, "done");
    fields.emplace_back("channel_id", row.id);
    log::info(duty.what == store::channel_duty::kind::renew ? "channel.renewed" : "channel.opened", std::move(fields));
    if (duty.failures > 0) {
        co_await set_alert(duty, alert_kind::renewals_failing, false, "");
        co_await set_alert(duty, alert_kind::scope_missing, false, "");
    }
    if (wakeups.empty()) co_return;
    std::vector<kafka::record> records{record_of(wakeups.front())};
    auto const sent = co_await with_.out.send_all(std::move(records));
    if (!sent.empty() && sent.front()) {
        auto const marked = co_await store::outbox_sent(with_.db, wakeups);
        if (!marked) log::warn("outbox.not_marked", log::with(fields_of(duty), marked.error()));
    }
}

task<void> channel_keeper::failed(store::channel_duty const& duty, store::channel_row const& row, watch_failure why) {
    std::string const reason = why.why;
    auto const failures = co_await store::channel_failed(with_.db, row, reason, why.permanent, why.outcome_unknown, why.retry_in);
    count(duty.what == store::channel_duty::kind::renew ? "renew" : "open", why.permanent ? "refused" : "failed");
    auto fields = fields_of(duty);
    fields.emplace_back("reason", reason);
    fields.emplace_back("retry_in", std::chrono::microseconds(why.retry_in));
    if (!failures) {
        log::warn("channel.failed", log::with(std::move(fields), failures.error()));
        co_return;
    }
    fields.emplace_back("failures", *failures);
    log::warn("channel.failed", std::move(fields));
    if (why.scope_missing) co_await set_alert(duty, alert_kind::scope_missing, true, reason);
    else if (!why.permanent && *failures >= failures_before_alert) co_await set_alert(duty, alert_kind::renewals_failing, true, reason);
}

task<void> channel_keeper::set_alert(store::channel_duty const& duty, alert_kind kind, bool raised, std::string why) {
    store::alert const what = kind == alert_kind::scope_missing ? scope_alert(duty, raised) : renewal_alert(duty, raised, why);
    auto const told = co_await say(with_.db, what, raised);
    if (!told) log::warn("alert.not_written", log::with(fields_of(duty), told.error()));
}

task<void> channel_keeper::stop(store::channel_duty const& duty) {
    store::channel_row const& row = *duty.channel;
    std::string why = "replaced";
    bool final = true;
    if (duty.status == store::connection_status::revoked || duty.status == store::connection_status::disconnected)
        why = "connection " + std::string(store::name(duty.status));
    if (!row.resource_id) {
        why = "never known at Google";
    } else if (row.expires_at && *row.expires_at <= with_.now.now()) {
        why = "expired";
    } else if (auto const token = co_await with_.tokens.access_token(duty.tenant, duty.connection); token) {
        deadline const at = in(within_.call_time_max);
        auto const stopped = co_await with_.api.stop(*token, row.id.str(), *row.resource_id, at);
        if (!stopped) {
            final = is_stop_final(stopped.error());
            why = "stop answered " + std::string(name(stopped.error().code));
        }
    } else {
        // Without consent it cannot be stopped: Google lets it run out, and its pushes are dropped by its id.
        errc const code = token.error().code;
        final = code == errc::grant_revoked || code == errc::not_found || code == errc::gone;
        if (final) why = "no consent left to stop it with";
    }
    if (!final) {
        count("stop", "later");
        co_return;
    }
    auto const stopped = co_await store::stop_channel_row(with_.db, duty.tenant, row.id, why);
    count("stop", stopped ? "done" : "not_stored");
    auto fields = fields_of(duty);
    fields.emplace_back("channel_id", row.id);
    fields.emplace_back("reason", why);
    if (stopped) log::info("channel.stopped", std::move(fields));
    else log::warn("channel.not_stopped", log::with(std::move(fields), stopped.error()));
}

}  // namespace calbridge::renewer
