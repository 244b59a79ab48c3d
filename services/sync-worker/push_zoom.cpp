#include "push_zoom.h"

#include "engine_zoom.h"

#include "common/observe/log.h"
#include "common/observe/metrics.h"

namespace calbridge::worker {

namespace {

using decision = std::function<std::optional<effects>(store::task_and_link)>;

void note(turn const& t, send_zoom const& what, store::operation_row const& operation, std::optional<zoom::call_error> const& error) {
    metrics::get_counter("calbridge_worker_zoom_calls_total", "Calls to Zoom by kind and outcome",
                         {{"kind", std::string(what.name())}, {"outcome", error ? std::string(name(error->code)) : "ok"}})
        .add();
    if (!error) return;
    log::info("zoom.failed", {{"trace_id", t.cause.trace_id},
                              {"tenant_id", t.held.tenant},
                              {"task_id", t.id},
                              {"operation_id", operation.id},
                              {"kind", what.name()},
                              {"status", error->status},
                              {"err", name(error->code)}});
}

decision failure(turn& t, store::operation_row operation, zoom::call_error error) {
    return [&t, operation, error](store::task_and_link rows) -> std::optional<effects> {
        return zoom_failed(std::move(rows), operation, error, t.around);
    };
}

}  // namespace

task<result<decision>> ask_zoom(turn& t, send_zoom what, store::operation_row operation) {
    auto account = co_await t.with.zoom_accounts->find(t.held.tenant);
    if (!account) co_return account.error();
    if (!*account) {
        zoom::call_error none{.code = errc::client_rejected, .context = "not sent: no account"};
        co_return failure(t, operation, std::move(none));
    }
    deadline const at = in(t.with.within.call_time_max);
    zoom::meetings_api& api = *t.with.zoom;
    if (what.doing == send_zoom::create || what.doing == send_zoom::find) {
        std::optional<zoom::meeting> made;
        if (what.doing == send_zoom::create) {
            auto created = co_await api.create(**account, what.what, at);
            note(t, what, operation, created ? std::nullopt : std::optional(created.error()));
            if (!created) co_return failure(t, operation, created.error());
            made = std::move(*created);
        } else {
            std::string const marker = zoom_marker(operation.id);
            auto found = co_await api.find(**account, marker, at);
            note(t, what, operation, found ? std::nullopt : std::optional(found.error()));
            if (!found) {
                // Nothing is known of the meeting yet, so nothing is made again.
                zoom::call_error still_unknown = found.error();
                still_unknown.outcome_unknown = true;
                co_return failure(t, operation, std::move(still_unknown));
            }
            made = std::move(*found);
        }
        co_return decision([&t, operation, made](store::task_and_link rows) -> std::optional<effects> {
            return zoom_made(std::move(rows), operation, made, t.around);
        });
    }
    zoom::answer<void> done;
    if (what.doing == send_zoom::update) done = co_await api.update(**account, what.meeting, what.what, at);
    else done = co_await api.remove(**account, what.meeting, at);
    note(t, what, operation, done ? std::nullopt : std::optional(done.error()));
    bool const lost = !done && done.error().code == errc::not_found;
    if (!done && !lost) co_return failure(t, operation, done.error());
    bool const updated = what.doing == send_zoom::update && !lost;
    co_return decision([&t, operation, updated, lost](store::task_and_link rows) -> std::optional<effects> {
        if (updated) return zoom_updated(std::move(rows), operation, t.around);
        return zoom_removed(std::move(rows), operation, lost, t.around);
    });
}

}  // namespace calbridge::worker
