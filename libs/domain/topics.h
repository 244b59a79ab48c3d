#pragma once
// What travels on the four topics, as plain structs. libs/wire turns them into protobuf or proto3 JSON and back.

#include "common/base/clock.h"
#include "common/base/ids.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace calbridge::domain {

struct task_attendee {
    std::string email;
    std::string name;
    bool optional{false};
};

// What an edit of a recurring task is about.
enum class edit_scope { all, this_one, this_and_following };

struct task_reminder {
    std::string method;  // "popup" or "email"
    std::int64_t minutes{};
};

// task-changed: the whole task as the CRM holds it, or its deletion.
struct task_changed {
    tenant_id tenant;
    user_id user;
    task_id task;
    std::int64_t version{};  // monotonic per task; an older or equal one is dropped
    bool deleted{false};
    std::string type;  // "meeting", "call", …: free text, selects colour and title template
    std::string title;
    std::string customer;
    std::string description;
    std::string notes;
    std::string location;
    std::string priority;
    std::string status;  // "open", "completed", "cancelled"; anything else counts as open and shows in the footer
    std::string contact;
    std::string deal;
    std::string video_link;
    std::string start;      // "2026-11-25T10:00:00" (wall time in time_zone), with offset, or "2026-11-25" for all-day
    std::string end;        // exclusive; empty: the connection's default duration, or one day
    std::string time_zone;  // IANA; empty: the calendar's zone
    std::vector<task_attendee> attendees;
    std::optional<std::vector<task_reminder>> reminders;  // absent: the calendar's default reminders
    bool google_meet{false};
    std::string color;     // "#rrggbb"; empty: by type
    std::string calendar;  // Google calendar id; empty: the connection's default calendar
    bool sync_to_calendar{true};
    std::string send_updates;           // "", "none", "all", "externalOnly"
    std::int64_t applied_update_seq{};  // highest task-updates sequence the CRM had applied when it made this snapshot; 0: not said
    std::vector<std::string> recurrence;
    edit_scope scope{edit_scope::all};
    std::string occurrence;  // original start of the occurrence the edit is about (this_one) or begins with (this_and_following)
    task_id following_task;  // this_and_following: what the CRM calls the new series from now on
    bool zoom_meeting{false};
    std::optional<instant> changed_at;  // when a person made this change, if the CRM says; decides last_write_wins
};

enum class cause { push, poll, manual, initial, resync, retry };

// calendar-changed: ids and a cause only. `retry` wakes without raising the dirty counter.
struct calendar_changed {
    tenant_id tenant;  // may be empty when ingest could not ask PostgreSQL
    user_id user;
    connection_id connection;
    calendar_id calendar;  // nil: the connection's calendar list (push only)
    cause why{cause::push};
    std::optional<channel_id> channel;  // push only
    std::int64_t message_number{};      // push only
    std::optional<instant> received_at;
    std::string resource_state;  // push only: sync, exists, not_exists
};

enum class update_kind { synced, changed, cancelled, conflict, imported, failed, occurrence_changed };

struct field_versions {  // one field of a conflict, in words a person can compare
    std::string field;
    std::string base, crm, google;
};

// task-updates: what happened to one task. `sequence` grows by one per task: order by it, drop repeats.
struct task_update {
    tenant_id tenant;
    user_id user;
    task_id task;
    std::int64_t sequence{};
    std::int64_t task_version{};  // newest CRM version this was computed from
    update_kind kind{update_kind::synced};
    connection_id connection;
    std::string google_calendar_id;
    std::string google_event_id;
    std::string etag;
    std::string html_link;
    std::string meet_link;
    std::vector<std::string> changed;  // names of fields whose values the CRM should take over
    std::string title, description, location;
    std::string start, end, time_zone;  // as in task_changed
    bool all_day{false};
    struct guest {
        std::string email, name, response;
        bool optional{false};
    };
    std::vector<guest> attendees;
    std::vector<field_versions> conflicts;
    std::string reason;       // stable code, e.g. "end_before_start"
    std::string explanation;  // one sentence a user can act on
    std::string operation_id;
    std::string occurrence;       // original start, as in task_changed; empty: the task itself
    std::string split_from_task;  // the series this one was split from, at `occurrence`
    std::vector<std::string> recurrence;
    std::string zoom_link, organizer_email;
};

struct sync_alert {
    tenant_id tenant;
    std::string kind;     // "connection_revoked", "push_silent", …: all of them in docs/topics.md
    std::string subject;  // id of the connection, calendar or tenant
    std::string explanation;
    bool resolved{false};
    instant at{};
};

}  // namespace calbridge::domain
