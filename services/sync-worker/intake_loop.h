#pragma once
// Kafka in: batches of both topics become rows in one short transaction, then the offsets are stored, always in order.

#include "scheduler.h"

#include "store/intake.h"

#include "common/kafka/kafka.h"
#include "common/observe/trace.h"
#include "common/runtime/service.h"

#include <map>
#include <optional>
#include <string>
#include <variant>

namespace calbridge::worker {

// What one record is (pure).
// The newest trace of a batch per place: by calendar for hints, by record key for tasks.
struct traces {
    std::map<std::string, observe::trace_context, std::less<>> by_place;
    std::optional<observe::trace_context> of(store::wake const& where) const;
};

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
    task<result<std::vector<store::wake>>> try_take_in(std::vector<kafka::consumed> const& batch, traces& causes);

    kafka::consumer& consumer_;
    store::intake& intake_;
    scheduler& work_;
    runtime::health& health_;
    random_source& random_;
};

}  // namespace calbridge::worker
