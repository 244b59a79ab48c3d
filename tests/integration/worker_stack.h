#pragma once
// sync-worker's real code over a scratch database and an emulated Google in the same process; Kafka's two ends are plain vectors.

#include "authorised.h"
#include "calendar_work.h"
#include "parts.h"

#include "common/json/json.h"

#include <boost/json/parse.hpp>

#include "common/testing/testing.h"
#include "store/intake.h"
#include "tests/emulator/world.h"
#include "wire/topics.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace calbridge::integration {

// The emulator as an HTTP peer, without sockets.
class emulated_client final : public http::client {
public:
    explicit emulated_client(emulator::world& google) : google_(google) {}
    task<result<http::response>> send(http::client_request request, deadline at) override;

private:
    emulator::world& google_;
};

class fixed_tokens final : public account::token_source {
public:
    std::string token;
    task<result<secret>> access_token(tenant_id, connection_id, secret) override { co_return secret(token); }
};

class kept_records final : public kafka::producer {
public:
    std::vector<kafka::record> records;
    task<result<void>> send(kafka::record what) override {
        records.push_back(std::move(what));
        co_return result<void>{};
    }
    task<std::vector<result<void>>> send_all(std::vector<kafka::record> what) override {
        std::vector<result<void>> out(what.size());
        for (kafka::record& r : what) records.push_back(std::move(r));
        co_return out;
    }
    void send(kafka::record what, std::function<void(result<void>)> done) override {
        records.push_back(std::move(what));
        done(result<void>{});
    }
    std::size_t in_flight() const override { return 0; }
    task<void> flush(deadline) override { co_return; }
};

class worker_stack : public ::testing::Test {
protected:
    worker_stack();
    // Whatever a test does, nothing may be sent that Google would not understand.
    void TearDown() override { EXPECT_TRUE(google->violations().empty()); }

    // A task-changed line as the CRM would produce it. Missing members take the usual ones.
    void crm_says(json::object changes);
    // A push hint for the calendar.
    void hint();
    // What the gateway writes when somebody asks for something; gives the request's id.
    std::string ask(std::string const& kind, std::string const& subject, json::object detail = {});
    std::string state_of(std::string const& request);
    json::object result_of(std::string const& request);
    // The conflict's version, as the gateway would show it.
    std::string conflict_version(std::string const& task);
    void google_edits(std::string const& body) { control("calendars/anna%40example.com/events/" + event_id(), body, "PATCH"); }
    void google_deletes() { control("calendars/anna%40example.com/events/" + event_id(), {}, "DELETE"); }
    // The newest operation of this kind.
    std::string operation(std::string const& kind) {
        return sql("SELECT operation_id FROM operations WHERE kind = '" + kind + "' ORDER BY created_at DESC, sequence DESC LIMIT 1");
    }
    // Turns until nothing is due now; forgets waits of retries between them.
    void work(int turns_max = 20);
    void one_turn();

    json::value control(std::string const& what, std::string body = {}, std::string method = {});
    // Live events of the calendar, as a person sees them.
    json::array events();
    std::string event_id();
    std::int64_t calls(std::string const& method) const;
    std::string sql(std::string const& text) { return database.exec(text); }
    std::vector<domain::task_update> updates() const;
    // The newest update of this kind, or an empty one.
    domain::task_update last(domain::update_kind kind) const;

    asio::io_context ioc;
    testing::scratch_database database;
    system_clock now;
    system_random random;
    std::unique_ptr<emulator::world> google;
    std::unique_ptr<emulated_client> http;
    std::unique_ptr<pg::database> db;
    std::unique_ptr<google::calendar_api> api;
    fixed_tokens tokens;
    kept_records kafka;
    crypto::key_ring ring;
    std::unique_ptr<worker::publisher> out;
    std::unique_ptr<worker::parts> with;
    std::unique_ptr<store::intake> intake;
    worker::calendar_memory memory{std::nullopt, {}, worker::pass_budget(1000), {}, 0};
    tenant_id tenant{"acme"};
    connection_id connection{random_uuid()};
    calendar_id calendar{random_uuid()};
    std::int64_t version{0};
};

}  // namespace calbridge::integration
