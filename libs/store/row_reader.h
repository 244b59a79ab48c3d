#pragma once
// Reads the columns of one row in order, and the column lists they are read by. Inside this folder only.

#include "store/rows.h"

#include "common/base/result.h"
#include "common/pg/database.h"

#include <optional>

namespace calbridge::store {

class row_reader {
public:
    row_reader(pg::rows const& from, std::size_t row) : rows_(from), row_(row) {}

    // The tenant column. Throws std::logic_error when it is not the one asked for: rows of somebody else must stop the process, not be
    // worked on.
    tenant_id tenant(tenant_id const& asked);
    tenant_id tenant() { return tenant_id(text()); }  // for crossings, which ask for none
    std::string text() { return std::string(rows_.text(row_, column_++)); }
    std::int64_t integer() { return rows_.integer(row_, column_++); }
    int small() { return static_cast<int>(integer()); }
    bool boolean() { return rows_.boolean(row_, column_++); }
    double real() { return rows_.real(row_, column_++); }
    instant time() { return rows_.time(row_, column_++); }
    uuid id() { return rows_.id(row_, column_++); }
    bytes blob() { return rows_.blob(row_, column_++); }
    std::optional<std::string> text_or_null() { return rows_.text_or_null(row_, column_++); }
    std::optional<std::int64_t> integer_or_null() { return rows_.integer_or_null(row_, column_++); }
    std::optional<instant> time_or_null() { return rows_.time_or_null(row_, column_++); }
    std::optional<uuid> id_or_null() { return rows_.id_or_null(row_, column_++); }
    std::optional<bytes> blob_or_null() { return rows_.blob_or_null(row_, column_++); }
    std::vector<std::string> list(char separator);   // array_to_string(…, separator)
    std::optional<domain::fields> fields_or_null();  // jsonb
    bool is_null() const { return rows_.is_null(row_, column_); }

    connection_row connection(tenant_id const& asked);
    calendar_row calendar(tenant_id const& asked);
    task_row task(tenant_id const& asked);
    link_row link(tenant_id const& asked);
    operation_row operation(tenant_id const& asked);

    // The first stored value that could not be understood, if any; what was read is not to be used then.
    void refuse(std::string what);
    std::optional<error> const& problem() const { return problem_; }

private:
    pg::rows const& rows_;
    std::size_t row_;
    std::size_t column_{0};
    std::optional<error> problem_;
};

std::string store_headers(std::vector<std::pair<std::string, std::string>> const& headers);  // [[name, value], …]
std::optional<std::vector<std::pair<std::string, std::string>>> load_headers(std::string_view json);
std::string store_map(std::map<std::string, std::string, std::less<>> const& map);

std::string_view name(domain::delete_choice c);
std::optional<domain::delete_choice> delete_choice_named(std::string_view n);
std::optional<connection_status> status_named(std::string_view n);

}  // namespace calbridge::store

// Column lists in the order the readers above take them, for string concatenation in statements.
#define CALBRIDGE_CONNECTION_COLUMNS                                                                                                     \
    "u.tenant_id, u.connection_id, u.user_id, u.integration_id, u.client_id, u.google_sub, u.connected_email, "                          \
    "array_to_string(u.granted_scopes, ' '), "                                                                                           \
    "u.mode, u.status, u.status_reason, u.auto_sync_tasks, u.import_external_events, u.is_default, u.conflict_policy, u.delete_choice, " \
    "u.sync_settings, "                                                                                                                  \
    "u.task_type_colors, u.default_calendar_id, u.last_synced_at, u.calendars_read_at, u.failures, u.revision, "                         \
    "coalesce((SELECT s.settings::text FROM tenant_settings s WHERE s.tenant_id = u.tenant_id), '{}')"
#define CALBRIDGE_CALENDAR_COLUMNS                                                                                                         \
    "c.tenant_id, c.calendar_id, c.connection_id, c.google_calendar_id, c.summary, c.time_zone, c.access_role, c.is_primary, c.selected, " \
    "c.pushable, "                                                                                                                         \
    "c.sync_token, c.sync_fingerprint, c.dirty_seq, c.synced_seq, c.pass_id, c.pass_page_token, c.pass_dirty_seq, c.lease_epoch, "         \
    "c.retry_at, c.failures, "                                                                                                             \
    "c.last_synced_at, (c.brake ->> 'since')::timestamptz, (c.brake ->> 'missing')::bigint, (c.brake ->> 'known')::bigint, "                \
    "coalesce(c.brake ->> 'pass', ''), coalesce(c.brake ->> 'answer', ''), coalesce((c.brake ->> 'most')::bigint, 0), "                    \
    "(c.brake ->> 'until')::timestamptz, c.blocked_until"
#define CALBRIDGE_TASK_COLUMNS                                                                                                            \
    "t.tenant_id, t.task_id, t.user_id, t.version, t.snapshot, t.deleted, t.calendar_id, t.dirty_seq, t.synced_seq, t.absorbed_version, " \
    "t.pulled_seq, "                                                                                                                      \
    "t.update_seq, t.seen, t.local, t.told, t.failures, t.state, t.reason, t.received_at, t.series_task_id, "                             \
    "t.occurrence, t.split_from_task_id, t.split_from, t.cut_at, t.origin, t.has_zoom"
#define CALBRIDGE_LINK_COLUMNS                                                                                                            \
    "l.tenant_id, l.link_id, l.task_id, l.connection_id, l.calendar_id, l.google_calendar_id, l.google_calendar_event_id, l.generation, " \
    "l.state, "                                                                                                                           \
    "l.state_reason, l.google_calendar_etag, l.base, l.remote, l.html_link, l.google_meet_link, l.google_meet_id, l.meet_pending, "       \
    "l.attendees_data, "                                                                                                                  \
    "l.has_conflict, l.conflict_data, l.frozen, l.operation_seq, l.recorded_seq, l.google_base, l.ical_uid, "                             \
    "l.original_start, l.read_only, l.event_updated_at, l.meet_request, l.meet_failed"
#define CALBRIDGE_LINK_COLUMN_COUNT 30
#define CALBRIDGE_OPERATION_COLUMNS                                                                                                    \
    "o.tenant_id, o.operation_id, o.link_id, o.calendar_id, o.sequence, o.kind, o.state, array_to_string(o.pushed, ','), o.expected, " \
    "o.before, o.if_match, "                                                                                                           \
    "o.send_updates, o.who, o.why, o.answer_status, o.answer_reason, o.answer_etag, o.conflicts"
