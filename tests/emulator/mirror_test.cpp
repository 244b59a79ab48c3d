// Whoever follows the sync tokens holds what a full listing holds, whatever people and clients do to series.
#include "common/base/encoding.h"
#include "tests/emulator/fixture.h"

#include <random>

namespace calbridge::emulator {
namespace {

class Mirror : public emulator_test, public ::testing::WithParamInterface<std::uint64_t> {
protected:
    struct copy {
        std::string calendar, as, token;
        std::map<std::string, std::string> live;  // id to etag
    };

    void play(std::uint64_t seed) {
        random.seed(seed);
        control("calendars", R"({"owner":"anna@example.com","id":"team@group.calendar.google.com","summary":"Team"})");
        for (auto const& [calendar, as] : {std::pair<std::string, std::string>{"primary", "anna@example.com"},
                                           {"primary", "bob@example.com"},
                                           {"team%40group.calendar.google.com", "anna@example.com"}})
            copies.push_back({calendar, as, {}, {}});
        for (int step = 0; step < 400; ++step) {
            act();
            if (roll(3) == 0) follow(copies[roll(copies.size())]);
            if (step % 50 != 49) continue;
            for (auto& c : copies) {
                follow(c);
                ASSERT_EQ(c.live, listed(c)) << "seed " << seed << ", step " << step << ", " << c.as << " " << c.calendar;
            }
        }
        EXPECT_EQ(violation_text(), "");
    }

private:
    std::size_t roll(std::size_t below) { return random() % below; }

    void act() {
        auto const id = "e" + std::to_string(1000 + roll(6));
        auto const calendar = copies[2 * roll(2)].calendar;
        auto const at = "calendars/" + calendar + "/events/" + (roll(2) == 0 ? id : instance(id));
        static std::vector<std::string> const changes{
            R"({"summary":"A"})",
            R"({"location":"B"})",
            R"({"recurrence":["RRULE:FREQ=DAILY;COUNT=6"]})",
            R"({"recurrence":["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=6"]})",
            R"({"recurrence":null})",
            R"({"attendees":[{"email":"bob@example.com"}]})",
            R"({"attendees":[]})",
            R"({"status":"cancelled"})",
            R"({"status":"confirmed"})",
            R"({"visibility":"private"})",
            R"({"start":{"dateTime":"2026-11-26T10:00:00+01:00"},"end":{"dateTime":"2026-11-26T11:30:00+01:00"}})"};
        switch (roll(9)) {
        case 0:
        case 1:
            api("POST", "calendars/" + calendar + "/events",
                event(R"("id":")" + id + R"(","recurrence":["RRULE:FREQ=DAILY;COUNT=8"],"attendees":[)" +
                      (roll(2) == 0 ? R"({"email":"bob@example.com"})" : "") + "]"));
            break;
        case 2:
        case 3: api("PATCH", at, changes[roll(changes.size())]); break;
        case 4: api("DELETE", at); break;
        case 5:
            bob("PATCH", "calendars/primary/events/" + (roll(2) == 0 ? id : instance(id)),
                R"({"attendeesOmitted":true,"attendees":[{"email":"bob@example.com","responseStatus":"accepted"}]})");
            break;
        case 6: bob("DELETE", "calendars/primary/events/" + (roll(4) == 0 ? id : instance(id))); break;
        case 7: {
            person_edit edit{.calendar = "anna@example.com",
                             .event = instance(id),
                             .over = static_cast<person_edit::scope>(roll(3)),
                             .change = bj::parse(changes[roll(2) == 0 ? 0 : changes.size() - 1]).as_object(),
                             .remove = roll(4) == 0,
                             .new_id = roll(2) == 0};
            w.person(edit);
            break;
        }
        default: {
            bool const here = calendar == "primary";
            api("POST", "calendars/" + calendar + "/events/" + id + "/move?destination=" + (here ? copies[2].calendar : "primary"));
        }
        }
    }
    std::string instance(std::string const& id) { return id + "_202611" + std::to_string(25 + roll(6)) + "T090000Z"; }

    static void take(std::map<std::string, std::string>& live, bj::object const& item) {
        std::string const id(text_at(item, "id"));
        if (text_at(item, "status") != "cancelled") {
            live[id] = text_at(item, "etag");
            return;
        }
        live.erase(id);
        // What belonged to a series goes with it.
        if (!item.contains("recurringEventId")) std::erase_if(live, [&](auto const& e) { return e.first.starts_with(id + "_2026"); });
    }
    void follow(copy& c) {
        std::string page;
        do {
            auto const got =
                api("GET",
                    "calendars/" + c.calendar + "/events?maxResults=3" + (c.token.empty() ? "" : "&syncToken=" + percent_encode(c.token)) +
                        (page.empty() ? "" : "&pageToken=" + percent_encode(page)),
                    {}, {}, c.as);
            ASSERT_EQ(got.status, 200) << got.whole.body;
            for (auto const& item : got.items()) take(c.live, item.as_object());
            page = got.text("nextPageToken");
            if (page.empty()) c.token = got.text("nextSyncToken");
        } while (!page.empty());
    }
    std::map<std::string, std::string> listed(copy const& c) {
        std::map<std::string, std::string> out;
        for (auto const& item : api("GET", "calendars/" + c.calendar + "/events?maxResults=2500", {}, {}, c.as).items())
            take(out, item.as_object());
        return out;
    }

    std::mt19937_64 random;
    std::vector<copy> copies;
};

TEST_P(Mirror, OfThreeCalendarsStaysRightThroughRandomHistories) { play(GetParam()); }
INSTANTIATE_TEST_SUITE_P(Seeds, Mirror, ::testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace calbridge::emulator
