#include "tests/zoom_emulator/zoom_world.h"

#include "common/base/encoding.h"
#include "tests/emulator/times.h"
#include "tests/zoom_emulator/zoom_state.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace calbridge::zoom_emulator {

namespace {

zoom_reply refuse(int status, std::int64_t code, std::string_view message) {
    return {status, bj::object{{"code", code}, {"message", message}}, {}};
}

zoom_reply refuse_token(std::string_view reason, std::string_view error) {
    return {400, bj::object{{"reason", reason}, {"error", error}}, {}};
}

zoom_reply no_meeting(std::string_view id) { return refuse(404, 3001, "Meeting does not exist: " + std::string(id) + "."); }

zoom_reply invalid(faults const& wrong) {
    bj::array errors;
    for (auto const& [field, message] : wrong) errors.emplace_back(bj::object{{"field", field}, {"message", message}});
    return {400, bj::object{{"code", 300}, {"message", "Validation Failed."}, {"errors", std::move(errors)}}, {}};
}

answer to_answer(zoom_reply r) {
    answer out;
    out.status = r.status;
    out.fields = std::move(r.fields);
    if (r.body.is_null()) return out;
    out.fields.emplace_back("Content-Type", "application/json;charset=UTF-8");
    out.body = bj::serialize(r.body);
    return out;
}

std::vector<std::string> path_of(std::string_view text) {
    std::vector<std::string> out;
    for (auto const part : emulator::split(text, '/'))
        if (auto const decoded = percent_decode(part); !part.empty()) out.push_back(decoded ? *decoded : std::string(part));
    return out;
}

}  // namespace

zoom_reply zoom_core::token(request const& r, emulator::params const& query) {
    auto const form = emulator::parse_params(r.body).value_or(emulator::params{});
    auto const field = [&](std::string_view name) { return std::string(value_of(query, name, value_of(form, name))); };
    auto const given = emulator::header(r.fields, "Authorization").value_or("");
    if (r.method != "POST") return refuse(404, 404, "Not Found");
    if (field("grant_type") != "account_credentials") return refuse_token("unsupported grant type", "unsupported_grant_type");
    auto const bad = [] { return refuse_token("Invalid client_id or client_secret", "invalid_client"); };
    if (knob.invalid_client || !emulator::lower(given.substr(0, 6)).starts_with("basic ")) return bad();
    auto const plain = from_base64(given.substr(6));
    if (!plain) return bad();
    std::string const credentials(as_text(*plain));
    auto const colon = credentials.find(':');
    auto const it = std::ranges::find_if(accounts, [&](auto const& a) {
        return colon != std::string::npos && a.second.client_id == credentials.substr(0, colon) &&
               a.second.client_secret == credentials.substr(colon + 1);
    });
    if (it == accounts.end()) return bad();
    if (field("account_id") != it->second.id) return refuse_token("Bad Request", "invalid_request");
    auto const text = "zoom." + random_text(48);
    tokens[text] = {it->second.id, now() + std::chrono::seconds(knob.token_ttl_s)};
    return {200,
            bj::object{{"access_token", text},
                       {"token_type", "bearer"},
                       {"expires_in", knob.token_ttl_s - 1},
                       {"scope",
                        "meeting:read:list_meetings:admin meeting:read:meeting:admin meeting:write:meeting:admin "
                        "meeting:update:meeting:admin meeting:delete:meeting:admin"},
                       {"api_url", "https://api.zoom.us"}},
            {}};
}

zoom_reply zoom_core::api(request const& r, emulator::params const& query) {
    auto const given = emulator::header(r.fields, "Authorization").value_or("");
    auto const it = given.starts_with("Bearer ") ? tokens.find(std::string(given.substr(7))) : tokens.end();
    if (it == tokens.end()) return refuse(401, 124, "Invalid access token.");
    if (it->second.expires <= now()) return refuse(401, 124, "Access token is expired.");
    auto const owner = accounts.find(it->second.account);
    if (owner == accounts.end()) return refuse(401, 124, "Invalid access token.");
    if (auto no = take_rate()) return *no;
    auto const at = path_of(r.path);
    bj::object body;
    if (!r.body.empty()) {
        boost::system::error_code ec;
        auto parsed = bj::parse(r.body, ec);
        if (ec || !parsed.is_object()) return refuse(400, 300, "Request Body should be a valid JSON object.");
        body = std::move(parsed.get_object());
    }
    if (at.size() == 4 && at[1] == "users" && at[3] == "meetings") return user_meetings(r, owner->second, at[2], query, body);
    if (at.size() == 3 && at[1] == "meetings") return one_meeting(r, owner->second, at[2], query, body);
    return refuse(404, 2300, "This API endpoint is not recognized.");
}

