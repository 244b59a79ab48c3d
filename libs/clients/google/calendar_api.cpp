#include "clients/google/calls.h"
#include "clients/google/event_json.h"

#include "common/base/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace calbridge::google {

namespace {

constexpr std::size_t page_bytes_max = 48u << 20;
constexpr std::size_t event_bytes_max = 4u << 20;
constexpr std::size_t calendar_list_bytes_max = 4u << 20;
constexpr int calendar_pages_max = 40;

std::string events_url(endpoints const& at, std::string_view calendar) {
    return fmt::format("{}/calendars/{}/events", at.api, percent_encode(calendar));
}

std::string event_url(endpoints const& at, std::string_view calendar, std::string_view event) {
    return fmt::format("{}/{}", events_url(at, calendar), percent_encode(event));
}

std::string list_url(endpoints const& at, list_query const& query) {
    std::string url = fmt::format("{}?{}&prettyPrint=false", events_url(at, query.calendar), list_fingerprint(query));
    if (query.sync_token) url += "&syncToken=" + percent_encode(*query.sync_token);
    if (query.page_token) url += "&pageToken=" + percent_encode(*query.page_token);
    return url;
}

// Query of a write, after '?'.
std::string write_query(event_write const& what, bool with_conference) {
    return fmt::format("sendUpdates={}{}&prettyPrint=false", percent_encode(what.send_updates),
                       with_conference ? "&conferenceDataVersion=1" : "");
}

class http_calendar_api final : public calendar_api {
public:
    http_calendar_api(http::client& over, endpoints at, clock const& now) : over_(over), at_(std::move(at)), now_(now) {}

    task<answer<event_page>> list(secret const& token, list_query query, deadline at) override {
        call what{.request = api_request("GET", list_url(at_, query), token), .what = "list events", .bytes_max = page_bytes_max};
        auto got = co_await perform_listing(over_, now_, std::move(what), at);
        if (!got) co_return about_calendar(got.error());
        auto page = read_page(std::move(*got));
        if (!page) co_return unreadable("list events", page.error(), false);
        co_return std::move(*page);
    }

    task<answer<domain::calendar_event>> get(secret const& token, std::string calendar, std::string event, deadline at) override {
        call what{.request = api_request("GET", event_url(at_, calendar, event) + "?prettyPrint=false", token),
                  .what = "get event",
                  .bytes_max = event_bytes_max};
        auto got = co_await perform(over_, now_, std::move(what), at);
        if (!got) co_return co_await tell_apart(token, std::move(calendar), got.error(), at);
        co_return event_of(*got, "get event", false);
    }

    task<answer<domain::calendar_event>> insert(secret const& token, std::string calendar, std::string event_id, event_write what,
                                                deadline at) override {
        bool const meet = what.pushed.has(domain::field::meet) && what.values.meet;
        std::string url = fmt::format("{}?{}", events_url(at_, calendar), write_query(what, meet));
        call out{
            .request = api_request("POST", std::move(url), token), .what = "insert event", .writes = true, .bytes_max = event_bytes_max};
        std::optional<std::string> const id(std::move(event_id));
        json::object const body = write_event(what, id);
        set_json_body(out.request, body);
        auto got = co_await perform(over_, now_, std::move(out), at);
        if (!got) {
            call_error failed = got.error();
            failed.calendar_gone = failed.calendar_gone || failed.code == errc::not_found;
            co_return failed;
        }
        co_return event_of(*got, "insert event", true);
    }

    task<answer<domain::calendar_event>> patch(secret const& token, std::string calendar, std::string event, std::string if_match,
                                               event_write what, deadline at) override {
        std::string url = fmt::format("{}?{}", event_url(at_, calendar, event), write_query(what, what.pushed.has(domain::field::meet)));
        call out{
            .request = api_request("PATCH", std::move(url), token), .what = "patch event", .writes = true, .bytes_max = event_bytes_max};
        if (!if_match.empty()) out.request.fields.emplace_back("If-Match", std::move(if_match));
        json::object const body = write_event(what, std::nullopt);
        set_json_body(out.request, body);
        auto got = co_await perform(over_, now_, std::move(out), at);
        if (!got) co_return co_await tell_apart(token, std::move(calendar), got.error(), at);
        co_return event_of(*got, "patch event", true);
    }

    task<answer<domain::calendar_event>> move(secret const& token, std::string calendar, std::string event, std::string destination,
                                              deadline at) override {
        std::string url = fmt::format("{}/move?destination={}&sendUpdates=none&prettyPrint=false", event_url(at_, calendar, event),
                                      percent_encode(destination));
        call out{.request = api_request("POST", std::move(url), token), .what = "move event", .writes = true, .bytes_max = event_bytes_max};
        auto got = co_await perform(over_, now_, std::move(out), at);
        if (!got) co_return co_await tell_apart(token, std::move(calendar), got.error(), at);
        co_return event_of(*got, "move event", true);
    }

