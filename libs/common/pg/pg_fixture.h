#pragma once
// Shared by this folder's tests against a real PostgreSQL.

#include "common/pg/database.h"
#include "common/testing/testing.h"

#include <boost/asio/io_context.hpp>

#include <gtest/gtest.h>

#include <memory>

namespace calbridge::pg {

class pg_fixture : public ::testing::Test {
protected:
    database_options options(std::size_t connections_max = 4) {
        database_options o;
        o.conninfo = scratch_.conninfo_for("");
        o.application_name = "pgtest";
        o.connections_max = connections_max;
        return o;
    }
    std::unique_ptr<database> open(std::size_t connections_max = 4) { return make_database(ioc_.get_executor(), options(connections_max)); }
    std::unique_ptr<database> open(database_options o) { return make_database(ioc_.get_executor(), std::move(o)); }
    void run(task<void> body) { testing::run_coro(ioc_, std::move(body)); }
    // Sessions of this test's databases, as the server sees them.
    int sessions() const {
        return std::stoi(scratch_.exec("select count(*) from pg_stat_activity where datname = '" + scratch_.name() +
                                       "' and application_name = 'pgtest'"));
    }

    asio::io_context ioc_{1};
    testing::scratch_database scratch_{false};
};

// True when `answer` failed with `code`; otherwise the test says what it was.
template <class T>
bool failed_with(result<T> const& answer, errc code) {
    if (answer) {
        ADD_FAILURE() << "expected " << name(code) << ", and it worked";
        return false;
    }
    EXPECT_EQ(name(answer.error().code), name(code)) << answer.error().context;
    return answer.error().code == code;
}
template <class T>
bool worked(result<T> const& answer) {
    if (!answer) ADD_FAILURE() << name(answer.error().code) << ": " << answer.error().context;
    return answer.has_value();
}

}  // namespace calbridge::pg
