#include "domain/scope.h"

#include "domain/recurrence.h"

namespace calbridge::domain {

task_id occurrence_row(task_id const& series, std::string const& key) { return task_id(series.str() + "/" + key); }

std::variant<task_place, refusal> place_of(task_changed const& message) {
    if (message.scope == edit_scope::all) return task_place{.row = message.task, .series = {}, .occurrence = {}, .split_from_task = {}};
    // "2026-11-25" and "20261125" are days, everything else is a time.
    bool const all_day =
        message.occurrence.size() == 8 || (message.occurrence.size() == 10 && message.occurrence.find('-') != std::string::npos);
    time_range const kind{.all_day = all_day, .first_day = {}, .end_day = {}, .start = {}, .end = {}, .zone = message.time_zone};
    auto const key = understand_occurrence(message.occurrence, kind);
    if (!key)
        return refusal{
            "bad_occurrence",
            "occurrence is not the start of an occurrence: write it like \"2026-11-25T10:00:00\" with timeZone set, with an offset, or "
            "like \"2026-11-25\" for an all-day series"};
    if (message.scope == edit_scope::this_one)
        return task_place{.row = occurrence_row(message.task, *key), .series = message.task, .occurrence = *key, .split_from_task = {}};
    return task_place{.row = message.following_task, .series = {}, .occurrence = *key, .split_from_task = message.task};
}

}  // namespace calbridge::domain
