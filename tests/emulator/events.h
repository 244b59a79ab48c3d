#pragma once
// Writing events: Google's rules on who may change what, and how a change spreads to guests' copies.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

// Who writes and with which options.
struct writer {
    std::string user, client;  // no client: a person in the calendar itself
    std::string send_updates;  // all, externalOnly, none or empty
    bool conference{false};    // conferenceDataVersion=1
    bool attachments{false};
    bool no_mail_of_any_kind() const { return send_updates.empty() || send_updates == "none"; }
};

// How a representation is rendered.
struct view {
    std::string user;
    std::string zone;  // empty: the calendar's
    std::int64_t attendees_max{0};
    role access{role::owner};
    bool in_list{false};
};

// An event a test stored as raw text becomes a stand-in, which with_raw_events replaces in the finished text.
bj::object render(core const& c, calendar const& cal, event const& e, view const& v);
std::string with_raw_events(core const& c, std::string text);

// A new event under an id that was chosen already; `ical_uid` empty: made from the id.
reply insert_as(core& c, calendar& cal, std::string id, std::string_view ical_uid, bj::object const& body, writer const& w, view const& v);
reply insert_event(core& c, calendar& cal, bj::object const& body, writer const& w, view const& v);
reply import_event(core& c, calendar& cal, bj::object const& body, writer const& w, view const& v);
// `replace`: PUT; otherwise PATCH. `if_match` empty: unconditional.
reply write_event(core& c, calendar& cal, std::string_view id, bj::object const& body, bool replace, std::string_view if_match,
                  writer const& w, view const& v);
reply delete_event(core& c, calendar& cal, std::string_view id, std::string_view if_match, writer const& w);
reply move_event(core& c, calendar& from, std::string_view id, calendar& to, writer const& w, view const& v);

// The one place that looks an event up by id.
event* find_event(calendar& cal, std::string_view id);
// Forgets tombstones that aged out.
void age(core& c, calendar& cal);
// Carries out conference creations whose time has come.
void complete_meets(core& c);

}  // namespace calbridge::emulator
