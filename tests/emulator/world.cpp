#include "tests/emulator/world.h"

#include "tests/emulator/api.h"
#include "tests/emulator/calendars.h"
#include "tests/emulator/control.h"
#include "tests/emulator/core.h"
#include "tests/emulator/events.h"
#include "tests/emulator/faults.h"
#include "tests/emulator/oauth.h"
#include "tests/emulator/page.h"
#include "tests/emulator/person.h"
#include "tests/emulator/push.h"
#include "tests/emulator/times.h"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>

namespace calbridge::emulator {

struct world::state {
    state(discovery const& rules, clock const& time, world_options options)
        : all(rules, time, std::move(options)), sign_in(all), front(all), side(all, sign_in) {}

    answer real(request const& r, std::string& method_id, std::string& user);
    answer faulty(fault const& f, request const& r, std::string& method_id, std::string& user);
    void record(request const& r, answer const& a, std::string method_id, std::string user, std::int64_t ns, bool faulted);

    core all;
    oauth sign_in;
    api front;
    control side;
};

namespace {

// What authenticates somebody is not written down.
std::string without_secrets(std::string_view form) {
    static constexpr std::array secrets{"client_secret", "code", "code_verifier", "refresh_token", "token", "access_token", "id_token"};
    std::string out;
    for (auto part : split(form, '&')) {
        auto const name = part.substr(0, part.find('='));
        if (!out.empty()) out += '&';
        if (std::ranges::find(secrets, name) != secrets.end()) out += std::string(name) + "=...";
        else out += part;
    }
    return out;
}

bool is_page(request const& r) { return r.method == "GET" && (r.path == "/" || r.path == "/event"); }

}  // namespace

answer world::state::real(request const& r, std::string& method_id, std::string& user) {
    if (auto const name = oauth::endpoint(r.path); !name.empty()) {
        method_id = std::string(name);
        return sign_in.handle(r);
    }
    if (r.path.starts_with("/calendar/v3/") || r.path.starts_with("/oauth2/v2/")) {
        auto done = front.handle(r);
        method_id = std::move(done.method_id);
        user = std::move(done.user);
        return std::move(done.out);
    }
    answer out;
    out.status = 404;
    out.fields.emplace_back("Content-Type", "text/plain");
    out.body = "Not Found\n";
    if (r.path != "/favicon.ico") all.violate(r.method, r.path, "no such path");
    return out;
}

answer world::state::faulty(fault const& f, request const& r, std::string& method_id, std::string& user) {
    return answer_with_fault(
        f, [&] { return real(r, method_id, user); },
        [&](int status) {
            return bj::serialize(oauth::endpoint(r.path).empty() ? refuse(status, f.domain, f.reason, f.message).body
                                                                 : refuse_token(status, f.reason, f.message).body);
        });
}

void world::state::record(request const& r, answer const& a, std::string method_id, std::string user, std::int64_t ns, bool faulted) {
    ++all.handled;
    ++all.calls[method_id.empty() ? "other" : method_id][a.sent == answer::how::dropped ? 0 : a.status];
    log_entry e;
    e.number = ++all.counter;
    e.at = all.now();
    e.method = r.method;
    e.path = r.path;
    bool const form = !oauth::endpoint(r.path).empty();
    e.query = form ? without_secrets(r.query) : r.query;
    e.body = form ? without_secrets(r.body) : r.body;
    if (e.body.size() > 65536) e.body.resize(65536);
    for (auto const& [name, value] : r.fields)
        if (auto const n = lower(name); n != "authorization" && n != "cookie") e.fields.emplace_back(name, value);
    e.method_id = std::move(method_id);
    e.user = std::move(user);
    e.status = a.sent == answer::how::dropped ? 0 : a.status;
    e.nanoseconds = ns;
    e.faulted = faulted;
    all.requests.push_back(std::move(e));
    while (all.requests.size() > all.options.log_max) all.requests.pop_front();
}

world::world(discovery const& rules, clock const& time, world_options options)
    : state_(std::make_unique<state>(rules, time, std::move(options))) {}
world::~world() = default;

answer world::handle(request const& r) {
    // Measuring how long the answer took is the one look at a real clock; nothing is decided by it.
    auto const started = std::chrono::steady_clock::now();
    complete_meets(state_->all);
    answer out;
    std::string method_id, user;
    bool faulted = false;
    bool const own = is_page(r) || r.path.starts_with("/_control");
    if (is_page(r)) {
        out.fields.emplace_back("Content-Type", "text/html; charset=utf-8");
        out.fields.emplace_back("Cache-Control", "no-store");
        out.body = std::string(page_html());
    } else if (own) {
        out = state_->side.handle(r);
    } else if (auto* f = due_fault(state_->all.faults, r); f != nullptr) {
        faulted = true;
        out = state_->faulty(*f, r, method_id, user);
    } else {
        out = state_->real(r, method_id, user);
    }
    auto const ns = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - started).count();
    out.fields.emplace_back("X-Emulator-Time-Us", std::to_string((ns + 999) / 1000));
    if (!own) state_->record(r, out, std::move(method_id), std::move(user), ns, faulted);
    return out;
}

instant world::now() const { return state_->all.now(); }

void world::advance(std::chrono::microseconds by) {
    state_->all.offset += by;
    complete_meets(state_->all);
}

std::vector<delivery> world::take_due_deliveries(instant now) {
    complete_meets(state_->all);
    return take_due(state_->all, now);
}

std::optional<delivery> world::take_delivery(std::uint64_t id) { return take_one(state_->all, id); }
void world::delivery_answered(std::uint64_t id, int status) { answered(state_->all, id, status); }

std::optional<instant> world::next_due() const {
    auto const& c = state_->all;
    std::optional<instant> out;
    if (!c.queue.empty()) out = c.queue.begin()->first;
    if (!c.meets.empty() && (!out || c.meets.begin()->first < *out)) out = c.meets.begin()->first;
    return out;
}

void world::warm_up() {
    prepare_signing_key();
    (void)is_zone("Europe/Zurich");
}

void world::add_user(std::string const& email, std::string const& time_zone) { create_user(state_->all, email, time_zone); }
void world::add_client(oauth_client client) {
    auto id = client.id;
    state_->all.clients.insert_or_assign(std::move(id), std::move(client));
}
reply world::person(person_edit const& edit) { return edit_as_person(state_->all, edit); }
void world::set_base_url(std::string url) { state_->all.options.base_url = std::move(url); }
knobs& world::settings() { return state_->all.knob; }
std::vector<violation> const& world::violations() const { return state_->all.violations; }
std::uint64_t world::requests_handled() const { return state_->all.handled; }

}  // namespace calbridge::emulator
