#include "commands.h"
#include "migrations.h"

#include "common/crypto/crypto.h"

#include <gtest/gtest.h>

#include <sstream>

namespace calbridge::ctl {
namespace {

struct answer {
    int code;
    std::string out, err;
};

answer run(std::vector<std::string> const& arguments, config::environment const& env = {}) {
    std::ostringstream out, err;
    surroundings const with{env, out, err};
    int const code = run_command(arguments, with);
    return {code, out.str(), err.str()};
}

migration file(int version, std::string name, std::string sql) { return {version, std::move(name), std::move(sql)}; }
applied_migration done_already(migration const& m) { return {m.version, m.name, m.checksum()}; }
std::vector<std::string> labels(migration_plan const& plan) {
    std::vector<std::string> all;
    for (migration const& each : plan.to_apply) all.push_back(each.label());
    return all;
}

TEST(MigrationPlan, AppliesWhatIsMissingInOrder) {
    std::vector<migration> const known{file(1, "one", "a"), file(2, "two", "b"), file(3, "three", "c")};

    auto const plan = plan_migrations(known, {done_already(known[0])});

    EXPECT_EQ(labels(plan), (std::vector<std::string>{"0002_two", "0003_three"}));
    EXPECT_TRUE(plan.faults.empty());
    EXPECT_TRUE(plan_migrations(known, {done_already(known[0]), done_already(known[1]), done_already(known[2])}).to_apply.empty());
}

TEST(MigrationPlan, RefusesAnAppliedFileThatChanged) {
    auto const before = file(1, "one", "a");
    std::vector<migration> const known{file(1, "one", "a2"), file(2, "two", "b")};

    auto const plan = plan_migrations(known, {done_already(before)});

    EXPECT_TRUE(plan.to_apply.empty());
    ASSERT_EQ(plan.faults.size(), 1U);
    EXPECT_NE(plan.faults[0].find("0001_one was applied and has changed"), std::string::npos);
}

TEST(MigrationPlan, RefusesToGoBackOrBetween) {
    auto const one = file(1, "one", "a");
    auto const two = file(2, "two", "b");
    auto const three = file(3, "three", "c");

    EXPECT_EQ(plan_migrations({one}, {done_already(one), done_already(two)}).faults.size(), 1U) << "the database is newer";
    EXPECT_EQ(plan_migrations({one, two, three}, {done_already(one), done_already(three)}).faults.size(), 1U) << "a number in between";
}

TEST(EmbeddedMigrations, AreNumberedWithoutGapsFromOne) {
    auto const all = embedded_migrations();

    ASSERT_GE(all.size(), 3U);
    for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].version, static_cast<int>(i) + 1);
    EXPECT_EQ(all[0].label(), "0001_foundation");
    EXPECT_NE(all[0].sql.find("CREATE TABLE google_integrations"), std::string::npos);
}

TEST(Commands, HelpNamesEveryCommandAndSetting) {
    auto const asked = run({"--help"});

    EXPECT_EQ(asked.code, done);
    for (auto const* word : {"migrate [--plan]", "topics apply", "keys new", "CALBRIDGE_DATABASE_URL", "CALBRIDGE_DATABASE_PASSWORD",
                             "CALBRIDGE_KAFKA_BROKERS"}) {
        EXPECT_NE(asked.out.find(word), std::string::npos) << word;
    }
    EXPECT_EQ(run({"migrate", "--help"}).code, done);
}

TEST(Commands, WrongUsageIsToldAndNothingIsDone) {
    for (std::vector<std::string> const& arguments : std::vector<std::vector<std::string>>{{},
                                                                                           {"nonsense"},
                                                                                           {"migrate", "--force"},
                                                                                           {"topics"},
                                                                                           {"topics", "drop"},
                                                                                           {"keys"},
                                                                                           {"keys", "new", "UPPER"},
                                                                                           {"keys", "new", "a", "b"}}) {
        auto const refused = run(arguments);
        EXPECT_EQ(refused.code, wrong_usage);
        EXPECT_NE(refused.err.find("--help"), std::string::npos);
        EXPECT_EQ(refused.out, "");
    }
}

TEST(Commands, MissingSettingsAreNamed) {
    auto const database = run({"migrate"});
    auto const kafka = run({"topics", "apply"}, {{"CALBRIDGE_KAFKA_REPLICATION", "many"}});

    EXPECT_EQ(database.code, wrong_usage);
    EXPECT_NE(database.err.find("CALBRIDGE_DATABASE_URL"), std::string::npos);
    EXPECT_EQ(kafka.code, wrong_usage);
    EXPECT_NE(kafka.err.find("CALBRIDGE_KAFKA_BROKERS"), std::string::npos);
    EXPECT_NE(kafka.err.find("CALBRIDGE_KAFKA_REPLICATION"), std::string::npos);
}

TEST(Commands, ADatabaseThatIsNotThereIsAFailureThatSaysSo) {
    auto const gone =
        run({"migrate"}, {{"CALBRIDGE_DATABASE_URL", "host=127.0.0.1 port=1 user=nobody dbname=nothing"}, {"CALBRIDGE_PORT", "8080"}});
    auto const wrong = run({"migrate"}, {{"CALBRIDGE_DATABASE_URL", "host=127.0.0.1 nonsense"}});

    EXPECT_EQ(gone.code, failed);
    EXPECT_NE(gone.err.find("CALBRIDGE_DATABASE_URL"), std::string::npos);
    EXPECT_EQ(wrong.code, wrong_usage);
}

TEST(Commands, AFreshKeyIsAKeyRing) {
    auto const first = run({"keys", "new", "k7"});
    auto const second = run({"keys", "new"});

    ASSERT_EQ(first.code, done);
    auto const ring = crypto::key_ring::parse(secret(first.out.substr(0, first.out.size() - 1)));
    ASSERT_TRUE(ring);
    EXPECT_EQ(ring->primary_id(), "k7");
    EXPECT_NE(first.out.substr(3), second.out.substr(3));
}

}  // namespace
}  // namespace calbridge::ctl
