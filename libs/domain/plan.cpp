#include "domain/plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace calbridge::domain {
namespace {

bool pushes(sync_mode mode) { return mode == sync_mode::two_way || mode == sync_mode::crm_to_google; }
bool pulls(sync_mode mode) { return mode == sync_mode::two_way || mode == sync_mode::google_to_crm; }

guest const* find(std::vector<guest> const& in, std::string const& email) {
    auto const at = std::ranges::lower_bound(in, email, {}, &guest::email);
    return at != in.end() && at->email == email ? &*at : nullptr;
}

// Added by either side: stays. Removed by either side: goes. Asked differently: the side that changed its mind decides, and of two
// that added the same person the one that wants him to come.
std::vector<guest> merge_guests(std::vector<guest> const& base, std::vector<guest> const& local, std::vector<guest> const& remote) {
    std::vector<guest> everybody;
    std::ranges::merge(local, remote, std::back_inserter(everybody), {}, &guest::email, &guest::email);
    auto const repeats = std::ranges::unique(everybody, {}, &guest::email);
    everybody.erase(repeats.begin(), repeats.end());

    std::vector<guest> out;
    for (auto& one : everybody) {
        auto const* const before = find(base, one.email);
        auto const* const here = find(local, one.email);
        auto const* const there = find(remote, one.email);
        if (before && (!here || !there)) continue;
        if (here && there) {
            one.optional =
                before ? (here->optional != before->optional ? here->optional : there->optional) : here->optional && there->optional;
            one.name = here->name.empty() ? there->name : here->name;
        }
        out.push_back(std::move(one));
    }
    return out;
}

std::optional<side> winner_of(conflict_policy policy, sync_mode mode, std::optional<side> newer) {
    // Where only one side is written, that direction was the user's choice already.
    if (mode == sync_mode::crm_to_google) return side::crm;
    if (mode == sync_mode::google_to_crm) return side::google;
    switch (policy) {
    case conflict_policy::ask: return {};
    case conflict_policy::crm_wins: return side::crm;
    case conflict_policy::google_wins: return side::google;
    case conflict_policy::last_write_wins: return newer;
    }
    return {};
}

// Of two series the zone is part of the time, because wall times live in it. Whether these are series is the same question for all versions
// of a plan, asked of what they will agree on: else a field could look changed once another one was.
bool same_in(bool series, field f, fields const& a, fields const& b) {
    if (f != field::time) return same(f, a, b);
    if (!(a.time == b.time)) return false;
    return !series || a.time.all_day || a.time.zone.empty() || b.time.zone.empty() || a.time.zone == b.time.zone;
}

struct planner {
    fields const& base;
    fields const& local;
    fields const& remote;
    conflict_policy policy;
    sync_mode mode;
    std::optional<side> newer;
    merge out;
    bool series{false};

    bool alike(field f, fields const& a, fields const& b) const { return same_in(series, f, a, b); }

    void take_crm(field f) {
        out.push.add(f);
        copy(f, local, out.merged);
        copy(f, local, out.new_base);
    }
    void take_google(field f) {
        out.pull.add(f);
        copy(f, remote, out.merged);
        copy(f, remote, out.new_base);
    }

    void plan_push_only(field f) {
        if (same(f, base, local)) return;
        if (same(f, local, remote)) copy(f, local, out.new_base);
        else if (pushes(mode)) take_crm(f);
    }

    void plan_plain(field f) {
        bool const here = !alike(f, base, local);
        bool const there = !alike(f, base, remote);
        if (here && there) {
            if (alike(f, local, remote)) copy(f, local, out.new_base);
            else settle(f);
        } else if (here && pushes(mode)) {
            take_crm(f);
        } else if (there && pulls(mode)) {
            take_google(f);
        }
    }

    void settle(field f) {
        auto const winner = winner_of(policy, mode, newer);
        out.conflicts.push_back(
            {.which = f, .winner = winner, .base = describe(f, base), .crm = describe(f, local), .google = describe(f, remote)});
        if (winner == side::crm) take_crm(f);
        if (winner == side::google) take_google(f);
    }

