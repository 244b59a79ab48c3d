#pragma once
// A person at work in Google Calendar, and what became of it: shared by the tests of the inbound side.

#include "worker_stack.h"

#include <algorithm>
#include <string>

namespace calbridge::integration {

inline constexpr char const* own_calendar = "calendars/anna%40example.com";

class inbound_stack : public worker_stack {
protected:
    // Ten Wednesdays at 10:00 in Zurich, from 2027-01-20 on, made by the CRM.
    void say_series(json::object more = {}) {
        json::object said{{"recurrence", json::array{"RRULE:FREQ=WEEKLY;COUNT=10"}}};
        for (auto const& member : more) said[member.key()] = member.value();
        crm_says(std::move(said));
        work();
    }
    std::string master(std::string const& task = "T-1") {
        return sql("SELECT google_calendar_event_id FROM task_links WHERE task_id = '" + task + "' AND state <> 'ended'");
    }
    // A new event by hand; its id.
    std::string make(json::object event, std::string const& calendar_path = own_calendar) {
        json::object whole{{"summary", "Lunch"}, {"start", at("2027-02-01T12:00:00")}, {"end", at("2027-02-01T13:00:00")}};
        for (auto const& member : event) whole[member.key()] = member.value();
        auto const made = control(std::string(calendar_path) + "/events", json::serialize(whole));
        return std::string(json::text_or(made.as_object(), "id"));
    }
    static json::object at(std::string const& local) { return {{"dateTime", local}, {"timeZone", "Europe/Zurich"}}; }
    void change(std::string const& id, json::object what) {
        control(std::string(own_calendar) + "/events/" + id, json::serialize(what), "PATCH");
    }
    void drop(std::string const& id) { control(std::string(own_calendar) + "/events/" + id, {}, "DELETE"); }
    // As the calendar's page asks: this one, this and following, or all. An empty change removes.
    void edit(std::string const& instance, std::string const& scope, json::object change, bool new_id = false) {
        json::object body{{"scope", scope}, {"new_id", new_id}};
        std::string const what = change.empty() ? "/remove" : "/edit";
        if (!change.empty()) body["change"] = std::move(change);
        control(std::string(own_calendar) + "/events/" + instance + what, json::serialize(body));
    }
    void pull() {
        hint();
        work();
    }
    void full_pull() {
        control(std::string(own_calendar) + "/expire_tokens", "{}");
        pull();
    }
    void import_on(std::string const& rules = "{}") {
        sql("UPDATE user_calendar_connections SET import_external_events = true, sync_settings = jsonb_build_object('import', '" + rules +
            "'::jsonb)");
    }
    std::vector<domain::task_update> told(domain::update_kind kind) const {
        auto all = updates();
        std::erase_if(all, [&](auto const& u) { return u.kind != kind; });
        return all;
    }
    std::string row(std::string const& task, std::string const& column) {
        return sql("SELECT " + column + " FROM tasks WHERE task_id = '" + task + "'");
    }
    std::string count(std::string const& from) { return sql("SELECT count(*) FROM " + from); }
};

}  // namespace calbridge::integration
