#include "common/observe/log.h"

#include "common/base/secret.h"
#include "common/observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>
#include <limits>
#include <optional>
#include <regex>
#include <thread>
#include <type_traits>
#include <unistd.h>

namespace calbridge::log {
namespace {

using ::testing::HasSubstr;

// Secrets never reach the formatter: it does not compile.
static_assert(!std::is_constructible_v<field, std::string_view, secret>);
static_assert(!std::is_constructible_v<field, std::string_view, secret const&>);
static_assert(!std::is_constructible_v<field, char const*, secret&&>);
static_assert(!std::is_constructible_v<field, std::string_view, std::optional<secret>>);
static_assert(!std::is_convertible_v<secret, std::string_view>);
static_assert(std::is_constructible_v<field, std::string_view, tenant_id>);

class Log : public ::testing::Test {
protected:
    Log() {
        start("log-test", level::info);
        capture(&lines_);
    }
    ~Log() override { capture(nullptr); }

    std::string only_line() const {
        EXPECT_EQ(lines_.size(), 1U);
        return lines_.empty() ? std::string() : lines_[0];
    }
    std::vector<std::string> lines_;
};

TEST_F(Log, ALineIsOneJsonObjectWithTheFixedFieldsFirst) {
    info("push.accepted", {{"tenant", tenant_id("t-1")}, {"attempt", 3}});

    EXPECT_TRUE(
        std::regex_match(only_line(), std::regex(R"(\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","service":"log-test",)"
                                                 R"("version":"[^"]+","event":"push\.accepted","tenant":"t-1","attempt":3\})")))
        << only_line();
}

TEST_F(Log, EveryKindOfField) {
    using std::chrono::microseconds;
    info("e", {{"i", std::int64_t{-5}},
               {"u", std::numeric_limits<std::uint64_t>::max()},
               {"size", sizeof(int)},
               {"b", true},
               {"d", 1.5},
               {"nan", std::numeric_limits<double>::quiet_NaN()},
               {"inf", std::numeric_limits<double>::infinity()},
               {"took", microseconds(1234)},
               {"waited", std::chrono::seconds(2)},
               {"s", std::string("x")},
               {"id", channel_id{}}});

    EXPECT_THAT(only_line(), HasSubstr(R"("i":-5,"u":18446744073709551615,"size":4,"b":true,"d":1.5,"nan":null,"inf":null,"took_ms":1.234,)"
                                       R"("waited_ms":2000,"s":"x","id":"00000000-0000-0000-0000-000000000000"})"));
}

TEST_F(Log, TextIsEscaped) {
    info("e", {{"v", "q\" b\\ t\t é 😀"}, {"na\"me", "x"}});

    EXPECT_THAT(only_line(), HasSubstr(R"("v":"q\" b\\ t\t é 😀","na\"me":"x"})"));
}

TEST_F(Log, LineBreaksAndTerminalControlsCannotBeInjected) {
    info("e", {{"v",
                "a\r\n{\"level\":\"error\"}\x1b[2J\x7f\xc2\x9b"
                "31m\xe2\x80\xa8\xe2\x80\xa9"},
               {"nul", std::string_view("a\0b", 3)}});

    std::string const line = only_line();
    EXPECT_THAT(line, HasSubstr(R"("v":"a\r\n{\"level\":\"error\"}\u001b[2J\u007f\u009b31m\u2028\u2029","nul":"a\u0000b"})"));
    for (char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST_F(Log, InvalidUtf8BecomesTheReplacementCharacter) {
    info("e", {{"v",
                "a\xff"
                "b\xc0\xaf"
                "c\xed\xa0\x80"
                "d\xe2\x82"}});

    EXPECT_THAT(only_line(), HasSubstr(R"("v":"a\ufffdb\ufffd\ufffdc\ufffd\ufffd\ufffdd\ufffd\ufffd"})"));
}

TEST_F(Log, LongTextIsCut) {
    info("e", {{"v", std::string(100000, 'x')}});

    EXPECT_LT(only_line().size(), 5000U);
    EXPECT_THAT(only_line(), HasSubstr("xxx…\"}"));
}

TEST_F(Log, AFieldCannotPoseAsOneOfTheFixedOnes) {
    info("e", {{"level", "error"}, {"event", "other"}});

    EXPECT_THAT(only_line(), HasSubstr(R"("event":"e","field_level":"error","field_event":"other"})"));
}

TEST_F(Log, LevelsBelowTheLeastAreNotWritten) {
    start("log-test", level::warn);
    debug("a");
    info("b");
    warn("c");
    error("d");

    ASSERT_EQ(lines_.size(), 2U);
    EXPECT_THAT(lines_[0], HasSubstr(R"("level":"warn")"));
    EXPECT_THAT(lines_[1], HasSubstr(R"("level":"error")"));
}

TEST_F(Log, AnErrorBecomesTwoFields) {
    error("pass.failed", with({{"attempt", 1}}, fail(errc::rate_limited, "list events of calendar 7")));

    EXPECT_THAT(only_line(), HasSubstr(R"("attempt":1,"err":"rate_limited","err_context":"list events of calendar 7"})"));
}

// Standard output replaced by a pipe for the life of the object.
class redirected {
public:
    redirected() : saved_(::dup(STDOUT_FILENO)) {
        EXPECT_EQ(::pipe(ends_), 0);
        ::dup2(ends_[1], STDOUT_FILENO);
        ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    }
    ~redirected() {
        restore();
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    void restore() {
        if (saved_ < 0) return;
        ::dup2(saved_, STDOUT_FILENO);
        ::close(saved_);
        saved_ = -1;
    }
    int write_end() const { return ends_[1]; }
    std::string drain() const {
        std::string all;
        char buffer[65536];
        for (ssize_t got = 0; (got = ::read(ends_[0], buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<std::size_t>(got));
        return all;
    }

private:
    int saved_;
    int ends_[2]{-1, -1};
};

TEST(LogOutput, LinesOfManyThreadsDoNotMix) {
    start("log-test", level::info);
    redirected out;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([t] {
                for (int i = 0; i < 50; ++i) info("e", {{"thread", t}, {"pad", std::string(100, 'x')}});
            });
        }
    }
    std::string const all = out.drain();
    out.restore();

    std::regex const whole(
        R"(\{"ts":"[^"]+","level":"info","service":"log-test","version":"[^"]+","event":"e","thread":\d,"pad":"x{100}"\})");
    std::size_t count = 0;
    for (std::size_t at = 0; at < all.size(); ++count) {
        auto const end = all.find('\n', at);
        ASSERT_NE(end, std::string::npos);
        EXPECT_TRUE(std::regex_match(all.substr(at, end - at), whole));
        at = end + 1;
    }
    EXPECT_EQ(count, 200U);
}

TEST(LogOutput, AReaderThatStallsCostsALineNotTheProcess) {
    start("log-test", level::info);
    redirected out;
    ::fcntl(out.write_end(), F_SETFL, O_NONBLOCK);
    ::fcntl(out.write_end(), F_SETPIPE_SZ, 4096);

    for (int i = 0; i < 5; ++i) info("e", {{"pad", std::string(3000, 'x')}, {"more", std::string(3000, 'y')}});
    std::string const first = out.drain();
    info("after");
    std::string const then = out.drain();
    out.restore();

    EXPECT_LE(first.size(), 4096U);
    EXPECT_THAT(then, ::testing::StartsWith("\n{\"ts\":")) << "a line that was cut short does not swallow the next one";
    EXPECT_THAT(then, ::testing::EndsWith("\"event\":\"after\"}\n"));
    EXPECT_GE(metrics::get_counter("calbridge_log_lines_dropped_total", "").value(), 4);
}

}  // namespace
}  // namespace calbridge::log
