#pragma once
// For tests only; nothing in production includes this folder.

#include "common/async/task.h"
#include "common/base/clock.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <string>

namespace calbridge::testing {

// Runs `body` on `ioc` until it ends (at most `limit`, then throws std::runtime_error); rethrows its exception. Coroutine tests
// assert with EXPECT_* inside (ASSERT_* does not compile in a coroutine).
void run_coro(asio::io_context& ioc, task<void> body, std::chrono::seconds limit = std::chrono::seconds(30));

class manual_clock final : public clock {
public:
    instant now() const override { return now_; }
    void set(instant to) { now_ = to; }
    void advance(std::chrono::microseconds by) { now_ += by; }

private:
    instant now_{std::chrono::sys_days{std::chrono::year{2026} / 11 / 20} + std::chrono::hours{9}};
};

// Polls `condition` every few milliseconds until it holds; false after `limit`.
task<bool> eventually(std::function<bool()> condition, std::chrono::milliseconds limit = std::chrono::seconds(10));

// Compares with tests/golden/<name>; with UPDATE_GOLDEN=1 rewrites it. Returns a description of the difference, or empty.
std::string golden_difference(std::string const& name, std::string const& actual);

// A fresh PostgreSQL database with all migrations applied, dropped at the end. Needs CALBRIDGE_TEST_PG (libpq conninfo of a superuser),
// which `./dev test` sets; without it the constructor throws with that advice.
class scratch_database {
public:
    explicit scratch_database(bool with_migrations = true);
    ~scratch_database();
    std::string conninfo_for(std::string const& role) const;  // role: gateway, ingest, worker, renewer, or empty for the owner
    std::string const& name() const { return name_; }
    // Runs SQL as the superuser, bypassing row-level security; returns the first column of the first row.
    std::string exec(std::string const& sql) const;

private:
    std::string name_;
    std::string admin_;
};

}  // namespace calbridge::testing
