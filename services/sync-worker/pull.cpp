#include "pull.h"

#include "authorised.h"
#include "page_work.h"

#include "store/busy.h"

#include "common/async/task.h"
#include "common/observe/log.h"

#include <boost/asio/this_coro.hpp>

#include <set>

namespace calbridge::worker {

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

surroundings surroundings_of(pass const& p, store::calendar_row calendar) {
    surroundings around = surroundings_of(p.with, p.connection, std::move(calendar));
    around.reads_all = p.out.full;
    // What a person decided about a mass deletion goes before the usual choice.
    bool const put_back = p.calendar.brake && p.calendar.brake->answer == "put_back";
    if (put_back) around.connection.on_delete = domain::delete_choice::put_back;
    return around;
}

namespace {

std::string fingerprint_of(pass const& p) { return google::list_fingerprint(query_of(p, {})) + reading_of(p.connection); }

// Takes the page's items.
task<result<void>> apply_page(pass& p, google::event_page& page, deletions const& deleted, bool ends_here) {
    auto begun = co_await p.with.db.begin(p.held.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto calendar = co_await store::check_lease(tx, p.held);
    if (!calendar) co_return calendar.error();
    bool const zone_changed = !page.time_zone.empty() && page.time_zone != calendar->time_zone;
    if (!page.time_zone.empty()) calendar->time_zone = page.time_zone;
    if (!page.access_role.empty()) calendar->access_role = page.access_role;
    std::vector<uuid> destinations;
    for (auto const& [id, moved] : deleted.moved) destinations.push_back(moved.to.id.value);
    if (!destinations.empty()) {
        auto locked = co_await store::hold_calendars_of(tx, p.held.tenant, std::move(destinations));
        if (!locked) co_return locked.error();
    }
    surroundings const around = surroundings_of(p, *calendar);
    std::vector<store::outbox_message> messages;
    std::vector<store::odd_event> odd;
    for (std::size_t i = 0; i < page.odd.size(); ++i) {
        ++p.out.odd;
        std::string const reason = i < page.odd_reasons.size() ? page.odd_reasons[i] : "unreadable";
        odd.push_back({page.odd[i].first, "unreadable_event", reason, page.odd[i].second});
    }
    auto aside = co_await store::quarantine_events(tx, p.held, std::move(odd));
    if (!aside) co_return aside.error();
    auto applied = co_await apply_items(p, tx, around, std::move(page.items), deleted.moved, messages);
    if (!applied) co_return applied.error();
    if (zone_changed) {
        auto forgotten = co_await store::forget_busy_edge(tx, p.held);
        if (!forgotten) co_return forgotten.error();
        p.calendar.blocked_until.reset();
    }

    store::cursor at;
    at.fingerprint = fingerprint_of(p);
    at.pass_id = p.pass_id;
    at.time_zone = page.time_zone;
    at.changed = p.out.changed > 0;
    if (ends_here) {
        at.sync_token = page.next_sync_token;
        at.synced_seq = p.dirty_at_start;
        if (p.out.full && p.connection.mode == domain::sync_mode::busy_only) {
            auto redacted = co_await store::redact_rest(tx, p.held);
            if (!redacted) co_return redacted.error();
        }
        auto released = co_await brake_off(p, tx);
        if (!released) co_return released.error();
    } else {
        // Only a full pass can go on from a stored page; an incremental one starts again from its token.
        if (p.out.full) at.page_token = page.next_page_token;
        at.pass_dirty_seq = p.dirty_at_start;
    }
    auto saved = co_await store::save_cursor(tx, p.held, at);
    if (!saved) co_return saved.error();
    co_return co_await commit(p.with, tx, std::move(messages));
}

// Deletions of a page, weighed together with those of the pages before. False: the pass ends here.
task<result<bool>> weigh(pass& p, std::vector<domain::calendar_event> const& items, deletions& to) {
    auto looked = co_await look_at_deletions(p, items);
    if (!looked) co_return looked.error();
    if (!*looked) co_return false;
    to = std::move(**looked);
    auto held = co_await hold_back(p, p.deleted + to.linked, to.known + static_cast<std::int64_t>(p.deleted));
    if (!held) co_return held.error();
    if (*held) co_return false;
    p.deleted += to.linked;
    co_return true;
}

// What became of an event the listing did not show; empty: Google could not be asked and the pass is in trouble.
task<std::optional<domain::calendar_event>> ask_for(pass& p, std::string id) {
    std::function<task<google::answer<domain::calendar_event>>(secret const&)> read = [&](secret const& token) {
        return p.with.api.get(token, p.calendar.google_id, id, in(p.with.within.call_time_max));
    };
    auto event = co_await authorised<domain::calendar_event>(p.with, p.held.tenant, p.connection.id, read);
    if (event) co_return std::move(*event);
    if (event.error().calendar_gone || (event.error().code != errc::not_found && event.error().code != errc::gone)) {
        google::call_error const error = event.error();
        troubled(p, error, error.calendar_gone ? next_move::stop_calendar : next_move::defer_calendar);
        co_return std::nullopt;
    }
    domain::calendar_event tombstone;
    tombstone.id = id;
    tombstone.status = "cancelled";
    tombstone.raw = "{}";
    co_return tombstone;
}

// After the last page of a full pass: what the mirror knows and the listing did not show is gone, unless it is too much to believe. A
// listing may lag behind: each linked event is asked for by itself before it counts as deleted. False: the pass ends here.
task<result<bool>> sweep(pass& p, std::optional<std::string> const& page_token) {
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
    if (view.missing.empty()) co_return true;
    auto held = co_await hold_back(p, view.missing.size(), static_cast<std::int64_t>(view.known));
    if (!held) co_return held.error();
    if (*held) co_return false;
    std::vector<domain::calendar_event> gone;
    for (std::string const& id : view.missing) {
        auto event = co_await ask_for(p, id);
        if (!event) co_return false;
        gone.push_back(std::move(*event));
    }
    auto looked = co_await look_at_deletions(p, gone);
    if (!looked) co_return looked.error();
    if (!*looked) co_return false;
    google::event_page rest;
    rest.items = std::move(gone);
    rest.next_page_token = page_token;
    deletions const deleted = std::move(**looked);
    auto applied = co_await apply_page(p, rest, deleted, false);
    if (!applied) co_return applied.error();
    co_return true;
}

// Forgets the cursor: the next pass is a full one.
task<result<void>> restart_in_full(pass& p, std::string_view reason) {
    auto begun = co_await p.with.db.begin(p.held.tenant);
    if (!begun) co_return begun.error();
    auto calendar = co_await store::check_lease(**begun, p.held);
    if (!calendar) co_return calendar.error();
    auto dropped = co_await store::drop_cursor(**begun, p.held);
    if (!dropped) co_return dropped.error();
    auto done = co_await (*begun)->commit();
    if (!done) co_return done.error();
    log::info("pass.restarts_in_full", {{"tenant_id", p.held.tenant}, {"calendar_id", p.held.calendar}, {"reason", reason}});
    co_return result<void>{};
}

task<result<void>> begin_pass(pass& p) {
    auto begun = co_await p.with.db.begin(p.held.tenant);
    if (!begun) co_return begun.error();
    auto calendar = co_await store::check_lease(**begun, p.held);
    if (!calendar) co_return calendar.error();
    p.calendar = std::move(*calendar);
    // The lease may be older than what the user chose since.
    auto connection = co_await store::connection_of(**begun, p.held.tenant, p.calendar.connection);
    if (!connection) co_return connection.error();
    p.connection = std::move(*connection);
    co_return result<void>{};
}

enum class page_end { more, last, stop };

task<google::answer<google::event_page>> fetch(pass const& p, google::list_query query) {
    std::function<task<google::answer<google::event_page>>(secret const&)> list = [&](secret const& token) {
        return p.with.api.list(token, query, in(p.with.within.call_time_max));
    };
    co_return co_await authorised<google::event_page>(p.with, p.held.tenant, p.connection.id, list);
}

using fetched_page = std::optional<google::answer<google::event_page>>;

task<void> fetch_into(pass const& p, google::list_query query, fetched_page& to) {
    auto page = co_await fetch(p, std::move(query));
    to = std::move(page);
}

// The page's effects; of the last page of a full pass then the sweep, and only then the cursor that says the pass is complete. False: the
// pass ends here.
task<result<bool>> carry_out(pass& p, google::event_page& page, std::optional<std::string> const& page_token) {
    deletions deleted;
    auto weighed = co_await weigh(p, page.items, deleted);
    if (!weighed) co_return weighed.error();
    if (!*weighed) co_return false;
    bool const last = !page.next_page_token;
    if (!last || !p.out.full) {
        auto applied = co_await apply_page(p, page, deleted, last);
        if (!applied) co_return applied.error();
        co_return true;
    }
    google::event_page end;
    end.next_sync_token = std::move(page.next_sync_token);
    end.time_zone = page.time_zone;
    end.access_role = page.access_role;
    page.next_page_token = page_token;
    auto applied = co_await apply_page(p, page, deleted, false);
    if (!applied) co_return applied.error();
    page.next_page_token.reset();
    auto swept = co_await sweep(p, page_token);
    if (!swept) co_return swept.error();
    if (!*swept) co_return false;
    deletions const none;
    auto ended = co_await apply_page(p, end, none, true);
    if (!ended) co_return ended.error();
    co_return true;
}

// Of a full pass the next page is fetched while this one is written; two pages at most are held.
task<result<bool>> carry_out_and_fetch(pass& p, google::event_page& page, std::optional<std::string> const& page_token,
                                       fetched_page& next) {
    if (!page.next_page_token || !p.out.full) co_return co_await carry_out(p, page, page_token);
    task_group group(co_await asio::this_coro::executor);
    std::exception_ptr stopped;
    result<bool> done = false;
    google::list_query query = query_of(p, page.next_page_token);
    try {
        group.spawn("next page", fetch_into(p, std::move(query), next));
        done = co_await carry_out(p, page, page_token);
    } catch (...) {
        stopped = std::current_exception();
    }
    if (stopped || !done || !*done) group.cancel();
    co_await group.join();
    if (stopped) std::rethrow_exception(stopped);
    co_return done;
}

task<result<page_end>> one_page(pass& p, std::optional<std::string>& page_token, fetched_page& ready) {
    google::list_query query = query_of(p, page_token);
    if (!ready) co_await fetch_into(p, std::move(query), ready);
    google::answer<google::event_page> page = std::move(*ready);
    ready.reset();
    if (!page) {
        google::call_error const error = page.error();
        next_move const move = after(error, call_kind::list);
        // A stored page token may have aged out: the full pass starts over.
        bool const stale_page = p.out.full && page_token && error.status == 400;
        if (move != next_move::restart_listing && !stale_page) {
            troubled(p, error, move);
            co_return page_end::stop;
        }
        auto restarted = co_await restart_in_full(p, error.reason);
        if (!restarted) co_return restarted.error();
        p.out.trouble = next_move::restart_listing;
        p.out.why = error.reason;
        co_return page_end::stop;
    }
    p.out.items += page->items.size();
    bool const last = !page->next_page_token;
    if (last && !page->next_sync_token) {
        p.out.trouble = next_move::defer_calendar;
        p.out.wait = p.with.within.backoff.base;
        p.out.why = "no_sync_token_on_last_page";
        co_return page_end::stop;
    }
    auto done = co_await carry_out_and_fetch(p, *page, page_token, ready);
    if (!done) co_return done.error();
    if (!*done) co_return page_end::stop;
    page_token = std::move(page->next_page_token);
    co_return last ? page_end::last : page_end::more;
}

}  // namespace

task<result<pass_outcome>> pull_pass(parts const& with, store::held_lease held, observe::trace_context cause) {
    pass p{with, held, {}, {}, 0, 0, {}, std::move(cause)};
    auto ready = co_await begin_pass(p);
    if (!ready) co_return ready.error();
    if (!p.calendar.sync_fingerprint.empty() && p.calendar.sync_fingerprint != fingerprint_of(p)) {
        // The same events mean something else by now: all of them are read again.
        auto restarted = co_await restart_in_full(p, "reading_changed");
        if (!restarted) co_return restarted.error();
        auto again = co_await begin_pass(p);
        if (!again) co_return again.error();
    }
    p.out.full = !p.calendar.sync_token;
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
    fetched_page fetched;
    for (page_end end = page_end::more; end != page_end::last;) {
        if (++p.out.pages > with.within.pages_max || (page_token && !tokens_seen.insert(*page_token).second)) {
            p.out.trouble = next_move::defer_calendar;
            p.out.wait = with.within.backoff.cap;
            p.out.why = "page_tokens_repeat";
            co_return p.out;
        }
        auto done = co_await one_page(p, page_token, fetched);
        if (!done) co_return done.error();
        if (*done == page_end::stop) co_return p.out;
        end = *done;
    }
    auto rolled = co_await roll_busy(p);
    if (!rolled) co_return rolled.error();
    p.out.complete = true;
    co_return p.out;
}

}  // namespace calbridge::worker
