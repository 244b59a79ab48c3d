#include "clients/zoom/zoom.h"

#include "common/base/encoding.h"
#include "common/json/json.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <stdexcept>

namespace calbridge::zoom {

void throw_exception_from_error(call_error const& e, boost::source_location const&) { throw std::runtime_error("zoom: " + e.context); }

namespace {

constexpr std::size_t answer_bytes_max = 4u << 20;
constexpr int pages_max = 40;
constexpr std::chrono::minutes token_margin{5};
constexpr std::size_t accounts_max = 10000;
constexpr std::size_t topic_chars_max = 200;

errc class_of(int status) {
    switch (status) {
    case 401: return errc::unauthorized;
    case 403: return errc::forbidden;
    case 404: return errc::not_found;
    case 408: return errc::timed_out;
    case 409: return errc::conflict;
    case 429: return errc::rate_limited;
    default: break;
    }
    return status >= 500 ? errc::unavailable : errc::malformed;
}

std::optional<std::chrono::seconds> wait_said(http::response const& got) {
    auto const said = http::find(got.fields, "Retry-After");
    if (!said) return {};
    int seconds = 0;
    auto const [end, problem] = std::from_chars(said->data(), said->data() + said->size(), seconds);
    // The limit per day names a time instead: an hour is soon enough.
    if (problem != std::errc{} || end != said->data() + said->size() || seconds < 0) return std::chrono::hours(1);
    return std::chrono::seconds(std::min(seconds, 86400));
}

call_error refused(http::response const& got, std::string_view what, bool writes) {
    call_error e{.code = class_of(got.status), .status = got.status};
    e.context = fmt::format("{}: Zoom answered {}", what, got.status);
    e.outcome_unknown = writes && (got.status >= 500 || got.status == 408);
    e.retry_after = wait_said(got);
    return e;
}

call_error unreachable(error const& e, std::string_view what, bool writes) {
    return {.code = e.code,
            .context = fmt::format("{}: {}", what, e.context),
            .outcome_unknown = writes && !e.context.starts_with("not sent:")};
}

call_error unreadable(std::string_view what, bool writes) {
    return {
        .code = errc::malformed, .status = 200, .context = fmt::format("{}: the answer cannot be read", what), .outcome_unknown = writes};
}

std::string id_of(json::object const& from) {
    auto const* id = from.if_contains("id");
    if (id == nullptr) return {};
    if (id->is_string()) return std::string(id->get_string());
    return std::to_string(json::integer_or(from, "id"));
}

meeting read_meeting(json::object const& from) {
    return {
        .id = id_of(from), .join_url = std::string(json::text_or(from, "join_url")), .agenda = std::string(json::text_or(from, "agenda"))};
}

std::string cut(std::string_view text, std::size_t chars) {
    std::size_t seen = 0;
    for (std::size_t i = 0; i < text.size(); ++i)
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && seen++ == chars) return std::string(text.substr(0, i));
    return std::string(text);
}

std::string body_of(meeting_write const& what) {
    json::object out{{"topic", cut(what.topic, topic_chars_max)}};
    if (what.start.empty()) {
        out["type"] = 3;  // recurring, no fixed time: one link for all occurrences
    } else {
        out["type"] = 2;
        out["start_time"] = what.start;
        out["timezone"] = what.time_zone;
        out["duration"] = what.minutes;
    }
    if (!what.agenda.empty()) out["agenda"] = what.agenda;
    return json::serialize(out);
}

struct kept_token {
    std::string text;
    instant good_until{};
};

class http_meetings_api final : public meetings_api {
public:
    http_meetings_api(http::client& over, endpoints at, clock const& now) : over_(over), at_(std::move(at)), now_(now) {}

    task<answer<meeting>> create(account const& of, meeting_write what, deadline at) override {
        exchange const call{"POST", at_.api + "/users/me/meetings", body_of(what), "create meeting", true};
        auto got = co_await authorised(of, call, at);
        if (!got) co_return got.error();
        meeting made = read_meeting(*got);
        if (made.id.empty() || made.join_url.empty()) co_return unreadable(call.what, true);
        co_return made;
    }

    task<answer<void>> update(account const& of, std::string id, meeting_write what, deadline at) override {
        exchange const call{"PATCH", at_.api + "/meetings/" + percent_encode(id), body_of(what), "update meeting", true};
        auto got = co_await authorised(of, call, at);
        if (!got) co_return got.error();
        co_return answer<void>();
    }

