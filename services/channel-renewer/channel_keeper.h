#pragma once
// Opens, replaces and stops push channels, on calendars and on calendar lists. Every channel is a committed row before Google hears of it,
// so a crash at any point leaves something the next round finds.

#include "account/tokens.h"
#include "clients/google/google.h"
#include "store/clockwork.h"

#include "common/base/random.h"
#include "common/kafka/kafka.h"

#include <string>

namespace calbridge::renewer {

struct channel_limits {
    std::chrono::milliseconds life{}, renew_before{}, claim{}, every{}, call_time_max{};
    int at_once{};
};

struct channel_parts {
    pg::database& db;
    google::calendar_api& api;
    account::token_source& tokens;
    kafka::producer& out;
    crypto::key_ring const& token_keys;  // for_purpose(domain::channel_token_purpose)
    clock const& now;
    random_source& random;
    std::string address;
};

class channel_keeper {
public:
    channel_keeper(asio::any_io_executor executor, channel_parts with, channel_limits within);

    // Until cancelled: looks for duties and carries them out, several at once.
    task<void> run();
    // Takes no new duty and waits for those at work.
    task<void> drain();
    // One look, carried out to the end; how many there were. run() and the tests share it.
    task<std::size_t> round();

private:
    task<void> look(task_group& group);
    task<std::vector<store::channel_duty>> claim();
    task<void> perform(store::channel_duty duty);
    task<void> open(store::channel_duty const& duty);
    task<void> opened(store::channel_duty const& duty, store::channel_row row, google::watch_answer answer);
    task<void> failed(store::channel_duty const& duty, store::channel_row const& row, struct watch_failure why);
    task<void> stop(store::channel_duty const& duty);
    enum class alert_kind { renewals_failing, scope_missing };
    task<void> set_alert(store::channel_duty const& duty, alert_kind kind, bool raised, std::string why);
    task<google::answer<google::watch_answer>> watch(store::channel_duty const& duty, google::watch_request request, secret token);

    asio::any_io_executor executor_;
    channel_parts with_;
    channel_limits within_;
    std::size_t at_work_{};
    bool draining_{};
};

}  // namespace calbridge::renewer
