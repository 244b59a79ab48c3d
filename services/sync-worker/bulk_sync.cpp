// A bulk sync: every task of a connection looked at again, behind live edits; or, dry, what that would do.

#include "requests.h"

#include "engine_requests.h"
#include "writer.h"

#include "store/bulk.h"

#include "common/json/json.h"

#include <map>

namespace calbridge::worker {

namespace {

constexpr int batch = 200;
constexpr std::chrono::milliseconds look_again{1000};
constexpr int batches_a_look = 5;
constexpr std::chrono::milliseconds breath{50};  // between looks: pushes and live edits have their turn
constexpr std::chrono::hours life_max{24};

json::object object_of(std::string const& text) {
    auto const parsed = json::parse(text, "request", {}, true);
    return parsed && parsed->is_object() ? parsed->get_object() : json::object{};
}

constexpr prospect all_prospects[] = {prospect::create, prospect::update,  prospect::remove, prospect::conflict,
                                      prospect::failed, prospect::waiting, prospect::in_step};

json::object to_json(outlook const& o) {
    json::object out{{"looked", o.looked}};
    for (auto const& [what, group] : o.groups) {
        json::array first;
        for (auto const& one : group.first) first.push_back(json::object{{"task", one.task.str()}, {"title", one.title}, {"why", one.why}});
        out[name(what)] = json::object{{"count", group.count}, {"first", std::move(first)}};
    }
    return out;
}

// The way back: what earlier looks have counted.
outlook outlook_of(json::object const& progress) {
    outlook out;
    out.looked = json::integer_or(progress, "looked");
    for (prospect const what : all_prospects) {
        auto const* const group = json::object_at(progress, name(what));
        if (!group) continue;
        outlook::group& to = out.groups[what];
        to.count = json::integer_or(*group, "count");
        if (auto const* const first = json::array_at(*group, "first"))
            for (auto const& one : *first)
                if (auto const* const item = one.if_object())
                    to.first.push_back({task_id(std::string(json::text_or(*item, "task"))), std::string(json::text_or(*item, "title")),
                                        std::string(json::text_or(*item, "why"))});
    }
    return out;
}

task<result<std::map<calendar_id, store::calendar_row>>> calendars_of(request_turn& t) {
    auto all = co_await store::calendars_of_connection(t.with.db, t.row.tenant, t.held.connection.id);
    if (!all) co_return all.error();
    std::map<calendar_id, store::calendar_row> by_id;
    for (store::calendar_row& one : *all) by_id[one.id] = std::move(one);
    co_return by_id;
}

// Reads some batches and keeps counts and a few names; nothing is written but how far it is.
task<result<void>> look_ahead(request_turn& t) {
    auto const calendars = co_await calendars_of(t);
    if (!calendars) co_return calendars.error();
    json::object const before = object_of(t.row.progress);
    outlook seen = outlook_of(before);
    task_id after(std::string(json::text_or(before, "after")));
    for (int i = 0; i < batches_a_look; ++i) {
        auto rows = co_await store::tasks_of_connection(t.with.db, t.row.tenant, t.held.connection, after, batch);
        if (!rows) co_return rows.error();
        if (rows->empty()) {
            json::object const result = to_json(seen);
            end_with(t.row, {}, json::serialize(result));
            co_return co_await save(t);
        }
        after = rows->back().task.id;
        for (store::task_and_link& one : *rows) {
            auto const place = one.task.calendar ? calendars->find(*one.task.calendar) : calendars->end();
            if (place == calendars->end()) continue;
            surroundings const around = surroundings_of(t.with, t.held.connection, place->second);
            add(seen, std::move(one), around);
        }
    }
    json::object progress = to_json(seen);
    progress["after"] = after.str();
    t.row.state = "running";
    t.row.progress = json::serialize(progress);
    co_return co_await save(t, breath);
}

// Makes the next batch due; true when there is none left.
task<result<bool>> mark_next(request_turn& t, json::object& progress) {
    auto begun = co_await t.with.db.begin(t.row.tenant);
    if (!begun) co_return begun.error();
    auto calendar = co_await store::check_lease(**begun, t.held.lease);
    if (!calendar) co_return calendar.error();
    task_id const after(std::string(json::text_or(progress, "after")));
    auto marked = co_await store::mark_bulk(**begun, t.row.tenant, t.held.connection, t.row.id, after, batch);
    if (!marked) co_return marked.error();
    progress["total"] = json::integer_or(progress, "total") + static_cast<std::int64_t>(marked->count);
    progress["after"] = marked->last.str();
    if (marked->count == 0) progress["marked"] = true;
    t.row.state = "running";
    t.row.progress = json::serialize(progress);
    auto saved = co_await store::save_request(**begun, t.row, breath);
    if (!saved) co_return saved.error();
    auto done = co_await (*begun)->commit();
    if (!done) co_return done.error();
    co_return marked->count == 0;
}

task<result<void>> count_up(request_turn& t, json::object progress) {
    auto counted = co_await store::bulk_progress(t.with.db, t.row.tenant, t.row.id);
    if (!counted) co_return counted.error();
    json::object shown{{"total", counted->total},
                       {"done", counted->total - counted->left},
                       {"failed", counted->failed},
                       {"conflicts", counted->conflicts}};
    bool const over = counted->left == 0 || t.row.created_at + life_max < t.with.now.now();
    if (over) {
        t.row.progress = json::serialize(shown);
        end_with(t.row, {}, t.row.progress);
        co_return co_await save(t);
    }
    for (auto const& member : shown) progress[member.key()] = member.value();
    t.row.progress = json::serialize(progress);
    co_return co_await save(t, look_again);
}

}  // namespace

task<result<void>> bulk_sync(request_turn& t) {
    json::object const detail = object_of(t.row.detail);
    if (json::boolean_or(detail, "dryRun")) co_return co_await look_ahead(t);
    json::object progress = object_of(t.row.progress);
    if (!json::boolean_or(progress, "marked")) {
        auto all = co_await mark_next(t, progress);
        if (!all) co_return all.error();
        co_return result<void>{};
    }
    co_return co_await count_up(t, std::move(progress));
}

}  // namespace calbridge::worker
