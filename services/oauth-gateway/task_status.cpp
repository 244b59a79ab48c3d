#include "task_status.h"

#include "api.h"

#include "common/observe/log.h"

namespace calbridge::gateway {

namespace {

// PostgreSQL spells the whole document: every value is a column or a stored JSON value, and nothing of it is decided here.
constexpr pg::statement read_task{"gateway_read_task",
                                  "SELECT t.user_id, jsonb_build_object('task', t.task_id, 'user', t.user_id, 'version', t.version, "
                                  "'absorbedVersion', t.absorbed_version, 'deleted', t.deleted, "
                                  "'state', t.state, 'reason', t.reason, 'explanation', t.explanation, 'pending', t.synced_seq < "
                                  "t.dirty_seq, 'updateSequence', t.update_seq, 'failures', t.failures, "
                                  "'retryAt', t.retry_at, 'calendar', t.calendar_id, 'snapshot', t.snapshot, 'local', t.local, 'link', "
                                  "CASE WHEN l.link_id IS NULL THEN NULL ELSE jsonb_build_object("
                                  "'id', l.link_id, 'state', l.state, 'reason', l.state_reason, 'connection', l.connection_id, "
                                  "'googleCalendar', l.google_calendar_id, 'googleEvent', l.google_calendar_event_id, "
                                  "'generation', l.generation, 'etag', l.google_calendar_etag, 'htmlLink', l.html_link, 'meetLink', "
                                  "l.google_meet_link, 'meetPending', l.meet_pending, "
                                  "'syncedAt', l.google_calendar_synced_at, 'base', l.base, 'remote', l.remote, 'hasConflict', "
                                  "l.has_conflict, 'conflicts', l.conflict_data, 'frozen', l.frozen) END)::text, l.link_id "
                                  "FROM tasks t LEFT JOIN LATERAL (SELECT * FROM task_links k WHERE k.tenant_id = t.tenant_id AND "
                                  "k.task_id = t.task_id ORDER BY (k.state <> 'ended') DESC, k.created_at DESC LIMIT 1) l ON true "
                                  "WHERE t.tenant_id = $1 AND t.task_id = $2"};
constexpr pg::statement read_operations{
    "gateway_read_operations",
    "SELECT coalesce(jsonb_agg(o.one ORDER BY o.sequence DESC), '[]')::text FROM (SELECT p.sequence, jsonb_build_object('id', "
    "p.operation_id, 'sequence', p.sequence, 'kind', p.kind, "
    "'state', p.state, 'pushed', p.pushed, 'who', p.who, 'why', p.why, 'sendUpdates', p.send_updates, 'ifMatch', p.if_match, "
    "'answerStatus', p.answer_status, "
    "'answerReason', p.answer_reason, 'answerEtag', p.answer_etag, 'createdAt', p.created_at, 'finishedAt', p.finished_at) AS one "
    "FROM operations p WHERE p.tenant_id = $1 AND p.link_id = $2 ORDER BY p.sequence DESC LIMIT 20) o"};

}  // namespace

task<http::response> show_task(deps const& d, http::server_request const& request) {
    auto const who = bearer_of(d, request);
    if (!who) co_return unauthorized_problem();
    task_id const task(std::string(request.param("task")));
    if (!is_valid_text_id(task.str())) co_return not_found_problem();
    auto tx = co_await d.db.begin(who->tenant);
    if (!tx) co_return unavailable_problem();
    pg::params by_task;
    by_task.add(who->tenant).add(task);
    auto const found = co_await (*tx)->query(read_task, std::move(by_task));
    if (!found) co_return unavailable_problem();
    bool const theirs = !found->empty() && (found->text(0, 0) == who->user.str() || who->role == "admin");
    if (!theirs) co_return not_found_problem();
    std::string operations = "[]";
    if (auto const link = found->id_or_null(0, 2)) {
        pg::params by_link;
        by_link.add(who->tenant).add(*link);
        auto const done = co_await (*tx)->query(read_operations, std::move(by_link));
        if (!done) co_return unavailable_problem();
        operations = done->text(0, 0);
    }
    std::string body(found->text(0, 1));
    body.pop_back();
    body += ", \"operations\": " + operations + "}";
    co_return http::json_response(200, std::move(body));
}

}  // namespace calbridge::gateway
