#include "writer.h"

#include "store/destination.h"
#include "store/place.h"
#include "store/zoom.h"

namespace calbridge::worker {

namespace {

// What a change of one task means for the rows of others.
task<result<void>> write_series(pg::transaction& tx, effects const& what) {
    tenant_id const tenant = what.task.tenant;
    if (what.zoom_change == zoom_row_change::save && what.zoom) {
        auto r = co_await store::save_zoom(tx, tenant, what.task.id, *what.zoom);
        if (!r) co_return r.error();
    } else if (what.zoom_change == zoom_row_change::drop) {
        auto r = co_await store::drop_zoom(tx, tenant, what.task.id);
        if (!r) co_return r.error();
    }
    if (what.occurrences_end) {
        auto r = co_await store::end_occurrences(tx, tenant, what.task.id, std::string(), *what.occurrences_end);
        if (!r) co_return r.error();
    }
    if (what.occurrences_move) {
        auto r = co_await store::move_occurrences(tx, tenant, what.task.id, what.link->calendar, what.link->google_calendar_id);
        if (!r) co_return r.error();
    }
    if (what.wake != occurrences_to_wake::none) {
        auto r = co_await store::wake_occurrences(tx, tenant, what.task.id, what.link->calendar, what.wake == occurrences_to_wake::all);
        if (!r) co_return r.error();
    }
    if (what.cut) {
        auto r = co_await store::cut_series(tx, tenant, what.cut->series, what.cut->key);
        if (!r) co_return r.error();
        r = co_await store::end_occurrences(tx, tenant, what.cut->series, what.cut->key, "moved_to_following");
        if (!r) co_return r.error();
    }
    co_return result<void>{};
}

}  // namespace

surroundings surroundings_of(parts const& with, store::connection_row connection, store::calendar_row calendar) {
    surroundings around;
    around.connection = std::move(connection);
    around.calendar = std::move(calendar);
    around.stamps = &with.stamps;
    around.now = with.now.now();
    around.fresh_id = [] { return time_ordered_uuid(); };
    return around;
}

task<result<void>> tell_crm(parts const& with, pg::transaction& tx, std::vector<domain::task_update> const& updates,
                            std::vector<store::outbox_message>& sent_after_commit, observe::trace_context const& cause) {
    if (updates.empty()) co_return result<void>{};
    std::vector<store::outbox_message> messages;
    for (domain::task_update const& update : updates) {
        uuid const id = time_ordered_uuid();
        messages.push_back(message_of(update, id, with.now.now(), with.updates_as_json, cause));
    }
    auto r = co_await store::write_outbox(tx, messages);
    if (!r) co_return r.error();
    for (store::outbox_message& m : messages) sent_after_commit.push_back(std::move(m));
    co_return result<void>{};
}

task<result<void>> write(parts const& with, pg::transaction& tx, effects const& what, std::vector<store::outbox_message>& sent_after_commit,
                         observe::trace_context const& cause) {
    if (what.task_is_new) {
        store::task_row row = what.task;
        if (what.synced) row.synced_seq = *what.synced;
        if (what.raise_dirty) ++row.dirty_seq;
        auto r = co_await store::insert_task(tx, row, what.explanation);
        if (!r) co_return r.error();
    }
    if (what.link && what.link_is_new) {
        auto r = co_await store::insert_link(tx, *what.link);
        if (!r) co_return r.error();
    } else if (what.link && what.link_changed) {
        auto r = co_await store::update_link(tx, *what.link);
        if (!r) co_return r.error();
    }
    for (store::operation_row const& operation : what.new_operations) {
        auto r = co_await store::insert_operation(tx, operation);
        if (!r) co_return r.error();
    }
    for (store::operation_row const& operation : what.finished_operations) {
        auto r = co_await store::finish_operation(tx, operation);
        if (!r) co_return r.error();
    }
    if (!what.task_is_new && (what.task_changed || what.synced || what.retry_in || what.raise_dirty)) {
        store::task_outcome outcome;
        outcome.row = what.task;
        outcome.explanation = what.explanation;
        outcome.synced = what.synced;
        outcome.retry_in = what.retry_in;
        outcome.raise_dirty = what.raise_dirty;
        auto r = co_await store::save_task(tx, outcome);
        if (!r) co_return r.error();
        if (!what.task.calendar) {
            auto placed = co_await store::place_again(tx, what.task.tenant, what.task.id);
            if (!placed) co_return placed.error();
        }
    }
    auto others = co_await write_series(tx, what);
    if (!others) co_return others.error();
    co_return co_await tell_crm(with, tx, what.updates, sent_after_commit, cause);
}

task<result<void>> commit(parts const& with, pg::transaction& tx, std::vector<store::outbox_message> messages) {
    auto r = co_await tx.commit();
    if (!r) co_return r.error();
    if (!messages.empty()) with.out.publish(std::move(messages));
    co_return result<void>{};
}

}  // namespace calbridge::worker
