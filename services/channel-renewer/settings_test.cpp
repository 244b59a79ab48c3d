#include "settings.h"

#include <gtest/gtest.h>

namespace calbridge::renewer {
namespace {

config::environment good() {
    std::string const key = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    return {{"CALBRIDGE_INSTANCE_ID", "renewer-0"}, {"CALBRIDGE_DATABASE_URL", "host=x"},
            {"CALBRIDGE_KAFKA_BROKERS", "x:9092"},  {"CALBRIDGE_KEY_RING", key},
            {"CALBRIDGE_CHANNEL_KEYS", key},        {"CALBRIDGE_WEBHOOK_ADDRESS", "https://hooks.example.com/push"}};
}
std::string fault(config::environment const& env) {
    settings s;
    auto const table = s.declare();
    auto const loaded = config::load(table, env);
    return loaded ? "" : loaded.error().context;
}

TEST(RenewerSettings, DefaultsAreADaysMarginOfASevenDayLife) {
    settings s;
    auto const table = s.declare();

    ASSERT_TRUE(config::load(table, good()));
    EXPECT_EQ(s.channel_life, std::chrono::hours(168));
    EXPECT_EQ(s.channel_renew_before, std::chrono::hours(24));
    EXPECT_LE(s.channels_every, std::chrono::seconds(1));
}

TEST(RenewerSettings, EveryFaultIsNamedAtOnce) {
    auto env = good();
    env.erase("CALBRIDGE_DATABASE_URL");
    env["CALBRIDGE_KEY_RING"] = "nonsense";
    env["CALBRIDGE_WEBHOOK_ADDRESS"] = "http://plain.example.com";
    env["CALBRIDGE_CHANNEL_LIFE"] = "60s";
    env["CALBRIDGE_CHANNEL_CLAIM"] = "2s";

    std::string const said = fault(env);

    for (auto const* name : {"CALBRIDGE_DATABASE_URL", "CALBRIDGE_KEY_RING", "CALBRIDGE_WEBHOOK_ADDRESS", "CALBRIDGE_CHANNEL_RENEW_BEFORE",
                             "CALBRIDGE_CHANNEL_CLAIM"}) {
        EXPECT_NE(said.find(name), std::string::npos) << name << " is not named in:\n" << said;
    }
}

TEST(RenewerSettings, WithoutAWebhookAddressThereAreNoChannels) {
    auto env = good();
    env.erase("CALBRIDGE_WEBHOOK_ADDRESS");

    EXPECT_EQ(fault(env), "");
}

}  // namespace
}  // namespace calbridge::renewer
