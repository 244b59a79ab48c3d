#include "domain/told.h"

namespace calbridge::domain {

void remember(std::vector<told>& all, told what) {
    all.push_back(std::move(what));
    if (all.size() > told_max) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(told_max));
}

bool is_echo(field f, std::vector<told> const& all, fields const& said, std::int64_t applied) {
    for (auto message = all.rbegin(); message != all.rend(); ++message) {
        if (!message->changed.has(f)) continue;
        if (applied > 0 && message->sequence > applied) continue;
        bool const holds = same(f, said, message->values);
        if (holds || applied > 0) return holds;
    }
    return false;
}

}  // namespace calbridge::domain