    task<answer<void>> remove(secret const& token, std::string calendar, std::string event, std::string if_match, std::string send_updates,
                              deadline at) override {
        std::string url = fmt::format("{}?sendUpdates={}&prettyPrint=false", event_url(at_, calendar, event), percent_encode(send_updates));
        call out{.request = api_request("DELETE", std::move(url), token), .what = "delete event", .writes = true};
        if (!if_match.empty()) out.request.fields.emplace_back("If-Match", std::move(if_match));
        auto got = co_await perform(over_, now_, std::move(out), at);
        if (got || got.error().code == errc::gone) co_return answer<void>();
        call_error failed = co_await tell_apart(token, std::move(calendar), got.error(), at);
        if (failed.code == errc::not_found && !failed.calendar_gone) co_return answer<void>();
        co_return failed;
    }

    task<answer<calendar_listing>> calendar_list(secret const& token, std::optional<std::string> sync_token, deadline at) override {
        calendar_listing all;
        std::optional<std::string> page_token;
        for (int page = 0; page < calendar_pages_max; ++page) {
            std::string url = fmt::format("{}/users/me/calendarList?maxResults=250&showHidden=true&prettyPrint=false", at_.api);
            if (sync_token) url += "&syncToken=" + percent_encode(*sync_token);
            if (page_token) url += "&pageToken=" + percent_encode(*page_token);
            call what{.request = api_request("GET", std::move(url), token), .what = "list calendars", .bytes_max = calendar_list_bytes_max};
            auto got = co_await perform(over_, now_, std::move(what), at);
            if (!got) co_return got.error();
            std::optional<std::string> next;
            auto listed = read_calendar_entries(*got, next);
            if (!listed) co_return unreadable("list calendars", listed.error(), false);
            std::ranges::move(listed->entries, std::back_inserter(all.entries));
            all.sync_token = std::move(listed->sync_token);
            if (!next) co_return std::move(all);
            if (next == page_token) break;
            page_token = std::move(next);
        }
        co_return unreadable("list calendars", fail(errc::malformed, "the pages do not end"), false);
    }

    task<answer<watch_answer>> watch(secret const& token, watch_request wanted, deadline at) override {
        bool const list = wanted.calendar.empty();
        std::string url = (list ? at_.api + "/users/me/calendarList" : events_url(at_, wanted.calendar)) + "/watch?prettyPrint=false";
        call what{.request = api_request("POST", std::move(url), token), .what = list ? "watch calendars" : "watch events", .writes = true};
        json::object parameters{{"ttl", fmt::to_string(wanted.life.count())}};
        json::object body{{"id", wanted.channel_id},
                          {"type", "web_hook"},
                          {"address", wanted.address},
                          {"token", wanted.token.reveal()},
                          {"params", std::move(parameters)}};
        set_json_body(what.request, body);
        auto got = co_await perform(over_, now_, std::move(what), at);
        if (!got && list) co_return got.error();
        if (!got) co_return about_calendar(got.error());
        auto channel = read_watch_answer(*got);
        if (!channel) co_return unreadable("watch events", channel.error(), true);
        co_return std::move(*channel);
    }

    task<answer<void>> stop(secret const& token, std::string channel_id, std::string resource_id, deadline at) override {
        call what{
            .request = api_request("POST", at_.api + "/channels/stop?prettyPrint=false", token), .what = "stop channel", .writes = true};
        json::object const body{{"id", channel_id}, {"resourceId", resource_id}};
        set_json_body(what.request, body);
        auto got = co_await perform(over_, now_, std::move(what), at);
        if (got || got.error().code == errc::not_found || got.error().code == errc::gone) co_return answer<void>();
        co_return got.error();
    }

private:
    static call_error unreadable(std::string what, error const& e, bool writes) {
        return unreadable_answer(e, call{.what = std::move(what), .writes = writes}, 200);
    }

    static answer<domain::calendar_event> event_of(json::value const& document, std::string what, bool writes) {
        if (!document.is_object()) return unreadable(std::move(what), fail(errc::malformed, "the answer is not an object"), writes);
        auto event = read_event_item(document.get_object(), {});
        if (!event) return unreadable(std::move(what), event.error(), writes);
        return std::move(*event);
    }

    // Calls whose path names a calendar only: refused or not there means the calendar is.
    static call_error about_calendar(call_error e) {
        bool const refused = e.code == errc::forbidden && !e.scope_missing && e.reason != "pushNotSupportedForRequestedResource" &&
                             !e.reason.starts_with("push.");
        e.calendar_gone = e.calendar_gone || e.code == errc::not_found || refused;
        return e;
    }

    // Google answers the same 404 for an event that never was and for a calendar we may not see; one small listing tells them apart.
    task<call_error> tell_apart(secret const& token, std::string calendar, call_error e, deadline at) {
        if (e.code != errc::not_found) co_return e;
        std::string url = fmt::format("{}?maxResults=1&prettyPrint=false", events_url(at_, calendar));
        call what{.request = api_request("GET", std::move(url), token), .what = "look at calendar"};
        auto got = co_await perform(over_, now_, std::move(what), at);
        if (got || got.error().code == errc::too_large) co_return e;
        call_error seen = about_calendar(got.error());
        if (seen.calendar_gone) {
            e.calendar_gone = true;
            co_return e;
        }
        co_return seen;  // The probe failed for another reason: nothing is known, so nothing is concluded.
    }

    http::client& over_;
    endpoints at_;
    clock const& now_;
};

}  // namespace

std::unique_ptr<calendar_api> make_calendar_api(http::client& over, endpoints at, clock const& now) {
    return std::make_unique<http_calendar_api>(over, std::move(at), now);
}

}  // namespace calbridge::google
