#pragma once
// calendar-changed messages: an outbox row each, published right after commit; what is not acknowledged is swept later.

#include "store/work.h"

#include "common/async/task.h"
#include "common/kafka/kafka.h"
#include "common/pg/database.h"

#include <memory>

namespace calbridge::gateway {

class waker {
public:
    waker(asio::any_io_executor executor, pg::database& db, kafka::producer& producer, clock const& now);

    // Writes the messages in a transaction of their own and hands them to Kafka. All of one tenant; `connection` is whose calendars they
    // are.
    task<result<void>> wake(connection_id connection, std::vector<store::wake> where, domain::cause why);
    // Marks what Kafka acknowledged as sent, until cancelled.
    task<void> run();

private:
    void publish(std::vector<store::outbox_message> messages);

    // Shared with the callbacks, which may come as late as the producer's end.
    struct reports {
        explicit reports(asio::any_io_executor executor) : acknowledged(std::move(executor)) {}
        wakeup acknowledged;
        std::vector<store::outbox_message> sent;
    };

    pg::database& db_;
    kafka::producer& producer_;
    clock const& now_;
    std::shared_ptr<reports> reports_;
};

}  // namespace calbridge::gateway
