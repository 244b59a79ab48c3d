#include "tests/emulator/control.h"

#include "common/base/encoding.h"
#include "tests/emulator/calendars.h"
#include "tests/emulator/control_words.h"
#include "tests/emulator/events.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/push.h"
#include "tests/emulator/times.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace calbridge::emulator {

answer control::handle(request const& r) {
    auto const q = parse_params(r.query);
    boost::system::error_code ec;
    auto const whole = bj::parse(r.body.empty() ? std::string_view("{}") : std::string_view(r.body), ec);
    bj::object const body = !ec && whole.is_object() ? whole.get_object() : bj::object{};
    reply done = !q ? wrong("malformed query") : ec ? wrong("malformed JSON") : route(r, *q, body, whole);
    answer out;
    out.status = done.status;
    out.fields = std::move(done.fields);
    out.fields.emplace_back("Content-Type", "application/json; charset=utf-8");
    out.fields.emplace_back("Cache-Control", "no-store");
    if (!done.body.is_null()) out.body = with_raw_events(c_, bj::serialize(done.body)) + "\n";
    return out;
}

reply control::route(request const& r, params const& q, bj::object const& body, bj::value const& whole) {
    std::vector<std::string> at;
    for (auto part : split(std::string_view(r.path).substr(std::string_view("/_control").size()), '/')) {
        auto decoded = percent_decode(part);
        if (!decoded) return wrong("malformed path");
        if (!decoded->empty()) at.push_back(std::move(*decoded));
    }
    auto const& what = at.empty() ? std::string() : at[0];
    bool const get = r.method == "GET", post = r.method == "POST", del = r.method == "DELETE";
    if (what == "users") return users(r, at, body);
    if (what == "clients") return clients(r, body);
    if (what == "calendars") return calendars(r, at, q, body);
    if (what == "consent" && post) return consent_of(body);
    if (what == "tokens" && post) return token_for(body);
    if (what == "faults") return faults(r, whole);
    if (what == "clock") return clock_of(r, body);
    if (what == "push" && post) return push(body);
    if (what == "requests" && get) return requests(q);
    if (what == "deliveries" && get) return deliveries(q);
    if (what == "channels" && get) return channels();
    if (what == "stats" && get) return stats();
    if (what == "reset" && post) return reset(body);
    if (what == "revoke" && post) {
        oauth_.revoke_project(std::string(text_at(body, "email")), std::string(text_at(body, "project", "calbridge")));
        return ok(bj::object{{"revoked", true}});
    }
    if (what == "knobs") {
        if (post)
            if (auto fault = assign(c_.knob, body); !fault.empty()) return wrong(fault);
        return ok(emulator::to_json(c_.knob));
    }
    if (what == "violations") {
        if (del) c_.violations.clear();
        bj::array out;
        for (auto const& v : c_.violations)
            if (v.number > since_of(q))
                out.emplace_back(
                    bj::object{{"number", v.number}, {"at", format_utc(v.at)}, {"method", v.method}, {"path", v.path}, {"what", v.what}});
        return ok(bj::object{{"violations", std::move(out)}});
    }
    if (what == "mails") {
        if (del) c_.mails.clear();
        bj::array out;
        for (auto const& m : c_.mails) {
            bj::array to;
            for (auto const& t : m.to) to.emplace_back(t);
            out.emplace_back(bj::object{{"at", format_utc(m.at)},
                                        {"kind", m.kind},
                                        {"calendar", m.calendar},
                                        {"event", m.event},
                                        {"from", m.from},
                                        {"to", std::move(to)},
                                        {"send_updates", m.send_updates}});
        }
        return ok(bj::object{{"mails", std::move(out)}});
    }
    if (what == "effects" && get) {
        bj::array out;
        for (auto const& e : c_.effects)
            if (e.number > since_of(q))
                out.emplace_back(bj::object{{"number", e.number},
                                            {"at", format_utc(e.at)},
                                            {"at_us", unix_us(e.at)},
                                            {"actor", e.actor},
                                            {"client", e.client},
                                            {"calendar", e.calendar},
                                            {"event", e.event},
                                            {"kind", e.kind},
                                            {"etag", etag_text(e.etag)}});
        return ok(bj::object{{"effects", std::move(out)}});
    }
    return wrong("no such control: " + r.method + " " + r.path, 404);
}

reply control::consent_of(bj::object const& body) {
    auto const url = text_at(body, "url");
    consent choice{.account = lower(text_at(body, "email")), .deny = flag_at(body, "deny")};
    if (auto const* grant = array_at(body, "grant")) {
        choice.granted = scope_set{};
        for (auto const& s : *grant) choice.granted->insert(s.is_string() ? std::string(s.get_string()) : std::string());
    }
    auto const mark = url.find('?');
    auto const done = oauth_.approve(mark == std::string_view::npos ? std::string_view{} : url.substr(mark + 1), choice);
    if (!done.refused.empty()) return wrong(done.refused);
    return ok(bj::object{{"location", done.location}});
}

