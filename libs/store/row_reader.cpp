#include "store/row_reader.h"

#include "common/json/json.h"
#include "wire/stored.h"
#include "wire/told.h"

#include <array>
#include <stdexcept>

namespace calbridge::store {

namespace {

template <class Enum>
struct named {
    Enum value;
    std::string_view name;
};

constexpr std::array statuses{named{connection_status::active, "active"}, named{connection_status::paused, "paused"},
                              named{connection_status::revoked, "revoked"}, named{connection_status::disconnected, "disconnected"}};
constexpr std::array choices{named{domain::delete_choice::cancel_task, "cancel_task"}, named{domain::delete_choice::unlink, "unlink"},
                             named{domain::delete_choice::put_back, "put_back"}};

template <class Names, class Enum>
std::string_view name_in(Names const& names, Enum wanted) {
    for (auto const& each : names) {
        if (each.value == wanted) return each.name;
    }
    throw std::logic_error("store: a value without a name");
}

template <class Enum, class Names>
std::optional<Enum> value_in(Names const& names, std::string_view wanted) {
    for (auto const& each : names) {
        if (each.name == wanted) return each.value;
    }
    return {};
}

}  // namespace

std::string_view name(connection_status s) { return name_in(statuses, s); }
std::optional<connection_status> status_named(std::string_view n) { return value_in<connection_status>(statuses, n); }
std::string_view name(domain::delete_choice c) { return name_in(choices, c); }
std::optional<domain::delete_choice> delete_choice_named(std::string_view n) { return value_in<domain::delete_choice>(choices, n); }

std::string store_headers(std::vector<std::pair<std::string, std::string>> const& headers) {
    json::array all;
    for (auto const& [name, value] : headers) {
        json::array const pair{json::value(scrub_text(name)), json::value(scrub_text(value))};
        all.emplace_back(pair);
    }
    return json::serialize(json::value(std::move(all)));
}

std::optional<std::vector<std::pair<std::string, std::string>>> load_headers(std::string_view text) {
    auto const parsed = json::parse(text, "stored headers");
    if (!parsed || !parsed->is_array()) return {};
    std::vector<std::pair<std::string, std::string>> headers;
    for (json::value const& each : parsed->get_array()) {
        if (!each.is_array() || each.get_array().size() != 2 || !each.get_array()[0].is_string() || !each.get_array()[1].is_string())
            return {};
        headers.emplace_back(std::string(each.get_array()[0].get_string()), std::string(each.get_array()[1].get_string()));
    }
    return headers;
}

std::string store_map(std::map<std::string, std::string, std::less<>> const& map) {
    json::object all;
    for (auto const& [key, value] : map) all[key] = value;
    return json::serialize(json::value(std::move(all)));
}

void row_reader::refuse(std::string what) {
    if (!problem_) problem_ = fail(errc::internal, std::move(what));
}

tenant_id row_reader::tenant(tenant_id const& asked) {
    if (rows_.text(row_, column_++) != asked.str()) throw std::logic_error("store: a row of another tenant was returned");
    return asked;
}

std::vector<std::string> row_reader::list(char separator) {
    std::vector<std::string> items;
    std::string const joined = text();
    for (std::size_t from = 0; from < joined.size();) {
        std::size_t const to = std::min(joined.find(separator, from), joined.size());
        items.push_back(joined.substr(from, to - from));
        from = to + 1;
    }
    return items;
}

std::optional<domain::fields> row_reader::fields_or_null() {
    auto const stored = text_or_null();
    if (!stored) return {};
    auto loaded = wire::load_fields(*stored);
    if (!loaded) {
        refuse("stored fields: " + loaded.error().context);
        return {};
    }
    return std::move(*loaded);
}

connection_row row_reader::connection(tenant_id const& asked) {
    connection_row row;
    row.tenant = tenant(asked);
    row.id = connection_id{id()};
    row.user = user_id(text());
    if (auto const integration = id_or_null()) row.integration = integration_id{*integration};
    row.client_id = text();
    row.google_sub = text();
    row.connected_email = text();
    row.granted_scopes = list(' ');
    if (auto const mode = domain::mode_named(text())) row.mode = *mode;
    else refuse("connection " + row.id.str() + ": unknown mode");
    if (auto const status = status_named(text())) row.status = *status;
    else refuse("connection " + row.id.str() + ": unknown status");
    row.status_reason = text();
    row.auto_sync_tasks = boolean();
    row.import_external_events = boolean();
    row.is_default = boolean();
    if (auto const policy = domain::policy_named(text())) row.policy = *policy;
    else refuse("connection " + row.id.str() + ": unknown conflict policy");
    if (auto const choice = delete_choice_named(text())) row.on_delete = *choice;
    else refuse("connection " + row.id.str() + ": unknown delete choice");
    row.sync_settings = text();
    if (auto const colors = json::parse(text(), "task_type_colors"); colors && colors->is_object()) {
        for (auto const& [key, value] : colors->get_object()) {
            if (value.is_string()) row.task_type_colors.emplace(std::string(key), std::string(value.get_string()));
        }
    }
    if (auto const calendar = id_or_null()) row.default_calendar = calendar_id{*calendar};
    row.last_synced_at = time_or_null();
    row.calendars_read_at = time_or_null();
    row.failures = small();
    row.revision = integer();
    row.tenant_settings = text();
    return row;
}

calendar_row row_reader::calendar(tenant_id const& asked) {
    calendar_row row;
    row.tenant = tenant(asked);
    row.id = calendar_id{id()};
    row.connection = connection_id{id()};
    row.google_id = text();
    row.summary = text();
    row.time_zone = text();
    row.access_role = text();
    row.is_primary = boolean();
    row.selected = boolean();
    row.pushable = boolean();
    row.sync_token = text_or_null();
    row.sync_fingerprint = text();
    row.dirty_seq = integer();
    row.synced_seq = integer();
    row.pass_id = integer();
    row.pass_page_token = text_or_null();
    row.pass_dirty_seq = integer_or_null();
    row.lease_epoch = integer();
    row.retry_at = time_or_null();
    row.failures = small();
    row.last_synced_at = time_or_null();
    auto const braked_since = time_or_null();
    auto const missing = integer_or_null(), known = integer_or_null();
    brake_state brake{.since = {}, .missing = missing.value_or(0), .known = known.value_or(0), .pass = text(), .answer = {}, .until = {}};
    brake.answer = text();
    brake.most = integer();
    brake.until = time_or_null();
    if (braked_since) {
        brake.since = *braked_since;
        row.brake = std::move(brake);
    }
    row.blocked_until = time_or_null();
    return row;
}

task_row row_reader::task(tenant_id const& asked) {
    task_row row;
    row.tenant = tenant(asked);
    row.id = task_id(text());
    row.user = user_id(text());
    row.version = integer();
    if (auto snapshot = wire::load_task(text())) row.snapshot = std::move(*snapshot);
    else refuse("task " + row.id.str() + ": stored snapshot: " + snapshot.error().context);
    row.deleted = boolean();
    if (auto const calendar = id_or_null()) row.calendar = calendar_id{*calendar};
    row.dirty_seq = integer();
    row.synced_seq = integer();
    row.absorbed_version = integer();
    row.pulled_seq = integer();
    row.update_seq = integer();
    row.seen = fields_or_null();
    row.local = fields_or_null();
    if (auto told = wire::load_told(text())) row.told = std::move(*told);
    else refuse("task " + row.id.str() + ": what it was told: " + told.error().context);
    row.failures = small();
    row.state = text();
    row.reason = text();
    row.received_at = time();
    if (auto series = text_or_null()) row.series = task_id(std::move(*series));
    row.occurrence = text();
    if (auto split = text_or_null()) row.split_from_task = task_id(std::move(*split));
    row.split_from = text();
    row.cut_at = text();
    row.origin = text();
    row.has_zoom = boolean();
    return row;
}

link_row row_reader::link(tenant_id const& asked) {
    link_row row;
    row.tenant = tenant(asked);
    row.id = link_id{id()};
    row.task = task_id(text());
    row.connection = connection_id{id()};
    row.calendar = calendar_id{id()};
    row.google_calendar_id = text();
    row.event_id = text();
    row.generation = small();
    if (auto const state = domain::link_state_named(text())) row.state = *state;
    else refuse("link " + row.id.str() + ": unknown state");
    row.state_reason = text();
    row.etag = text();
    row.base = fields_or_null();
    row.remote = fields_or_null();
    row.html_link = text();
    row.meet_link = text();
    row.meet_id = text();
    row.meet_pending = boolean();
    row.attendees_data = text();
    row.has_conflict = boolean();
    if (auto const stored = text_or_null()) {
        if (auto conflicts = wire::load_conflicts(*stored)) row.conflicts = std::move(*conflicts);
        else refuse("link " + row.id.str() + ": stored conflicts: " + conflicts.error().context);
    }
    row.frozen = boolean();
    row.operation_seq = integer();
    row.recorded_seq = integer();
    row.google_base = fields_or_null();
    row.ical_uid = text();
    row.original_start = text();
    row.read_only = text();
    row.event_updated = time_or_null();
    row.meet_request = text();
    row.meet_failed = boolean();
    return row;
}

operation_row row_reader::operation(tenant_id const& asked) {
    operation_row row;
    row.tenant = tenant(asked);
    row.id = operation_id{id()};
    row.link = link_id{id()};
    row.calendar = calendar_id{id()};
    row.sequence = integer();
    row.kind = text();
    row.state = text();
    row.pushed = list(',');
    row.expected = fields_or_null();
    row.before = fields_or_null();
    row.if_match = text();
    row.send_updates = text();
    row.who = text();
    row.why = text();
    if (auto const status = integer_or_null()) row.answer_status = static_cast<int>(*status);
    row.answer_reason = text();
    row.answer_etag = text();
    if (auto const stored = text_or_null()) {
        if (auto conflicts = wire::load_conflicts(*stored)) row.conflicts = std::move(*conflicts);
        else refuse("operation " + row.id.str() + ": stored conflicts: " + conflicts.error().context);
    }
    return row;
}

}  // namespace calbridge::store
