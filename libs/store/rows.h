#pragma once
// Rows as the services see them. Sealed columns stay sealed here.

#include "domain/fields.h"
#include "domain/plan.h"
#include "domain/reconcile.h"
#include "domain/told.h"
#include "domain/topics.h"

#include "common/base/clock.h"
#include "common/base/encoding.h"
#include "common/base/ids.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace calbridge::store {

enum class connection_status { active, paused, revoked, disconnected };
std::string_view name(connection_status s);

struct connection_row {
    tenant_id tenant;
    connection_id id;
    user_id user;
    std::optional<integration_id> integration;
    std::string client_id;
    std::string google_sub, connected_email;
    std::vector<std::string> granted_scopes;
    domain::sync_mode mode{};
    connection_status status{};
    std::string status_reason;
    bool auto_sync_tasks{}, import_external_events{}, is_default{};
    domain::conflict_policy policy{};
    domain::delete_choice on_delete{};
    std::string sync_settings;  // JSON object: title_templates, default_duration_minutes, …; what it leaves open the tenant's settings say
    std::string tenant_settings{"{}"};  // JSON object of the same form, of the whole tenant
    std::map<std::string, std::string, std::less<>> task_type_colors;
    std::optional<calendar_id> default_calendar;
    std::optional<instant> last_synced_at, calendars_read_at;
    int failures{};
    std::int64_t revision{};
};

// So many deletions at once were not believed: pulling waits for a person's word.
struct brake_state {
    instant since{};
    std::int64_t missing{}, known{};
    std::string pass;    // "full", "incremental"
    std::string answer;  // "confirm", "put_back"; empty: not decided
    std::int64_t most{};           // deletions the answer is about
    std::optional<instant> until;  // and how long it counts
};
// True when a person has decided about as many deletions as these, and lately.
bool is_answered(brake_state const& brake, std::size_t missing, instant now);

struct calendar_row {
    tenant_id tenant;
    calendar_id id;
    connection_id connection;
    std::string google_id, summary, time_zone, access_role;
    bool is_primary{}, selected{}, pushable{};
    std::optional<std::string> sync_token;
    std::string sync_fingerprint;
    std::int64_t dirty_seq{}, synced_seq{};
    std::int64_t pass_id{};
    std::optional<std::string> pass_page_token;
    std::optional<std::int64_t> pass_dirty_seq;
    std::int64_t lease_epoch{};
    std::optional<instant> retry_at;
    int failures{};
    std::optional<instant> last_synced_at;
    std::optional<brake_state> brake;
    std::optional<instant> blocked_until;  // busy times of series are known up to here
};

struct task_row {
    tenant_id tenant;
    task_id id;
    user_id user;
    std::int64_t version{};
    domain::task_changed snapshot;
    bool deleted{};
    std::optional<calendar_id> calendar;
    std::int64_t dirty_seq{}, synced_seq{}, absorbed_version{}, pulled_seq{}, update_seq{};
    std::optional<domain::fields> seen, local;
    std::vector<domain::told> told;  // messages the CRM may still have to take over
    int failures{};
    std::string state, reason;
    instant received_at{};
    std::optional<task_id> series;           // this row is one occurrence of that task; its id is "<series>/<occurrence>"
    std::string occurrence;                  // occurrence key (domain/recurrence.h)
    std::optional<task_id> split_from_task;  // this series began as "this and following" of that one
    std::string split_from;                  // at this occurrence key
    std::string cut_at;                      // the series ends before this occurrence key: a later one has taken over
    std::string origin{"crm"};               // crm, google (imported)
    bool has_zoom{};                         // there is a zoom_row
    // The CRM's name of the task.
    task_id told_as() const { return series ? *series : id; }
};

struct link_row {
    tenant_id tenant;
    link_id id;
    task_id task;
    connection_id connection;
    calendar_id calendar;
    std::string google_calendar_id, event_id;
    int generation{1};
    domain::link_state state{};
    std::string state_reason, etag;
    // The agreement, as each side spells it: base in the task's words, google_base in the event's (Google may normalise what it stores).
    std::optional<domain::fields> base, google_base;
    std::optional<domain::fields> remote;  // the event as last seen
    std::string html_link, meet_link, meet_id;
    bool meet_pending{};
    std::string attendees_data{"[]"};
    bool has_conflict{};
    std::vector<domain::field_conflict> conflicts;
    bool frozen{};
    std::int64_t operation_seq{}, recorded_seq{};
    std::string ical_uid, original_start;  // the meeting across accounts; original_start is an occurrence key or empty
    std::string read_only;                 // why shared fields cannot be written: "guest", "kind", "locked"; empty: they can
    std::optional<instant> event_updated;  // when Google last saw it change
    std::string meet_request;              // id of the conference request under way or carried out
    bool meet_failed{};                    // it failed, and the CRM heard so
};

// The Zoom meeting of a task.
struct zoom_row {
    std::optional<link_id> link;  // whose operations tell its history
    std::string meeting, url;     // empty: not made yet
    std::string said;             // what the meeting was last told
    std::string doing;            // create, update, delete: under way, its outcome not known; empty: nothing
    std::optional<operation_id> operation;
    std::string reason;  // why there is none, as the CRM was told
    int failures{};
    std::optional<instant> retry_at;
};

struct operation_row {
    tenant_id tenant;
    operation_id id;
    link_id link;
    calendar_id calendar;
    std::int64_t sequence{};
    std::string kind;   // create, patch, delete, move, pull, import, resolve, undo, zoom_create, zoom_update, zoom_delete, read_back
    std::string state;  // pending, done, failed, abandoned
    std::vector<std::string> pushed;
    std::optional<domain::fields> expected, before;
    std::string if_match, send_updates{"none"}, who{"crm"}, why;
    std::optional<int> answer_status;
    std::string answer_reason, answer_etag;
    std::vector<domain::field_conflict> conflicts;  // met on the way, with who won
};

struct channel_row {
    tenant_id tenant;
    channel_id id;
    connection_id connection;
    calendar_id calendar;
    std::optional<std::string> resource_id;
    std::string state;  // pending, active, superseded, stopped
    std::optional<instant> expires_at, renew_at, verified_at;
    instant created_at{};
    int failures{};
};

struct outbox_message {
    tenant_id tenant;
    std::int64_t id{};  // 0 until written
    uuid message_id;
    std::string topic, key;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string value;
};

// Where work is waiting.
struct wake {
    tenant_id tenant;
    user_id user;
    calendar_id calendar;
};

}  // namespace calbridge::store
