#pragma once
// Everything a test may turn. Defaults behave like Google on a good day.

#include "tests/emulator/text.h"

#include <cstdint>
#include <string>
#include <vector>

namespace calbridge::emulator {

struct knobs {
    // OAuth
    std::int64_t access_token_ttl_s{3599};
    std::int64_t code_ttl_s{600};
    bool omit_refresh_token{false};
    std::vector<std::string> grant_subset;  // not empty: every consent grants at most these scopes
    std::string invalid_grant;              // "revoked" or "bad_request": /token refuses with that spelling
    bool invalid_client{false};             // /token refuses every client
    bool admin_block{false};                // the user's administrator blocks the app, at consent and at refresh
    bool testing_mode{false};               // consent screen in Testing: refresh tokens die after 7 days
    std::int64_t refresh_tokens_max{100};   // per user and client; the oldest goes silently
    std::string issuer{"https://accounts.google.com"};
    // Calendar
    std::int64_t quota_user_per_minute{600};       // 0: no limit
    std::int64_t quota_project_per_minute{10000};  // 0: no limit
    std::int64_t page_max{2500};                   // pages hold at most this many items, whatever was asked
    bool empty_pages{false};                       // an empty page with a nextPageToken comes before every page
    std::int64_t tombstone_days{30};
    std::int64_t sync_token_days{0};  // 0: tokens do not age by themselves
    bool acl_change_kills_tokens{true};
    bool exceptions_first{false};              // listings show exceptions before their masters
    bool tail_first{false};                    // a person's "this and following" writes the new series before it trims the old one
    std::int64_t expansion_max{730};           // occurrences of one series when a listing names no timeMax
    std::int64_t expansion_window_max{20000};  // and when it names one
    bool forbid_undelete{false};               // writing status confirmed on a deleted event answers 403
    std::int64_t meet_delay_s{0};
    bool meet_fails{false};
    // Push
    std::string sync_message{"before"};  // before or after the watch answer, or never
    std::int64_t channel_ttl_max_s{30 * 86400};
    std::int64_t push_attempts_max{8};
    std::int64_t push_drop_percent{0};
    std::int64_t push_duplicate_percent{0};
    std::int64_t push_delay_ms{0};
    std::int64_t push_reorder_ms{0};  // each message is late by a random time up to this
    std::int64_t push_burst{1};       // messages per change
    std::int64_t push_number_gap_max{3};
    bool push_wrong_token{false};
    std::int64_t push_after_stop_s{0};  // a stopped channel still delivers for this long
};

bj::object to_json(knobs const& k);
// Members that exist are taken over; the answer names the first that does not exist or has the wrong type.
std::string assign(knobs& k, bj::object const& from);

}  // namespace calbridge::emulator
