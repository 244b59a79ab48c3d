// Each test starts the sample service (sample/main.cpp) as a child process and watches it from outside.
#include "common/runtime/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <regex>
#include <spawn.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace calbridge::runtime {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::chrono::seconds limit{30};

class child {
public:
    explicit child(std::map<std::string, std::string> const& env, std::vector<std::string> const& options = {}) {
        int out[2], err[2];
        if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
        std::vector<std::string> settings, words{CALBRIDGE_RUNTIME_SAMPLE};
        for (auto const& [name, value] : env) settings.push_back(name + "=" + value);
        words.insert(words.end(), options.begin(), options.end());
        int const failed =
            ::posix_spawn(&pid_, CALBRIDGE_RUNTIME_SAMPLE, &actions, nullptr, pointers(words).data(), pointers(settings).data());
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(out[1]);
        ::close(err[1]);
        out_ = out[0];
        err_ = err[0];
        if (failed != 0) throw std::runtime_error("cannot start the sample service");
    }
    ~child() {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        ::close(out_);
        ::close(err_);
    }
    child(child const&) = delete;
    child& operator=(child const&) = delete;

    pid_t pid() const { return pid_; }
    void signal(int number) const { ::kill(pid_, number); }

    // The first line that holds `text`; fails the test after `limit`.
    std::string wait_for_line(std::string const& text) {
        auto const until = std::chrono::steady_clock::now() + limit;
        for (;;) {
            std::istringstream lines(stdout_);
            for (std::string line; std::getline(lines, line);) {
                if (line.find(text) != std::string::npos && !lines.eof()) return line;
            }
            if (std::chrono::steady_clock::now() > until || !read_more(out_, stdout_)) {
                ADD_FAILURE() << "no line with " << text << " in:\n" << stdout_;
                return {};
            }
        }
    }

    // Reads to the end and collects the exit code; 128 + signal when one ended it.
    int wait() {
        auto const until = std::chrono::steady_clock::now() + limit;
        while (read_more(out_, stdout_)) {
            if (std::chrono::steady_clock::now() > until) ::kill(pid_, SIGKILL);
        }
        while (read_more(err_, stderr_)) {}
        int status = 0;
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    std::string const& output() const { return stdout_; }
    std::string const& errors() const { return stderr_; }
    std::string last_line() const {
        auto const end = stdout_.find_last_not_of('\n');
        auto const start = stdout_.find_last_of('\n', end);
        return stdout_.substr(start + 1, end - start);
    }
    int private_port() {
        std::smatch found;
        std::string const line = wait_for_line("\"event\":\"service.started\"");
        return std::regex_search(line, found, std::regex("\"private_port\":(\\d+)")) ? std::stoi(found[1]) : 0;
    }

private:
    static std::vector<char*> pointers(std::vector<std::string>& words) {
        std::vector<char*> all;
        for (auto& word : words) all.push_back(word.data());
        all.push_back(nullptr);
        return all;
    }
    static bool read_more(int fd, std::string& into) {
        pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, 100) == 0) return true;
        char buffer[4096];
        auto const got = ::read(fd, buffer, sizeof buffer);
        if (got > 0) into.append(buffer, static_cast<std::size_t>(got));
        return got > 0 || (got < 0 && errno == EINTR);
    }

    pid_t pid_{-1};
    int out_{-1}, err_{-1};
    std::string stdout_, stderr_;
};

std::map<std::string, std::string> sample(std::string const& mode = "steady") {
    return {{"SAMPLE_MODE", mode}, {"CALBRIDGE_PASSWORD", "hunter2hunter2"}, {"CALBRIDGE_DRAIN_TIME_MAX", "5s"}};
}

struct answer {
    int status{0};
    std::string text;
};

answer get(int port, std::string const& path) {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    answer got;
    if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
        std::string const request = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        (void)!::write(fd, request.data(), request.size());
        char buffer[65536];
        for (ssize_t size = 0; (size = ::read(fd, buffer, sizeof buffer)) > 0;) got.text.append(buffer, static_cast<std::size_t>(size));
        if (got.text.starts_with("HTTP/1.1 ")) got.status = std::stoi(got.text.substr(9, 3));
    }
    ::close(fd);
    return got;
}

TEST(ServiceMain, HelpListsEverySettingAndNeedsNone) {
    child c({}, {"--help"});

    EXPECT_EQ(c.wait(), 0);
    EXPECT_THAT(c.output(), AllOf(HasSubstr("usage: sample "), HasSubstr("CALBRIDGE_LOG_LEVEL  (text, default info"),
                                  HasSubstr("CALBRIDGE_PRIVATE_PORT"), HasSubstr("CALBRIDGE_PASSWORD  (secret, required"),
                                  HasSubstr("Or CALBRIDGE_PASSWORD_FILE")));
}

