#pragma once
// Shared inside the engine: changes to rows that several decisions make.

#include "engine.h"

namespace calbridge::worker {

effects start(store::task_and_link rows);
// A message about the task as it stands in `e`; takes the next sequence.
domain::task_update& tell(effects& e, domain::update_kind kind, surroundings const& around);
// Event coordinates, links and the event's own times, as the link holds them.
void describe_event(domain::task_update& update, effects const& e);
// Values of the fields the CRM should take over.
void describe_changes(domain::task_update& update, domain::field_set changed, domain::fields const& values);

void describe_guests(domain::task_update& update, effects const& e);
// A message with the task's values of `changed`, remembered until the CRM has taken it over.
domain::task_update& tell_changes(effects& e, domain::field_set changed, surroundings const& around);

// How this task is rendered.
domain::render_settings settings_for(effects const& e, surroundings const& around);

// The event as the plan must see it: a field Google spells as it did at the last agreement is unchanged, whatever the spelling.
domain::fields effective_remote(store::link_row const& link, domain::fields const& remote);

// Which side was changed last, for last_write_wins: the CRM when a person made the change, as far as it says (never after its message
// arrived), else when the message arrived; Google when the event last changed. Empty when one of them is unknown, or both are equal.
std::optional<domain::side> newer_side(store::task_row const& task, std::optional<instant> event_updated);
// Who wins a conflict on the whole link (edit against delete); empty: the user decides.
std::optional<domain::side> whole_winner(domain::conflict_policy policy, std::optional<domain::side> newer);
// True when `link` is frozen by a conflict that the CRM has since ended by itself: cancelled and wanted again, or edited and cancelled.
bool freeze_is_over(store::link_row const& link, bool wanted);

// Takes in a snapshot newer than the last absorbed one. Empty: done (or nothing new). Else why it cannot be an event.
std::optional<domain::refusal> absorb_snapshot(effects& e, surroundings const& around);
bool is_wanted(effects const& e, surroundings const& around);

store::operation_row new_operation(effects& e, std::string kind, surroundings const& around);
// The event's etag, links, attendees and conference state into the link. True when something a CRM shows has changed.
bool note_event(store::link_row& link, domain::calendar_event const& event);
// Google's side of a merge into the rows: pulled values to the task and the CRM, agreement into the bases, open conflicts recorded, what is
// left to push made due. `remote` is the event, `effective` the event as the plan saw it.
void take_over(effects& e, domain::merge const& what, domain::fields const& remote, domain::fields const& effective,
               surroundings const& around);
void end_link(effects& e, std::string reason);
void next_generation(effects& e);
void settle(effects& e, std::int64_t worked, std::string state);

}  // namespace calbridge::worker