reply control::token_for(bj::object const& body) {
    auto const* who = c_.find_user(text_at(body, "email"));
    if (who == nullptr) return wrong("email is not known");
    access_token t;
    t.user = who->email;
    t.client = std::string(text_at(body, "client", c_.clients.empty() ? "test" : c_.clients.begin()->first));
    auto const client = c_.clients.find(t.client);
    t.project = client != c_.clients.end() ? client->second.project : "calbridge";
    if (auto const* scopes = array_at(body, "scopes"))
        for (auto const& s : *scopes) t.scopes.insert(s.is_string() ? std::string(s.get_string()) : std::string());
    else t.scopes = {"openid", "https://www.googleapis.com/auth/calendar"};
    t.expires = c_.now() + std::chrono::seconds(c_.knob.access_token_ttl_s);
    auto const text = "ya29.test" + c_.random_id(40);
    c_.access.emplace(text, std::move(t));
    return ok(bj::object{{"access_token", text}});
}

reply control::faults(request const& r, bj::value const& whole) {
    if (r.method == "DELETE") c_.faults.clear();
    if (r.method == "POST")
        if (auto const no = add_faults(c_.faults, whole); !no.empty()) return wrong(no);
    return ok(bj::object{{"faults", faults_to_json(c_.faults)}});
}

reply control::clock_of(request const& r, bj::object const& body) {
    if (r.method == "POST") {
        if (auto const* by = body.if_contains("advance_ms"); by != nullptr && by->is_int64()) {
            c_.offset += std::chrono::milliseconds(by->get_int64());
        } else if (auto const to = parse_with_offset(text_at(body, "set"))) {
            c_.offset += *to - c_.now();
        } else {
            return wrong("advance_ms or set is required");
        }
        complete_meets(c_);
    }
    return ok(
        bj::object{{"now", format_utc(c_.now())}, {"offset_ms", std::chrono::duration_cast<std::chrono::milliseconds>(c_.offset).count()}});
}

reply control::push(bj::object const& body) {
    delivery d;
    d.address = std::string(text_at(body, "address"));
    d.channel = std::string(text_at(body, "channel_id"));
    d.state = std::string(text_at(body, "state", "exists"));
    if (d.address.empty()) {
        auto const it = std::ranges::find_if(c_.channels, [&](auto const& e) { return e.second.id == d.channel; });
        if (it == c_.channels.end()) return wrong("address or a known channel_id is required");
        d.address = it->second.address;
    }
    d.fields = {{"Content-Type", "application/json; utf-8"},
                {"User-Agent", "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"}};
    for (auto const& [member, name] : {std::pair{"channel_id", "X-Goog-Channel-ID"}, std::pair{"token", "X-Goog-Channel-Token"},
                                       std::pair{"resource_id", "X-Goog-Resource-ID"}, std::pair{"resource_uri", "X-Goog-Resource-URI"},
                                       std::pair{"expiration", "X-Goog-Channel-Expiration"}})
        if (body.contains(member)) d.fields.emplace_back(name, std::string(text_at(body, member)));
    d.fields.emplace_back("X-Goog-Resource-State", d.state);
    d.fields.emplace_back("X-Goog-Message-Number", std::string(text_at(body, "message_number", "1")));
    return ok(bj::object{{"delivery", queue_raw(c_, std::move(d))}});
}

reply control::reset(bj::object const& body) {
    std::vector<std::pair<std::string, std::string>> keep;
    if (!flag_at(body, "all"))
        for (auto const& [email, u] : c_.users) keep.emplace_back(email, u.time_zone);
    else c_.clients.clear();
    c_.knob = {};
    c_.offset = {};
    c_.users.clear();
    c_.codes.clear();
    c_.access.clear();
    c_.refresh.clear();
    c_.refresh_order.clear();
    c_.grants.clear();
    c_.calendars.clear();
    c_.meets.clear();
    c_.channels_of.clear();
    c_.channels.clear();
    c_.queue.clear();
    c_.deliveries.clear();
    c_.quota.clear();
    c_.faults.clear();
    c_.requests.clear();
    c_.violations.clear();
    c_.mails.clear();
    c_.effects.clear();
    c_.calls.clear();
    for (auto const& [email, zone] : keep) create_user(c_, email, zone);
    return ok(bj::object{{"reset", true}});
}

}  // namespace calbridge::emulator
