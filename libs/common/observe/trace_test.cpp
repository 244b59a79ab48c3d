#include "common/observe/trace.h"

#include <gtest/gtest.h>

#include <set>

namespace calbridge::observe {
namespace {

constexpr std::string_view example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, TheSpecificationsExampleRoundTrips) {
    auto const context = parse_traceparent(example);

    ASSERT_TRUE(context.has_value());
    EXPECT_EQ(context->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    EXPECT_EQ(context->parent_id, "00f067aa0ba902b7");
    EXPECT_TRUE(context->sampled);
    EXPECT_EQ(to_traceparent(*context), example);
}

TEST(Traceparent, OnlyTheLowestFlagMeansSampled) {
    auto const with_flags = [](std::string const& flags) { return parse_traceparent(std::string(example.substr(0, 53)) + flags); };

    EXPECT_FALSE(with_flags("00")->sampled);
    EXPECT_FALSE(with_flags("fe")->sampled);
    EXPECT_TRUE(with_flags("ff")->sampled);
    EXPECT_TRUE(with_flags("03")->sampled);
    EXPECT_EQ(to_traceparent(*with_flags("fe")).substr(53), "00");
}

TEST(Traceparent, LaterVersionsMayAppendFields) {
    EXPECT_TRUE(parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-brings").has_value());
    EXPECT_TRUE(parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").has_value());
    EXPECT_FALSE(parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.x").has_value());
}

TEST(Traceparent, Refused) {
    for (char const* text :
         {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
          "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x", "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
          "00-4bf92f3577b34da6a3ce929d0e0e473\n-00f067aa0ba902b7-01"}) {
        EXPECT_FALSE(parse_traceparent(text).has_value()) << text;
    }
    for (std::size_t size = 0; size < example.size(); ++size) EXPECT_FALSE(parse_traceparent(example.substr(0, size)).has_value()) << size;
}

TEST(Trace, NewTracesAreValidAndDistinct) {
    std::set<std::string> traces;
    for (int i = 0; i < 1000; ++i) {
        trace_context const context = new_trace();
        EXPECT_TRUE(parse_traceparent(to_traceparent(context)).has_value());
        traces.insert(context.trace_id);
    }
    EXPECT_EQ(traces.size(), 1000U);
}

TEST(Trace, AChildKeepsTheTraceAndTheSampling) {
    trace_context const parent{.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736", .parent_id = "00f067aa0ba902b7", .sampled = false};

    trace_context const child = child_of(parent);

    EXPECT_EQ(child.trace_id, parent.trace_id);
    EXPECT_NE(child.parent_id, parent.parent_id);
    EXPECT_FALSE(child.sampled);
}

}  // namespace
}  // namespace calbridge::observe
