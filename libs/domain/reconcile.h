#pragma once
// Link life cycle: what to do next for one task, decided from rows alone. The worker only carries it out.

#include "domain/event.h"
#include "domain/fields.h"
#include "domain/plan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace calbridge::domain {

enum class link_state {
    pending,  // row exists, the event may not
    live,     // event known to exist
    ended,    // event removed, task done or unlinked; history only
};
std::string_view name(link_state s);
std::optional<link_state> link_state_named(std::string_view n);

// What the event's operation stamp says about it, relative to the link's rows.
enum class echo {
    ours_current,     // stamped by the newest recorded operation: base is the link's base
    ours_unrecorded,  // stamped by an operation whose answer we never recorded (lost answer, late write): base is what that operation
                      // expected
    ours_older,       // stamped by an operation older than the newest recorded one: a stale read, ignore
    unknown,          // no stamp or one we no longer know: base is the link's base
};
struct operation_facts {
    std::int64_t sequence{};
    bool recorded{};
};
echo classify_echo(std::optional<operation_facts> const& stamped, std::int64_t newest_recorded_sequence);

// --- outbound: what the next call to Google for this task is --------------------------------------------------------------------
struct push_view {
    bool wanted{};  // wants_event(task)
    bool has_link{};
    link_state state{link_state::pending};
    bool unresolved_operation{};  // an operation was sent and its answer is not recorded
    bool frozen{};                // whole-link conflict open (edit against delete): wait for the user
    bool meet_pending{};          // conference creation still running at Google
    fields base, local, remote;   // used when live
    conflict_policy policy{};
    sync_mode mode{};
    std::optional<side> newer;
};
struct create_event {};  // insert under the link's event id
struct patch_event {
    merge what;
};  // push what.push with If-Match
struct delete_event {};
struct read_back {};  // GET, compare with the operation, carry on
struct nothing {
    std::string_view reason;
    merge what;
};  // what.conflicts may hold something to record
using push_step = std::variant<create_event, patch_event, delete_event, read_back, nothing>;
push_step next_push(push_view const& view);

// --- inbound: what an item of events.list means -----------------------------------------------------------------------------------
struct pull_view {
    bool linked{};  // a link is known for (calendar, event id) and the stamp does not contradict it
    link_state state{link_state::live};
    std::string known_etag;
    bool etag_recorded{};  // known_etag came from an answer we recorded
    echo stamp{echo::unknown};
    bool local_pending{};  // the task has changes not yet pushed
    bool deleting{};       // our own delete is under way
    fields base, local;    // base already chosen by `stamp`
    conflict_policy policy{};
    sync_mode mode{};
    std::optional<side> newer;
};
enum class delete_choice { cancel_task, unlink, put_back };
struct mirror_only {};  // foreign, recurring or special: keep in the mirror
struct acknowledge {
    std::string_view reason;
};  // our own echo or nothing new: record etag, write nothing to the CRM
// Somebody edited: record (base := agreed_now()), tell the CRM what.pull, maybe push the rest. what.pull is empty when both sides made the
// same edit (only the base moves) or when what.conflicts alone is news.
struct merge_event {
    merge what;
    fields remote;
};
struct event_removed {
    bool conflict{};
};  // gone in Google; conflict when the task has unpushed edits
struct set_aside {
    std::string reason;
};  // one odd event: quarantine, the rest goes on
using pull_step = std::variant<mirror_only, acknowledge, merge_event, event_removed, set_aside>;
pull_step next_pull(pull_view const& view, calendar_event const& event);

// Mass-delete guard of a full pass: true when `missing` deletions out of `known` must pause and ask (more than max(20, 10 %)).
bool brake(std::size_t missing, std::size_t known);

}  // namespace calbridge::domain
