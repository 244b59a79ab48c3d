#include "common/runtime/peers.h"

#include <gtest/gtest.h>

namespace calbridge::runtime {
namespace {

std::string fault_of(std::string properties) {
    kafka_settings kafka;
    config::table t("test");
    declare_kafka(t, kafka);
    auto const loaded = config::load(t, {{"CALBRIDGE_KAFKA_BROKERS", "b:1"}, {"CALBRIDGE_KAFKA_PROPERTIES", std::move(properties)}});
    return loaded ? "" : loaded.error().context;
}

TEST(KafkaSettings, APropertyWithoutANameOrAnEqualsSignStopsTheStartAndIsNotRepeated) {
    EXPECT_EQ(fault_of("security.protocol=ssl,sasl.password=a=b"), "");
    EXPECT_EQ(fault_of(""), "");
    for (auto const* bad : {"security.protocol=ssl,hunter2", "a=b,=hunter2"}) {
        std::string const fault = fault_of(bad);
        EXPECT_NE(fault.find("CALBRIDGE_KAFKA_PROPERTIES"), std::string::npos) << bad;
        EXPECT_NE(fault.find("entry 2 is not name=value"), std::string::npos) << fault;
        EXPECT_EQ(fault.find("hunter2"), std::string::npos);
    }
}

TEST(DatabaseSettings, ConnectionsAreASettingOnlyWhereAskedFor) {
    database_settings with, without;
    config::table one("one"), other("other");
    declare_database(one, with, 6);
    declare_database(other, without);

    EXPECT_TRUE(config::load(one, {{"CALBRIDGE_DATABASE_URL", "host=x"}}));
    EXPECT_EQ(with.connections, 6);
    EXPECT_EQ(with.url, "host=x");
    EXPECT_FALSE(config::load(other, {{"CALBRIDGE_DATABASE_URL", "host=x"}, {"CALBRIDGE_DATABASE_CONNECTIONS", "3"}}));
}

}  // namespace
}  // namespace calbridge::runtime
