#include "tests/emulator/core.h"

#include <fmt/format.h>

namespace calbridge::emulator {

role role_named(std::string_view name) {
    if (name == "owner") return role::owner;
    if (name == "writer") return role::writer;
    if (name == "writerWithoutPrivateAccess") return role::writer_without_private_access;
    if (name == "reader") return role::reader;
    if (name == "freeBusyReader") return role::free_busy_reader;
    return role::none;
}

std::string_view name_of(role r) {
    switch (r) {
    case role::owner: return "owner";
    case role::writer: return "writer";
    case role::writer_without_private_access: return "writerWithoutPrivateAccess";
    case role::reader: return "reader";
    case role::free_busy_reader: return "freeBusyReader";
    case role::none: return "none";
    }
    return "none";
}

std::string etag_text(std::uint64_t number) { return fmt::format("\"34{:014}\"", number); }

std::string core::next_etag() { return etag_text(next_etag_number()); }

std::string core::random_text(std::size_t size, std::string_view alphabet) {
    std::string out(size, ' ');
    for (auto& c : out) c = alphabet[random() % alphabet.size()];
    return out;
}

user* core::find_user(std::string_view email_or_sub) {
    if (auto it = users.find(email_or_sub); it != users.end()) return &it->second;
    for (auto& [_, u] : users)
        if (u.sub == email_or_sub) return &u;
    return nullptr;
}

calendar* core::find_calendar(std::string_view id) {
    auto const it = calendars.find(id);
    return it != calendars.end() ? &it->second : nullptr;
}

void core::violate(std::string_view method, std::string_view path, std::string what) {
    violations.push_back({++counter, now(), std::string(method), std::string(path), std::move(what)});
}

role role_of(calendar const& c, std::string_view user) {
    if (c.owner == user) return role::owner;
    auto const it = c.roles.find(user);
    return it != c.roles.end() ? role_named(it->second) : role::none;
}

}  // namespace calbridge::emulator