TEST(ServiceMain, VersionNamesServiceAndLibraries) {
    child c({}, {"--version"});

    EXPECT_EQ(c.wait(), 0);
    EXPECT_TRUE(std::regex_search(c.output(), std::regex(R"(^sample \d+\.\d+\.\d+\ncompiler .+\nBoost 1\.\d+\.\d+\nOpenSSL 3)")))
        << c.output();
}

TEST(ServiceMain, UnknownOptionsAreRefusedWithTheUsage) {
    child one(sample(), {"--verbose"}), two(sample(), {"--help", "--version"});

    EXPECT_EQ(one.wait(), 1);
    EXPECT_THAT(one.errors(), HasSubstr("usage: sample"));
    EXPECT_EQ(two.wait(), 1);
}

TEST(ServiceMain, PrintConfigMasksSecrets) {
    child c(sample(), {"--print-config"});

    EXPECT_EQ(c.wait(), 0);
    EXPECT_THAT(c.output(),
                AllOf(HasSubstr("CALBRIDGE_PASSWORD=set\n"), HasSubstr("CALBRIDGE_DRAIN_TIME_MAX=5s\n"), Not(HasSubstr("hunter2"))));
}

TEST(ServiceMain, PrintConfigSaysWhatIsWrongToo) {
    child c({{"CALBRIDGE_NUMBER", "99"}}, {"--print-config"});

    EXPECT_EQ(c.wait(), 1);
    EXPECT_THAT(c.output(), HasSubstr("CALBRIDGE_PASSWORD=unset\n"));
    EXPECT_THAT(c.errors(), AllOf(HasSubstr("CALBRIDGE_PASSWORD: is required"), HasSubstr("CALBRIDGE_NUMBER: must be")));
}

TEST(ServiceMain, WrongSettingsAreAllNamedAndTheCodeIsOne) {
    child c({{"CALBRIDGE_LOG_LEVEL", "loud"},
             {"CALBRIDGE_NUMBER", "99"},
             {"CALBRIDGE_INSTANCE_ID", "a b"},
             {"CALBRIDGE_PASWORD", "hunter2hunter2"}});

    EXPECT_EQ(c.wait(), 1);
    for (std::string const& text : {c.errors(), c.last_line()}) {
        EXPECT_THAT(text,
                    AllOf(HasSubstr("CALBRIDGE_LOG_LEVEL: must be debug, info, warn or error"),
                          HasSubstr("CALBRIDGE_NUMBER: must be a whole number"), HasSubstr("CALBRIDGE_INSTANCE_ID: must be printable"),
                          HasSubstr("CALBRIDGE_PASSWORD: is required"),
                          HasSubstr("CALBRIDGE_PASWORD: is not a setting; did you mean CALBRIDGE_PASSWORD?"), Not(HasSubstr("hunter2"))));
    }
    EXPECT_THAT(c.last_line(), HasSubstr("\"event\":\"service.refused\""));
}

TEST(ServiceMain, RunsUntilAskedToStop) {
    for (int signal : {SIGTERM, SIGINT}) {
        child c(sample());
        c.wait_for_line("sample.ready");

        c.signal(signal);

        EXPECT_EQ(c.wait(), 0);
        EXPECT_THAT(
            c.output(),
            AllOf(HasSubstr("\"event\":\"service.settings\""), HasSubstr("\"CALBRIDGE_PASSWORD\":\"set\""), HasSubstr("sample.draining"),
                  HasSubstr(signal == SIGINT ? "\"signal\":\"SIGINT\"" : "\"signal\":\"SIGTERM\""), Not(HasSubstr("hunter2"))));
        EXPECT_THAT(c.last_line(), HasSubstr("\"event\":\"service.stopped\""));
    }
}

TEST(ServiceMain, ThePrivatePortAnswers) {
    child c(sample());
    int const port = c.private_port();
    c.wait_for_line("sample.ready");

    EXPECT_EQ(get(port, "/livez").status, 200);
    EXPECT_EQ(get(port, "/readyz").status, 200);
    EXPECT_THAT(get(port, "/readyz?verbose").text, HasSubstr("[+] database\nready\n"));
    EXPECT_EQ(get(port, "/other").status, 404);
    answer const figures = get(port, "/metrics");
    EXPECT_EQ(figures.status, 200);
    EXPECT_THAT(figures.text, AllOf(HasSubstr("text/plain; version=0.0.4"), HasSubstr("calbridge_build_info{service=\"sample\",version="),
                                    HasSubstr("calbridge_process_cpu_seconds_total"), HasSubstr("calbridge_process_resident_memory_bytes"),
                                    HasSubstr("calbridge_loop_lag_seconds_bucket")));
}

TEST(ServiceMain, NotReadyUntilEveryExpectedCheckIsGreen) {
    child c(sample("never-ready"));
    int const port = c.private_port();

    EXPECT_EQ(get(port, "/livez").status, 200);
    EXPECT_EQ(get(port, "/readyz").status, 503);
    EXPECT_THAT(get(port, "/readyz?verbose").text, HasSubstr("[-] database: not reported yet\nnot ready\n"));
}

