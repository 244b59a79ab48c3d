#include "asking.h"

#include "api.h"

#include "domain/recurrence.h"
#include "store/conflicts.h"
#include "store/history.h"
#include "store/requests.h"
#include "wire/requests.h"

#include "common/base/rfc3339.h"
#include "common/json/json.h"
#include "common/observe/log.h"

#include <algorithm>

namespace calbridge::gateway {

namespace {

constexpr int page_most = 50;
constexpr int list_most = 200;
constexpr std::size_t key_bytes_max = 128;

http::response answer(int status, json::object const& body) { return http::json_response(status, json::serialize(body)); }

bool may_see(principal const& who, user_id const& owner) { return who.user == owner || who.role == "admin"; }

json::value parsed_or_null(std::string const& text) {
    if (text.empty()) return nullptr;
    auto parsed = json::parse(text, "stored", {}, true);
    return parsed ? std::move(*parsed) : json::value(nullptr);
}

json::object to_json(store::request_row const& r) {
    return {{"id", r.id.str()},
            {"kind", domain::name(r.kind)},
            {"state", r.state},
            {"subject", r.subject},
            {"connection", r.connection.str()},
            {"calendar", r.calendar.str()},
            {"who", r.who},
            {"progress", parsed_or_null(r.progress)},
            {"result", parsed_or_null(r.result)},
            {"createdAt", rfc3339(r.created_at)},
            {"finishedAt", time_or_null(r.finished_at)}};
}

struct subject {
    store::request_subject kind{};
    std::string id;
};

subject subject_of(wire::request_body const& asked, std::string task_row) {
    using domain::request_kind;
    switch (asked.kind) {
    case request_kind::resolve_conflict:
    case request_kind::retry: return {store::request_subject::task, std::move(task_row)};
    case request_kind::undo: return {store::request_subject::operation, asked.operation->str()};
    case request_kind::bulk_sync: return {store::request_subject::connection, asked.connection->str()};
    case request_kind::deletions:
    case request_kind::full_resync: return {store::request_subject::calendar, asked.calendar->str()};
    case request_kind::retry_quarantine:
    case request_kind::drop_quarantine: break;
    }
    return {store::request_subject::quarantined, asked.item->str()};
}

std::string detail_of(wire::request_body const& asked) {
    if (asked.kind == domain::request_kind::resolve_conflict) return wire::store_choice(asked.choice);
    if (asked.kind == domain::request_kind::bulk_sync) return json::serialize(json::object{{"dryRun", asked.dry_run}});
    if (asked.kind == domain::request_kind::deletions) {
        json::object out{{"decision", asked.confirm ? "confirm" : "put_back"}};
        if (asked.missing) out["missing"] = *asked.missing;
        return json::serialize(out);
    }
    return "{}";
}

// The row of an occurrence is named by its series and its original start; that is understood as the CRM spells it, or as a key.
task<result<std::string>> row_of(deps const& d, tenant_id tenant, task_id series, std::string occurrence) {
    if (occurrence.empty()) co_return series.str();
    auto const found = co_await store::find_item(d.db, tenant, series);
    if (!found) co_return found.error();
    std::string key = occurrence;
    if (*found && (**found).task.local)
        if (auto const understood = domain::understand_occurrence(occurrence, (**found).task.local->time)) key = *understood;
    co_return series.str() + "/" + key;
}

bool is_same_request(store::request_row const& a, store::request_row const& b) {
    return a.kind == b.kind && a.subject == b.subject && a.user == b.user && parsed_or_null(a.detail) == parsed_or_null(b.detail);
}

http::response bad_request(error const& why) { return http::problem(400, "malformed", "Cannot be understood", why.context); }

std::optional<http::response> refuse_place(principal const& who, std::optional<store::request_place> const& place) {
    if (!place || !may_see(who, place->user)) return not_found_problem();
    if (place->status == store::connection_status::revoked || place->status == store::connection_status::disconnected)
        return http::problem(409, "not_connected", "Not connected", "The user has to connect the account again first.");
    if (!place->calendar)
        return http::problem(409, "no_calendar", "No calendar", "There is no calendar for this yet. Connect an account or choose one.");
    return {};
}

// Stores it, wakes its calendar. A lost wake-up is made good by the sweeps.
task<http::response> put(deps const& d, store::request_row row, std::optional<std::string> key) {
    auto tx = co_await d.db.begin(row.tenant);
    if (!tx) co_return unavailable_problem();
    auto const stored = co_await store::add_request(**tx, row, key);
    if (!stored) co_return unavailable_problem();
    auto const done = co_await (*tx)->commit();
    if (!done) co_return unavailable_problem();
    if (stored->id != row.id && !is_same_request(*stored, row))
        co_return http::problem(409, "idempotency_key_reused", "Key used before", "This Idempotency-Key was used for another request.");
    if (stored->id == row.id) {
        std::vector<store::wake> where{{.tenant = row.tenant, .user = row.user, .calendar = row.calendar}};
        auto const woken = co_await d.wake.wake(row.connection, std::move(where), domain::cause::retry);
        if (!woken) log::warn("request.not_woken", log::with({{"tenant", row.tenant}, {"request", row.id}}, woken.error()));
    }
    auto out = answer(202, to_json(*stored));
    out.fields.emplace_back("Location", "/api/v1/requests/" + stored->id.str());
    co_return out;
}

std::optional<std::string> query_value(http::server_request const& request, std::string_view name) {
    auto const form = http::decode_form(request.query);
    if (!form) return {};
    auto const found = http::find(*form, name);
    if (!found || found->empty()) return {};
    return std::string(*found);
}

json::array to_json(std::vector<domain::field_conflict> const& conflicts) {
    json::array all;
    for (auto const& c : conflicts) {
        json::object one{{"field", domain::name(c.which)}, {"base", c.base}, {"crm", c.crm}, {"google", c.google}};
        if (c.winner) one["winner"] = *c.winner == domain::side::crm ? "crm" : "google";
        all.push_back(std::move(one));
    }
    return all;
}

json::object to_json(store::open_conflict const& c) {
    json::array choices;
    if (c.whole.empty()) choices = {"crm", "google", "value"};
    else if (c.whole == "cancelled_and_edited") choices = {"remove_event", "keep_event"};
    else choices = {"put_back", "cancel_task"};
    json::object out{{"task", c.task.told_as().str()},
                     {"occurrence", c.task.occurrence},
                     {"title", c.task.local ? c.task.local->title : c.task.snapshot.title},
                     {"kind", c.whole.empty() ? "fields" : c.whole},
                     {"version", c.version},
                     {"fields", to_json(c.fields)},
                     {"choices", std::move(choices)}};
    if (c.link) {
        out["connection"] = c.link->connection.str();
        out["calendar"] = c.link->calendar.str();
        out["htmlLink"] = c.link->html_link;
    }
    return out;
}

json::object to_json(domain::history_item const& item, instant now) {
    domain::explanation const said = domain::explain(item, now);
    json::array changes;
    for (auto const& c : said.changes) changes.push_back(json::object{{"field", c.field}, {"before", c.before}, {"after", c.after}});
    json::object undo{{"possible", !said.undo_refused}, {"until", time_or_null(said.undo_until)}};
    if (said.undo_refused) {
        undo["reason"] = said.undo_refused->code;
        undo["explanation"] = said.undo_refused->explanation;
    }
    return {{"id", item.id.str()},
            {"kind", item.kind},
            {"state", item.state},
            {"at", rfc3339(item.at)},
            {"finishedAt", time_or_null(item.finished_at)},
            {"who", item.who},
            {"headline", said.headline},
            {"sentences", json::array(said.sentences.begin(), said.sentences.end())},
            {"changes", std::move(changes)},
            {"conflicts", to_json(item.conflicts)},
            {"undo", std::move(undo)}};
}

// Everybody's for administrators, else his own.
std::optional<user_id> whose(principal const& who) { return who.role == "admin" ? std::nullopt : std::optional(who.user); }

}  // namespace

task<http::response> ask(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return unauthorized_problem();
    auto const asked = wire::read_request(request.body);
    if (!asked) co_return bad_request(asked.error());
    std::optional<std::string> key;
    if (auto const given = http::find(request.fields, "Idempotency-Key")) {
        if (given->empty() || given->size() > key_bytes_max)
            co_return bad_request(fail(errc::malformed, "Idempotency-Key: 1 to 128 characters are expected"));
        key = who->user.str() + "/" + scrub_text(*given);
    }
    auto task_row = co_await row_of(d, who->tenant, asked->task, asked->occurrence);
    if (!task_row) co_return unavailable_problem();
    subject about = subject_of(*asked, std::move(*task_row));
    auto const place = co_await store::find_place(d.db, who->tenant, about.kind, about.id);
    if (!place) co_return unavailable_problem();
    if (auto refused = refuse_place(*who, *place)) co_return std::move(*refused);
    store::request_row row;
    row.tenant = who->tenant;
    row.id = request_id{time_ordered_uuid()};
    row.user = (**place).user;
    row.connection = (**place).connection;
    row.calendar = *(**place).calendar;
    row.kind = asked->kind;
    row.subject = std::move(about.id);
    row.detail = detail_of(*asked);
    row.who = who->role + " " + who->user.str();
    log::info("request.asked", {{"tenant", row.tenant}, {"user", who->user}, {"request", row.id}, {"kind", domain::name(row.kind)}});
    co_return co_await put(d, std::move(row), std::move(key));
}

task<http::response> show_request(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return unauthorized_problem();
    auto const id = parse_uuid(request.param("request"));
    if (!id) co_return not_found_problem();
    request_id const named{*id};
    auto const found = co_await store::find_request(d.db, who->tenant, named);
    if (!found) co_return unavailable_problem();
    if (!*found || !may_see(*who, (**found).user)) co_return not_found_problem();
    co_return answer(200, to_json(**found));
}

task<http::response> list_conflicts(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return unauthorized_problem();
    auto const found = co_await store::open_conflicts(d.db, who->tenant, whose(*who), list_most);
    if (!found) co_return unavailable_problem();
    json::array all;
    for (auto const& one : *found) all.push_back(to_json(one));
    co_return answer(200, {{"conflicts", std::move(all)}});
}

task<http::response> show_history(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return unauthorized_problem();
    std::string const named(request.param("task"));
    if (!is_valid_text_id(named)) co_return not_found_problem();
    task_id const series(named);
    auto const occurrence = query_value(request, "occurrence").value_or("");
    auto row = co_await row_of(d, who->tenant, series, occurrence);
    if (!row) co_return unavailable_problem();
    task_id const task(std::move(*row));
    auto const item = co_await store::find_item(d.db, who->tenant, task);
    if (!item) co_return unavailable_problem();
    if (!*item || !may_see(*who, (**item).task.user)) co_return not_found_problem();
    std::optional<operation_id> before;
    if (auto const from = query_value(request, "before")) {
        auto const id = parse_uuid(*from);
        if (!id) co_return bad_request(fail(errc::malformed, "before: the id of an operation is expected"));
        before = operation_id{*id};
    }
    auto const found = co_await store::item_history(d.db, who->tenant, task, before, page_most);
    if (!found) co_return unavailable_problem();
    json::array all;
    for (auto const& one : *found) all.push_back(to_json(one, d.now.now()));
    json::value next = nullptr;
    if (found->size() == page_most) next = found->back().id.str();
    co_return answer(200, {{"task", series.str()}, {"occurrence", occurrence}, {"items", std::move(all)}, {"next", std::move(next)}});
}

task<http::response> list_quarantine(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return unauthorized_problem();
    auto const found = co_await store::quarantined(d.db, who->tenant, whose(*who), list_most);
    if (!found) co_return unavailable_problem();
    json::array all;
    for (auto const& one : *found)
        all.push_back(json::object{{"id", one.id.str()},
                                   {"source", one.source},
                                   {"subject", one.subject},
                                   {"reason", one.reason},
                                   {"detail", one.detail},
                                   {"seen", one.seen},
                                   {"createdAt", rfc3339(one.created_at)},
                                   {"lastSeenAt", rfc3339(one.last_seen_at)}});
    co_return answer(200, {{"items", std::move(all)}});
}

}  // namespace calbridge::gateway
