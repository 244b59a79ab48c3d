#include "store/store_fixture.h"

#include <algorithm>

namespace calbridge::store {
namespace {

using namespace std::chrono_literals;

bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

class Accounts : public store_fixture {
public:
    new_connection connection_for(std::string const& user, std::string const& sub) const {
        new_connection c;
        c.row.tenant = tenant_;
        c.row.id = connection_id{random_uuid()};
        c.row.user = user_id(user);
        c.row.client_id = "client";
        c.row.google_sub = sub;
        c.row.connected_email = user + "@example.com";
        c.row.granted_scopes = {"openid", "email"};
        c.row.auto_sync_tasks = true;
        c.row.task_type_colors = {{"call", "#ff0000"}};
        c.data_key = bytes_of("key");
        c.access_token = bytes_of("access");
        c.refresh_token = bytes_of("refresh");
        c.token_expires_at = instant{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20}};
        return c;
    }
    task<result<connected>> save(new_connection what) {
        auto tx = co_await db_->begin(what.row.tenant);
        auto const saved = co_await save_connection(**tx, what);
        if (saved) {
            auto const committed = co_await (*tx)->commit();
            worked(committed);
        }
        co_return saved;
    }
    task<std::vector<wake>> discover(connection_id connection, std::vector<discovered_calendar> found) {
        auto tx = co_await db_->begin(tenant_);
        auto began = co_await read_list_state(*db_, tenant_, connection);
        calendar_findings findings;
        findings.found = std::move(found);
        if (began) findings.began = std::move(*began);
        auto wakes = co_await save_calendars(**tx, tenant_, connection, findings);
        if (!worked(wakes)) co_return std::vector<wake>{};
        auto const committed = co_await (*tx)->commit();
        worked(committed);
        co_return std::move(*wakes);
    }
    static std::vector<discovered_calendar> two_calendars() {
        return {
            {.google_id = "anna@example.com", .summary = "Anna", .time_zone = "Europe/Berlin", .access_role = "owner", .is_primary = true},
            {.google_id = "team@group.calendar.google.com", .summary = "Team", .time_zone = "Europe/Berlin", .access_role = "reader"}};
    }

