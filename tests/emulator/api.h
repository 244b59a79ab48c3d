#pragma once
// The Calendar API's front: contract, credentials, scope, quota, then the method.

#include "tests/emulator/core.h"

namespace calbridge::emulator {

class api {
public:
    explicit api(core& c);

    struct outcome {
        answer out;
        std::string method_id;  // empty: no such method
        std::string user;
    };
    outcome handle(request const& r);

private:
    using method = reply (api::*)(call const&);
    reply run(request const& r, api_method const& m, params const& path, params const& query, std::string& user);
    std::optional<reply> take_quota(access_token const& t, params const& query, http::headers const& fields);
    // The calendar a path names, with the caller's access; below `least` an answer instead.
    std::optional<reply> reach(call const& k, role least, calendar*& cal, role& access, std::string_view name = "calendarId");
    // The same for a method on one event, which somebody without access to private events may not see.
    std::optional<reply> reach_event(call const& k, role least, calendar*& cal, role& access);

    reply events_list(call const& k);
    reply events_get(call const& k);
    reply events_insert(call const& k);
    reply events_import(call const& k);
    reply events_update(call const& k);
    reply events_patch(call const& k);
    reply events_delete(call const& k);
    reply events_move(call const& k);
    reply events_instances(call const& k);
    reply events_watch(call const& k);
    reply entries_list(call const& k);
    reply entries_get(call const& k);
    reply entries_insert(call const& k);
    reply entries_write(call const& k);
    reply entries_delete(call const& k);
    reply entries_watch(call const& k);
    reply calendars_get(call const& k);
    reply calendars_insert(call const& k);
    reply calendars_patch(call const& k);
    reply calendars_update(call const& k);
    reply calendars_delete(call const& k);
    reply channels_stop(call const& k);
    reply colors_get(call const& k);
    reply freebusy_query(call const& k);
    reply settings_list(call const& k);
    reply settings_get(call const& k);

    core& c_;
    std::map<std::string, method, std::less<>> methods_;
};

}  // namespace calbridge::emulator
