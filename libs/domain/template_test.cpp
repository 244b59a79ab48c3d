#include "domain/template.h"

#include "domain/render.h"

#include <gtest/gtest.h>

#include <string>

namespace calbridge::domain {
namespace {

task_changed task() {
    task_changed out;
    out.title = "Roof survey";
    out.description = "Bring the ladder.\nAnd a rope.";
    out.customer = "ACME";
    out.contact = "Jo";
    out.location = "Main street 1";
    return out;
}

TEST(RenderText, FillsLinesAndKeepsTheValuesLines) {
    EXPECT_EQ(render_text("{description}\n\nCustomer: {customer} / {contact}\nAt {location}", task()),
              "Bring the ladder.\nAnd a rope.\n\nCustomer: ACME / Jo\nAt Main street 1");
    EXPECT_EQ(render_text("{{title}} is {title}, {unknown}", task()), "{title} is Roof survey, {unknown}");
    EXPECT_EQ(render_text("", task()), "");
}

TEST(RenderText, ALineWithoutValuesGoesAndBlankLinesThatMeetAreOne) {
    auto some = task();
    some.contact.clear();
    some.description.clear();

    EXPECT_EQ(render_text("{title}\n\nContact: {contact}\n\nAt {location}", some), "Roof survey\n\nAt Main street 1");
    EXPECT_EQ(render_text("{description}\n\nCustomer: {customer}", some), "Customer: ACME");
    EXPECT_EQ(render_text("{customer} / {contact}\n\n\nDear {customer}\r\nend", some), "ACME\n\n\nDear ACME\nend");
    EXPECT_EQ(render_text("{deal}\n{notes}\n\n{video_link}", some), "");
    EXPECT_EQ(render_text("a\n\n{deal}\n\n{notes}\n\nb", some), "a\n\nb");
}

TEST(Unrender, GivesTheMiddleBack) {
    std::string const pattern = "{customer}: {title} ({contact})";

    EXPECT_EQ(unrender(pattern, "title", task(), render_title(pattern, task())), "Roof survey");
    EXPECT_EQ(unrender(pattern, "title", task(), "ACME: Roof and cellar (Jo)"), "Roof and cellar");
    EXPECT_EQ(unrender(pattern, "title", task(), "ACME: (Jo) (Jo)"), "(Jo)");
    EXPECT_EQ(unrender("{title}", "title", task(), "anything"), "anything");
    auto alone = task();
    alone.contact.clear();
    EXPECT_EQ(unrender(pattern, "title", alone, "ACME: Roof and cellar"), "Roof and cellar");
}

TEST(Unrender, IsSilentWhereTheFrameIsGone) {
    std::string const pattern = "{customer}: {title} ({contact})";

    for (auto const* const said : {"Roof survey", "ACME: Roof survey", "ACME: (Jo)", "ACME:  (Jo)", "Acme: Roof survey (Jo)", ""})
        EXPECT_FALSE(unrender(pattern, "title", task(), said)) << said;
    EXPECT_FALSE(unrender("{title} {title}", "title", task(), "a a"));
    EXPECT_FALSE(unrender("{customer}", "title", task(), "ACME"));
    EXPECT_FALSE(unrender("{{title}}", "title", task(), "{title}"));
    EXPECT_FALSE(unrender("{customer}", "customer", task(), "ACME"));
}

TEST(Unrender, GivesDescriptionsBackAlsoEmptiedOnes) {
    std::string const pattern = "For {customer}\n\n{description}\n\nAt {location}";

    EXPECT_EQ(unrender(pattern, "description", task(), render_text(pattern, task())), task().description);
    EXPECT_EQ(unrender(pattern, "description", task(), "For ACME\n\nnew<br>words\n\nAt Main street 1 "), "new\nwords");
    EXPECT_EQ(unrender(pattern, "description", task(), "For ACME\n\nAt Main street 1"), "");
    EXPECT_FALSE(unrender(pattern, "description", task(), "new words"));
    EXPECT_EQ(unrender("{description}", "description", task(), ""), "");
}

TEST(Tick, IsPutAndTakenOnce) {
    EXPECT_EQ(with_tick("Call"), "✓ Call");
    EXPECT_EQ(with_tick("✓ Call"), "✓ Call");
    EXPECT_EQ(with_tick(""), "✓");
    EXPECT_EQ(with_tick("✓"), "✓");
    EXPECT_EQ(without_tick("✓ Call"), "Call");
    EXPECT_EQ(without_tick("✓ ✓ Call"), "Call");
    EXPECT_EQ(without_tick("✓"), "");
    EXPECT_EQ(without_tick("✓✓"), "✓✓");
    EXPECT_EQ(without_tick("Call ✓"), "Call ✓");
}

}  // namespace
}  // namespace calbridge::domain
