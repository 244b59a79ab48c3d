#pragma once
// Shared by this folder's tests against a real PostgreSQL: each service's role, and rows to start from.

#include "store/accounts.h"
#include "store/clockwork.h"
#include "store/intake.h"
#include "store/work.h"

#include "common/testing/testing.h"

#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace calbridge::store {

// True when it worked; otherwise the test says what was wrong.
template <class T>
bool worked(result<T> const& answer) {
    if (!answer) ADD_FAILURE() << name(answer.error().code) << ": " << answer.error().context;
    return answer.has_value();
}
template <class T>
bool failed_with(result<T> const& answer, errc code) {
    if (answer) {
        ADD_FAILURE() << "expected " << name(code) << ", and it worked";
        return false;
    }
    EXPECT_EQ(name(answer.error().code), name(code)) << answer.error().context;
    return answer.error().code == code;
}

class store_fixture : public ::testing::Test {
public:
    std::unique_ptr<pg::database> open(std::string const& role, std::size_t connections_max = 4) {
        pg::database_options o;
        o.conninfo = scratch_.conninfo_for(role);
        o.application_name = "storetest";
        o.connections_max = connections_max;
        return pg::make_database(ioc_.get_executor(), std::move(o));
    }
    void run(task<void> body) { testing::run_coro(ioc_, std::move(body)); }
    std::string sql(std::string const& text) const { return scratch_.exec(text); }
    // As a service may, in one transaction of that tenant.
    static std::string as(std::string const& tenant) { return "set app.tenant = '" + tenant + "'; "; }

    // A connected account with one selected primary calendar, as discovery leaves it.
    calendar_id add_calendar(std::string const& tenant, std::string const& user) {
        connection_id const connection{random_uuid()};
        calendar_id const calendar{random_uuid()};
        sql("insert into user_calendar_connections (tenant_id, connection_id, user_id, client_id, google_sub, connected_email, data_key, "
            "access_token, refresh_token, "
            "token_expires_at, calendars_read_at) values ('" +
            tenant + "', '" + connection.str() + "', '" + user + "', 'client', 'sub-" + user + "', '" + user +
            "@example.com', 'k', 'a', 'r', now() + interval '1 hour', now())");
        sql("insert into calendars (tenant_id, calendar_id, connection_id, google_calendar_id, is_primary, selected, access_role) values "
            "('" +
            tenant + "', '" + calendar.str() + "', '" + connection.str() + "', '" + user + "@example.com', true, true, 'owner')");
        sql("update user_calendar_connections set default_calendar_id = '" + calendar.str() + "' where connection_id = '" +
            connection.str() + "'");
        return calendar;
    }
    connection_id connection_of(calendar_id calendar) const {
        return connection_id{*parse_uuid(sql("select connection_id from calendars where calendar_id = '" + calendar.str() + "'"))};
    }
    std::string of_calendar(calendar_id calendar, std::string const& column) const {
        return sql("select " + column + " from calendars where calendar_id = '" + calendar.str() + "'");
    }

    static task_intake task_of(std::string const& tenant, std::string const& user, std::string const& id, std::int64_t version) {
        domain::task_changed t;
        t.tenant = tenant_id(tenant);
        t.user = user_id(user);
        t.task = task_id(id);
        t.version = version;
        t.title = "title " + std::to_string(version);
        t.start = "2026-11-25T10:00:00";
        t.time_zone = "Europe/Berlin";
        auto place = domain::place_of(t);
        return {std::move(t), std::get<domain::task_place>(place)};
    }
    static hint_intake hint_of(calendar_id calendar, std::string const& message, bool raises = true) {
        hint_intake h;
        h.calendar = calendar;
        h.source = "webhook-ingest";
        h.message_id = message;
        h.raises = raises;
        return h;
    }

    asio::io_context ioc_{1};
    testing::scratch_database scratch_;
};

}  // namespace calbridge::store
