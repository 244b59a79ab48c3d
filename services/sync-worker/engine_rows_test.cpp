#include "engine_rows.h"

#include <gtest/gtest.h>

namespace calbridge::worker {
namespace {

TEST(DescribeChanges, NamesOnlyWhatACrmCanTakeOver) {
    domain::field_set all;
    for (domain::field f : domain::all_fields) all.add(f);
    domain::task_update update;

    describe_changes(update, all, domain::fields{});

    EXPECT_EQ(update.changed, (std::vector<std::string>{"title", "description", "location", "time", "guests", "recurrence"}));
}

}  // namespace
}  // namespace calbridge::worker
