#include "common/kafka/rd_client.h"

#include "common/observe/log.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <librdkafka/rdkafka.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <list>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace calbridge::kafka {

namespace {

// Non-blocking, because librdkafka's own threads write to it.
int make_eventfd() {
    int const fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    return fd;
}

void clear_eventfd(int fd) {
    std::uint64_t count = 0;
    [[maybe_unused]] auto const got = ::read(fd, &count, sizeof count);
}

class helper_threads {
public:
    ~helper_threads() {
        for (auto& each : running_) each.thread.join();
    }
    void start(std::function<void()> job) {
        std::scoped_lock const held(guard_);
        std::erase_if(running_, [](entry& each) {
            if (!each.done->load()) return false;
            each.thread.join();
            return true;
        });
        auto const done = std::make_shared<std::atomic<bool>>(false);
        auto body = [done, work = std::move(job)] {
            work();
            done->store(true);
        };
        running_.push_back({std::thread(std::move(body)), done});
    }

private:
    struct entry {
        std::thread thread;
        std::shared_ptr<std::atomic<bool>> done;
    };
    std::mutex guard_;
    std::list<entry> running_;
};

helper_threads& helpers() {
    static helper_threads all;
    return all;
}

void set(rd_kafka_conf_t* conf, std::string const& name, std::string const& value) {
    std::array<char, 256> why{};
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
        // librdkafka's explanation may quote the value, and some values are secrets.
        throw std::invalid_argument("Kafka client property " + name + " is not accepted");
    }
}

}  // namespace

rd_kafka_s* make_client(client_kind kind, client_options const& options, properties const& settings, int events) {
    using conf_ptr = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;
    conf_ptr conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
    // librdkafka 2.0.2 overruns a buffer with very long ones.
    std::string const client_id = options.client_id.substr(0, 64);
    properties all{
        {"bootstrap.servers", options.brokers},
        {"client.id", client_id},
        {"socket.nagle.disable", "true"},
        {"socket.keepalive.enable", "true"},
        {"reconnect.backoff.ms", "100"},
        // While it waits to reconnect, librdkafka 2.0.2 does not look for expired records.
        {"reconnect.backoff.max.ms", "500"},
        {"log.queue", "true"},
        {"log.connection.close", "false"},
    };
    all.insert(all.end(), settings.begin(), settings.end());
    all.insert(all.end(), options.extra.begin(), options.extra.end());
    for (auto const& [name, value] : all) set(conf.get(), name, value);
    rd_kafka_conf_set_events(conf.get(), events | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);

    std::array<char, 512> why{};
    rd_kafka_type_t const type = kind == client_kind::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
    rd_kafka_t* const made = rd_kafka_new(type, conf.get(), why.data(), why.size());
    if (made == nullptr) throw std::invalid_argument(std::string("Kafka client: ") + why.data());
    static_cast<void>(conf.release());  // the client owns it now
    rd_kafka_set_log_queue(made, nullptr);
    return made;
}

void run_on_helper(std::function<void()> job) { helpers().start(std::move(job)); }

task<void> run_blocking(std::function<void()> job) {
    // The helper touches only this descriptor, never the executor, which may be gone when an abandoned job ends.
    struct bell {
        int fd{make_eventfd()};
        std::exception_ptr failure;
        ~bell() { ::close(fd); }
    };
    auto const rung = std::make_shared<bell>();
    run_on_helper([rung, work = std::move(job)] {
        try {
            work();
        } catch (...) {
            rung->failure = std::current_exception();
        }
        std::uint64_t const one = 1;
        [[maybe_unused]] auto const put = ::write(rung->fd, &one, sizeof one);
    });
    asio::posix::stream_descriptor watched(co_await asio::this_coro::executor, rung->fd);
    struct let_go {
        asio::posix::stream_descriptor& of;
        ~let_go() { of.release(); }
    } const on_exit{watched};
    co_await watched.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    clear_eventfd(rung->fd);
    if (rung->failure) std::rethrow_exception(rung->failure);
}

void forward_log(int syslog_level, std::string_view facility, std::string_view text) {
    // Broker trouble is waited out, so even librdkafka's errors are only warnings here.
    log::level const level = syslog_level <= 4 ? log::level::warn : syslog_level <= 6 ? log::level::info : log::level::debug;
    log::write(level, "kafka.client", {{"facility", facility}, {"text", text}});
}

struct event_queue::impl {
    impl(asio::any_io_executor const& executor, rd_kafka_queue_t* owned)
        : queue(owned), fd(make_eventfd()), watched(executor, fd), bell(executor) {
        static constexpr std::uint64_t one = 1;
        rd_kafka_queue_io_event_enable(queue, fd, &one, sizeof one);
        // Only a queue that turns from empty to filled rings, and the client's threads may have filled it already.
        [[maybe_unused]] auto const put = ::write(fd, &one, sizeof one);
    }
    ~impl() {
        watched.release();
        ::close(fd);
    }

    rd_kafka_queue_t* queue;
    int fd;
    asio::posix::stream_descriptor watched;
    asio::steady_timer bell;
    bool rung{false};
};

event_queue::event_queue(asio::any_io_executor executor, rd_kafka_queue_s* queue) : impl_(std::make_shared<impl>(executor, queue)) {}

event_queue::~event_queue() { release(); }

void event_queue::release() {
    if (impl_->queue == nullptr) return;
    rd_kafka_queue_io_event_enable(impl_->queue, -1, nullptr, 0);
    rd_kafka_queue_destroy(impl_->queue);
    impl_->queue = nullptr;
    impl_->watched.cancel();
}

rd_kafka_queue_s* event_queue::get() const { return impl_->queue; }

rd_kafka_op_s* event_queue::next() { return impl_->queue == nullptr ? nullptr : rd_kafka_queue_poll(impl_->queue, 0); }

void event_queue::wait(std::function<void()> ready) {
    impl_->watched.async_wait(asio::posix::stream_descriptor::wait_read,
                              [keep = impl_, ready = std::move(ready)](boost::system::error_code const& ec) {
                                  if (ec || keep->queue == nullptr) return;
                                  // Cleared before the queue is emptied: what comes in between rings again.
                                  clear_eventfd(keep->fd);
                                  ready();
                              });
}

task<bool> event_queue::wait(deadline at) {
    auto const keep = impl_;
    keep->rung = false;
    keep->bell.expires_at(at);
    keep->watched.async_wait(asio::posix::stream_descriptor::wait_read, [keep](boost::system::error_code const& ec) {
        if (ec) return;
        keep->rung = true;
        keep->bell.cancel();
    });
    boost::system::error_code rang;
    co_await keep->bell.async_wait(asio::redirect_error(asio::use_awaitable, rang));
    keep->watched.cancel();
    auto const cancelled = co_await asio::this_coro::cancellation_state;
    if (cancelled.cancelled() != asio::cancellation_type::none) {
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    if (keep->rung) clear_eventfd(keep->fd);
    co_return keep->rung;
}

void destroy_client(rd_kafka_s* client) {
    run_on_helper([client] { rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE); });
}

}  // namespace calbridge::kafka
