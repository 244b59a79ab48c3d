#pragma once
// The state every part of the world works on, and the few things they all need. Inside this folder only.

#include "tests/emulator/world.h"

#include <random>
#include <unordered_map>

namespace calbridge::emulator {

// Access to a calendar, weakest first.
enum class role { none, free_busy_reader, reader, writer_without_private_access, writer, owner };
role role_named(std::string_view name);
std::string_view name_of(role r);

struct core {
    core(discovery const& r, clock const& t, world_options o) : rules(r), time(t), options(std::move(o)), random(options.seed) {
        // Etags of an earlier run must not fit events of this one.
        etags = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time.now().time_since_epoch()).count());
    }

    discovery const& rules;
    clock const& time;
    world_options options;
    knobs knob;
    std::chrono::microseconds offset{0};
    std::mt19937_64 random;
    std::uint64_t etags{0}, counter{0};

    std::map<std::string, user, std::less<>> users;
    std::map<std::string, oauth_client, std::less<>> clients;
    std::unordered_map<std::string, auth_code> codes;
    std::unordered_map<std::string, access_token> access;
    std::unordered_map<std::string, refresh_token> refresh;
    std::map<std::pair<std::string, std::string>, std::deque<std::string>> refresh_order;  // (user, client), oldest first
    std::map<std::pair<std::string, std::string>, scope_set> grants;                       // (user, project)

    std::map<std::string, calendar, std::less<>> calendars;
    std::multimap<instant, std::pair<std::string, std::string>> meets;  // due, (calendar, event)

    std::map<std::pair<std::string, std::string>, channel> channels;        // (project, id); never erased: ids are never free again
    std::map<std::string, std::vector<channel*>, std::less<>> channels_of;  // by resource id
    std::multimap<instant, std::uint64_t> queue;
    std::map<std::uint64_t, delivery_record> deliveries;

    std::map<std::string, std::deque<instant>, std::less<>> quota;
    std::vector<fault> faults;
    std::deque<log_entry> requests;
    std::vector<violation> violations;
    std::vector<mail> mails;
    std::deque<effect> effects;
    std::map<std::string, std::map<int, std::uint64_t>, std::less<>> calls;  // by method id and status
    std::uint64_t handled{0};

    instant now() const { return time.now() + offset; }
    std::string next_etag();
    std::uint64_t next_etag_number() { return ++etags; }
    std::string random_text(std::size_t size, std::string_view alphabet);
    std::string random_id(std::size_t size) { return random_text(size, "0123456789abcdefghijklmnopqrstuv"); }
    std::int64_t roll(std::int64_t below) {
        return below <= 0 ? 0 : static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(below));
    }

    user* find_user(std::string_view email_or_sub);
    calendar* find_calendar(std::string_view id);
    void violate(std::string_view method, std::string_view path, std::string what);
};

std::string etag_text(std::uint64_t number);
role role_of(calendar const& c, std::string_view user);

// One call of the API after it passed the contract, credentials, scope and quota.
struct call {
    api_method const& method;
    params const& path;
    params const& query;
    bj::object const& body;
    http::headers const& fields;
    user& who;
    access_token const& token;

    std::string_view in_path(std::string_view name) const { return value_of(path, name); }
};

}  // namespace calbridge::emulator
