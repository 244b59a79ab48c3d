#include "wire/requests.h"

#include <boost/json/parse.hpp>

#include <gtest/gtest.h>

namespace calbridge::wire {
namespace {

constexpr std::string_view id = "0197c0de-0000-7000-8000-000000000001";

std::string with(std::string_view text) {
    std::string out(text);
    for (auto at = out.find('@'); at != std::string::npos; at = out.find('@')) out.replace(at, 1, id);
    return out;
}

TEST(Requests, EachKindIsReadWithWhatItNeeds) {
    auto const undo = read_request(with(R"({"kind":"undo","operation":"@"})"));
    auto const bulk = read_request(with(R"({"kind":"bulk_sync","connection":"@","dryRun":true})"));
    auto const confirmed = read_request(with(R"({"kind":"deletions","calendar":"@","decision":"confirm"})"));
    auto const full = read_request(with(R"({"kind":"full_resync","calendar":"@"})"));
    auto const retry = read_request(R"({"kind":"retry","task":"T-1","occurrence":"20261125T090000Z"})");
    auto const item = read_request(with(R"({"kind":"drop_quarantine","item":"@"})"));

    ASSERT_TRUE(undo && bulk && confirmed && full && retry && item);
    EXPECT_EQ(undo->operation->str(), id);
    EXPECT_TRUE(bulk->dry_run);
    EXPECT_TRUE(confirmed->confirm);
    EXPECT_EQ(full->calendar->str(), id);
    EXPECT_EQ(retry->occurrence, "20261125T090000Z");
    EXPECT_EQ(item->item->str(), id);
}

TEST(Requests, AChoiceSurvivesItsStoredForm) {
    auto const asked = read_request(
        R"({"kind":"resolve_conflict","task":"T-1","version":"v","choices":{"title":"crm","location":"google","description":{"value":"Both"},)"
        R"("time":{"value":{"start":"2026-11-25T10:00:00","end":"2026-11-25T11:00:00","timeZone":"Europe/Zurich"}},)"
        R"("recurrence":{"value":["RRULE:FREQ=DAILY"]}}})");
    ASSERT_TRUE(asked) << asked.error().context;

    auto const again = load_choice(boost::json::parse(store_choice(asked->choice)).as_object());

    ASSERT_TRUE(again);
    EXPECT_EQ(again->version, "v");
    ASSERT_EQ(again->fields.size(), 5u);
    EXPECT_EQ(again->fields.at(domain::field::title).from, domain::field_choice::source::crm);
    EXPECT_EQ(again->fields.at(domain::field::location).from, domain::field_choice::source::google);
    EXPECT_EQ(again->fields.at(domain::field::description).text, "Both");
    EXPECT_EQ(again->fields.at(domain::field::time).time_zone, "Europe/Zurich");
    EXPECT_EQ(again->fields.at(domain::field::recurrence).lines, std::vector<std::string>{"RRULE:FREQ=DAILY"});
}

TEST(Requests, WhatIsMissingOrOddIsNamed) {
    char const* const bad[] = {"[]",
                               "{",
                               R"({"kind":"destroy"})",
                               R"({"kind":"undo"})",
                               R"({"kind":"undo","operation":"x"})",
                               R"({"kind":"retry","task":"a b"})",
                               R"({"kind":"resolve_conflict","task":"T","version":"v"})",
                               R"({"kind":"resolve_conflict","task":"T","choices":{"title":"crm"}})",
                               R"({"kind":"resolve_conflict","task":"T","version":"v","choices":{"title":"mine"}})",
                               R"({"kind":"resolve_conflict","task":"T","version":"v","choices":{"guests":{"value":"x"}}})",
                               R"({"kind":"resolve_conflict","task":"T","version":"v","choices":{"nothing":"crm"}})",
                               R"({"kind":"resolve_conflict","task":"T","version":"v","choice":"shrug"})",
                               R"({"kind":"resolve_conflict","task":"T","version":"v","choice":"put_back","choices":{"title":"crm"}})",
                               R"({"kind":"deletions","calendar":"0197c0de-0000-7000-8000-000000000001","decision":"perhaps"})"};

    for (char const* body : bad) {
        auto const read = read_request(body);
        ASSERT_FALSE(read) << body;
        EXPECT_EQ(read.error().code, errc::malformed) << body;
        EXPECT_FALSE(read.error().context.empty()) << body;
    }
}

TEST(Requests, AConflictsVersionFollowsWhatWouldBeDecided) {
    std::vector<domain::field_conflict> const open{{domain::field::title, {}, "base", "crm", "google"}};
    auto const version = domain::conflict_version("T-1", "", open);
    auto changed = open;
    changed[0].google = "google 2";

    EXPECT_EQ(domain::conflict_version("T-1", "", open), version);
    EXPECT_NE(domain::conflict_version("T-1", "", changed), version);
    EXPECT_NE(domain::conflict_version("T-2", "", open), version);
    EXPECT_NE(domain::conflict_version("T-1", "edited_and_deleted", open), version);
    EXPECT_NE(domain::conflict_version("T-1", "", {}), version);
}

}  // namespace
}  // namespace calbridge::wire
