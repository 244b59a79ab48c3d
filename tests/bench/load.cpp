#include "tests/bench/tool.h"

#include "common/http/message.h"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <deque>
#include <ostream>
#include <stdexcept>

namespace calbridge::bench {

namespace {

constexpr std::int64_t last_answers_us = 10'000'000;

// A file that is never copied: a million requests are 700 MB.
class mapped_file {
public:
    explicit mapped_file(std::string const& name) {
        int const fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat about{};
        if (fd < 0 || ::fstat(fd, &about) != 0 || about.st_size == 0) {
            if (fd >= 0) ::close(fd);
            throw std::runtime_error("cannot read " + name);
        }
        size_ = static_cast<std::size_t>(about.st_size);
        at_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
        ::close(fd);
        if (at_ == MAP_FAILED) throw std::runtime_error("cannot map " + name);
    }
    ~mapped_file() { ::munmap(at_, size_); }
    mapped_file(mapped_file const&) = delete;
    mapped_file& operator=(mapped_file const&) = delete;
    std::string_view text() const { return {static_cast<char const*>(at_), size_}; }

private:
    void* at_{nullptr};
    std::size_t size_{0};
};

int connect_to(int port) {
    int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(static_cast<std::uint16_t>(port));
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr const*>(&where), sizeof where) != 0) {
        if (fd >= 0) ::close(fd);
        throw std::runtime_error(fmt::format("nobody answers on port {}", port));
    }
    int const on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

// Requests fit a socket's buffer, so a short write means that the peer does not read.
bool send_all(int fd, std::string_view bytes) {
    return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
}

struct line {
    int fd{-1};
    bool waits{false};
    std::int64_t sent_at{0};
    std::string held;
    std::size_t job{0};
};

enum class came { nothing, complete, broken };

// Reads what is there; `complete` fills `out`.
came read_from(line& one, answer& out) {
    std::array<char, 16384> buffer;
    for (;;) {
        auto const got = ::recv(one.fd, buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EAGAIN) return came::nothing;
        if (got <= 0) return came::broken;
        std::string_view const fresh(buffer.data(), static_cast<std::size_t>(got));
        // Almost always an answer comes whole.
        if (one.held.empty() && read_answer(fresh, out) && out.bytes == fresh.size()) return came::complete;
        one.held.append(fresh);
        if (read_answer(one.held, out)) {
            one.held.clear();
            return came::complete;
        }
    }
}

class epoll_set {
public:
    epoll_set() : fd_(::epoll_create1(EPOLL_CLOEXEC)) {}
    ~epoll_set() { ::close(fd_); }
    epoll_set(epoll_set const&) = delete;
    epoll_set& operator=(epoll_set const&) = delete;
    void add(int fd, std::uint64_t tag) {
        epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
        if (::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll_ctl failed");
    }
    template <class F>
    void wait(int milliseconds, F&& each) {
        int const n = ::epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), milliseconds);
        for (int i = 0; i < n; ++i) each(events_[static_cast<std::size_t>(i)].data.u64);
    }

private:
    int fd_;
    std::array<epoll_event, 512> events_{};
};

class closed_load {
public:
    explicit closed_load(load_options const& with)
        : with_(with), file_(with.requests), entries_(split_requests(file_.text())), lines_(with.connections), next_(with.first) {
        if (entries_.empty()) throw std::runtime_error(with.requests + " is empty");
    }

    load_result run() {
        for (std::size_t i = 0; i < lines_.size(); ++i) open(i);
        auto const began = now_us();
        ends_ = began + static_cast<std::int64_t>(with_.seconds * 1e6);
        for (std::size_t i = 0; i < lines_.size(); ++i) send_next(i);
        while (waiting_ > 0 && now_us() < ends_ + last_answers_us) {
            set_.wait(100, [&](std::uint64_t i) { take(i); });
        }
        out_.broken += waiting_;
        out_.seconds = static_cast<double>(last_answer_ - began) / 1e6;
        for (auto const& one : lines_) {
            if (one.fd >= 0) ::close(one.fd);
        }
        return std::move(out_);
    }

private:
    void open(std::size_t i) {
        lines_[i].fd = connect_to(with_.port);
        set_.add(lines_[i].fd, i);
    }

    void send_next(std::size_t i) {
        auto& one = lines_[i];
        auto const now = now_us();
        if (now >= ends_) return;
        auto const entry = entries_[next_ % entries_.size()];
        buffer_.assign(entry);
        auto const at = number_at(entry);
        if (at != std::string::npos) {
            auto const number = number_first + static_cast<std::int64_t>(next_ / entries_.size());
            std::to_chars(buffer_.data() + at, buffer_.data() + at + number_digits, number);
        }
        ++next_;
        ++out_.sent;
        if (!send_all(one.fd, buffer_)) {
            again(i);
            return;
        }
        one.waits = true;
        one.sent_at = now;
        ++waiting_;
    }

    void again(std::size_t i) {
        ++out_.broken;
        reopen(i);
    }

    void reopen(std::size_t i) {
        ::close(lines_[i].fd);
        lines_[i] = {};
        open(i);
    }

