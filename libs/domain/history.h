#pragma once
// An operation as a person reads it: what was sent, what came back, why, which version won, who, and whether it can be taken back.

#include "domain/fields.h"
#include "domain/plan.h"
#include "domain/render.h"

#include "common/base/clock.h"
#include "common/base/ids.h"

#include <optional>
#include <string>
#include <vector>

namespace calbridge::domain {

// One row of an item's history.
struct history_item {
    operation_id id;
    std::string kind;  // as operation_row's
    std::string state;
    std::vector<std::string> pushed;
    std::optional<fields> before, expected;
    std::string who, why, send_updates;
    std::optional<int> answer_status;
    std::string answer_reason;
    std::vector<field_conflict> conflicts;
    instant at{};
    std::optional<instant> finished_at;
};

struct field_change {
    std::string field;
    std::string before, after;  // in words; `before` is empty when nothing was there
};

struct explanation {
    std::string headline;                // one sentence: what happened
    std::vector<std::string> sentences;  // the facts, one each
    std::vector<field_change> changes;
    std::optional<refusal> undo_refused;  // why it cannot be taken back; absent: it can,
    std::optional<instant> undo_until;    // until then
};

inline constexpr std::chrono::hours undo_life{30 * 24};

// Why the operation cannot be taken back whatever the item looks like by now; empty: it may be tried.
std::optional<refusal> undo_refusal(history_item const& item, instant now);
// The fields both sides would get back. Fields only calbridge writes follow the task and are never taken back.
field_set undo_fields(history_item const& item);
// The event was deleted in Google and the task went with it: taking that back puts the event back.
bool is_deletion_from_google(history_item const& item);
explanation explain(history_item const& item, instant now);

}  // namespace calbridge::domain
