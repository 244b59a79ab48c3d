// Items set aside get another try: a record is understood and taken in again, an event is read again.

#include "requests.h"

#include "authorised.h"
#include "intake_loop.h"
#include "pass.h"
#include "writer.h"

namespace calbridge::worker {

namespace {

constexpr std::chrono::milliseconds look_again{5000};
constexpr int attempts_max = 20;

domain::refusal still_odd(std::string const& why) { return {"still_unreadable", "It still cannot be read: " + why}; }

task<result<void>> settle(request_turn& t, pg::transaction& tx, quarantine_id item, std::vector<store::outbox_message> messages) {
    auto settled = co_await store::settle_quarantined(tx, t.row.tenant, item, "retried");
    if (!settled) co_return settled.error();
    end_with(t.row, {});
    auto saved = co_await store::save_request(tx, t.row);
    if (!saved) co_return saved.error();
    auto done = co_await commit(t.with, tx, std::move(messages));
    co_return done;
}

// Takes the record in as if it had just arrived. Twice does no harm: its version is known then.
task<result<void>> take_in_again(request_turn& t, store::quarantine_row const& item) {
    kafka::consumed record;
    record.topic = item.source;
    record.value = item.value;
    record.fields = item.headers;
    understood again = understand(record);
    auto* task = std::get_if<store::task_intake>(&again.what);
    if (auto const* poison = std::get_if<store::poison>(&again.what)) end_with(t.row, still_odd(poison->detail));
    else if (!task || task->message.tenant != t.row.tenant)
        end_with(t.row, domain::refusal{"not_offered", "This record cannot be taken in again. Send the task again."});
    if (!t.row.is_open()) co_return co_await save(t);
    store::intake intake(t.with.db);
    std::vector<store::task_intake> tasks{std::move(*task)};
    std::vector<store::hint_intake> hints;
    std::vector<store::poison> poisons;
    auto taken = co_await intake.take_in(std::move(tasks), std::move(hints), std::move(poisons));
    if (!taken) co_return taken.error();
    auto begun = co_await t.with.db.begin(t.row.tenant);
    if (!begun) co_return begun.error();
    auto calendar = co_await store::check_lease(**begun, t.held.lease);
    if (!calendar) co_return calendar.error();
    std::vector<store::outbox_message> nobody_told;
    co_return co_await settle(t, **begun, item.id, std::move(nobody_told));
}

// A page of one.
task<result<void>> take_over_event(request_turn& t, store::quarantine_row const& item, domain::calendar_event event) {
    auto begun = co_await t.with.db.begin(t.row.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto calendar = co_await store::check_lease(tx, t.held.lease);
    if (!calendar) co_return calendar.error();
    pass p{t.with, t.held.lease, t.held.connection, *calendar, 0, 0, {}, t.cause};
    surroundings const around = surroundings_of(p, *calendar);
    std::vector<domain::calendar_event> items;
    items.push_back(std::move(event));
    std::map<std::string, moved_event> const moved;
    std::vector<store::outbox_message> messages;
    auto applied = co_await apply_items(p, tx, around, std::move(items), moved, messages);
    if (!applied) co_return applied.error();
    if (p.out.odd == 0) co_return co_await settle(t, tx, item.id, std::move(messages));
    end_with(t.row, still_odd("the newest version of the event is odd, too"));
    auto saved = co_await store::save_request(tx, t.row);
    if (!saved) co_return saved.error();
    auto done = co_await commit(t.with, tx, std::move(messages));
    co_return done;
}

task<result<void>> read_again(request_turn& t, store::quarantine_row const& item) {
    auto const slash = item.subject.find('/');
    std::string const id = slash == std::string::npos ? std::string() : item.subject.substr(slash + 1);
    if (id.empty() || item.subject.substr(0, slash) != t.held.calendar.id.str()) {
        end_with(t.row, domain::refusal{"not_offered", "This event is not in that calendar."});
        co_return co_await save(t);
    }
    std::function<task<google::answer<domain::calendar_event>>(secret const&)> read = [&](secret const& token) {
        return t.with.api.get(token, t.held.calendar.google_id, id, in(t.with.within.call_time_max));
    };
    auto event = co_await authorised<domain::calendar_event>(t.with, t.row.tenant, t.held.connection.id, read);
    if (event) co_return co_await take_over_event(t, item, *event);
    google::call_error const error = event.error();
    if (error.code == errc::malformed || error.code == errc::too_large) end_with(t.row, still_odd(error.context));
    else if (error.code == errc::not_found || error.code == errc::gone)
        end_with(t.row, domain::refusal{"event_gone", "The event is not in the calendar any more. Drop the item."});
    else if (t.row.attempts >= attempts_max) end_with(t.row, domain::refusal{"unavailable", "Google could not be asked. Ask again later."});
    co_return co_await save(t, look_again);
}

}  // namespace

task<result<void>> retry_quarantined(request_turn& t) {
    std::optional<store::quarantine_row> item;
    if (auto const id = parse_uuid(t.row.subject)) {
        auto begun = co_await t.with.db.begin(t.row.tenant);
        if (!begun) co_return begun.error();
        quarantine_id const wanted{*id};
        auto found = co_await store::find_quarantined(**begun, t.row.tenant, wanted);
        if (!found) co_return found.error();
        item = std::move(*found);
    }
    if (!item || item->state != "open") {
        end_with(t.row, domain::refusal{"not_found", "This item is not set aside any more."});
        co_return co_await save(t);
    }
    if (item->source == "google-event") co_return co_await read_again(t, *item);
    co_return co_await take_in_again(t, *item);
}

}  // namespace calbridge::worker
