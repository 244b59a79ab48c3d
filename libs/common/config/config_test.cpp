#include "common/config/config.h"
#include "common/config/values.h"
#include "common/testing/testing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <unistd.h>

namespace calbridge::config {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct sample {
    std::string name, broker;
    secret password, optional_key;
    std::int64_t port{};
    bool verbose{};
    milliseconds patience{};
    std::string base, callback;
    std::vector<std::string> hosts;

    table declare() {
        table t("sample-service");
        t.text({"CALBRIDGE_NAME", "What this instance calls itself."}, name, "calbridge", 16)
            .required_text({"CALBRIDGE_KAFKA", "Kafka bootstrap servers, host:port|host:port."}, broker)
            .required_secret({"CALBRIDGE_DATABASE", "libpq connection string."}, password)
            .optional_secret({"GOOGLE_CLIENT_SECRET", "OAuth client secret."}, optional_key)
            .integer({"CALBRIDGE_PORT", "Public port."}, port, 8080, 1, 65535)
            .boolean({"CALBRIDGE_VERBOSE", "Log more."}, verbose, false)
            .duration({"CALBRIDGE_PATIENCE", "How long to wait."}, patience, milliseconds(90000), milliseconds(250), std::chrono::hours(48))
            .url({"CALBRIDGE_BASE_URL", "Where Google is."}, base, "https://www.googleapis.com")
            .required_url({"CALBRIDGE_CALLBACK_URL", "Where Google pushes to."}, callback)
            .list({"CALBRIDGE_HOSTS", "Host names answered."}, hosts, "localhost, 127.0.0.1");
        return t;
    }
};

environment complete() {
    return {{"CALBRIDGE_KAFKA", "127.0.0.1:9092"},
            {"CALBRIDGE_DATABASE", "host=db password=hunter2"},
            {"CALBRIDGE_CALLBACK_URL", "https://example.org/push/"}};
}

std::string faults_of(environment const& env, std::vector<std::string> const& also_known = {}) {
    sample s;
    table const t = s.declare();
    auto const loaded = load(t, env, also_known);
    if (!loaded) EXPECT_EQ(loaded.error().code, errc::malformed);
    return loaded ? std::string() : loaded.error().context;
}

std::string fault_of(std::string const& name, std::string const& value) {
    environment env = complete();
    env[name] = value;
    return faults_of(env);
}

class secret_file {
public:
    explicit secret_file(std::string const& content) {
        int const fd = ::mkstemp(path_.data());
        EXPECT_GE(fd, 0);
        ::close(fd);
        std::ofstream(path_, std::ios::binary) << content;
    }
    ~secret_file() { ::unlink(path_.c_str()); }
    std::string const& path() const { return path_; }

private:
    std::string path_{"calbridge_config_test.XXXXXX"};
};

TEST(ConfigLoad, DefaultsFillWhatIsNotGiven) {
    sample s;
    table const t = s.declare();

    ASSERT_TRUE(load(t, complete()).has_value());

    EXPECT_EQ(s.name, "calbridge");
    EXPECT_EQ(s.broker, "127.0.0.1:9092");
    EXPECT_TRUE(s.password.equals("host=db password=hunter2"));
    EXPECT_TRUE(s.optional_key.empty());
    EXPECT_EQ(s.port, 8080);
    EXPECT_FALSE(s.verbose);
    EXPECT_EQ(s.patience, milliseconds(90000));
    EXPECT_EQ(s.base, "https://www.googleapis.com");
    EXPECT_EQ(s.callback, "https://example.org/push");
    EXPECT_THAT(s.hosts, ElementsAre("localhost", "127.0.0.1"));
}

TEST(ConfigLoad, GivenValuesWin) {
    sample s;
    table const t = s.declare();
    environment env = complete();
    env.merge(environment{{"CALBRIDGE_PORT", "9000"},
                          {"CALBRIDGE_VERBOSE", "on"},
                          {"CALBRIDGE_PATIENCE", "2m"},
                          {"CALBRIDGE_NAME", "größe"},
                          {"CALBRIDGE_HOSTS", "a.example ,b.example"},
                          {"CALBRIDGE_BASE_URL", "http://127.0.0.1:8999/api///"},
                          {"GOOGLE_CLIENT_SECRET", "s3cret"},
                          {"HOME", "/root"},
                          {"PATH", "/bin"}});

    ASSERT_TRUE(load(t, env).has_value());

    EXPECT_EQ(s.port, 9000);
    EXPECT_TRUE(s.verbose);
    EXPECT_EQ(s.patience, std::chrono::minutes(2));
    EXPECT_EQ(s.name, "größe");
    EXPECT_THAT(s.hosts, ElementsAre("a.example", "b.example"));
    EXPECT_EQ(s.base, "http://127.0.0.1:8999/api");
    EXPECT_TRUE(s.optional_key.equals("s3cret"));
}

TEST(ConfigLoad, EveryFaultIsNamedAtOnce) {
    std::string const faults = faults_of({{"CALBRIDGE_NAME", "much too long a name"},
                                          {"CALBRIDGE_PORT", "70000"},
                                          {"CALBRIDGE_VERBOSE", "perhaps"},
                                          {"CALBRIDGE_PATIENCE", "5"},
                                          {"CALBRIDGE_BASE_URL", "ftp://x"},
                                          {"CALBRIDGE_HOSTS", "a,,b"},
                                          {"GOOGLE_CLIENT_SECRET_FILE", "no/such/file"},
                                          {"CALBRIDGE_PROT", "1"}});

    EXPECT_EQ(
        faults,
        "CALBRIDGE_NAME: must be at most 16 bytes long\n"
        "CALBRIDGE_KAFKA: is required: Kafka bootstrap servers, host:port|host:port.\n"
        "CALBRIDGE_DATABASE: is required (or CALBRIDGE_DATABASE_FILE with the path of a file that holds it): libpq connection string.\n"
        "GOOGLE_CLIENT_SECRET_FILE: names a file that cannot be read (errno 2)\n"
        "CALBRIDGE_PORT: must be a whole number from 1 to 65535\n"
        "CALBRIDGE_VERBOSE: must be true or false\n"
        "CALBRIDGE_PATIENCE: must be a duration from 250ms to 2d, spelled like 250ms, 5s, 2m, 6h or 7d\n"
        "CALBRIDGE_BASE_URL: must be an http or https URL\n"
        "CALBRIDGE_CALLBACK_URL: is required: Where Google pushes to.\n"
        "CALBRIDGE_HOSTS: must not have empty items between its commas\n"
        "CALBRIDGE_PROT: is not a setting; did you mean CALBRIDGE_PORT?");
}

TEST(ConfigLoad, FaultsNeverRepeatTheValue) {
    for (char const* name : {"CALBRIDGE_PORT", "CALBRIDGE_BASE_URL", "CALBRIDGE_PATIENCE", "CALBRIDGE_VERBOSE", "CALBRIDGE_TYPO"}) {
        EXPECT_THAT(fault_of(name, "https://user:hunter3@host/"), Not(HasSubstr("hunter3"))) << name;
    }
    EXPECT_THAT(fault_of("CALBRIDGE_PORT", "hunter3"), Not(HasSubstr("hunter3")));
}

TEST(ConfigLoad, AFaultLeavesTheTargetAlone) {
    sample s;
    s.port = 7;
    table const t = s.declare();
    environment env = complete();
    env["CALBRIDGE_PORT"] = "x";

    EXPECT_FALSE(load(t, env).has_value());

    EXPECT_EQ(s.port, 7);
}

TEST(ConfigLoad, EmptyCountsAsUnset) {
    EXPECT_EQ(fault_of("CALBRIDGE_PORT", ""), "");
    EXPECT_THAT(fault_of("CALBRIDGE_KAFKA", ""), HasSubstr("CALBRIDGE_KAFKA: is required"));
    EXPECT_THAT(fault_of("CALBRIDGE_DATABASE", ""), HasSubstr("CALBRIDGE_DATABASE: is required"));
}

TEST(ConfigLoad, UnknownNamesGetTheNearestSuggestion) {
    EXPECT_EQ(fault_of("CALBRIDGE_PATIENSE", "1s"), "CALBRIDGE_PATIENSE: is not a setting; did you mean CALBRIDGE_PATIENCE?");
    EXPECT_EQ(fault_of("CALBRIDGE_DATABASE_FILES", "x"),
              "CALBRIDGE_DATABASE_FILES: is not a setting; did you mean CALBRIDGE_DATABASE_FILE?");
    EXPECT_EQ(fault_of("CALBRIDGE_QQQQQQQQQQQQ", "x"), "CALBRIDGE_QQQQQQQQQQQQ: is not a setting");
    EXPECT_EQ(fault_of("CALBRIDGE_PORT_FILE", "x"), "CALBRIDGE_PORT_FILE: is not a setting; did you mean CALBRIDGE_PORT?")
        << "only secrets come from files";
}

TEST(ConfigLoad, NeighboursAndTheTestEnvironmentAreNotUnknown) {
    environment env = complete();
    env["CALBRIDGE_RENEWER_MARGIN"] = "1h";
    env["CALBRIDGE_OTHER_KEY_FILE"] = "/run/key";
    env["CALBRIDGE_TEST_PG"] = "host=x";

    EXPECT_EQ(faults_of(env, {"CALBRIDGE_RENEWER_MARGIN", "CALBRIDGE_OTHER_KEY"}), "");
    EXPECT_THAT(faults_of(env), HasSubstr("CALBRIDGE_RENEWER_MARGIN: is not a setting"));
}

TEST(ConfigRule, IsAskedAfterTheAssignmentsAndReportedWithTheOthers) {
    std::int64_t least{}, most{};
    auto const load_with = [&](environment const& env) {
        table t("x");
        t.integer({"CALBRIDGE_LEAST", "Least."}, least, 1, 0, 100).integer({"CALBRIDGE_MOST", "Most."}, most, 10, 0, 100);
        t.require("CALBRIDGE_LEAST", [&] { return least > most ? "must not be above CALBRIDGE_MOST" : ""; });
        auto const loaded = load(t, env);
        return loaded ? std::string() : loaded.error().context;
    };

    EXPECT_EQ(load_with({}), "");
    EXPECT_EQ(load_with({{"CALBRIDGE_LEAST", "50"}}), "CALBRIDGE_LEAST: must not be above CALBRIDGE_MOST");
    EXPECT_EQ(load_with({{"CALBRIDGE_LEAST", "50"}, {"CALBRIDGE_MOST", "60"}}), "");
    EXPECT_EQ(load_with({{"CALBRIDGE_LEAST", "x"}}), "CALBRIDGE_LEAST: must be a whole number from 0 to 100") << "one fault a name";
    EXPECT_EQ(load_with({{"CALBRIDGE_LEAST", "50"}, {"CALBRIDGE_TYPO", "1"}}),
              "CALBRIDGE_LEAST: must not be above CALBRIDGE_MOST\nCALBRIDGE_TYPO: is not a setting");
}

TEST(ConfigSecretFile, ContentWithoutTheFinalLineEndsIsTheSecret) {
    secret_file const file("line one\nline two\r\n\n");
    sample s;
    table const t = s.declare();
    environment env = complete();
    env.erase("CALBRIDGE_DATABASE");
    env["CALBRIDGE_DATABASE_FILE"] = file.path();

    ASSERT_TRUE(load(t, env).has_value());

    EXPECT_TRUE(s.password.equals("line one\nline two"));
}

TEST(ConfigSecretFile, BothSpellingsAtOnceAreAFault) {
    secret_file const file("x");

    EXPECT_EQ(fault_of("CALBRIDGE_DATABASE_FILE", file.path()),
              "CALBRIDGE_DATABASE: is given twice, here and by CALBRIDGE_DATABASE_FILE; give one");
}

TEST(ConfigSecretFile, EmptyHugeOrNotAFileIsAFault) {
    secret_file const empty("\n\n"), huge(std::string(65 * 1024, 'x')), nul(std::string("a\0b", 3));

    EXPECT_EQ(fault_of("GOOGLE_CLIENT_SECRET_FILE", empty.path()), "GOOGLE_CLIENT_SECRET_FILE: names an empty file");
    EXPECT_EQ(fault_of("GOOGLE_CLIENT_SECRET_FILE", huge.path()), "GOOGLE_CLIENT_SECRET_FILE: names a file of more than 65536 bytes");
    EXPECT_EQ(fault_of("GOOGLE_CLIENT_SECRET_FILE", nul.path()), "GOOGLE_CLIENT_SECRET_FILE: must not hold NUL bytes");
    EXPECT_THAT(fault_of("GOOGLE_CLIENT_SECRET_FILE", "."), HasSubstr("GOOGLE_CLIENT_SECRET_FILE: names a file that cannot be read"));
}

TEST(ConfigText, ControlCharactersAndBadUtf8AreRefused) {
    EXPECT_THAT(fault_of("CALBRIDGE_NAME", "a\nb"), HasSubstr("without control characters"));
    EXPECT_THAT(fault_of("CALBRIDGE_NAME", "a\xff"), HasSubstr("without control characters"));
    EXPECT_THAT(fault_of("CALBRIDGE_HOSTS", "a\rb"), HasSubstr("without control characters"));
}

TEST(ConfigInteger, BoundsAreInclusive) {
    EXPECT_EQ(fault_of("CALBRIDGE_PORT", "1"), "");
    EXPECT_EQ(fault_of("CALBRIDGE_PORT", "65535"), "");
    for (char const* value : {"0", "65536", "-1", "+1", "1e3", "0x10", " 1", "1 ", "99999999999999999999"}) {
        EXPECT_THAT(fault_of("CALBRIDGE_PORT", value), HasSubstr("must be a whole number")) << value;
    }
}

TEST(ConfigDuration, EveryUnit) {
    EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
    EXPECT_EQ(parse_duration("5s"), milliseconds(5000));
    EXPECT_EQ(parse_duration("2m"), milliseconds(120000));
    EXPECT_EQ(parse_duration("6h"), std::chrono::hours(6));
    EXPECT_EQ(parse_duration("7d"), std::chrono::days(7));
    EXPECT_EQ(parse_duration("0s"), milliseconds(0));
    for (char const* text : {"", "5", "s", "-5s", "5 s", "5S", "1.5s", "5sm", "1m30s", "9223372036854775807d", "99999999999999999999ms"}) {
        EXPECT_EQ(parse_duration(text), std::nullopt) << text;
    }
}

TEST(ConfigDuration, IsSpelledInItsLargestExactUnit) {
    EXPECT_EQ(spell_duration(milliseconds(0)), "0s");
    EXPECT_EQ(spell_duration(milliseconds(250)), "250ms");
    EXPECT_EQ(spell_duration(milliseconds(90000)), "90s");
    EXPECT_EQ(spell_duration(milliseconds(120000)), "2m");
    EXPECT_EQ(spell_duration(std::chrono::hours(36)), "36h");
    EXPECT_EQ(spell_duration(std::chrono::days(7)), "7d");
}

TEST(ConfigDuration, BoundsAreInclusive) {
    EXPECT_EQ(fault_of("CALBRIDGE_PATIENCE", "250ms"), "");
    EXPECT_EQ(fault_of("CALBRIDGE_PATIENCE", "48h"), "");
    EXPECT_THAT(fault_of("CALBRIDGE_PATIENCE", "249ms"), HasSubstr("from 250ms to 2d"));
    EXPECT_THAT(fault_of("CALBRIDGE_PATIENCE", "172800001ms"), HasSubstr("from 250ms to 2d"));
}

TEST(ConfigUrl, Accepted) {
    std::string out;
    EXPECT_EQ(check_url("https://example.org", out), "");
    EXPECT_EQ(out, "https://example.org");
    EXPECT_EQ(check_url("http://127.0.0.1:8080/a/b/?q=/", out), "");
    EXPECT_EQ(out, "http://127.0.0.1:8080/a/b/?q=/");
    EXPECT_EQ(check_url("HTTPS://[::1]:1/", out), "must be an http or https URL") << "schemes are compared later, one spelling only";
    EXPECT_EQ(check_url("https://[::1]:1/", out), "");
    EXPECT_EQ(out, "https://[::1]:1");
}

TEST(ConfigUrl, Refused) {
    std::string out = "untouched";
    for (char const* text : {"",
                             "example.org",
                             "/path",
                             "//host",
                             "https:",
                             "https://",
                             "https:///x",
                             "https://:80",
                             "file:///etc/passwd",
                             "javascript:alert(1)",
                             "https://u@h",
                             "https://u:p@h",
                             "https://@h",
                             "https://h/#f",
                             "https://h/#",
                             "https://h:0",
                             "https://h:65536",
                             "https://h:x",
                             "https://h /",
                             "https://h/\n",
                             "https://h/ü"}) {
        EXPECT_NE(check_url(text, out), "") << text;
    }
    EXPECT_EQ(out, "untouched");
}

TEST(ConfigBoolean, Spellings) {
    for (char const* text : {"true", "yes", "on", "1"}) EXPECT_EQ(parse_boolean(text), true);
    for (char const* text : {"false", "no", "off", "0"}) EXPECT_EQ(parse_boolean(text), false);
    for (char const* text : {"", "True", "2", "y", "truee"}) EXPECT_EQ(parse_boolean(text), std::nullopt) << text;
}

TEST(ConfigTable, ANameDeclaredTwiceIsABug) {
    std::string a, b;
    table t("x");
    t.text({"CALBRIDGE_A", "One."}, a, "");

    EXPECT_THROW(t.text({"CALBRIDGE_A", "Two."}, b, ""), std::logic_error);
}

TEST(ConfigTable, ADefaultOutOfBoundsIsReportedToo) {
    std::int64_t n{};
    table t("x");
    t.integer({"CALBRIDGE_N", "Number."}, n, 5, 10, 20);

    EXPECT_FALSE(load(t, {}).has_value());
}

TEST(ConfigSummary, SecretsPrintAsSetOrUnset) {
    sample s;
    table const t = s.declare();
    environment env = complete();
    env["CALBRIDGE_PORT"] = "9000";

    EXPECT_THAT(summary(t, env), ElementsAre("CALBRIDGE_NAME=calbridge", "CALBRIDGE_KAFKA=127.0.0.1:9092", "CALBRIDGE_DATABASE=set",
                                             "GOOGLE_CLIENT_SECRET=unset", "CALBRIDGE_PORT=9000", "CALBRIDGE_VERBOSE=false",
                                             "CALBRIDGE_PATIENCE=90s", "CALBRIDGE_BASE_URL=https://www.googleapis.com",
                                             "CALBRIDGE_CALLBACK_URL=https://example.org/push/", "CALBRIDGE_HOSTS=localhost, 127.0.0.1"));
    EXPECT_THAT(summary(t, {{"GOOGLE_CLIENT_SECRET_FILE", "x"}}), ::testing::Contains("GOOGLE_CLIENT_SECRET=set"));
    EXPECT_THAT(summary(t, {{"CALBRIDGE_NAME", "a\nb"}}), ::testing::Contains("CALBRIDGE_NAME=a?b"))
        << "one line per setting whatever is given";
}

TEST(ConfigMarkdown, MatchesTheGoldenPage) {
    sample s;

    EXPECT_EQ(calbridge::testing::golden_difference("config/sample.md", markdown(s.declare())), "");
}

TEST(ConfigEnvironment, IsTheProcessEnvironment) {
    ASSERT_EQ(::setenv("CALBRIDGE_TEST_ENVIRONMENT_PROBE", "a=b", 1), 0);

    EXPECT_EQ(process_environment().at("CALBRIDGE_TEST_ENVIRONMENT_PROBE"), "a=b");
    ::unsetenv("CALBRIDGE_TEST_ENVIRONMENT_PROBE");
}

TEST(ConfigEditDistance, CountsEdits) {
    EXPECT_EQ(edit_distance("", ""), 0U);
    EXPECT_EQ(edit_distance("abc", ""), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

}  // namespace
}  // namespace calbridge::config
