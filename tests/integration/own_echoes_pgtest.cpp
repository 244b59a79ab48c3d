// Listings that only our own writes can be the reason for are put together; what somebody else may have done is read at once.

#include "tests/integration/worker_stack.h"

#include <gtest/gtest.h>

namespace calbridge::integration {
namespace {

class echoes_stack : public worker_stack {
protected:
    echoes_stack() {
        work();
        memory.echoes = worker::own_echoes(std::chrono::minutes(5));
        for (int i = 0; i < 3; ++i)
            crm_says({{"taskId", "T-" + std::to_string(i)}, {"version", 1}, {"title", "Task " + std::to_string(i)}});
        one_turn();
        EXPECT_EQ(calls("events.insert"), 3);
        listed = calls("events.list");
    }

    std::int64_t listed{0};
};

TEST_F(echoes_stack, PushesAboutOwnWritesWaitForEachOther) {
    for (int i = 0; i < 3; ++i) {
        hint();
        one_turn();
    }

    EXPECT_EQ(calls("events.list"), listed) << "three writes, three pushes";
    EXPECT_EQ(sql("SELECT dirty_seq - synced_seq FROM calendars"), "3") << "nothing is forgotten";
}

TEST_F(echoes_stack, APushMoreThanWritesIsReadAtOnceAndSettlesAll) {
    for (int i = 0; i < 4; ++i) hint();

    one_turn();

    EXPECT_EQ(calls("events.list"), listed + 1);
    EXPECT_EQ(sql("SELECT dirty_seq - synced_seq FROM calendars"), "0");
}

TEST_F(echoes_stack, WhatWasAnnouncedBeforeAWriteIsNotTakenForItsEcho) {
    for (int i = 0; i < 4; ++i) hint();
    one_turn();
    listed = calls("events.list");

    hint();
    crm_says({{"taskId", "T-9"}, {"version", 1}, {"title", "Later"}});
    one_turn();

    EXPECT_EQ(calls("events.insert"), 4);
    EXPECT_EQ(calls("events.list"), listed + 1);
}

}  // namespace
}  // namespace calbridge::integration
