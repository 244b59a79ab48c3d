// Conflict policies through the worker, Google's clock and the CRM's word about who was later.
#include "worker_stack.h"

namespace calbridge::integration {
namespace {

class Policies : public worker_stack {
protected:
    void rule(std::string const& policy) {
        sql("UPDATE user_calendar_connections SET conflict_policy = '" + policy + "'");
        memory.lease.reset();
    }
    std::string summary() { return std::string(json::text_or(events().at(0).as_object(), "summary")); }
    // The newest settled conflict as it is written down.
    std::string recorded() {
        return sql(
            "SELECT coalesce(string_agg(concat_ws('/', c ->> 'field', c ->> 'base', c ->> 'crm', c ->> 'google', c ->> 'winner'), ','), "
            "'') "
            "FROM operations o, jsonb_array_elements(o.conflicts) c WHERE c ? 'winner'");
    }
};

TEST_F(Policies, LastWriteWinsByTheTimeTheCrmSaysTheChangeWasMade) {
    rule("last_write_wins");
    crm_says({});
    work();
    google_edits(R"({"summary":"From Google"})");
    crm_says({{"title", "From CRM, offline"}, {"changedAt", "2020-01-01T00:00:00Z"}});

    work();

    EXPECT_EQ(summary(), "From Google");
    EXPECT_EQ(last(domain::update_kind::changed).title, "From Google");
    EXPECT_EQ(recorded(), "title/Appointment/From CRM, offline/From Google/google");
    EXPECT_EQ(sql("SELECT has_conflict FROM task_links"), "f");
}

TEST_F(Policies, LastWriteWinsByArrivalWhenTheCrmDoesNotSay) {
    rule("last_write_wins");
    crm_says({});
    work();
    google_edits(R"({"summary":"From Google"})");
    crm_says({{"title", "From CRM"}});
    sql("UPDATE tasks SET received_at = now() + interval '1 minute'");

    work();

    EXPECT_EQ(summary(), "From CRM");
    EXPECT_EQ(recorded(), "title/Appointment/From CRM/From Google/crm");
    EXPECT_EQ(sql("SELECT event_updated_at IS NOT NULL FROM task_links"), "t");
}

TEST_F(Policies, EachRuleIsWrittenDownWithBothVersionsAndTheWinner) {
    for (std::string const policy : {"crm_wins", "google_wins"}) {
        SCOPED_TRACE(policy);
        rule(policy);
        sql("DELETE FROM operations");
        crm_says({{"title", "Appointment"}, {"appliedUpdateSeq", 99}});
        work();
        google_edits(R"({"summary":"From Google"})");
        crm_says({{"title", "From CRM"}, {"appliedUpdateSeq", 99}});

        work();

        EXPECT_EQ(summary(), policy == "crm_wins" ? "From CRM" : "From Google");
        EXPECT_EQ(recorded(), std::string("title/Appointment/From CRM/From Google/") + (policy == "crm_wins" ? "crm" : "google"));
        EXPECT_EQ(sql("SELECT conflict_data IS NULL FROM task_links"), "t");
    }
}

TEST_F(Policies, AnOpenConflictKeepsBothVersionsOnTheLink) {
    crm_says({});
    work();
    google_edits(R"({"summary":"From Google"})");
    crm_says({{"title", "From CRM"}});

    work();

    EXPECT_EQ(sql("SELECT concat_ws('/', conflict_data -> 0 ->> 'base', conflict_data -> 0 ->> 'crm', conflict_data -> 0 ->> 'google') "
                  "FROM task_links"),
              "Appointment/From CRM/From Google");
    EXPECT_EQ(recorded(), "") << "nobody has won";
}

TEST_F(Policies, ADeletionInGoogleAgainstALaterEditFollowsTheRule) {
    for (bool const edit_is_later : {true, false}) {
        SCOPED_TRACE(edit_is_later);
        rule("last_write_wins");
        std::string const task = edit_is_later ? "T-1" : "T-2";
        crm_says({{"taskId", task}});
        work();
        for (auto const& e : events())
            if (edit_is_later || json::text_or(e.as_object(), "summary") == "Appointment")
                control("calendars/anna%40example.com/events/" + std::string(json::text_or(e.as_object(), "id")), {}, "DELETE");
        crm_says({{"taskId", task}, {"title", "Still needed"}});
        sql("UPDATE tasks SET received_at = now() " + std::string(edit_is_later ? "+" : "-") + " interval '1 minute' WHERE task_id = '" +
            task + "'");
        hint();

        work();

        auto const state = sql("SELECT state FROM tasks WHERE task_id = '" + task + "'");
        // Google's answer to our patch shows no time of deletion; the listing does.
        EXPECT_EQ(state, edit_is_later ? "synced" : "removed");
    }
}

}  // namespace
}  // namespace calbridge::integration
