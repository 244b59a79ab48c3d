#pragma once
// Shared by this folder's tests: a real PostgreSQL, a Google and a Kafka that remember what they were told.

#include "channel_keeper.h"
#include "rounds.h"

#include "domain/channel_token.h"
#include "store/store_fixture.h"
#include "wire/topics.h"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

namespace calbridge::renewer {

// Only channels and calendar lists; the rest is a test's mistake.
class fake_google final : public google::calendar_api {
public:
    struct channel {
        std::string calendar, token;
    };
    std::map<std::string, channel> live;  // by channel id
    std::set<std::string> every_id;
    std::vector<std::string> tokens_seen, stopped;
    std::function<std::optional<google::call_error>(std::string_view token)> refuse;  // before anything is opened
    std::function<void()> before_open, after_open;                                    // may throw: a crash
    std::function<std::optional<google::call_error>()> refuse_stop;
    std::vector<google::calendar_entry> calendars;
    int lists{};

    std::size_t live_of(std::string const& calendar) const {
        return static_cast<std::size_t>(std::ranges::count_if(live, [&](auto const& c) { return c.second.calendar == calendar; }));
    }
    task<google::answer<google::watch_answer>> watch(secret const& token, google::watch_request what, deadline) override {
        co_await yield_now();
        tokens_seen.emplace_back(token.reveal());
        if (before_open) before_open();
        if (refuse) {
            if (auto error = refuse(token.reveal())) co_return *error;
        }
        if (!every_id.insert(what.channel_id).second) throw std::logic_error("a channel id used twice");
        live[what.channel_id] = {what.calendar, std::string(what.token.reveal())};
        if (after_open) after_open();
        co_return google::watch_answer{"resource of " + what.calendar, system_clock{}.now() + what.life};
    }
    task<google::answer<void>> stop(secret const&, std::string channel_id, std::string resource_id, deadline) override {
        co_await yield_now();
        if (refuse_stop) {
            if (auto error = refuse_stop()) co_return *error;
        }
        auto const found = live.find(channel_id);
        if (found != live.end() && "resource of " + found->second.calendar == resource_id) live.erase(found);
        stopped.push_back(std::move(channel_id));
        co_return google::answer<void>();
    }
    std::vector<std::optional<std::string>> listed_since;
    std::optional<google::call_error> list_problem;
    std::optional<std::string> next_sync_token{"token 1"};
    task<google::answer<google::calendar_listing>> calendar_list(secret const&, std::optional<std::string> since, deadline) override {
        ++lists;
        listed_since.push_back(since);
        if (list_problem && (since || !list_problem->cursor_dead)) co_return *list_problem;
        co_return google::calendar_listing{calendars, next_sync_token};
    }
    task<google::answer<google::event_page>> list(secret const&, google::list_query, deadline) override {
        throw std::logic_error("not expected: list");
    }
    task<google::answer<domain::calendar_event>> get(secret const&, std::string, std::string, deadline) override {
        throw std::logic_error("not expected: get");
    }
    task<google::answer<domain::calendar_event>> insert(secret const&, std::string, std::string, google::event_write, deadline) override {
        throw std::logic_error("not expected: insert");
    }
    task<google::answer<domain::calendar_event>> patch(secret const&, std::string, std::string, std::string, google::event_write,
                                                       deadline) override {
        throw std::logic_error("not expected: patch");
    }
    task<google::answer<domain::calendar_event>> move(secret const&, std::string, std::string, std::string, deadline) override {
        throw std::logic_error("not expected: move");
    }
    task<google::answer<void>> remove(secret const&, std::string, std::string, std::string, std::string, deadline) override {
        throw std::logic_error("not expected: remove");
    }
};

class fake_kafka final : public kafka::producer {
public:
    std::vector<kafka::record> records;
    bool away{};

    task<result<void>> send(kafka::record what) override { co_return take(std::move(what)); }
    task<std::vector<result<void>>> send_all(std::vector<kafka::record> what) override {
        std::vector<result<void>> answers;
        for (kafka::record& each : what) answers.push_back(take(std::move(each)));
        co_return answers;
    }
    void send(kafka::record what, std::function<void(result<void>)> done) override { done(take(std::move(what))); }
    std::size_t in_flight() const override { return 0; }
    task<void> flush(deadline) override { co_return; }

    std::vector<domain::calendar_changed> wakeups() const {
        std::vector<domain::calendar_changed> all;
        for (kafka::record const& r : records) {
            if (r.topic != wire::topic_calendar_changed) continue;
            auto decoded = wire::decode_calendar_changed(r.value.value(), wire::encoding::protobuf);
            if (!decoded) throw std::runtime_error(decoded.error().context);
            all.push_back(std::move(*decoded));
        }
        return all;
    }

private:
    result<void> take(kafka::record what) {
        if (away) return fail(errc::unavailable, "kafka is away");
        records.push_back(std::move(what));
        return {};
    }
};

class fake_tokens final : public account::token_source {
public:
    std::optional<error> problem;
    int asked{};
    task<result<secret>> access_token(tenant_id, connection_id, secret refused) override {
        ++asked;
        if (problem) co_return *problem;
        co_return secret(refused.empty() ? "first" : "fresh");
    }
};

class fixed_random final : public random_source {
public:
    double uniform() override { return 0.5; }
};

class renewer_fixture : public store::store_fixture {
public:
    static crypto::key_ring keys() {
        return crypto::key_ring::parse(secret("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="))
            .value()
            .for_purpose(domain::channel_token_purpose);
    }
    channel_keeper keeper_on(pg::database& db) {
        channel_parts const with{db, google_, tokens_, kafka_, keys_, now_, random_, "https://hooks.example.com/push"};
        channel_limits const within{.life = std::chrono::hours(168),
                                    .renew_before = std::chrono::hours(24),
                                    .claim = std::chrono::minutes(1),
                                    .every = std::chrono::milliseconds(20),
                                    .call_time_max = std::chrono::seconds(5),
                                    .at_once = 16};
        return channel_keeper(ioc_.get_executor(), with, within);
    }
    void round() {
        run([](renewer_fixture& t) -> task<void> {
            channel_keeper keeper = t.keeper_on(*t.db_);
            co_await keeper.round();
        }(*this));
    }
    void channel_is_due() { sql("update calendars set channel_due_at = now() - interval '1 second'"); }
    void delivered() { sql("update channels set verified_at = now() where state = 'active'"); }
    std::string states() const { return sql("select coalesce(string_agg(state, ',' order by created_at, channel_id), '') from channels"); }
    static google::call_error failure(errc code, std::string reason = {}) {
        google::call_error e;
        e.code = code;
        e.reason = std::move(reason);
        return e;
    }

    fake_google google_;
    fake_kafka kafka_;
    fake_tokens tokens_;
    fixed_random random_;
    system_clock now_;
    crypto::key_ring keys_ = keys();
    std::unique_ptr<pg::database> db_ = open("renewer");
    calendar_id calendar_ = add_calendar("acme", "anna");
    std::string const google_id_{"anna@example.com"};
};

}  // namespace calbridge::renewer
