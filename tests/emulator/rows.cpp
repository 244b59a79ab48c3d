#include "tests/emulator/rows.h"

#include <algorithm>
#include <deque>

namespace calbridge::emulator {

namespace {

// Where a listing stands: the pass, the kept event (by id or by change number), and the occurrence within it.
struct place {
    int pass{0};
    std::string owner, id;

    static place of(std::string_view text) {
        auto const parts = split(text, '\t');
        if (parts.size() != 3) return {};
        return {static_cast<int>(number(parts[0])), std::string(parts[1]), std::string(parts[2])};
    }
    std::string text() const { return std::to_string(pass) + "\t" + owner + "\t" + id; }
};

using row_add = std::function<bool(event const& e, bool lasting, place)>;

class walker {
public:
    walker(calendar& cal, rows_wanted const& wanted, cursor const& at, row_add add)
        : cal_(cal), wanted_(wanted), at_(at), from_(place::of(at.position)), add_(std::move(add)) {}

    void run() {
        int const passes = wanted_.exceptions_first ? 2 : 1;
        for (int pass = from_.pass; pass < passes; ++pass) {
            pass_ = pass;
            bool const first = pass == from_.pass && !from_.owner.empty();
            if (!(at_.delta ? changes(first) : events(first))) return;
        }
    }

private:
    bool events(bool first) {
        for (auto it = first ? cal_.events.lower_bound(from_.owner) : cal_.events.begin(); it != cal_.events.end(); ++it) {
            auto const& e = it->second;
            bool const series = expands(e) && !e.cancelled;
            // With its series living, an exception is one of that series' occurrences.
            if (wanted_.filter.single && is_exception(e) && !e.orphan && master_lives(e)) continue;
            if (!(series ? occurrences(e, it->first, first) : one(e, it->first, first))) return false;
        }
        return true;
    }

    bool changes(bool first) {
        for (auto it = cal_.log.lower_bound(first ? number(from_.owner) : at_.since + 1); it != cal_.log.end() && it->first <= at_.snapshot;
             ++it) {
            auto const& e = *it->second;
            auto const owner = std::to_string(it->first);
            if (wanted_.filter.single && is_exception(e) && !e.orphan && master_changed(e)) continue;
            if (!(expands(e) ? occurrences(e, owner, first) : one(e, owner, first))) return false;
        }
        return true;
    }

    bool expands(event const& e) const { return wanted_.filter.single && e.body.contains("recurrence") && !is_exception(e); }
    bool master_lives(event const& e) const {
        auto const* master = find_event(cal_, master_id_of(e));
        return master != nullptr && expands(*master) && !master->cancelled;
    }
    bool master_changed(event const& e) const {
        auto const* master = find_event(cal_, master_id_of(e));
        return master != nullptr && expands(*master) && master->change > at_.since && master->change <= at_.snapshot;
    }

    bool occurrences(event const& master, std::string const& owner, bool first) {
        auto const& f = wanted_.filter;
        for (auto& e : expand(cal_, master, f.from, f.to, wanted_.expansion_max)) {
            e.cancelled = e.cancelled || master.cancelled;
            if (!one(e, owner, first, false)) return false;
        }
        return true;
    }

    bool one(event const& e, std::string const& owner, bool first, bool lasting = true) {
        if (wanted_.exceptions_first && is_exception(e) != (pass_ == 0)) return true;
        if (first && owner == from_.owner && e.id <= from_.id) return true;
        if (!wanted_.filter.holds(cal_, e)) return true;
        return add_(e, lasting, {pass_, owner, e.id});
    }

    calendar& cal_;
    rows_wanted const& wanted_;
    cursor const& at_;
    place from_;
    row_add add_;
    int pass_{0};
};

}  // namespace

void each_row(calendar& cal, rows_wanted const& wanted, cursor& at, std::function<bool(event const&)> const& add) {
    if (wanted.order.empty()) {
        cursor const from = at;
        walker(cal, wanted, from, [&](event const& e, bool, place const& where) {
            if (!add(e)) return false;
            at.position = where.text();
            return true;
        }).run();
        return;
    }
    std::deque<event> made;
    std::vector<event const*> all;
    cursor const from_start{.delta = at.delta, .since = at.since, .snapshot = at.snapshot};
    walker(cal, wanted, from_start, [&](event const& e, bool lasting, place const&) {
        all.push_back(lasting ? &e : &made.emplace_back(e));
        return true;
    }).run();
    bool const by_update = wanted.order == "updated";
    std::ranges::sort(all, {}, [&](event const* e) { return std::pair(by_update ? e->updated : e->starts, std::string_view(e->id)); });
    for (std::size_t i = std::min<std::size_t>(number(at.position), all.size()); i < all.size(); ++i) {
        if (!add(*all[i])) return;
        at.position = std::to_string(i + 1);
    }
}

}  // namespace calbridge::emulator
