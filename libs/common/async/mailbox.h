#pragma once
// A queue with one reader that waits. Unlike Asio's channels of this version it never drops what it accepted: not when
// a receive times out, and not when it is closed.

#include "common/async/task.h"

#include <cstddef>
#include <deque>
#include <limits>
#include <optional>
#include <utility>

namespace calbridge {

// Same thread only. One coroutine pops at a time.
template <class T>
class mailbox {
public:
    static constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

    explicit mailbox(asio::any_io_executor executor, std::size_t capacity = unbounded)
        : wakeup_(std::move(executor)), capacity_(capacity) {}

    // False, and `item` dropped, when the mailbox is full or closed.
    bool push(T item) {
        if (closed_ || items_.size() >= capacity_) return false;
        items_.push_back(std::move(item));
        wakeup_.notify();
        return true;
    }
    // Nothing more is accepted; what is in can still be popped.
    void close() {
        closed_ = true;
        wakeup_.notify();
    }
    bool is_closed() const { return closed_; }
    std::size_t size() const { return items_.size(); }
    bool empty() const { return items_.empty(); }

    std::optional<T> try_pop() {
        if (items_.empty()) return std::nullopt;
        std::optional<T> item(std::move(items_.front()));
        items_.pop_front();
        return item;
    }
    // The next item; empty only when closed and drained. Throws on cancellation, which takes no item.
    task<std::optional<T>> pop() { return pop_until(deadline::max()); }
    // Also empty when the deadline came first.
    task<std::optional<T>> pop_until(deadline at) {
        while (items_.empty() && !closed_) {
            bool const notified = co_await wakeup_.wait_until(at);
            if (!notified && items_.empty()) co_return std::nullopt;
        }
        co_return try_pop();
    }

private:
    wakeup wakeup_;
    std::size_t capacity_;
    std::deque<T> items_;
    bool closed_{false};
};

}  // namespace calbridge
