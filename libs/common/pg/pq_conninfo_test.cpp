#include "common/pg/pq_conninfo.h"

#include "common/testing/testing.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace calbridge::pg {
namespace {

database_options with(std::string conninfo) {
    database_options options;
    options.conninfo = std::move(conninfo);
    options.application_name = "test";
    return options;
}

TEST(Conninfo, SessionSettingsAreAddedToTheCallersOwn) {
    database_options options = with("host=db options='-c work_mem=8MB'");
    options.password = secret("p");
    options.statement_time_max = std::chrono::milliseconds(1234);
    options.lock_time_max = std::chrono::milliseconds(567);

    keywords const pairs = session_keywords(options);

    EXPECT_EQ(pairs.at("application_name"), "test");
    EXPECT_EQ(pairs.at("password"), "p");
    EXPECT_EQ(pairs.at("target_session_attrs"), "read-write");
    std::string const& settings = pairs.at("options");
    EXPECT_NE(settings.find("work_mem=8MB"), std::string::npos);
    EXPECT_NE(settings.find("statement_timeout=1234"), std::string::npos);
    EXPECT_NE(settings.find("lock_timeout=567"), std::string::npos);
    EXPECT_NE(settings.find("-c jit=off -c max_parallel_workers_per_gather=0"), std::string::npos);
    EXPECT_NE(settings.find("idle_in_transaction_session_timeout=6234"), std::string::npos);
}

TEST(Conninfo, AnUnreadableStringIsRefusedWithoutRepeatingIt) {
    try {
        session_keywords(with("host=db password=hunter2 nonsense"));
        ADD_FAILURE() << "accepted";
    } catch (std::invalid_argument const& e) {
        EXPECT_EQ(std::string(e.what()).find("hunter2"), std::string::npos);
    }
}

TEST(Conninfo, ListsOfHostsBecomeEndpoints) {
    keywords const pairs = session_keywords(with("postgresql://a:1,b:2/db"));
    auto const found = endpoints_of(pairs);

    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].host, "a");
    EXPECT_EQ(found[1].host, "b");
    EXPECT_EQ(found[1].port, "2");

    keywords const again =
        with_endpoints(pairs, {{.host = "a", .hostaddr = "10.0.0.1", .port = "1"}, {.host = "b", .hostaddr = "", .port = "2"}});
    EXPECT_EQ(again.at("host"), "a,b");
    EXPECT_EQ(again.at("hostaddr"), "10.0.0.1,");
    EXPECT_EQ(again.at("port"), "1,2");
}

TEST(Conninfo, OnePortIsForAllHosts) {
    auto const found = endpoints_of(session_keywords(with("host=a,b port=7")));

    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].port, "7");
    EXPECT_EQ(found[1].port, "7");
}

task<void> resolve_all(std::vector<endpoint>& out) {
    std::vector<endpoint> wanted{{.host = "/run/postgresql", .hostaddr = "", .port = ""},
                                 {.host = "127.0.0.9", .hostaddr = "", .port = "5"},
                                 {.host = "localhost", .hostaddr = "", .port = "6"}};
    deadline const at = in(std::chrono::seconds(10));
    out = co_await resolve(std::move(wanted), at);
}

TEST(Conninfo, OnlyNamesAreLookedUp) {
    asio::io_context ioc;
    std::vector<endpoint> found;

    testing::run_coro(ioc, resolve_all(found));

    ASSERT_GE(found.size(), 3U);
    EXPECT_EQ(found[0].host, "/run/postgresql");
    EXPECT_EQ(found[0].hostaddr, "");
    EXPECT_EQ(found[1].host, "127.0.0.9");
    EXPECT_EQ(found[1].hostaddr, "");
    EXPECT_EQ(found[2].host, "localhost");
    EXPECT_FALSE(found[2].hostaddr.empty());
    EXPECT_EQ(found[2].port, "6");
}

}  // namespace
}  // namespace calbridge::pg