    tenant_id tenant_{"acme"};
    std::unique_ptr<pg::database> db_ = open("gateway");
};

TEST_F(Accounts, AnAttemptIsConsumedOnceByItsOwnSessionInTime) {
    run([](Accounts& t) -> task<void> {
        new_attempt a;
        a.tenant = t.tenant_;
        a.state_hash = bytes_of("state");
        a.session_hash = bytes_of("session");
        a.user = user_id("anna");
        a.mode = domain::sync_mode::crm_to_google;
        a.scopes = {"openid", "https://www.googleapis.com/auth/calendar.events.owned"};
        a.nonce = "nonce";
        a.code_verifier = bytes_of("sealed");
        auto const opened = co_await open_attempt(*t.db_, a);
        worked(opened);

        auto const foreign = co_await consume_attempt(*t.db_, t.tenant_, a.state_hash, bytes_of("other"));
        auto const other_tenant = co_await consume_attempt(*t.db_, tenant_id("other"), a.state_hash, a.session_hash);
        auto const first = co_await consume_attempt(*t.db_, t.tenant_, a.state_hash, a.session_hash);
        auto const second = co_await consume_attempt(*t.db_, t.tenant_, a.state_hash, a.session_hash);
        EXPECT_TRUE(worked(foreign) && !*foreign);
        EXPECT_TRUE(worked(other_tenant) && !*other_tenant);
        EXPECT_TRUE(worked(second) && !*second);
        if (!worked(first) || !*first) co_return;
        EXPECT_EQ((**first).user.str(), "anna");
        EXPECT_EQ((**first).mode, domain::sync_mode::crm_to_google);
        EXPECT_EQ((**first).scopes, a.scopes);
        EXPECT_EQ((**first).nonce, "nonce");
        EXPECT_EQ((**first).code_verifier, a.code_verifier);
        EXPECT_FALSE((**first).reconnect);

        auto const again = co_await open_attempt(*t.db_, a);
        worked(again);
        t.sql("update consent_attempts set expires_at = now() - interval '1 second'");
        auto const late = co_await consume_attempt(*t.db_, t.tenant_, a.state_hash, a.session_hash);
        EXPECT_TRUE(worked(late) && !*late);
    }(*this));
}

TEST_F(Accounts, TheFirstConnectionOfAUserIsTheDefault) {
    run([](Accounts& t) -> task<void> {
        auto const first = co_await t.save(t.connection_for("anna", "sub1"));
        auto const second = co_await t.save(t.connection_for("anna", "sub2"));
        if (!worked(first) || !worked(second)) co_return;
        EXPECT_FALSE(first->existed);
        auto const all = co_await connections_of(*t.db_, t.tenant_, user_id("anna"));
        if (!worked(all)) co_return;
        EXPECT_EQ(all->size(), 2U);
        connection_row const& c = all->at(0);
        EXPECT_EQ(c.id, first->id);
        EXPECT_TRUE(c.is_default);
        EXPECT_FALSE(all->at(1).is_default);
        EXPECT_EQ(c.granted_scopes, (std::vector<std::string>{"openid", "email"}));
        EXPECT_EQ(c.task_type_colors.at("call"), "#ff0000");
        EXPECT_EQ(c.status, connection_status::active);
        EXPECT_EQ(c.policy, domain::conflict_policy::ask);
        EXPECT_EQ(c.on_delete, domain::delete_choice::cancel_task);
    }(*this));

    EXPECT_EQ(sql("select count(*) from audit_log where what = 'connection.connected' and who = 'anna'"), "2");
}

TEST_F(Accounts, ReconnectingReplacesTokensUnderTheSameId) {
    run([](Accounts& t) -> task<void> {
        auto const first = co_await t.save(t.connection_for("anna", "sub1"));
        if (!worked(first)) co_return;
        t.sql("update user_calendar_connections set status = 'revoked', calendars_read_at = now(), failures = 3");
        auto const stranger = co_await t.save(t.connection_for("anna", "sub1"));
        failed_with(stranger, errc::conflict);
        auto const known = co_await find_connection_of(*t.db_, t.tenant_, user_id("anna"), "sub1");
        if (!worked(known) || !*known) co_return;
        new_connection again = t.connection_for("anna", "sub1");
        again.row.id = (**known).id;
        again.refresh_token = bytes_of("fresh");
        again.row.mode = domain::sync_mode::google_to_crm;
        auto const second = co_await t.save(again);
        if (!worked(second)) co_return;
        EXPECT_TRUE(second->existed);
        EXPECT_EQ(second->id, first->id);
    }(*this));

    EXPECT_EQ(sql("select status || ' ' || convert_from(refresh_token, 'UTF8') || ' ' || mode || ' ' || failures || ' ' || "
                  "(calendars_read_at is null) || ' ' || is_default "
                  "from user_calendar_connections"),
              "active fresh google_to_crm 0 true true");
}

TEST_F(Accounts, ARefreshIsClaimedByOneAndKeepsTheRefreshTokenWhenGoogleSendsNone) {
    run([](Accounts& t) -> task<void> {
        auto const saved = co_await t.save(t.connection_for("anna", "sub1"));
        if (!worked(saved)) co_return;
        auto const first = co_await claim_refresh(*t.db_, t.tenant_, saved->id, 60s);
        auto const second = co_await claim_refresh(*t.db_, t.tenant_, saved->id, 60s);
        EXPECT_TRUE(worked(first) && *first);
        EXPECT_TRUE(worked(second) && !*second);
        auto const ended = co_await end_refresh(*t.db_, t.tenant_, saved->id);
        worked(ended);
        auto const third = co_await claim_refresh(*t.db_, t.tenant_, saved->id, 60s);
        EXPECT_TRUE(worked(third) && *third);

        instant const until{std::chrono::sys_days{std::chrono::year{2026} / 11 / 21} + 1h};
        auto const stored = co_await store_refreshed(*t.db_, t.tenant_, saved->id, bytes_of("access2"), until, {});
        worked(stored);
        auto const tokens = co_await read_tokens(*t.db_, t.tenant_, saved->id);
        if (!worked(tokens) || !*tokens) co_return;
        EXPECT_EQ((**tokens).access_token, bytes_of("access2"));
        EXPECT_EQ((**tokens).refresh_token, bytes_of("refresh"));
        EXPECT_EQ((**tokens).data_key, bytes_of("key"));
        EXPECT_EQ((**tokens).expires_at, until);
        EXPECT_EQ((**tokens).client_id, "client");
        auto const fourth = co_await claim_refresh(*t.db_, t.tenant_, saved->id, 60s);
        EXPECT_TRUE(worked(fourth) && *fourth) << "storing ends the lease";
        auto const rotated = co_await store_refreshed(*t.db_, t.tenant_, saved->id, bytes_of("access3"), until, bytes_of("refresh2"));
        worked(rotated);
        auto const nobody = co_await read_tokens(*t.db_, t.tenant_, connection_id{random_uuid()});
        EXPECT_TRUE(worked(nobody) && !*nobody);
    }(*this));

    EXPECT_EQ(sql("select convert_from(refresh_token, 'UTF8') from user_calendar_connections"), "refresh2");
}

TEST_F(Accounts, RevokedIsToldOnceAndOverWhenActiveAgain) {
    run([](Accounts& t) -> task<void> {
        auto const saved = co_await t.save(t.connection_for("anna", "sub1"));
        if (!worked(saved)) co_return;
        for (int i = 0; i < 2; ++i) {
            auto const revoked = co_await set_status(*t.db_, t.tenant_, saved->id, connection_status::revoked, "invalid_grant");
            worked(revoked);
        }
        EXPECT_EQ(t.sql("select status || ' ' || status_reason || ' ' || revision from user_calendar_connections"),
                  "revoked invalid_grant 2");
        EXPECT_EQ(t.sql("select kind || ' ' || (subject = '" + saved->id.str() + "') || ' ' || (resolved_at is null) from alerts"),
                  "connection_revoked true true");
        EXPECT_EQ(t.sql("select count(*) from outbox where topic = 'sync-alerts' and claimed_until < now()"), "1");
        auto const back = co_await set_status(*t.db_, t.tenant_, saved->id, connection_status::active, "");
        worked(back);
        EXPECT_EQ(t.sql("select resolved_at is not null from alerts"), "t");
        EXPECT_EQ(t.sql("select count(*) from outbox"), "2");
        EXPECT_EQ(t.sql("select string_agg(detail ->> 'to', ',' order by at) from audit_log where what = 'connection.status'"),
                  "revoked,active");
        auto const nobody = co_await set_status(*t.db_, t.tenant_, connection_id{random_uuid()}, connection_status::paused, "");
        failed_with(nobody, errc::not_found);
    }(*this));
}

TEST_F(Accounts, RevokingGivesUpChannelsAndReturningAsksForNewOnes) {
    calendar_id const calendar = add_calendar("acme", "anna");
    connection_id const connection = connection_of(calendar);
    sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash, state, resource_id) values ('acme', "
        "gen_random_uuid(), '" +
        connection.str() + "', '" + calendar.str() + "', 'h', 'active', 'r')");
    run([](Accounts& t, connection_id c) -> task<void> {
        auto const revoked = co_await set_status(*t.db_, t.tenant_, c, connection_status::revoked, "invalid_grant");
        worked(revoked);
        EXPECT_EQ(t.sql("select state from channels"), "superseded");
        EXPECT_EQ(t.sql("select channel_due_at = 'infinity' from calendars"), "t");
        auto const back = co_await set_status(*t.db_, t.tenant_, c, connection_status::active, "");
        worked(back);
        EXPECT_EQ(t.sql("select channel_due_at <= now() from calendars"), "t");
    }(*this, connection));
}

