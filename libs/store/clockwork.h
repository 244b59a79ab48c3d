#pragma once
// What channel-renewer, the system's clock, claims and sweeps. Claims use SKIP LOCKED; many renewers may run.

#include "store/rows.h"

#include "common/pg/database.h"

namespace calbridge::store {

struct channel_duty {
    enum class kind { open, renew, stop } what{};
    tenant_id tenant;
    user_id user;
    connection_id connection;
    calendar_id calendar;  // nil: the connection's calendar list
    std::string google_calendar_id;
    std::optional<channel_row> channel;  // renew: the one to replace; stop: the one to stop
    std::string mode;
    connection_status status{};
    int failures{};  // watch calls for it that failed in a row
};
// Calendars, and calendar lists that the granted scopes can watch, whose channel is due: they have none (open; what a crashed attempt left
// pending does not count), or it is past renew_at (renew); and superseded channels that may go (stop): a successor has delivered, an hour
// has passed, or the calendar is not watched any more. Claimed for `life`.
task<result<std::vector<channel_duty>>> claim_channel_duties(pg::database& db, int most, std::chrono::milliseconds life);
// The row is committed before the watch call.
task<result<void>> insert_channel(pg::database& db, channel_row const& row, bytes token_hash);
// After the watch answer: active with resource id and expiry, due again at renew_at; every other live channel of the calendar or list (the
// one it replaces, and what a crashed attempt left pending: Google may know it, and the resource id that stops it is the same) becomes
// superseded; raises its dirty counter (changes between the channels are not replayed) and writes the wake-ups, if any. errc::gone when it
// stopped being watched meanwhile: the channel is superseded then, and will be stopped. Ids of wakeups are filled in.
task<result<void>> activate_channel(pg::database& db, channel_row const& row, std::string resource_id, instant expires_at, instant renew_at,
                                    std::vector<outbox_message>& wakeups);
task<result<void>> stop_channel_row(pg::database& db, tenant_id tenant, channel_id id, std::string why);
// A refused or failed watch: counts the failure (returned) and tries again after `retry_in`; a permanent refusal marks the calendar or list
// unpushable. The pending row is stopped when Google surely has no such channel; otherwise (`outcome_unknown`) it stays and goes when a
// successor is active.
task<result<int>> channel_failed(pg::database& db, channel_row const& row, std::string why, bool permanent, bool outcome_unknown,
                                 std::chrono::milliseconds retry_in);

struct poll_duty {
    wake where;
    bool degraded{};                // no proven channel, three failed openings, or two misses: polled as active
    int misses_before{}, misses{};  // polls in a row that found what no push had announced, before and now
};
// Calendars whose next_poll_at passed; next_poll_at moves on with jitter: soon after a change, twice as long after every poll that found
// nothing, up to `idle`, or to four times `active` while the channel is degraded. A channel that misses what polls find becomes due for
// replacement. Dirty counters are raised in the same step, so the wake-up to send is one that only wakes.
task<result<std::vector<poll_duty>>> claim_polls(pg::database& db, int most, std::chrono::milliseconds active,
                                                 std::chrono::milliseconds idle, double random);
// Work overdue by more than `grace` that nobody holds; each calendar at most once in that time.
task<result<std::vector<wake>>> overdue_work(pg::database& db, int most, std::chrono::milliseconds grace);
// Tasks that wait for a calendar although their user has one now (they came while it was being discovered, or syncing was switched on
// since).
task<result<std::vector<wake>>> place_waiting(pg::database& db, int most);
task<result<std::vector<outbox_message>>> claim_outbox(pg::database& db, int most);
task<result<void>> outbox_sent(pg::database& db, std::vector<outbox_message> const& sent);
struct idle_grant {
    tenant_id tenant;
    connection_id connection;
};
// Active connections whose access token has not been refreshed for a day (Google drops grants unused for six months).
task<result<std::vector<idle_grant>>> idle_grants(pg::database& db, int most);
struct discovery_duty {
    tenant_id tenant;
    connection_id connection;
    bool whole{};  // never read or not for a day: in full; else what a push announced
    int failures{};
};
// Connections whose calendar list is to be read, each claimed for a minute.
task<result<std::vector<discovery_duty>>> claim_discoveries(pg::database& db, int most);
// The list could not be read: counts the failure and tries again after `retry_in`.
task<result<void>> discovery_failed(pg::database& db, tenant_id tenant, connection_id connection, std::chrono::milliseconds retry_in);

struct departure {
    tenant_id tenant;
    connection_id connection;
    instant since;
};
// Connections that were ended while Google was away, claimed for `life`.
task<result<std::vector<departure>>> claim_departures(pg::database& db, int most, std::chrono::milliseconds life);

struct orphan {
    std::string what;  // lease, task, operation, message
    tenant_id tenant;
    std::optional<wake> where;
};
// Work that something dead left behind for longer than `age`, put right; at most `most` of each kind.
task<result<std::vector<orphan>>> put_right_orphans(pg::database& db, int most, std::chrono::milliseconds age);
struct stuck_outbox {
    tenant_id tenant;
    std::int64_t messages{};  // 0: it was stuck, and its alert is still open
};
task<result<std::vector<stuck_outbox>>> stuck_outboxes(pg::database& db, std::chrono::milliseconds age);
// Old inbox, sent outbox, stopped channels, expired attempts, operations over 30 days that are not the newest of their link. Bounded per
// call; returns rows removed.
task<result<std::int64_t>> retain(pg::database& db, int most);

struct backlog {
    std::int64_t pending_calendars{}, pending_tasks{}, outbox_pending{}, calendars_without_channel{};
    double oldest_pending_seconds{};
};
task<result<backlog>> read_backlog(pg::database& db);

}  // namespace calbridge::store
