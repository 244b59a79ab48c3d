#include "channel_cache.h"

#include <algorithm>

namespace calbridge::ingest {
namespace {

void forget(channel_cache::entry& one) {
    one.known = channel_cache::entry::knowledge::none;
    one.facts = {};
    one.token.clear();
}

}  // namespace

channel_cache::entry* channel_cache::find(channel_id id) {
    auto const at = entries_.find(id);
    return at == entries_.end() ? nullptr : &at->second;
}

channel_cache::entry& channel_cache::entry_of(channel_id id) {
    if (auto* const known = find(id)) return *known;
    entries_.try_emplace(id);
    order_.push_back(id);
    if (order_.size() > entries_max_) {
        entries_.erase(order_.front());
        order_.pop_front();
    }
    return entries_.find(id)->second;
}

void channel_cache::note_delivered(channel_id id, std::int64_t message_number) {
    auto& one = entry_of(id);
    one.delivered = std::max(one.delivered, message_number);
}

void channel_cache::forget_facts(channel_id id) {
    if (auto* const one = find(id)) forget(*one);
}

void channel_cache::forget_all_facts() {
    for (auto& [id, one] : entries_) forget(one);
}

}  // namespace calbridge::ingest
