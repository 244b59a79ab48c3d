// The tests' side door.
#include "tests/emulator/times.h"
#include "tests/zoom_emulator/zoom_state.h"

#include <boost/json/parse.hpp>

namespace calbridge::zoom_emulator {

namespace {

zoom_reply ok(bj::value body) { return {200, std::move(body), {}}; }
zoom_reply wrong(std::string_view why, int status = 400) { return {status, bj::object{{"error", why}}, {}}; }

zoom_reply accounts_of(zoom_core& z, bj::object const& body) {
    account a{.id = std::string(text_at(body, "account_id")),
              .client_id = std::string(text_at(body, "client_id")),
              .client_secret = std::string(text_at(body, "client_secret")),
              .any_user = flag_at(body, "any_user")};
    if (a.id.empty() || a.client_id.empty()) return wrong("account_id and client_id are required");
    if (auto const* users = emulator::array_at(body, "users"))
        for (auto const& u : *users)
            if (u.is_string()) a.users.emplace_back(u.get_string());
    auto id = a.id;
    z.accounts.insert_or_assign(std::move(id), std::move(a));
    return ok(bj::object{{"accounts", z.accounts.size()}});
}

zoom_reply knobs_of(zoom_core& z, bj::object const& body) {
    auto const number = [&](char const* name, std::int64_t& to) {
        if (auto const* v = body.if_contains(name); v != nullptr && v->is_int64()) to = v->get_int64();
    };
    number("token_ttl_s", z.knob.token_ttl_s);
    number("writes_per_user_and_day", z.knob.writes_per_user_and_day);
    number("requests_per_second", z.knob.requests_per_second);
    number("page_max", z.knob.page_max);
    z.knob.invalid_client = flag_at(body, "invalid_client", z.knob.invalid_client);
    return ok(bj::object{{"token_ttl_s", z.knob.token_ttl_s},
                         {"invalid_client", z.knob.invalid_client},
                         {"writes_per_user_and_day", z.knob.writes_per_user_and_day},
                         {"requests_per_second", z.knob.requests_per_second},
                         {"page_max", z.knob.page_max}});
}

// What a person does to a meeting in Zoom itself.
zoom_reply meetings_of(zoom_core& z, request const& r, std::string_view id, bj::object const& body) {
    if (id.empty()) {
        bj::array out;
        for (auto const& [_, m] : z.all) out.emplace_back(render(m, z.opts.join_base));
        return ok(bj::object{{"meetings", std::move(out)}});
    }
    auto const it = z.all.find(emulator::to_integer(id).value_or(0));
    if (it == z.all.end()) return wrong("no such meeting", 404);
    if (r.method == "DELETE") {
        z.all.erase(it);
        return ok(bj::object{{"deleted", id}});
    }
    if (r.method == "PATCH")
        if (!take(it->second, body, z.now(), "UTC").empty()) return wrong("the meeting would not be valid");
    return ok(render(it->second, z.opts.join_base));
}

zoom_reply requests_of(zoom_core const& z, emulator::params const& query) {
    auto const since = static_cast<std::uint64_t>(emulator::to_integer(value_of(query, "since")).value_or(0));
    bj::array out;
    for (auto const& e : z.requests)
        if (e.number > since)
            out.emplace_back(bj::object{{"number", e.number},
                                        {"at", emulator::format_utc(e.at)},
                                        {"method", e.method},
                                        {"path", e.path},
                                        {"query", e.query},
                                        {"body", e.body},
                                        {"status", e.status}});
    return ok(bj::object{{"requests", std::move(out)}});
}

}  // namespace

std::string zoom_core::host_id(std::string_view email) const {
    std::uint64_t h = 1469598103934665603ULL;
    for (char ch : email) h = (h ^ static_cast<unsigned char>(ch)) * 1099511628211ULL;
    return "host" + std::to_string(h);
}

std::string zoom_core::random_text(std::size_t size) {
    constexpr std::string_view letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
    std::string out(size, ' ');
    for (auto& ch : out) ch = letters[random() % letters.size()];
    return out;
}

zoom_reply zoom_core::control(request const& r) {
    auto const query = emulator::parse_params(r.query);
    boost::system::error_code ec;
    auto const whole = bj::parse(r.body.empty() ? std::string_view("{}") : std::string_view(r.body), ec);
    if (!query || ec) return wrong("malformed");
    bj::object const body = whole.is_object() ? whole.get_object() : bj::object{};
    auto const parts = emulator::split(std::string_view(r.path).substr(std::string_view("/_control/").size()), '/');
    auto const what = parts[0];
    if (what == "accounts" && r.method == "POST") return accounts_of(*this, body);
    if (what == "knobs") return knobs_of(*this, body);
    if (what == "meetings") return meetings_of(*this, r, parts.size() > 1 ? parts[1] : std::string_view{}, body);
    if (what == "requests") return requests_of(*this, *query);
    if (what == "violations") {
        if (r.method == "DELETE") violations.clear();
        bj::array out;
        for (auto const& v : violations) out.emplace_back(v);
        return ok(bj::object{{"violations", std::move(out)}});
    }
    if (what == "faults") {
        if (r.method == "DELETE") scripted.clear();
        if (r.method == "POST")
            if (auto const no = emulator::add_faults(scripted, whole); !no.empty()) return wrong(no);
        return ok(bj::object{{"faults", emulator::faults_to_json(scripted)}});
    }
    if (what == "clock") {
        if (auto const* by = body.if_contains("advance_ms"); by != nullptr && by->is_int64())
            offset += std::chrono::milliseconds(by->get_int64());
        return ok(bj::object{{"now", emulator::format_utc(now())}});
    }
    if (what == "reset" && r.method == "POST") {
        knob = {};
        offset = {};
        tokens.clear();
        all.clear();
        pages.clear();
        writes.clear();
        scripted.clear();
        requests.clear();
        violations.clear();
        return ok(bj::object{{"reset", true}});
    }
    return wrong("no such control", 404);
}

}  // namespace calbridge::zoom_emulator
