#pragma once
// For the engine's tests: one task, one calendar, a CRM and a Google, all in memory, driven step by step. No Kafka, no SQL: rows are plain
// values.

#include "engine_requests.h"

#include <map>
#include <random>
#include <string>
#include <vector>

namespace calbridge::worker::testing {

enum class fault { none, crash_before_call, lost_answer, refused_412 };

class engine_world {
public:
    // A task, or one occurrence of a weekly series that is in the calendar.
    explicit engine_world(domain::conflict_policy policy = domain::conflict_policy::ask, bool occurrence = false);

    // --- the CRM ---
    void crm_edit(std::string const& field, std::string const& value, bool says_what_it_applied = false);
    void crm_cancel();
    void crm_completes(bool done = true) {
        crm_task.status = done ? "completed" : "open";
        emit_snapshot(false);
    }
    // Takes over every update it has not seen, field by field unless it edited that field after the version the update was made from, and
    // emits a snapshot when something changed.
    void crm_applies_updates();
    // --- a person in Google Calendar ---
    void google_edit(std::string const& field, std::string const& value);
    void google_delete();
    void google_adds_guest(std::string const& email);
    void google_answers(std::string const& email, std::string const& response);
    void google_finishes_conference(std::string const& meet_link);
    // --- calbridge ---
    void push(fault with = fault::none);  // one decision and its call
    void pull();                          // the event, when it exists or existed
    // What a person asks for, carried out as the worker does; the reason when it was refused.
    std::string resolve(std::map<domain::field, domain::field_choice> choices);
    std::string resolve_whole(domain::whole_choice choice);
    std::string undo(store::operation_row const& operation);
    void settle_down();  // until nothing moves any more (at most a bounded number of rounds)

    std::string crm(std::string const& field) const;
    std::string google(std::string const& field) const;
    bool event_lives() const { return event_ && event_->status != "cancelled"; }
    std::vector<std::string> guests() const;

    store::task_row task;
    std::optional<store::link_row> link;
    std::vector<store::operation_row> operations;
    std::vector<domain::task_update> updates;
    domain::task_changed crm_task;
    instant now{std::chrono::sys_days{std::chrono::year(2026) / 11 / 1}};  // stands still unless a test moves it
    std::string sync_settings;                                             // of the connection
    int google_writes{0};
    int events_created{0};

private:
    surroundings around() const;
    store::task_and_link rows() const;
    void commit(effects const& change);
    std::string carry_out(verdict const& what);
    std::string version() const;
    void emit_snapshot(bool says_what_it_applied);
    void apply(google::event_write const& what);
    void touch();

    void become_occurrence();

    domain::conflict_policy policy_;
    std::optional<store::link_row> series_;
    crypto::key_ring ring_;
    std::optional<domain::calendar_event> event_;
    std::map<std::string, bool> ids_used_;
    std::map<std::string, std::int64_t> crm_edited_at_;  // version of the CRM's newest own edit
    std::size_t updates_applied_{0};
    std::int64_t applied_seq_{0};
    int etag_{0};
    mutable std::uint64_t ids_{0};
};

}  // namespace calbridge::worker::testing