    task<answer<void>> remove(account const& of, std::string id, deadline at) override {
        exchange const call{"DELETE", at_.api + "/meetings/" + percent_encode(id), {}, "remove meeting", true};
        auto got = co_await authorised(of, call, at);
        if (!got && got.error().code != errc::not_found) co_return got.error();
        co_return answer<void>();
    }

    task<answer<std::optional<meeting>>> find(account const& of, std::string marker, deadline at) override {
        std::string page;
        for (int pages = 0; pages < pages_max; ++pages) {
            std::string url = at_.api + "/users/me/meetings?type=scheduled&page_size=300";
            if (!page.empty()) url += "&next_page_token=" + percent_encode(page);
            exchange const call{"GET", std::move(url), {}, "list meetings", false};
            auto got = co_await authorised(of, call, at);
            if (!got) co_return got.error();
            auto const* listed = json::array_at(*got, "meetings");
            if (listed == nullptr) co_return unreadable(call.what, false);
            for (json::value const& each : *listed)
                if (each.is_object() && json::text_or(each.get_object(), "agenda").starts_with(marker))
                    co_return std::optional<meeting>(read_meeting(each.get_object()));
            std::string next(json::text_or(*got, "next_page_token"));
            if (next.empty()) co_return std::optional<meeting>{};
            if (next == page) break;
            page = std::move(next);
        }
        co_return call_error{.code = errc::too_large, .context = "list meetings: too many"};
    }

private:
    struct exchange {
        std::string method, url, body, what;
        bool writes{};
    };

    task<answer<json::object>> send(exchange const& call, std::string authorization, deadline at) {
        http::client_request request{.method = call.method, .url = call.url};
        request.fields.emplace_back("Authorization", std::move(authorization));
        request.fields.emplace_back("Accept", "application/json");
        if (!call.body.empty()) request.fields.emplace_back("Content-Type", "application/json");
        request.body = call.body;
        request.answer_bytes_max = answer_bytes_max;
        auto got = co_await over_.send(std::move(request), at);
        if (!got) co_return unreachable(got.error(), call.what, call.writes);
        if (got->status < 200 || got->status > 299) co_return refused(*got, call.what, call.writes);
        if (got->body.empty()) co_return json::object{};
        json::limits const within{.bytes_max = answer_bytes_max, .depth_max = 16};
        auto parsed = json::parse(got->body, "answer", within, true);
        if (!parsed || !parsed->is_object()) co_return unreadable(call.what, call.writes);
        co_return std::move(parsed->get_object());
    }

    task<answer<std::string>> token(account const& of, bool fresh, deadline at) {
        auto const kept = tokens_.find(of.id);
        if (!fresh && kept != tokens_.end() && now_.now() < kept->second.good_until) co_return kept->second.text;
        exchange const call{
            "POST", at_.oauth + "/oauth/token?grant_type=account_credentials&account_id=" + percent_encode(of.id), {}, "get token", false};
        std::string const credentials = of.client_id + ":" + std::string(of.client_secret.reveal());
        auto got = co_await send(call, "Basic " + base64(as_bytes(credentials)), at);
        if (!got) {
            call_error e = got.error();
            // Its own app or account is wrong: nothing a retry would mend.
            if (e.status == 400 || e.status == 401 || e.status == 403) e.code = errc::client_rejected;
            co_return e;
        }
        std::string text(json::text_or(*got, "access_token"));
        if (text.empty()) co_return unreadable(call.what, false);
        auto const life = std::chrono::seconds(std::clamp<std::int64_t>(json::integer_or(*got, "expires_in", 3600), 0, 86400));
        if (tokens_.size() >= accounts_max) tokens_.clear();
        tokens_[of.id] = {text, now_.now() + life - token_margin};
        co_return text;
    }

    task<answer<json::object>> authorised(account const& of, exchange const& call, deadline at) {
        auto first = co_await token(of, false, at);
        if (!first) co_return first.error();
        auto got = co_await send(call, "Bearer " + *first, at);
        if (got || got.error().code != errc::unauthorized) co_return got;
        auto fresh = co_await token(of, true, at);
        if (!fresh) co_return fresh.error();
        got = co_await send(call, "Bearer " + *fresh, at);
        if (!got && got.error().code == errc::unauthorized) {
            call_error e = got.error();
            e.code = errc::client_rejected;
            co_return e;
        }
        co_return got;
    }

    http::client& over_;
    endpoints at_;
    clock const& now_;
    std::map<std::string, kept_token> tokens_;
};

}  // namespace

std::unique_ptr<meetings_api> make_meetings_api(http::client& over, endpoints at, clock const& now) {
    return std::make_unique<http_meetings_api>(over, std::move(at), now);
}

}  // namespace calbridge::zoom
