#pragma once
// One coarse timer for the deadlines of many sockets, instead of a timer per request. Internal to servers.

#include "common/async/task.h"

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>

namespace calbridge::http {

// Member of a list of watched sockets; leaves it when destroyed. A socket whose time has come gets its pending operations
// cancelled, `timed_out` set and a grace time; when that passes too it is closed.
class socket_watch {
public:
    class list {
    public:
        // Looks through all sockets every `every` until cancelled.
        task<void> run(std::chrono::milliseconds every);
        void sweep(deadline now);
        std::size_t size() const { return size_; }
        template <class F>
        void for_each(F visit) {
            for (auto* one = first_; one != nullptr;) {
                auto* const next = one->next_;
                visit(*one);
                one = next;
            }
        }

    private:
        friend class socket_watch;
        socket_watch* first_{nullptr};
        std::size_t size_{0};
    };

    socket_watch(list& in, asio::ip::tcp::socket& socket);
    ~socket_watch();
    socket_watch(socket_watch const&) = delete;
    socket_watch& operator=(socket_watch const&) = delete;

    void set(deadline at) {
        at_ = at;
        timed_out_ = false;
    }
    bool timed_out() const { return timed_out_; }
    bool idle{false};  // between two requests: may be closed at once when draining
    asio::ip::tcp::socket& socket() { return socket_; }

private:
    list& list_;
    asio::ip::tcp::socket& socket_;
    socket_watch* next_{nullptr};
    socket_watch* previous_{nullptr};
    deadline at_{deadline::max()};
    bool timed_out_{false};
};

}  // namespace calbridge::http
