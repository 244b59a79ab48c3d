#include "tests/emulator/knobs.h"

#include <type_traits>

namespace calbridge::emulator {

namespace {

// One list for both directions, so that a knob cannot be readable and not settable.
template <class Knobs, class Visit>
void each(Knobs& k, Visit&& visit) {
    visit("access_token_ttl_s", k.access_token_ttl_s);
    visit("code_ttl_s", k.code_ttl_s);
    visit("omit_refresh_token", k.omit_refresh_token);
    visit("grant_subset", k.grant_subset);
    visit("invalid_grant", k.invalid_grant);
    visit("invalid_client", k.invalid_client);
    visit("admin_block", k.admin_block);
    visit("testing_mode", k.testing_mode);
    visit("refresh_tokens_max", k.refresh_tokens_max);
    visit("issuer", k.issuer);
    visit("quota_user_per_minute", k.quota_user_per_minute);
    visit("quota_project_per_minute", k.quota_project_per_minute);
    visit("page_max", k.page_max);
    visit("empty_pages", k.empty_pages);
    visit("tombstone_days", k.tombstone_days);
    visit("sync_token_days", k.sync_token_days);
    visit("acl_change_kills_tokens", k.acl_change_kills_tokens);
    visit("exceptions_first", k.exceptions_first);
    visit("tail_first", k.tail_first);
    visit("expansion_max", k.expansion_max);
    visit("expansion_window_max", k.expansion_window_max);
    visit("forbid_undelete", k.forbid_undelete);
    visit("meet_delay_s", k.meet_delay_s);
    visit("meet_fails", k.meet_fails);
    visit("sync_message", k.sync_message);
    visit("channel_ttl_max_s", k.channel_ttl_max_s);
    visit("push_attempts_max", k.push_attempts_max);
    visit("push_drop_percent", k.push_drop_percent);
    visit("push_duplicate_percent", k.push_duplicate_percent);
    visit("push_delay_ms", k.push_delay_ms);
    visit("push_reorder_ms", k.push_reorder_ms);
    visit("push_burst", k.push_burst);
    visit("push_number_gap_max", k.push_number_gap_max);
    visit("push_wrong_token", k.push_wrong_token);
    visit("push_after_stop_s", k.push_after_stop_s);
}

bool take(bj::value const& v, std::int64_t& to) {
    if (!v.is_int64()) return false;
    to = v.get_int64();
    return true;
}
bool take(bj::value const& v, bool& to) {
    if (!v.is_bool()) return false;
    to = v.get_bool();
    return true;
}
bool take(bj::value const& v, std::string& to) {
    if (!v.is_string()) return false;
    to = std::string(v.get_string());
    return true;
}
bool take(bj::value const& v, std::vector<std::string>& to) {
    if (!v.is_array()) return false;
    std::vector<std::string> all;
    for (auto const& item : v.get_array()) {
        if (!item.is_string()) return false;
        all.emplace_back(item.get_string());
    }
    to = std::move(all);
    return true;
}

}  // namespace

bj::object to_json(knobs const& k) {
    bj::object out;
    each(k, [&](char const* name, auto const& value) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::vector<std::string>>) {
            bj::array all;
            for (auto const& s : value) all.emplace_back(s);
            out[name] = std::move(all);
        } else {
            out[name] = value;
        }
    });
    return out;
}

std::string assign(knobs& k, bj::object const& from) {
    knobs next = k;
    std::string fault;
    for (auto const& [key, value] : from) {
        std::string_view const wanted(key.data(), key.size());
        bool known = false;
        each(next, [&](char const* name, auto& target) {
            if (wanted != name) return;
            known = true;
            if (!take(value, target)) fault = "knob " + std::string(wanted) + " has the wrong type";
        });
        if (!known) fault = "knob " + std::string(wanted) + " does not exist";
        if (!fault.empty()) return fault;
    }
    k = std::move(next);
    return {};
}

}  // namespace calbridge::emulator