std::optional<zoom_reply> zoom_core::take_rate() {
    if (knob.requests_per_second <= 0) return std::nullopt;
    auto const second = std::chrono::floor<std::chrono::seconds>(now());
    if (second != rate_second) rate_count = 0;
    rate_second = second;
    if (++rate_count <= knob.requests_per_second) return std::nullopt;
    auto out = refuse(429, 429, "You have reached the maximum per-second rate limit for this API. Try again later.");
    out.fields = {{"Retry-After", "1"}, {"X-RateLimit-Type", "QPS"}, {"X-RateLimit-Remaining", "0"}};
    return out;
}

// A day of Zoom's limit ends at midnight UTC.
std::optional<zoom_reply> zoom_core::take_write(std::string const& host) {
    if (knob.writes_per_user_and_day <= 0) return std::nullopt;
    auto const today = std::chrono::floor<std::chrono::days>(now());
    auto& [day, count] = writes[host];
    if (day != today) count = 0;
    day = today;
    if (++count <= knob.writes_per_user_and_day) return std::nullopt;
    auto out = refuse(
        429, 429,
        "You have exceeded the daily rate limit (" + std::to_string(knob.writes_per_user_and_day) +
            ") of Meeting Create/Update API requests permitted for this particular user. You may resume these requests at GMT 00:00:00.");
    out.fields = {{"Retry-After", emulator::format_in_zone(instant(today + std::chrono::days(1)), "UTC")},
                  {"X-RateLimit-Type", "Daily-limit"},
                  {"X-RateLimit-Remaining", "0"}};
    return out;
}

std::string zoom_core::user_named(account const& a, std::string_view name) const {
    for (auto const& email : a.users)
        if (email == name || host_id(email) == name || name == "me") return email;
    return a.any_user && name.find('@') != std::string_view::npos ? std::string(name) : std::string();
}

zoom_reply zoom_core::user_meetings(request const& r, account const& a, std::string const& name, emulator::params const& query,
                                    bj::object const& body) {
    auto const email = user_named(a, name);
    if (email.empty()) return refuse(404, 1001, "User does not exist: " + name + ".");
    if (r.method == "GET") return list(email, query);
    if (r.method != "POST") return refuse(404, 2300, "This API endpoint is not recognized.");
    for (auto const& unknown : unknown_members(body)) violations.push_back("POST meetings: " + unknown + " does not exist");
    meeting m;
    if (auto const wrong = take(m, body, now(), "UTC"); !wrong.empty()) return invalid(wrong);
    if (auto no = take_write(email)) return *no;
    // Eleven digits, as Zoom's are: more than 32 bits hold.
    do m.id = 80000000000 + static_cast<std::int64_t>(random() % 9999999999ULL);
    while (all.contains(m.id));
    m.uuid = random_text(22) + "==";
    m.host_email = email;
    m.host_id = host_id(email);
    m.created = now();
    if (m.topic.empty()) m.topic = "Zoom Meeting";
    if (m.password.empty()) m.password = random_text(6);
    auto const& kept = all.emplace(m.id, std::move(m)).first->second;
    return {201, render(kept, opts.join_base), {}};
}

zoom_reply zoom_core::list(std::string const& email, emulator::params const& query) {
    auto const type = value_of(query, "type", "scheduled");
    static constexpr std::array types{"scheduled", "live", "upcoming", "upcoming_meetings", "previous_meetings"};
    if (std::ranges::find(types, type) == types.end()) return invalid({{"type", "Invalid field."}});
    auto const asked = emulator::to_integer(value_of(query, "page_size")).value_or(30);
    if (asked < 1 || asked > 300) return invalid({{"page_size", "Invalid field."}});
    auto const size = std::min(asked, std::max<std::int64_t>(1, knob.page_max));
    std::int64_t from = 0;
    if (auto const text = value_of(query, "next_page_token"); !text.empty()) {
        auto const at = pages.find(std::string(text));
        if (at == pages.end() || at->second.second < now()) return refuse(400, 300, "The next page token is invalid or expired.");
        from = at->second.first;
    }
    bj::array rows;
    std::int64_t total = 0;
    std::string next;
    std::int64_t last = from;
    for (auto const& [id, m] : all) {
        auto const end = ends(m);
        bool const over = end && *end < now();
        if (m.host_email != email || type == "live" || (type.starts_with("upcoming") && over) || (type == "previous_meetings" && !over))
            continue;
        ++total;
        if (id <= from) continue;
        if (static_cast<std::int64_t>(rows.size()) == size) {
            if (next.empty()) {
                next = random_text(32);
                pages[next] = {last, now() + std::chrono::minutes(15)};
            }
            continue;
        }
        rows.emplace_back(render_row(m, opts.join_base));
        last = id;
    }
    return {200, bj::object{{"page_size", asked}, {"total_records", total}, {"next_page_token", next}, {"meetings", std::move(rows)}}, {}};
}

