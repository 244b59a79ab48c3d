#pragma once
// What this process remembers of channels: bounded, in memory, pure.

#include "push.h"

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>

namespace calbridge::ingest {

class channel_cache {
public:
    struct entry {
        enum class knowledge { none, found, absent } known{knowledge::none};
        known_channel facts;                    // when found
        instant asked_at;                       // when PostgreSQL said so
        std::string token;                      // a token that verified and fits facts.token_hash; empty: none seen yet
        domain::channel_token_content content;  // of that token
        std::int64_t delivered{0};              // outlives the facts: forgetting those must not let a replay through
    };

    explicit channel_cache(std::size_t entries_max) : entries_max_(entries_max) {}

    // Valid until the next call of entry_of(). Null when nothing is remembered.
    entry* find(channel_id id);
    // Makes room by dropping the entry that came first.
    entry& entry_of(channel_id id);
    void note_delivered(channel_id id, std::int64_t message_number);
    // PostgreSQL said, or may have said without our hearing it, that the channel changed.
    void forget_facts(channel_id id);
    void forget_all_facts();
    std::size_t size() const { return entries_.size(); }

private:
    std::size_t entries_max_;
    std::unordered_map<channel_id, entry> entries_;
    std::deque<channel_id> order_;
};

}  // namespace calbridge::ingest
