#pragma once

#include <optional>
#include <utility>

namespace calbridge {
namespace detail {

template <class T>
task<void> store_outcome(task<result<T>> work, std::optional<result<T>>* outcome) {
    outcome->emplace(co_await std::move(work));
}

}  // namespace detail

template <class T>
task<result<T>> with_deadline(deadline at, std::string what, task<result<T>> work) {
    // The pointer is safe: finishes_before() ends only after the work has unwound.
    std::optional<result<T>> outcome;
    (void)co_await finishes_before(at, detail::store_outcome<T>(std::move(work), &outcome));
    if (outcome) co_return std::move(*outcome);
    co_return fail(errc::timed_out, std::move(what));
}

}  // namespace calbridge
