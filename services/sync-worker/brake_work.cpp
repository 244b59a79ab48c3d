#include "pass.h"

#include "store/alerts.h"
#include "store/brake.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

#include <fmt/format.h>

namespace calbridge::worker {

task<result<bool>> hold_back(pass& p, std::size_t missing, std::int64_t known) {
    if (!domain::brake(missing, static_cast<std::size_t>(known))) co_return false;
    if (p.calendar.brake && store::is_answered(*p.calendar.brake, missing, p.with.now.now())) co_return false;
    auto begun = co_await p.with.db.begin(p.held.tenant);
    if (!begun) co_return begun.error();
    pg::transaction& tx = **begun;
    auto calendar = co_await store::check_lease(tx, p.held);
    if (!calendar) co_return calendar.error();
    auto pulled = co_await store::pull_brake(tx, p.held, static_cast<std::int64_t>(missing), known, p.out.full ? "full" : "incremental");
    if (!pulled) co_return pulled.error();
    store::alert const alert{
        p.held.tenant, "brake_pulled", p.held.calendar.str(),
        fmt::format("Google Calendar shows {} of {} known events as deleted. Nothing was taken over, and nothing more is "
                    "read from this calendar until somebody decides: confirm the deletions, or put the events back.",
                    missing, known)};
    auto raised = co_await store::raise_alert(tx, alert);
    if (!raised) co_return raised.error();
    auto done = co_await tx.commit();
    if (!done) co_return done.error();
    metrics::get_counter("calbridge_worker_brakes_total", "Passes stopped because too much was deleted at once").add();
    log::warn("brake.pulled", {{"tenant_id", p.held.tenant},
                               {"calendar_id", p.held.calendar},
                               {"missing", static_cast<std::int64_t>(missing)},
                               {"known", known},
                               {"full", p.out.full}});
    p.out.braked = true;
    p.out.why = "mass_delete_brake";
    co_return true;
}

task<result<void>> brake_off(pass& p, pg::transaction& tx) {
    if (!p.calendar.brake && !p.out.full) co_return result<void>{};
    auto released = co_await store::release_brake(tx, p.held);
    if (!released) co_return released.error();
    store::alert const over{p.held.tenant, "brake_pulled", p.held.calendar.str(), "The calendar reads as it should again."};
    auto resolved = co_await store::resolve_alert(tx, over);
    if (!resolved) co_return resolved.error();
    co_return result<void>{};
}

}  // namespace calbridge::worker