    // In a one-way mode the base follows the writing side alone: what the other one added is kept on that side, and its absence
    // from the writing side must not read as a removal later.
    void plan_guests() {
        auto together = merge_guests(base.guests, local.guests, remote.guests);
        if (mode == sync_mode::two_way) {
            if (together != remote.guests) out.push.add(field::guests);
            if (together != local.guests) out.pull.add(field::guests);
            out.new_base.guests = together;
            out.merged.guests = std::move(together);
        } else if (mode == sync_mode::crm_to_google && base.guests != local.guests) {
            out.new_base.guests = local.guests;
            if (together == remote.guests) return;
            out.push.add(field::guests);
            out.merged.guests = std::move(together);
        } else if (mode == sync_mode::google_to_crm && base.guests != remote.guests) {
            out.new_base.guests = remote.guests;
            if (together == local.guests) return;
            out.pull.add(field::guests);
            out.merged.guests = std::move(together);
        }
    }

    std::string_view reason() const {
        if (std::ranges::any_of(out.conflicts, [](field_conflict const& c) { return !c.winner; })) return "conflict";
        if (!out.conflicts.empty()) return "settled";
        if (!out.push.empty() && !out.pull.empty()) return "merge";
        if (!out.push.empty()) return "push";
        if (!out.pull.empty()) return "pull";
        return differences(local, remote).empty() ? "equal" : "left_alone";
    }
};

}  // namespace

std::string_view name(conflict_policy p) {
    switch (p) {
    case conflict_policy::ask: return "ask";
    case conflict_policy::crm_wins: return "crm_wins";
    case conflict_policy::google_wins: return "google_wins";
    case conflict_policy::last_write_wins: return "last_write_wins";
    }
    return "unknown";
}

std::string_view name(sync_mode m) {
    switch (m) {
    case sync_mode::two_way: return "two_way";
    case sync_mode::crm_to_google: return "crm_to_google";
    case sync_mode::google_to_crm: return "google_to_crm";
    case sync_mode::busy_only: return "busy_only";
    }
    return "unknown";
}

std::optional<conflict_policy> policy_named(std::string_view n) {
    for (auto const p : {conflict_policy::ask, conflict_policy::crm_wins, conflict_policy::google_wins, conflict_policy::last_write_wins}) {
        if (name(p) == n) return p;
    }
    return {};
}

std::optional<sync_mode> mode_named(std::string_view n) {
    for (auto const m : {sync_mode::two_way, sync_mode::crm_to_google, sync_mode::google_to_crm, sync_mode::busy_only}) {
        if (name(m) == n) return m;
    }
    return {};
}

merge plan(fields const& base, fields const& local, fields const& remote, conflict_policy policy, sync_mode mode,
           std::optional<side> newer) {
    planner p{base, local, remote, policy, mode, newer, merge{.merged = local, .new_base = base}};
    if (mode != sync_mode::busy_only) {
        p.plan_plain(field::recurrence);
        p.series = !p.out.new_base.recurrence.empty();
        for (auto const f : all_fields) {
            if (f == field::recurrence) continue;
            if (is_push_only(f)) p.plan_push_only(f);
            else if (f == field::guests) p.plan_guests();
            else p.plan_plain(f);
        }
        std::ranges::sort(p.out.conflicts, {}, &field_conflict::which);
    }
    p.out.reason = p.reason();
    return std::move(p.out);
}

fields agreed_now(merge const& planned, fields const& base) {
    fields out = planned.new_base;
    for (auto const f : all_fields) {
        if (planned.push.has(f)) copy(f, base, out);
    }
    return out;
}

absorbed absorb(fields const& seen, fields const& local, fields const& base, fields const& snapshot, bool knows_our_updates) {
    absorbed out{.local = local, .base = base};
    auto const take = [&](field f, bool series) {
        auto const alike = [&](fields const& a, fields const& b) { return same_in(series, f, a, b); };
        bool const pulled = !alike(seen, local);
        bool const touched = knows_our_updates && pulled ? !alike(snapshot, local) : !alike(snapshot, seen);
        if (!touched || alike(snapshot, local)) return;
        copy(f, snapshot, out.local);
        out.edited.add(f);
        if (!pulled || knows_our_updates) return;
        out.blind.add(f);
        copy(f, seen, out.base);
    };
    take(field::recurrence, false);
    bool const series = !out.local.recurrence.empty();
    for (auto const f : all_fields) {
        if (f != field::recurrence) take(f, series);
    }
    return out;
}

}  // namespace calbridge::domain
