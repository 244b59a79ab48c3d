#pragma once
// What the emulated Google remembers.

#include "common/base/clock.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/message.h"
#include "tests/emulator/text.h"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace calbridge::emulator {

// ---- people and consent ----

struct list_entry {
    std::string calendar;
    std::string summary_override, color_id{"14"}, background{"#9fe1e7"}, foreground{"#1d1d1d"};
    bj::array default_reminders;
    bool selected{true}, hidden{false}, deleted{false}, primary{false};
    std::uint64_t change{0}, etag{0};
};

struct user {
    std::string email, sub, name, given_name, family_name, hd, locale{"en"}, time_zone{"Europe/Zurich"};
    bool has_calendar{true};
    std::map<std::string, list_entry, std::less<>> list;  // by calendar id
    std::map<std::uint64_t, std::string> list_log;        // change number to calendar id
    std::uint64_t list_change{0}, list_epoch{0};
};

struct oauth_client {
    std::string id, secret, project{"calbridge"};
    std::vector<std::string> redirect_uris;
    bool deleted{false};
};

using scope_set = std::set<std::string, std::less<>>;

struct auth_code {
    std::string client, user, redirect_uri, challenge, challenge_method, nonce;
    scope_set scopes;
    bool wants_refresh{false};
    instant issued;
    bool used{false};
};

struct refresh_token {
    std::string token, client, project, user;
    scope_set scopes;
    instant issued, last_used;
    std::optional<instant> expires;
};

struct access_token {
    std::string client, project, user, refresh;
    scope_set scopes;
    instant expires;
};

// ---- calendars and events ----

struct event {
    std::string id;
    bj::object body;  // what the API shows, less what is rendered per request (etag, times, self marks, reminders)
    std::map<std::string, bj::object, std::less<>> reminders;  // by user; none: the calendar's defaults
    std::uint64_t change{0};                                   // place in the calendar's log
    std::uint64_t etag{0};
    instant created, updated;
    instant starts, ends;  // all-day: midnight UTC of the dates
    bool all_day{false};
    bool cancelled{false};
    bool bare{false};      // nothing but the id is shown: it was somebody else's, or it moved away
    bool detached{false};  // imported: organised elsewhere, its owner may change everything
    instant original;      // of an exception: the start it had in its series
    bool original_all_day{false};
    bool orphan{false};        // a cancelled exception whose series no longer has that start
    std::string meet_request;  // the last requestId
    std::string raw;           // JSON text shown in place of everything else while the event lives

    bool is_master() const { return body.contains("recurrence") && !cancelled; }
};

struct calendar {
    std::string id, summary, description, location, time_zone{"Europe/Zurich"}, owner, created_by_client;
    bool primary{false}, watchable{true};
    std::map<std::string, std::string, std::less<>> roles;  // by user
    std::map<std::string, event, std::less<>> events;
    std::map<std::uint64_t, event*> log;  // change number to event; each event once
    std::multimap<std::string, std::string, std::less<>> by_ical_uid;
    std::deque<std::pair<instant, std::string>> tombstones;
    std::map<std::string, std::set<std::string>, std::less<>> vanished;  // by series: exceptions that went with it
    std::set<std::string, std::less<>> retired;                          // ids of tombstones that aged out stay taken
    std::map<std::string, std::uint64_t, std::less<>> epochs;            // by user: tokens of an older epoch are dead
    std::uint64_t change{0}, purged_through{0}, etag{0};
};

// ---- push ----

struct channel {
    std::string id, token, address, resource_id, resource_uri, user, client, project;
    std::string calendar;  // empty: the user's calendar list
    instant created, expires;
    std::optional<instant> stopped;
    std::uint64_t messages{0};  // number of the last message
};

struct delivery {
    std::uint64_t id{0};
    std::string channel, address;
    http::headers fields;
    std::string state;  // sync, exists, not_exists
    int attempt{1};
    instant made, due;
};

struct delivery_record {
    delivery sent;
    std::vector<int> answers;        // status of each attempt; 0: no answer
    std::string outcome{"pending"};  // pending, delivered, retrying, failed, dropped
    instant finished;
};

// ---- scripts and logs ----

struct log_entry {
    std::uint64_t number{0};
    instant at;
    std::string method, path, query, body, method_id, user;
    http::headers fields;
    int status{0};
    std::int64_t nanoseconds{0};
    bool faulted{false};
};

struct violation {
    std::uint64_t number{0};
    instant at;
    std::string method, path, what;
};

struct mail {
    instant at;
    std::string kind;  // invitation, update, cancellation
    std::string calendar, event, from;
    std::vector<std::string> to;
    std::string send_updates;
};

// One line per accepted change of an event, in order: the oracle of randomised tests.
struct effect {
    std::uint64_t number{0};
    instant at;
    std::string actor, client;  // no client: a person
    std::string calendar, event, kind;
    std::uint64_t etag{0};
};

}  // namespace calbridge::emulator
