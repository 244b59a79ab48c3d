#pragma once
// Three versions of every link decide what to do. No clock, no I/O, no "who is newer" inside.

#include "domain/fields.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calbridge::domain {

enum class conflict_policy { ask, crm_wins, google_wins, last_write_wins };
enum class sync_mode { two_way, crm_to_google, google_to_crm, busy_only };
enum class side { crm, google };
std::string_view name(conflict_policy p);
std::string_view name(sync_mode m);
std::optional<conflict_policy> policy_named(std::string_view n);
std::optional<sync_mode> mode_named(std::string_view n);

struct field_conflict {
    field which{};
    std::optional<side> winner;  // absent: open, the user decides
    std::string base, crm, google;
};

struct merge {
    field_set push;                         // Google must take merged's value
    field_set pull;                         // the CRM must take merged's value
    std::vector<field_conflict> conflicts;  // settled and open; an open one is in neither set
    fields merged;                          // what both sides hold once push and pull are done (an open field keeps `local` here)
    fields new_base;                        // what both sides will have agreed on then (an open field keeps `base`)
    std::string_view reason;  // "equal", "push", "pull", "merge", "conflict", "settled", "left_alone" (they differ and the mode leaves it
                              // so): stable, for histories
    bool quiet() const { return push.empty() && pull.empty() && conflicts.empty(); }
};

// base: last agreed. local: the task. remote: the event. All normalised.
// Different fields merge. The same field changed to the same value is agreement. The same field changed differently is a conflict settled
// by `policy` (`newer` is only looked at for last_write_wins; absent there means ask). Guests merge as sets and never conflict. push-only
// fields: remote changes are left alone. Mode crm_to_google never pulls (remote changes to a field stay until the CRM changes that field;
// then the conflict is settled for the CRM), google_to_crm never pushes (the mirror image), busy_only does neither. A quiet plan may still
// move new_base: both sides made the same edit. Store it. The zone belongs to the time of what both sides will agree is a series.
merge plan(fields const& base, fields const& local, fields const& remote, conflict_policy policy, sync_mode mode,
           std::optional<side> newer = {});
// The base to store when the pull is done and the push is still to come: new_base, with the old base where a push is due.
fields agreed_now(merge const& planned, fields const& base);

// --- What a new CRM snapshot means -----------------------------------------------------------------------------------------------
// The CRM may not yet have applied what we pulled from Google. `seen` is the last snapshot it sent, `local` our view of the task (seen plus
// pulled values), `base` the link's base. A field the CRM did not touch since `seen` keeps our view; a touched one is its edit. A touched
// field we had pulled meanwhile without its knowledge (snapshot_seq < pulled_seq, or the CRM does not say) gets its base set back to
// `seen`, so that plan() sees both changes. A snapshot made with that knowledge is taken at its word for pulled fields too: still (or
// again) holding `seen` there is an edit that undoes our pull.
struct absorbed {
    fields local;
    fields base;
    field_set edited;  // what the CRM changed
    field_set blind;   // edited without knowing our pull
};
absorbed absorb(fields const& seen, fields const& local, fields const& base, fields const& snapshot, bool knows_our_updates);

}  // namespace calbridge::domain
