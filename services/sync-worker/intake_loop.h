#pragma once
// Kafka in: batches of both topics become rows in one short transaction, then the offsets are stored, always in order.

#include "scheduler.h"

#include "store/intake.h"

#include "common/kafka/kafka.h"
#include "common/runtime/service.h"

#include <variant>

namespace calbridge::worker {

// What one record is (pure).
struct understood {
    std::variant<store::task_intake, store::hint_intake, store::poison> what;
};
understood understand(kafka::consumed const& record);

class intake_loop {
public:
    intake_loop(kafka::consumer& consumer, store::intake& intake, scheduler& work, runtime::health& health, random_source& random);
    task<void> run();

private:
    task<void> take_in(std::vector<kafka::consumed> batch);
    task<result<std::vector<store::wake>>> try_take_in(std::vector<kafka::consumed> const& batch);

    kafka::consumer& consumer_;
    store::intake& intake_;
    scheduler& work_;
    runtime::health& health_;
    random_source& random_;
};

}  // namespace calbridge::worker