zoom_reply zoom_core::one_meeting(request const& r, account const& a, std::string const& name, emulator::params const& query,
                                  bj::object const& body) {
    auto const id = emulator::to_integer(name);
    if (!id) return refuse(404, 300, "Invalid meeting ID.");
    auto const it = all.find(*id);
    if (it == all.end() || user_named(a, it->second.host_email).empty()) return no_meeting(name);
    auto& m = it->second;
    if (r.method == "GET") return {200, render(m, opts.join_base), {}};
    auto const occurrence = emulator::to_integer(value_of(query, "occurrence_id"));
    if (r.method == "DELETE") {
        if (!occurrence) {
            all.erase(it);
            return {204, {}, {}};
        }
        auto const at = instant(std::chrono::milliseconds(*occurrence));
        auto const starts = occurrences(m);
        if (std::ranges::find(starts, at) == starts.end()) return no_meeting(name);
        m.removed.push_back(at);
        return {204, {}, {}};
    }
    if (r.method != "PATCH") return refuse(404, 2300, "This API endpoint is not recognized.");
    for (auto const& unknown : unknown_members(body)) violations.push_back("PATCH meeting: " + unknown + " does not exist");
    meeting next = m;
    if (auto const wrong = take(next, body, now(), "UTC"); !wrong.empty()) return invalid(wrong);
    if (auto no = take_write(m.host_email)) return *no;
    m = std::move(next);
    return {204, {}, {}};
}

answer zoom_core::real(request const& r) {
    auto const query = emulator::parse_params(r.query);
    if (!query) return to_answer(refuse(400, 300, "Bad Request"));
    if (r.path == "/oauth/token") return to_answer(token(r, *query));
    if (r.path.starts_with("/v2/")) return to_answer(api(r, *query));
    violations.push_back(r.method + " " + r.path + ": no such path");
    return to_answer(refuse(404, 2300, "This API endpoint is not recognized."));
}

answer zoom_core::handle(request const& r) {
    if (r.path.starts_with("/_control/")) return to_answer(control(r));
    answer out;
    if (auto* f = emulator::due_fault(scripted, r); f != nullptr) {
        fault_now = *f;
        out = emulator::answer_with_fault(
            fault_now, [&] { return real(r); },
            [&](int status) {
                auto const code = emulator::to_integer(fault_now.reason).value_or(status);
                auto const body = r.path == "/oauth/token" ? refuse_token(fault_now.message, fault_now.reason).body
                                                           : refuse(status, code, fault_now.message).body;
                return bj::serialize(body);
            });
    } else {
        out = real(r);
    }
    bool const form = r.path == "/oauth/token";
    requests.push_back({++counter, now(), r.method, r.path, r.query, form ? std::string() : r.body.substr(0, 65536),
                        out.sent == answer::how::dropped ? 0 : out.status});
    if (requests.size() > opts.log_max) requests.pop_front();
    return out;
}

struct zoom_world::state {
    state(clock const& time, options o) : all(time, std::move(o)) {}
    zoom_core all;
};

zoom_world::zoom_world(clock const& time, options options) : state_(std::make_unique<state>(time, std::move(options))) {}
zoom_world::~zoom_world() = default;
answer zoom_world::handle(request const& r) { return state_->all.handle(r); }
void zoom_world::add_account(account a) {
    auto id = a.id;
    state_->all.accounts.insert_or_assign(std::move(id), std::move(a));
}
knobs& zoom_world::settings() { return state_->all.knob; }
instant zoom_world::now() const { return state_->all.now(); }
void zoom_world::advance(std::chrono::microseconds by) { state_->all.offset += by; }
std::vector<std::string> const& zoom_world::violations() const { return state_->all.violations; }
std::size_t zoom_world::meetings() const { return state_->all.all.size(); }
std::optional<bj::object> zoom_world::meeting(std::int64_t id) const {
    auto const it = state_->all.all.find(id);
    if (it == state_->all.all.end()) return std::nullopt;
    return render(it->second, state_->all.opts.join_base);
}

}  // namespace calbridge::zoom_emulator