    void take(std::size_t i) {
        auto& one = lines_[i];
        answer what;
        auto const said = read_from(one, what);
        if (said == came::nothing) return;
        if (said == came::broken) {
            // A connection that ends between two requests has broken nothing.
            if (std::exchange(one.waits, false)) {
                --waiting_;
                ++out_.broken;
            }
            reopen(i);
        } else {
            one.waits = false;
            --waiting_;
            ++out_.by_status[what.status];
            last_answer_ = now_us();
            out_.latencies.push_back(last_answer_ - one.sent_at);
            if (what.closes) reopen(i);
        }
        send_next(i);
    }

    load_options with_;
    mapped_file file_;
    std::vector<std::string_view> entries_;
    std::vector<line> lines_;
    std::size_t next_;
    epoll_set set_;
    std::string buffer_;
    std::size_t waiting_{0};
    std::int64_t ends_{0}, last_answer_{0};
    load_result out_;
};

class open_load {
public:
    explicit open_load(open_options const& with)
        : with_(with), file_(with.requests), entries_(split_requests(file_.text())), timer_(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC)) {
        set_.add(timer_, timer_tag);
    }
    ~open_load() {
        ::close(timer_);
        for (auto const& one : lines_) {
            if (one.fd >= 0) ::close(one.fd);
        }
    }
    open_load(open_load const&) = delete;
    open_load& operator=(open_load const&) = delete;

    void run(std::ostream& out) {
        auto const began = now_us() + 100000;
        auto const step = 1e6 / with_.per_second;
        auto const due = [&](std::size_t i) { return began + static_cast<std::int64_t>(static_cast<double>(i) * step); };
        std::size_t next = 0;
        auto const gives_up = due(entries_.size()) + last_answers_us;
        set_timer(due(0));
        while ((next < entries_.size() || waiting_ > 0) && now_us() < gives_up) {
            set_.wait(100, [&](std::uint64_t tag) {
                if (tag != timer_tag) take(tag, out);
            });
            for (; next < entries_.size() && due(next) <= now_us(); ++next) send(next, due(next));
            if (next < entries_.size()) set_timer(due(next));
        }
        out.flush();
        if (next < entries_.size() || waiting_ > 0) throw std::runtime_error("requests stayed without an answer");
    }

private:
    static constexpr std::uint64_t timer_tag = UINT64_MAX;

    void set_timer(std::int64_t at) {
        // Setting it anew also takes back an expiry that was not read.
        itimerspec const when{.it_interval = {}, .it_value = {.tv_sec = at / 1000000, .tv_nsec = at % 1000000 * 1000}};
        ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    void send(std::size_t job, std::int64_t intended) {
        if (idle_.empty()) {
            lines_.push_back({});
            lines_.back().fd = connect_to(with_.port);
            set_.add(lines_.back().fd, lines_.size() - 1);
            intended_.push_back(0);
            idle_.push_back(lines_.size() - 1);
        }
        auto const i = idle_.back();
        idle_.pop_back();
        auto& one = lines_[i];
        one.waits = true;
        one.job = job;
        one.sent_at = now_us();
        intended_[i] = intended;
        ++waiting_;
        if (!send_all(one.fd, entries_[job])) throw std::runtime_error("the peer does not read");
    }

    void take(std::size_t i, std::ostream& out) {
        auto& one = lines_[i];
        answer what;
        auto const said = read_from(one, what);
        if (said == came::nothing) return;
        if (said == came::broken || what.closes) {
            ::close(std::exchange(one.fd, -1));
            if (said == came::broken && one.waits) throw std::runtime_error("the peer closed a connection without an answer");
            // One that ended while idle must not be used again.
            if (said == came::broken) {
                std::erase(idle_, i);
                return;
            }
        }
        out << intended_[i] << ' ' << one.sent_at << ' ' << now_us() << ' ' << what.status << ' ' << what.emulator_us << '\n';
        one.waits = false;
        --waiting_;
        if (one.fd >= 0) idle_.push_back(i);
    }

    open_options with_;
    mapped_file file_;
    std::vector<std::string_view> entries_;
    int timer_;
    epoll_set set_;
    std::deque<line> lines_;
    std::vector<std::int64_t> intended_;
    std::vector<std::size_t> idle_;
    std::size_t waiting_{0};
};

}  // namespace

bool read_answer(std::string_view from, answer& out) {
    auto const head = from.find("\r\n\r\n");
    if (head == std::string_view::npos || head < 12) return false;
    out = {};
    std::from_chars(from.data() + 9, from.data() + 12, out.status);
    std::size_t body = 0;
    for (auto at = from.find("\r\n"); at < head;) {
        auto const begin = at + 2;
        at = from.find("\r\n", begin);
        auto const field = from.substr(begin, at - begin);
        auto const colon = field.find(": ");
        if (colon == std::string_view::npos) continue;
        auto const name = field.substr(0, colon), value = field.substr(colon + 2);
        if (http::equals_ignoring_case(name, "content-length")) std::from_chars(value.data(), value.data() + value.size(), body);
        else if (http::equals_ignoring_case(name, "connection")) out.closes = http::equals_ignoring_case(value, "close");
        else if (http::equals_ignoring_case(name, "x-emulator-time-us"))
            std::from_chars(value.data(), value.data() + value.size(), out.emulator_us);
    }
    out.bytes = head + 4 + body;
    return from.size() >= out.bytes;
}

load_result run_closed(load_options const& with) { return closed_load(with).run(); }

void run_open(open_options const& with, std::ostream& out) { open_load(with).run(out); }

}  // namespace calbridge::bench
