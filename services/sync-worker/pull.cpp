#include "pull.h"

#include "authorised.h"
#include "engine.h"
#include "writer.h"

#include "store/alerts.h"

#include "common/observe/log.h"

#include <algorithm>
#include <map>
#include <set>

namespace calbridge::worker {

namespace {

struct pass {
    parts const& with;
    store::held_lease held;
    store::connection_row connection;
    store::calendar_row calendar;
    std::int64_t dirty_at_start{};
    std::int64_t pass_id{};
    pass_outcome out;
    observe::trace_context cause;
};

google::list_query query_of(pass const& p, std::optional<std::string> page_token) {
    google::list_query q;
    q.calendar = p.calendar.google_id;
    if (!p.out.full) q.sync_token = p.calendar.sync_token;
    q.page_token = std::move(page_token);
    return q;
}

pass_outcome& troubled(pass& p, google::call_error const& error, next_move move) {
    p.out.trouble = move;
    p.out.wait = retry::wait(p.with.within.backoff, p.calendar.failures + 1, p.with.random.uniform(), error.retry_after);
    p.out.why = error.reason.empty() ? std::string(name(error.code)) : error.reason;
    return p.out;
}

// Applies the linked events of a page to their rows and mirrors all of them, in the open transaction.
task<result<void>> apply(pass& p, pg::transaction& tx, surroundings const& around, std::vector<domain::calendar_event> const& items,
                         std::vector<store::outbox_message>& messages) {
    // The same event twice in one page: the last one wins.
    std::map<std::string, std::size_t> last;
    for (std::size_t i = 0; i < items.size(); ++i) last[items[i].id] = i;

    std::vector<std::string> ids;
    std::vector<uuid> operations;
    for (auto const& [id, at] : last) {
        ids.push_back(id);
        if (auto operation = parse_uuid(items[at].operation)) operations.push_back(*operation);
    }
    auto locked = co_await store::lock_page(tx, p.held.tenant, p.held.calendar, std::move(ids), std::move(operations));
    if (!locked) co_return locked.error();

    std::map<std::string, store::task_and_link*> by_event;
    for (store::task_and_link& rows : locked->links)
        if (rows.link) by_event[rows.link->event_id] = &rows;
    std::map<uuid, store::operation_row const*> by_operation;
    for (store::operation_row const& operation : locked->operations) by_operation[operation.id.value] = &operation;

    std::vector<store::mirrored_event> mirrored;
    mirrored.reserve(last.size());
    for (auto const& [id, at] : last) {
        domain::calendar_event const& event = items[at];
        auto const known = by_event.find(id);
        std::optional<link_id> link;
        if (known != by_event.end()) {
            link = known->second->link->id;
            if (known->second->link->state != domain::link_state::ended) {
                ++p.out.linked;
                std::optional<store::operation_row> stamped;
                if (auto operation = parse_uuid(event.operation))
                    if (auto found = by_operation.find(*operation); found != by_operation.end()) stamped = *found->second;
                inbound seen = event_seen(*known->second, stamped, event, around);
                if (seen.odd) {
                    ++p.out.odd;
                    auto r =
                        co_await store::quarantine_event(tx, p.held, event.id, *seen.odd, "A linked event could not be read.", event.raw);
                    if (!r) co_return r.error();
                }
                auto r = co_await write(p.with, tx, seen.change, messages, p.cause);
                if (!r) co_return r.error();
            }
        }
        mirrored.push_back(mirror_of(event, link));
    }
    auto changed = co_await store::mirror(tx, p.held, std::move(mirrored), p.out.full ? p.pass_id : 0);
    if (!changed) co_return changed.error();
    p.out.changed += *changed;
    co_return result<void>{};
}

task<result<void>> apply_page(pass& p, google::event_page const& page, bool ends_here) {
    auto begun = co_await p.with.db.begin(p.held.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto calendar = co_await store::check_lease(tx, p.held);
    if (!calendar) co_return calendar.error();
    surroundings const around = surroundings_of(p.with, p.connection, *calendar);
    std::vector<store::outbox_message> messages;
    for (std::size_t i = 0; i < page.odd.size(); ++i) {
        ++p.out.odd;
        std::string const reason = i < page.odd_reasons.size() ? page.odd_reasons[i] : "unreadable";
        auto r = co_await store::quarantine_event(tx, p.held, page.odd[i].first, "unreadable_event", reason, page.odd[i].second);
        if (!r) co_return r.error();
    }
    auto applied = co_await apply(p, tx, around, page.items, messages);
    if (!applied) co_return applied.error();

    store::cursor at;
    google::list_query const q = query_of(p, {});
    at.fingerprint = google::list_fingerprint(q);
    at.pass_id = p.pass_id;
    at.time_zone = page.time_zone;
    at.changed = p.out.changed > 0;
    if (ends_here) {
        at.sync_token = page.next_sync_token;
        at.synced_seq = p.dirty_at_start;
    } else {
        // Only a full pass can go on from a stored page; an incremental one starts again from its token.
        if (p.out.full) at.page_token = page.next_page_token;
        at.pass_dirty_seq = p.dirty_at_start;
    }
    auto saved = co_await store::save_cursor(tx, p.held, at);
    if (!saved) co_return saved.error();
    auto done = co_await commit(p.with, tx, std::move(messages));
    co_return done;
}

// After the last page of a full pass: what the mirror knows and the listing did not show is gone, unless it is too much to believe.
task<result<bool>> sweep(pass& p) {
    store::sweep_view view;
    {
        auto begun = co_await p.with.db.begin(p.held.tenant);
        if (!begun) co_return begun.error();
        auto calendar = co_await store::check_lease(**begun, p.held);
        if (!calendar) co_return calendar.error();
        auto read = co_await store::unswept(**begun, p.held, p.pass_id);
        if (!read) co_return read.error();
        view = std::move(*read);
    }
    bool const too_many = domain::brake(view.missing.size(), view.known);
    if (!too_many) {
        auto begun = co_await p.with.db.begin(p.held.tenant);
        if (!begun) co_return begun.error();
        store::alert const over{p.held.tenant, "brake_pulled", p.held.calendar.str(), "The calendar reads as it should again."};
        auto resolved = co_await store::resolve_alert(**begun, over);
        if (!resolved) co_return resolved.error();
        auto done = co_await (*begun)->commit();
        if (!done) co_return done.error();
    }
    if (view.missing.empty()) co_return true;
    if (too_many) {
        p.out.trouble = next_move::stop_calendar;
        p.out.wait = std::chrono::hours(1);
        p.out.why = "mass_delete_brake";
        auto begun = co_await p.with.db.begin(p.held.tenant);
        if (!begun) co_return begun.error();
        store::alert const alert{p.held.tenant, "brake_pulled", p.held.calendar.str(),
                                 "A full reading of the calendar misses " + std::to_string(view.missing.size()) + " of " +
                                     std::to_string(view.known) + " known events. Nothing was deleted; check the calendar and resume."};
        auto raised = co_await store::raise_alert(**begun, alert);
        if (!raised) co_return raised.error();
        auto done = co_await (*begun)->commit();
        if (!done) co_return done.error();
        co_return false;
    }
    // A listing may lag behind: each linked one is asked for by itself before it counts as deleted.
    std::vector<domain::calendar_event> gone;
    for (std::string const& id : view.missing) {
        std::function<task<google::answer<domain::calendar_event>>(secret const&)> read = [&](secret const& token) {
            return p.with.api.get(token, p.calendar.google_id, id, in(p.with.within.call_time_max));
        };
        auto event = co_await authorised<domain::calendar_event>(p.with, p.held.tenant, p.connection.id, read);
        if (event) {
            gone.push_back(*event);
            continue;
        }
        if (event.error().calendar_gone || (event.error().code != errc::not_found && event.error().code != errc::gone)) {
            google::call_error const error = event.error();
            troubled(p, error, error.calendar_gone ? next_move::stop_calendar : next_move::defer_calendar);
            co_return false;
        }
        domain::calendar_event tombstone;
        tombstone.id = id;
        tombstone.status = "cancelled";
        tombstone.raw = "{}";
        gone.push_back(std::move(tombstone));
    }
    auto begun = co_await p.with.db.begin(p.held.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto calendar = co_await store::check_lease(tx, p.held);
    if (!calendar) co_return calendar.error();
    surroundings const around = surroundings_of(p.with, p.connection, *calendar);
    std::vector<store::outbox_message> messages;
    auto applied = co_await apply(p, tx, around, gone, messages);
    if (!applied) co_return applied.error();
    auto done = co_await commit(p.with, tx, std::move(messages));
    if (!done) co_return done.error();
    co_return true;
}

}  // namespace

task<result<pass_outcome>> pull_pass(parts const& with, store::held_lease held, store::connection_row connection,
                                     observe::trace_context cause) {
    pass p{with, held, std::move(connection), {}, 0, 0, {}, std::move(cause)};
    {
        auto begun = co_await with.db.begin(held.tenant);
        if (!begun) co_return begun.error();
        auto calendar = co_await store::check_lease(**begun, held);
        if (!calendar) co_return calendar.error();
        p.calendar = std::move(*calendar);
    }
    google::list_query const frozen = query_of(p, {});
    p.out.full = !p.calendar.sync_token || p.calendar.sync_fingerprint != google::list_fingerprint(frozen);
    p.dirty_at_start = p.calendar.dirty_seq;
    p.pass_id = p.calendar.pass_id;
    std::optional<std::string> page_token;
    if (p.out.full) {
        if (p.calendar.pass_page_token && p.calendar.pass_dirty_seq) {
            // A full pass was interrupted: it goes on where its last committed page ended, under the same number.
            page_token = p.calendar.pass_page_token;
            p.dirty_at_start = *p.calendar.pass_dirty_seq;
        } else {
            p.pass_id += 1;
        }
    }

    std::set<std::string> tokens_seen;
    for (;;) {
        if (++p.out.pages > with.within.pages_max || (page_token && !tokens_seen.insert(*page_token).second)) {
            p.out.trouble = next_move::defer_calendar;
            p.out.wait = with.within.backoff.cap;
            p.out.why = "page_tokens_repeat";
            co_return p.out;
        }
        google::list_query query = query_of(p, page_token);
        std::function<task<google::answer<google::event_page>>(secret const&)> list = [&](secret const& token) {
            return with.api.list(token, query, in(with.within.call_time_max));
        };
        auto page = co_await authorised<google::event_page>(with, held.tenant, p.connection.id, list);
        if (!page) {
            google::call_error const error = page.error();
            next_move move = after(error, call_kind::list);
            // A stored page token may have aged out: the full pass starts over.
            bool const stale_page = p.out.full && page_token && error.status == 400;
            if (move == next_move::restart_listing || stale_page) {
                auto begun = co_await with.db.begin(held.tenant);
                if (!begun) co_return begun.error();
                auto calendar = co_await store::check_lease(**begun, held);
                if (!calendar) co_return calendar.error();
                auto dropped = co_await store::drop_cursor(**begun, held);
                if (!dropped) co_return dropped.error();
                auto done = co_await (*begun)->commit();
                if (!done) co_return done.error();
                log::info("pass.restarts_in_full", {{"tenant_id", held.tenant}, {"calendar_id", held.calendar}, {"reason", error.reason}});
                p.out.trouble = next_move::restart_listing;
                p.out.why = error.reason;
                co_return p.out;
            }
            co_return troubled(p, error, move);
        }
        p.out.items += page->items.size();
        bool const last = !page->next_page_token;
        if (last && !page->next_sync_token) {
            p.out.trouble = next_move::defer_calendar;
            p.out.wait = with.within.backoff.base;
            p.out.why = "no_sync_token_on_last_page";
            co_return p.out;
        }
        if (last && p.out.full) {
            // The page's effects first, then the sweep, and only then the cursor that says the pass is complete.
            google::event_page unfinished = *page;
            unfinished.next_page_token = page_token;
            auto applied = co_await apply_page(p, unfinished, false);
            if (!applied) co_return applied.error();
            auto swept = co_await sweep(p);
            if (!swept) co_return swept.error();
            if (!*swept) co_return p.out;
            google::event_page end;
            end.next_sync_token = page->next_sync_token;
            end.time_zone = page->time_zone;
            auto ended = co_await apply_page(p, end, true);
            if (!ended) co_return ended.error();
        } else {
            auto applied = co_await apply_page(p, *page, last);
            if (!applied) co_return applied.error();
        }
        if (last) break;
        page_token = page->next_page_token;
    }
    p.out.complete = true;
    co_return p.out;
}

}  // namespace calbridge::worker
