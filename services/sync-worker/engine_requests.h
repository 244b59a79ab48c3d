#pragma once
// What people asked for, decided from rows: no clock, no I/O. Effects and the request's end are written in one transaction, so that a
// request is carried out once or not at all.

#include "engine.h"

#include "store/requests.h"

#include <map>

namespace calbridge::worker {

// How a request ends. Without effects nothing but the request's own row is written.
struct verdict {
    std::optional<effects> change;
    bool reopen_task{false};  // the CRM's cancellation no longer counts
    std::optional<domain::refusal> refused;
    bool later{false};  // something is under way at Google: ask again in a moment
    std::optional<operation_id> operation;
};

// Settles an open conflict for good: the bases move so that neither side reports it again; what follows is made due. Refused when it is
// gone or is not what the user saw (choice.version).
verdict resolve_conflict(store::task_and_link rows, domain::conflict_choice const& choice, std::string who, surroundings const& around);

// Gives the fields `placed.operation` wrote their earlier values, on both sides, when nobody changed them since. Of a deletion that came
// from Google: puts the event back. `rows` is the task of the operation's link as it is now.
verdict undo(store::task_and_link rows, store::placed_operation const& placed, std::string who, surroundings const& around);

// A task that was given up gets another try.
verdict retry_task(store::task_and_link rows, surroundings const& around);

// --- what a bulk sync would do ----------------------------------------------------------------------------------------------------------
enum class prospect { create, update, remove, conflict, failed, waiting, in_step };
std::string_view name(prospect p);
struct outlook {
    struct item {
        task_id task;
        std::string title, why;
    };
    struct group {
        std::int64_t count{};
        std::vector<item> first;  // a few, by name
    };
    std::int64_t looked{};
    std::map<prospect, group> groups;
};
inline constexpr std::size_t outlook_names_max = 10;
// Decides for these rows as a push would, without its effects, and counts the outcome.
void add(outlook& to, store::task_and_link rows, surroundings const& around);

}  // namespace calbridge::worker
