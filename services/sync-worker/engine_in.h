#pragma once
// Inside the inbound engine: what items of a listing mean beyond the event of a link. Pure.

#include "engine_rows.h"

#include "store/inbound.h"

#include <set>
#include <string>
#include <vector>

namespace calbridge::worker {

inline constexpr std::int64_t exceptions_max = 1000;  // rows of one series; further exceptions are set aside

bool pulls(domain::sync_mode mode);

// --- exceptions -------------------------------------------------------------------------------------------------------------------
struct exception_name {
    std::string master, key;
};
// Of an exception: its series and its occurrence key. A bare cancelled item says both in its id only.
std::optional<exception_name> exception_named(domain::calendar_event const& event);
// The same, written into the event.
void complete_exception(domain::calendar_event& event);

// True when the series, as Google last showed it, has this occurrence.
bool takes_place(store::link_row const& series, std::string const& key);
// Keys of `open` that the series does not generate any more.
std::vector<std::string> dropped_occurrences(store::link_row const& series, std::vector<std::string> const& open);

struct exception_seen {
    std::optional<inbound> seen;  // empty: nothing to write
    bool makes_row{false};
};
// An exception without an open link whose series is linked. `row`: the occurrence's row, where there is one already, with its ended link.
// `known`: the mirror holds exactly this item already.
exception_seen unlinked_exception(store::task_and_link const& series, std::optional<store::task_and_link> row, exception_name const& name,
                                  domain::calendar_event const& event, bool known, surroundings const& around);
// One with an open link.
inbound linked_exception(store::task_and_link rows, std::optional<store::operation_row> const& stamped, exception_name const& name,
                         domain::calendar_event const& event, surroundings const& around);

// --- imports ------------------------------------------------------------------------------------------------------------------------
struct import_rules {
    bool on{false};
    std::set<std::string, std::less<>> calendars, colors, participants;  // empty: all
    std::set<std::string, std::less<>> kinds{"default"};
    bool private_as_busy{false};
};
// sync_settings.import of the connection, or what it leaves open of the tenant.
import_rules import_rules_of(store::connection_row const& connection);
bool blocks_tentative(store::connection_row const& connection);
// What a listing is read for: another one asks for a full pass.
std::string reading_of(store::connection_row const& connection);

bool is_private(domain::calendar_event const& event);
// Why an unlinked event does not become a task; empty: it does.
std::string_view not_imported(domain::calendar_event const& event, import_rules const& rules, surroundings const& around);
// Why shared fields of the event cannot be written: "guest", "kind", "locked", "private"; empty: they can.
std::string read_only_of(domain::calendar_event const& event);
// A private event as a busy time: without anything that says what it is.
domain::calendar_event without_details(domain::calendar_event event);
// The event of a task made from it as the task may know it: once it is private only its times move on.
domain::calendar_event as_known(domain::calendar_event const& event, store::task_row const& task, store::link_row const& link);

struct continuation {
    store::task_row parent;
    std::string key;  // the occurrence from which it took over
};
struct imported_event {
    store::imported_rows rows;
    domain::task_update update;
    store::meeting_claim claim;
};
// Empty when it cannot be read.
std::optional<imported_event> import_event(domain::calendar_event const& event, std::optional<continuation> const& from,
                                           surroundings const& around);

// --- splits -------------------------------------------------------------------------------------------------------------------------
// A linked series that ends before `key` since a person cut it.
struct series_cut_seen {
    store::task_and_link series;
    domain::fields before;
    std::string key;
};
// The event id before "_R…".
std::string root_id(std::string_view event_id);
bool has_root(std::string_view event_id);
// True when `tail`, unlinked, is what followed the cut.
bool continues(domain::calendar_event const& tail, series_cut_seen const& cut, surroundings const& around);
// A tail that came before its series was cut, known by its id: the occurrence it takes over from. Empty: it is none.
std::optional<std::string> continued_from(domain::calendar_event const& tail, store::link_row const& series);
// A task imported before the cut was seen: what it followed is told.
effects split_recognised(store::task_and_link rows, continuation const& from, surroundings const& around);

// --- moves --------------------------------------------------------------------------------------------------------------------------
// The event went to another calendar of the connection: the link follows, then the event there is taken in. `there`: that calendar.
inbound moved_in_google(store::task_and_link rows, domain::calendar_event const& event, surroundings const& there);

}  // namespace calbridge::worker