TEST(ServiceMain, ReadinessIsRedWhileDraining) {
    child c(sample("slow-drain"));
    int const port = c.private_port();
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);
    c.wait_for_line("sample.draining");

    EXPECT_EQ(get(port, "/readyz").status, 503);
    EXPECT_THAT(get(port, "/readyz?verbose").text, AllOf(HasSubstr("[+] database\n"), HasSubstr("[-] draining: asked to stop\n")));
    EXPECT_EQ(get(port, "/livez").status, 200);
}

TEST(ServiceMain, DrainingEndsAtItsDeadline) {
    auto env = sample("slow-drain");
    env["CALBRIDGE_DRAIN_TIME_MAX"] = "50ms";
    child c(env);
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 0);
    EXPECT_THAT(c.output(), HasSubstr("\"event\":\"service.drain_cut\""));
}

TEST(ServiceMain, ASecondSignalEndsItAtOnce) {
    auto env = sample("slow-drain");
    env["CALBRIDGE_DRAIN_TIME_MAX"] = "10m";
    child c(env);
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);
    c.wait_for_line("sample.draining");
    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 2);
}

TEST(ServiceMain, AFailedComponentIsNamedInTheLastLine) {
    child c(sample("failing"));

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("\"level\":\"error\",\"service\":\"sample\""));
    EXPECT_THAT(c.last_line(),
                HasSubstr("\"event\":\"service.failed\",\"component\":\"second\",\"reason\":\"the well is dry\",\"exit_code\":2}"));
}

TEST(ServiceMain, AComponentThatEndsUnaskedIsAFailure) {
    child c(sample("ends"));

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("\"component\":\"second\",\"reason\":\"ended without being asked to\""));
}

TEST(ServiceMain, AFailureWhileStoppingIsAFailure) {
    child c(sample("fails-late"));
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("\"component\":\"second\",\"reason\":\"could not tidy up\""));
}

TEST(ServiceMain, AFailureToDrainStillStopsTheComponents) {
    child c(sample("drain-throws"));
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("\"component\":\"drain\",\"reason\":\"the drain is blocked\""));
}

TEST(ServiceMain, AComponentThatIgnoresCancellationIsNamedAndLeftBehind) {
    auto env = sample("stuck");
    env["CALBRIDGE_DRAIN_TIME_MAX"] = "50ms";
    child c(env);
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("\"component\":\"second\",\"reason\":\"did not stop in time\""));
}

TEST(ServiceMain, AnExceptionOutOfACallbackEndsTheProcessWithItsReason) {
    child c(sample("handler-throws"));

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("\"component\":\"event loop\",\"reason\":\"a callback threw\""));
}

TEST(ServiceMain, WaitsOfObjectsThatAreKeptAliveEndWithThem) {
    child c(sample("kept-wait"));
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 0);
}

TEST(ServiceMain, WorkLeftBehindIsReportedInsteadOfHanging) {
    child c(sample("lost-wait"));
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("a component left work behind after it ended"));
}

TEST(ServiceMain, AFailedStartIsNamed) {
    child c(sample("bad-start"));

    EXPECT_EQ(c.wait(), 2);
    EXPECT_THAT(c.last_line(), HasSubstr("\"component\":\"start\",\"reason\":\"no such broker\""));
}

TEST(ServiceMain, APrivatePortInUseIsNamed) {
    child first(sample());
    auto env = sample();
    env["CALBRIDGE_PRIVATE_PORT"] = std::to_string(first.private_port());

    child second(env);

    EXPECT_EQ(second.wait(), 2);
    EXPECT_THAT(second.last_line(), HasSubstr("\"component\":\"private-http\""));
}

TEST(ServiceMain, ABrokenPipeIsNoDeath) {
    child c(sample("sigpipe"));
    c.wait_for_line("sample.ready");

    c.signal(SIGTERM);

    EXPECT_EQ(c.wait(), 0);
}

TEST(ServiceMain, CoreDumpsAreOffUnlessAskedFor) {
    child closed(sample());
    auto env = sample();
    env["CALBRIDGE_CORE_DUMPS"] = "true";
    child open(env);

    EXPECT_THAT(closed.wait_for_line("sample.ready"), HasSubstr("\"dumpable\":0,\"core_max\":0}"));
    EXPECT_THAT(open.wait_for_line("sample.ready"), HasSubstr("\"dumpable\":1,"));
}

TEST(ServiceMain, SecretsLeaveTheEnvironment) {
    auto env = sample();
    env["CALBRIDGE_CORE_DUMPS"] = "true";  // else only root may look
    child c(env);
    c.wait_for_line("sample.ready");

    std::ifstream file("/proc/" + std::to_string(c.pid()) + "/environ", std::ios::binary);
    std::string const seen((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());

    EXPECT_THAT(seen, HasSubstr("CALBRIDGE_PASSWORD="));
    EXPECT_THAT(seen, Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace calbridge::runtime
