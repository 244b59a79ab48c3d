#pragma once
// What people ask the engine to do, as plain words. Decided in sync-worker, stored and shown by the rest.

#include "domain/plan.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::domain {

enum class request_kind { resolve_conflict, undo, bulk_sync, deletions, retry, retry_quarantine, drop_quarantine, full_resync };
std::string_view name(request_kind k);
std::optional<request_kind> request_kind_named(std::string_view n);

// What the user takes for one field of a conflict: a side's version, or one of his own in the CRM's spelling.
struct field_choice {
    enum class source { crm, google, value };
    source from{source::crm};
    std::string text;                   // title, description, location
    std::string start, end, time_zone;  // time, as in task-changed
    std::vector<std::string> lines;     // recurrence
};

// Edit against delete is a conflict on the whole link; these are its answers.
enum class whole_choice { put_back, cancel_task, remove_event, keep_event };
std::string_view name(whole_choice c);
std::optional<whole_choice> whole_choice_named(std::string_view n);

struct conflict_choice {
    std::string version;  // of the conflict as the user saw it
    std::map<field, field_choice> fields;
    std::optional<whole_choice> whole;
};

// Changes whenever what the user would decide about changes. `whole` names a conflict on the whole link, else empty.
std::string conflict_version(std::string_view subject, std::string_view whole, std::vector<field_conflict> const& open);

}  // namespace calbridge::domain