TEST_F(Accounts, FirstDiscoverySelectsThePrimaryAndPlacesWaitingTasks) {
    run([](Accounts& t) -> task<void> {
        auto const worker = t.open("worker");
        intake in(*worker);
        std::vector<task_intake> tasks{task_of("acme", "anna", "t1", 1), task_of("acme", "bert", "t2", 1)};
        auto const taken = co_await in.take_in(std::move(tasks), {}, {});
        worked(taken);
        auto const saved = co_await t.save(t.connection_for("anna", "sub1"));
        if (!worked(saved)) co_return;

        auto const wakes = co_await t.discover(saved->id, two_calendars());

        EXPECT_EQ(wakes.size(), 1U);
        auto const calendars = co_await calendars_of(*t.db_, t.tenant_, saved->id);
        if (!worked(calendars)) co_return;
        EXPECT_EQ(calendars->size(), 2U);
        EXPECT_TRUE(calendars->at(0).is_primary && calendars->at(0).selected);
        EXPECT_EQ(calendars->at(0).dirty_seq, 1);
        EXPECT_EQ(calendars->at(0).time_zone, "Europe/Berlin");
        EXPECT_FALSE(calendars->at(1).selected);
        EXPECT_EQ(wakes.at(0).calendar, calendars->at(0).id);
        EXPECT_EQ(wakes.at(0).user.str(), "anna");
        auto const row = co_await find_connection(*t.db_, t.tenant_, saved->id);
        if (worked(row) && *row) EXPECT_EQ((**row).default_calendar, calendars->at(0).id);
        EXPECT_EQ(t.sql("select string_agg(task_id || state, ' ' order by task_id) from tasks"), "t1pending t2waiting");
    }(*this));
}

TEST_F(Accounts, LaterDiscoveriesChangeNamesAndMissOnlyWhatIsGone) {
    run([](Accounts& t) -> task<void> {
        auto const saved = co_await t.save(t.connection_for("anna", "sub1"));
        if (!worked(saved)) co_return;
        co_await t.discover(saved->id, two_calendars());
        auto found = two_calendars();
        found[0].summary = "Anna's own";
        found[0].access_role = "writer";
        found[1].deleted = true;

        auto const wakes = co_await t.discover(saved->id, found);

        EXPECT_TRUE(wakes.empty());
        auto const calendars = co_await calendars_of(*t.db_, t.tenant_, saved->id);
        if (!worked(calendars)) co_return;
        EXPECT_EQ(calendars->size(), 1U);
        EXPECT_EQ(calendars->at(0).summary, "Anna's own");
        EXPECT_EQ(calendars->at(0).access_role, "writer");
        EXPECT_EQ(calendars->at(0).dirty_seq, 1);
        found[1].deleted = false;
        co_await t.discover(saved->id, found);
        auto const again = co_await calendars_of(*t.db_, t.tenant_, saved->id);
        if (worked(again)) EXPECT_EQ(again->size(), 2U);
    }(*this));
}

}  // namespace
}  // namespace calbridge::store
