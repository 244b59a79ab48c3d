#pragma once
// Masters, their instances and their exceptions within one calendar.

#include "tests/emulator/events.h"
#include "tests/emulator/recurrence.h"

namespace calbridge::emulator {

bool is_exception(event const& e);
std::string_view master_id_of(event const& e);

// The instance of a series as it is while nobody changed it.
event instance_of(calendar const& cal, event const& master, instant original);
// What an instance id stands for while nobody changed it. Empty when the series has no such start; of a deleted series it comes back
// cancelled.
std::optional<event> find_instance(calendar& cal, std::string_view id);

// The event an id names, be it kept or only an instance of a series.
struct target {
    event* kept{nullptr};
    std::optional<event> instance;

    event* get() { return instance ? &*instance : kept; }
    explicit operator bool() const { return instance || kept != nullptr; }
};
target aim(calendar& cal, std::string_view id);
// Takes the place of what was aimed at: an instance becomes an exception of its own.
event& keep(calendar& cal, target& at, event&& next);

// Kept exceptions of a series, in order of their original start; those the series no longer makes are left out unless `orphans`.
std::vector<event*> exceptions_of(calendar& cal, std::string_view master, bool orphans = false);

// After a series was written or came back: exceptions whose start is no longer made are dropped, the others follow in what they had not
// changed. Readers may hold exceptions that were dropped or went away and whose start is made again: those are told as they are now.
void after_write(core& c, calendar& cal, event const& old, event const& now, writer const& w);
// After a series was deleted or went away: its exceptions go with it, without items of their own.
void drop_exceptions(calendar& cal, std::string_view master);

// A series as its single occurrences: exceptions where there are, instances where not, those that overlap the window, cancelled ones too.
// `most` bounds the instances.
std::vector<event> expand(calendar& cal, event const& master, std::optional<instant> from, std::optional<instant> to, std::size_t most);
// When it begins and ends for a reader; all-day events by the calendar's zone.
instant begins(calendar const& cal, event const& e);
instant finishes(calendar const& cal, event const& e);

}  // namespace calbridge::emulator
