#include "domain/reconcile.h"

#include <algorithm>

namespace calbridge::domain {
namespace {

push_step next_live_push(push_view const& view) {
    if (!view.wanted) return delete_event{};
    auto merged = plan(view.base, view.local, view.remote, view.policy, view.mode, view.newer);
    // One createRequest at a time: while Google still works on it, asking again would make a second meeting.
    if (view.meet_pending && merged.push.has(field::meet)) {
        merged.push.remove(field::meet);
        merged.new_base.meet = view.base.meet;
    }
    if (!merged.push.empty()) return patch_event{std::move(merged)};
    if (view.meet_pending) return read_back{};
    auto const reason = merged.reason;
    return nothing{reason, std::move(merged)};
}

}  // namespace

std::string_view name(link_state s) {
    switch (s) {
    case link_state::pending: return "pending";
    case link_state::live: return "live";
    case link_state::ended: return "ended";
    }
    return "unknown";
}

std::optional<link_state> link_state_named(std::string_view n) {
    for (auto const s : {link_state::pending, link_state::live, link_state::ended}) {
        if (name(s) == n) return s;
    }
    return {};
}

echo classify_echo(std::optional<operation_facts> const& stamped, std::int64_t newest_recorded_sequence) {
    if (!stamped) return echo::unknown;
    if (stamped->sequence < newest_recorded_sequence) return echo::ours_older;
    return stamped->sequence == newest_recorded_sequence || stamped->recorded ? echo::ours_current : echo::ours_unrecorded;
}

push_step next_push(push_view const& view) {
    bool const ended = view.has_link && view.state == link_state::ended;
    // Before anything else: what did the last call do?
    if (view.has_link && !ended && view.unresolved_operation) return read_back{};
    if (view.frozen) return nothing{"frozen", {}};
    if (view.mode == sync_mode::google_to_crm || view.mode == sync_mode::busy_only) return nothing{"mode", {}};
    if (ended) return nothing{"ended", {}};
    if (view.has_link && view.state == link_state::live) return next_live_push(view);
    if (view.wanted) return create_event{};
    return nothing{"not_wanted", {}};
}

pull_step next_pull(pull_view const& view, calendar_event const& event) {
    if (!view.linked || view.mode == sync_mode::busy_only) return mirror_only{};
    if (view.state == link_state::ended) {
        if (event.is_cancelled()) return acknowledge{"ended"};
        return mirror_only{};
    }
    if (view.etag_recorded && !event.etag.empty() && event.etag == view.known_etag) return acknowledge{"same_etag"};
    if (event.is_cancelled()) return event_removed{.conflict = !view.deleting && view.local_pending};
    if (view.stamp == echo::ours_older) return acknowledge{"stale_read"};
    if (view.deleting) return acknowledge{"deleting"};

    auto read = read_event(event);
    if (!read) return set_aside{read.error().context};
    // A list Google cut says nothing about who is missing from it.
    if (event.attendees_omitted) read->guests = view.base.guests;
    auto merged = plan(view.base, view.local, *read, view.policy, view.mode, view.newer);
    bool const agreed_meanwhile = !differences(agreed_now(merged, view.base), view.base).empty();
    if (merged.pull.empty() && merged.conflicts.empty() && !agreed_meanwhile) return acknowledge{merged.reason};
    return merge_event{std::move(merged), std::move(*read)};
}

bool brake(std::size_t missing, std::size_t known) { return missing > 20 && missing * 10 > known; }

}  // namespace calbridge::domain
